"""reStructuredText, by docutils, with everything off that would reach out of the file."""

from collections.abc import Iterator

import docutils.core
import docutils.utils

from app.backend.documents.parsing import html, text
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage
from app.backend.documents.parsing.source import Source

# docutils takes some ten seconds for a megabyte; larger files are hardly prose.
_LARGEST = 2_000_000
_CONFINED = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": docutils.utils.Reporter.SEVERE_LEVEL + 1,
    "halt_level": docutils.utils.Reporter.SEVERE_LEVEL + 1,
    "warning_stream": False,
    "syntax_highlight": "none",
    "math_output": "LaTeX",
    "stylesheet_path": None,
    "embed_stylesheet": False,
    "initial_header_level": 2,
    "doctitle_xform": True,
    "language_code": "en",
    "line_length_limit": 1_000_000,
}


def pages(source: Source) -> Iterator[ReadPage]:
    """Read the file; what docutils cannot make sense of is read as the text it is.

    Raises:
        ParserLimitError: it is larger than can be held in memory.
        OSError: it cannot be read.
    """
    written = text.whole(source)
    manuscript = Manuscript()
    markup = _markup(written) if len(written) <= _LARGEST else None
    if markup is None:
        for piece in text.cut([written]):
            manuscript.paragraph(piece)
    else:
        html.write(manuscript, markup)
    yield from manuscript.turn()


def _markup(written: str) -> str | None:
    try:
        parts = docutils.core.publish_parts(written, writer="html5", settings_overrides=_CONFINED)
    except MemoryError:
        raise
    except Exception:  # docutils promises nothing for sources like these
        return None
    return str(parts["html_body"])
