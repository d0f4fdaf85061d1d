"""Files inside a message: named, and read where Carrel could read them by themselves."""

from collections.abc import Iterator

from app.backend.documents import media_types
from app.backend.documents.parsing import formats
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage, Scanned
from app.backend.documents.parsing.source import Held
from app.errors import AppError

# A file in a message in a message is read; what is in that one is only named.
NESTING = 2
# Pages without text in attachments: a message of a hundred photographs should not take an hour.
_SCANNED_PAGES = 20
_LEVEL = 2


def write_attachment(manuscript: Manuscript, held: Held) -> Iterator[Scanned]:
    """Write the name of an attachment as a heading and below it what it says, or why not."""
    manuscript.heading(_LEVEL, f"Attachment: {held.name}")
    if held.depth > NESTING:
        manuscript.paragraph("(Not read: it is nested too deeply.)")
        return
    scanned = 0
    try:
        kind = media_types.media_type(held.name, held.data[: media_types.HEAD_BYTES])
        for message in formats.read(held, kind):
            if isinstance(message, Scanned):
                scanned += 1
                if scanned > _SCANNED_PAGES:
                    manuscript.paragraph("(The rest is not read: too many of its pages are scans.)")
                    return
                yield message
            elif isinstance(message, ReadPage):
                manuscript.include(message, _LEVEL)
    except AppError as error:
        manuscript.paragraph(f"(Not read: {error.message})")
    except RecursionError:
        manuscript.paragraph("(Not read: it is nested too deeply.)")
