"""The error tree.

Everything a user can meet is an AppError: it has a stable `code` (the HTTP API returns it), an
HTTP `status`, and a sentence for a person. Anything else that is raised is a bug: it is logged
with its trace ID and shown as one, never swallowed.

    AppError
    ├── InputError (400)             the request cannot be done as it is
    │   ├── ContextOverflowError     context_overflow
    │   ├── CollectionError          collection_unknown, _exists, _name_invalid, _fixed (404, 409, 400, 400)
    │   ├── FilterError              filter_invalid
    │   └── InvalidRequestError      invalid_request
    ├── AccessError (401, 403)
    │   ├── UnauthorizedError        unauthorized
    │   └── ForbiddenError           forbidden
    ├── NotFoundError (404)          not_found
    ├── LimitError
    │   ├── TooLargeError (413)      too_large
    │   └── RateLimitedError (429)   rate_limited
    ├── DocumentError (422)          one file's reading failed; code says why
    │   ├── FileMissingError         file_missing
    │   ├── FileUnreadableError      file_unreadable
    │   ├── EmptyFileError           file_empty
    │   ├── NoTextError              no_text
    │   ├── UnsupportedTypeError     unsupported_type
    │   ├── DamagedFileError         file_damaged
    │   ├── EncryptedFileError       file_encrypted
    │   └── ParserLimitError         parser_limit
    ├── FolderError (422)            a folder cannot be followed as it should; code says why
    │   ├── FolderMissingError       folder_missing
    │   ├── FolderUnreadableError    folder_unreadable
    │   ├── FolderRemoteError        folder_remote
    │   └── WatchLimitError          watch_limit
    ├── ModelError (503)             model_unavailable
    │   ├── ModelFileError           model_file_invalid
    │   ├── ModelTooLargeError       model_too_large
    │   ├── ModelCrashedError        model_crashed
    │   ├── ModelTimeoutError        model_timed_out
    │   ├── ModelQuarantinedError    model_quarantined
    │   ├── BusyError                busy
    │   ├── DecodeError (500)        decode_failed
    │   └── DeadlineError (504)      deadline_exceeded
    ├── StorageError (500)           storage_failed
    │   ├── NewerSchemaError         newer_schema
    │   └── DamagedDatabaseError     database_damaged
    ├── SettingError (400)           setting_invalid
    ├── ProfileInUseError (409)      profile_in_use
    ├── ConnectionLostError (502)    connection_lost
    └── ReportedError                an error the other side reported, code and all
"""

from app.records import Problem


class AppError(Exception):
    """An error with a stable code and a sentence for the user."""

    code = "error"
    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def problem(self) -> Problem:
        """This error as it crosses the wire."""
        return Problem(self.code, self.message)


class InputError(AppError):
    """The request cannot be done as it is."""

    code = "invalid_input"
    status = 400


class ContextOverflowError(InputError):
    """The prompt does not fit in the model's context window."""

    code = "context_overflow"

    def __init__(self, needed: int, available: int) -> None:
        super().__init__(
            f"The question needs {needed:,} tokens; this model holds {available:,}."
            " Shorten it, or choose a model with a longer context."
        )
        self.needed = needed
        self.available = available


class InvalidRequestError(InputError):
    """A field of the request is missing or out of range."""

    code = "invalid_request"


class FilterError(InputError):
    """What a search is limited to cannot be understood, or contradicts itself."""

    code = "filter_invalid"


class CollectionError(InputError):
    """A collection is not there, or cannot be made or changed so: its `code` says why."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class AccessError(AppError):
    """The caller may not do this."""

    code = "forbidden"
    status = 403


class UnauthorizedError(AccessError):
    """No session, or one that has ended."""

    code = "unauthorized"
    status = 401

    def __init__(self, message: str = "Sign in first: this request carries no valid token.") -> None:
        super().__init__(message)


class ForbiddenError(AccessError):
    """The Host or Origin of the request is not allowed, or the door it came through is wrong."""


class NotFoundError(AppError):
    """There is no such thing (any more)."""

    code = "not_found"
    status = 404


class LimitError(AppError):
    """A bound of the gateway was passed."""

    code = "limit"
    status = 429


class TooLargeError(LimitError):
    """The body or the file is larger than the limit."""

    code = "too_large"
    status = 413


class RateLimitedError(LimitError):
    """Too many requests in a short time. `retry_after` is in seconds."""

    code = "rate_limited"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many requests; try again in {retry_after} s.")
        self.retry_after = retry_after


class DocumentError(AppError):
    """One file could not be read; the others go on."""

    code = "document_failed"
    status = 422


class FileMissingError(DocumentError):
    """There is no file at the path."""

    code = "file_missing"


class FileUnreadableError(DocumentError):
    """The system refused to let us read the file."""

    code = "file_unreadable"


class EmptyFileError(DocumentError):
    """The file has 0 bytes."""

    code = "file_empty"

    def __init__(self) -> None:
        super().__init__("The file is empty (0 bytes).")


class NoTextError(DocumentError):
    """The file was read and holds no text."""

    code = "no_text"

    def __init__(self, message: str = "There is no text in this file; it may be a scan.") -> None:
        super().__init__(message)


class UnsupportedTypeError(DocumentError):
    """No parser for this kind of file."""

    code = "unsupported_type"


class DamagedFileError(DocumentError):
    """The file is not what its name says, or is broken."""

    code = "file_damaged"


class EncryptedFileError(DocumentError):
    """The file needs a password."""

    code = "file_encrypted"

    def __init__(self) -> None:
        super().__init__("The file is protected by a password. Save a copy without one and add that.")


class ParserLimitError(DocumentError):
    """Reading the file took too long, too much memory, or made too much text."""

    code = "parser_limit"


class FolderError(AppError):
    """A folder cannot be followed as it should."""

    code = "folder_failed"
    status = 422


class FolderMissingError(FolderError):
    """The folder is not there: deleted, or on a disk or another computer that is away."""

    code = "folder_missing"

    def __init__(
        self, message: str = "This folder is not there now. Its documents are kept until it is back."
    ) -> None:
        super().__init__(message)


class FolderUnreadableError(FolderError):
    """The folder may not be looked into."""

    code = "folder_unreadable"

    def __init__(self) -> None:
        super().__init__("You are not allowed to look into this folder.")


class FolderRemoteError(FolderError):
    """The folder lies on another computer, whose changes the system does not tell."""

    code = "folder_remote"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"This folder is on another computer; Carrel looks for changes every {seconds:.0f} seconds."
        )


class WatchLimitError(FolderError):
    """The system's limit of folders that can be watched is reached."""

    code = "watch_limit"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "The system's limit of watched folders is reached;"
            f" Carrel looks for changes every {seconds:.0f} seconds instead."
        )


class ModelError(AppError):
    """A model is not there or does not work."""

    code = "model_unavailable"
    status = 503


class ModelFileError(ModelError):
    """The file is not a model that can be loaded."""

    code = "model_file_invalid"


class ModelTooLargeError(ModelError):
    """The model, or what was asked of it, needs more memory than is free; the message has the figures."""

    code = "model_too_large"


class ModelCrashedError(ModelError):
    """Loading the file ended the process that tried it out; it would end this one, too."""

    code = "model_crashed"


class ModelTimeoutError(ModelError):
    """The file could not be tried out in time."""

    code = "model_timed_out"


class ModelQuarantinedError(ModelError):
    """Carrel ended unexpectedly with this model several times in a row."""

    code = "model_quarantined"


class BusyError(ModelError):
    """The queue of the engine is full. `retry_after` is in seconds."""

    code = "busy"

    def __init__(self, retry_after: int = 5) -> None:
        super().__init__(f"The model is busy with other questions; try again in {retry_after} s.")
        self.retry_after = retry_after


class DecodeError(ModelError):
    """llama.cpp refused a step. The sequence is over; the engine goes on."""

    code = "decode_failed"
    status = 500


class DeadlineError(ModelError):
    """The answer was not there in the time it was given."""

    code = "deadline_exceeded"
    status = 504

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The answer took longer than the {seconds:g} seconds it was given.")


class StorageError(AppError):
    """The database or a file of the profile could not be written or read."""

    code = "storage_failed"


class NewerSchemaError(StorageError):
    """The database was written by a newer Carrel; it is left as it is."""

    code = "newer_schema"


class DamagedDatabaseError(StorageError):
    """The database fails its integrity check; it is left as it is."""

    code = "database_damaged"


class SettingError(InputError):
    """A setting has a value outside its range, or is unknown."""

    code = "setting_invalid"


class ProfileInUseError(AppError):
    """Another Carrel holds this profile and does not answer."""

    code = "profile_in_use"
    status = 409


class DisplayError(AppError):
    """There is no display for a window."""

    code = "no_display"


class ConnectionLostError(AppError):
    """The other side of the wire is gone."""

    code = "connection_lost"
    status = 502


class ReportedError(AppError):
    """An error that the gateway reported: its code and status are the instance's."""

    def __init__(self, problem: Problem, status: int, trace_id: str | None = None) -> None:
        super().__init__(problem.message)
        self.code = problem.code
        self.status = status
        self.trace_id = trace_id
