"""Answers that are lists or single facts, each under a name, so that fields can be added later."""

from dataclasses import dataclass

from app.records import Addition, Collection, Conversation, Document, Model, WatchedFolder


@dataclass(frozen=True, slots=True)
class Documents:
    """Every document, newest first."""

    documents: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class Additions:
    """What became of each file of an add."""

    additions: tuple[Addition, ...]


@dataclass(frozen=True, slots=True)
class WatchedFolders:
    """The folders that are followed, by path."""

    folders: tuple[WatchedFolder, ...]


@dataclass(frozen=True, slots=True)
class Collections:
    """The collections by name, then the folders that are followed."""

    collections: tuple[Collection, ...]


@dataclass(frozen=True, slots=True)
class Conversations:
    """Every conversation, the one used last first."""

    conversations: tuple[Conversation, ...]


@dataclass(frozen=True, slots=True)
class Models:
    """The chat model and the embedding model."""

    models: tuple[Model, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """Whether there was an answer to stop."""

    stopped: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """Whether there was a window to show."""

    shown: bool


@dataclass(frozen=True, slots=True)
class Address:
    """Where the API can be reached, such as http://127.0.0.1:11711; null when it is off."""

    address: str | None


@dataclass(frozen=True, slots=True)
class Error:
    """What went wrong: `code` and `type` for programs, `message` for people."""

    code: str
    message: str
    type: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Errors:
    """The one form of every error."""

    error: Error
