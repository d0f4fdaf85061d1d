"""Messages (EML): who wrote what when, and what was attached."""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from itertools import islice

from app.backend.documents.parsing import html
from app.backend.documents.parsing.attachments import write_attachment
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage, Scanned
from app.backend.documents.parsing.source import Held, Source, depth_of, read_source
from app.errors import DamagedFileError

# As many attachments of a message as are looked at.
_PARTS = 1_000
_NO_SUBJECT = "(no subject)"
_SHOWN = ("From", "To", "Cc", "Date")


def pages(source: Source) -> Iterator[ReadPage | Scanned]:
    """Read one message.

    Raises:
        DamagedFileError: it is no message.
        ParserLimitError: it is larger than can be held in memory.
        OSError: it cannot be read.
    """
    manuscript = Manuscript()
    message = parsed(read_source(source))
    if not message.keys():
        raise DamagedFileError("This is not a message, although its name says so.")
    yield from write_message(manuscript, message, depth_of(source))
    yield from manuscript.turn()


def write_headers(manuscript: Manuscript, subject: str, fields: dict[str, str]) -> None:
    """How a message begins: its subject as a heading, who wrote to whom and when below it."""
    manuscript.heading(1, subject.strip() or _NO_SUBJECT)
    manuscript.paragraph(
        "\n".join(f"{name}: {' '.join(value.split())}" for name, value in fields.items() if value.strip())
    )


def parsed(data: bytes) -> EmailMessage:
    """A message of which nothing is believed; whatever the bytes are, there is one."""
    return email.message_from_bytes(data, policy=email.policy.default)


def write_message(manuscript: Manuscript, message: EmailMessage, depth: int) -> Iterator[Scanned]:
    """Write its head, its body and what is attached; `depth` counts the files around it."""
    fields = {name: _field(message, name) for name in _SHOWN}
    write_headers(manuscript, _field(message, "Subject"), fields)
    body = _body(message)
    if body is not None:
        written = _text(body)
        if body.get_content_subtype() == "html":
            html.write(manuscript, written, deeper=1)
        else:
            for paragraph in written.replace("\r\n", "\n").split("\n\n"):
                manuscript.paragraph(paragraph)
    for attached in islice(_attached(message, body, depth + 1), _PARTS):
        yield from write_attachment(manuscript, attached)


def _field(message: EmailMessage, name: str) -> str:
    """A field of the head; one that breaks the rules as it stands."""
    try:
        return str(message.get(name, ""))
    except Exception:  # the parser of addresses and dates raises whatever it stumbles over
        return next((value for key, value in message.raw_items() if key.lower() == name.lower()), "")


def _body(message: EmailMessage) -> EmailMessage | None:
    try:
        found = message.get_body(("plain", "html"))
    except Exception:  # parts that are not what their heads say
        found = None
    return found if isinstance(found, EmailMessage) else None


def _text(part: EmailMessage) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    charset = part.get_content_charset("utf-8")
    try:
        return data.decode(charset, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _attached(part: EmailMessage, body: EmailMessage | None, depth: int) -> Iterator[Held]:
    """What hangs on a message besides its body and the body's other forms."""
    payload = part.get_payload()
    if part is body:
        return
    if part.get_content_type() == "message/rfc822":
        for inside in payload if isinstance(payload, list) else ():
            if isinstance(inside, EmailMessage):
                yield Held(f"{_field(inside, 'Subject') or _NO_SUBJECT}.eml", inside.as_bytes(), depth)
    elif isinstance(payload, list):
        forms = part.get_content_type() == "multipart/alternative" and body is not None
        for inside in payload:
            if isinstance(inside, EmailMessage) and not (forms and not inside.is_multipart()):
                yield from _attached(inside, body, depth)
    else:
        name = part.get_filename()
        data = part.get_payload(decode=True)
        if isinstance(data, bytes) and (name or part.get_content_disposition() == "attachment"):
            yield Held(name or "without a name", data, depth)
