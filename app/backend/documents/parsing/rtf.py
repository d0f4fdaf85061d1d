"""Rich Text (RTF): text in any of its code pages, headings by their styles, lists and tables."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage
from app.backend.documents.parsing.source import Source, read_source
from app.errors import DamagedFileError

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)|[\r\n]+"
)
# Groups whose text is not the document's.
_ASIDE = frozenset([
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "headerl", "headerr",
    "headerf", "footer", "footerl", "footerr", "footerf", "filetbl", "listtable", "listoverridetable",
    "revtbl", "rsidtbl", "generator", "themedata", "colorschememapping", "datastore", "latentstyles",
    "xmlnstbl", "fldinst", "annotation", "atnid", "atnauthor", "bkmkstart", "bkmkend", "nonshppict",
])  # fmt: skip
_SIGNS = {
    "par": "\n", "line": "\n", "tab": "\t", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘",
    "rquote": "’", "ldblquote": "“", "rdblquote": "”", "emspace": " ", "enspace": " ", "qmspace": " ",
}  # fmt: skip
_ESCAPED = {"~": "\u00a0", "_": "\u2011", "{": "{", "}": "}", "\\": "\\", "\n": "\n", "\r": "\n"}
# Of the character sets that fonts name.
_CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gbk", 136: "big5", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_HEADING_STYLE = re.compile(r"heading (\d)", re.I)
_NUMBERED = re.compile(r"(\d{1,4})[.)]?$")
_DEEPEST = 1_000


def pages(source: Source) -> Iterator[ReadPage]:
    """Read the file.

    Raises:
        DamagedFileError: it is no RTF, or its groups are nested beyond reason.
        ParserLimitError: it is larger than can be held in memory.
        OSError: it cannot be read.
    """
    data = read_source(source)
    if not data.lstrip().startswith(b"{\\rtf"):
        raise DamagedFileError("This is not an RTF document, although its name says so.")
    reader = _Reader()
    reader.read(data)
    yield from reader.manuscript.turn()


@dataclass(frozen=True, slots=True)
class _State:
    """What a group hands on to the groups inside it. `aside` names the group that is left out."""

    encoding: str
    aside: str = ""
    label: bool = False
    skip: int = 1
    hidden: bool = False


@dataclass(slots=True)
class _Paragraph:
    """The properties of the paragraph that is being read."""

    style: int = 0
    outline: int | None = None
    in_table: bool = False


class _Reader:
    def __init__(self) -> None:
        self.manuscript = Manuscript()
        self._default = "cp1252"
        self._state = _State(self._default)
        self._stack: list[_State] = []
        self._encodings: dict[int, str] = {}
        self._levels: dict[int, int] = {}
        self._paragraph = _Paragraph()
        self._written: list[str] = []
        self._label: list[str] = []
        self._aside: list[str] = []
        self._pending = bytearray()
        self._to_skip = 0
        self._font = 0
        self._high = 0
        self._cells: list[str] = []
        self._rows: list[list[str]] = []

    def read(self, data: bytes) -> None:
        place = 0
        first = False  # the next word is the first of its group
        while place < len(data):
            token = _TOKEN.match(data, place)
            if token is None:
                break  # a lone backslash at the end of a file that was cut off
            place = token.end()
            word, number, byte, sign, brace, plain = token.groups()
            if byte is not None:
                self._bytes(bytes.fromhex(byte.decode()))
                continue
            if plain is not None:
                self._bytes(plain)
                first = False
                continue
            self._decode()
            if brace == b"{":
                self._open()
                first = True
            elif brace == b"}":
                self._close()
            elif word is not None:
                count = int(number) if number is not None else None
                if word == b"bin":
                    place += max(count or 0, 0)
                self._word(word.decode(), count, first=first)
                first = False
            elif sign == b"*":
                self._state = replace(self._state, aside=self._state.aside or "*")
            elif sign is not None:
                self._put(_ESCAPED.get(sign.decode("latin-1"), ""))
        self._decode()
        self._end_paragraph()
        self._end_table()

    def _open(self) -> None:
        if len(self._stack) >= _DEEPEST:
            raise DamagedFileError("The RTF document is broken: its groups are nested beyond reason.")
        self._stack.append(self._state)

    def _close(self) -> None:
        if self._state.aside == "stylesheet":
            self._name_style("".join(self._aside))
            self._paragraph = _Paragraph()  # what was read were the properties of the style
        self._aside = []
        if self._stack:
            self._state = self._stack.pop()

    def _name_style(self, name: str) -> None:
        if found := _HEADING_STYLE.search(name):
            self._levels[self._paragraph.style] = int(found[1])
        elif name.strip().rstrip(";").lower() == "title":
            self._levels[self._paragraph.style] = 1

    def _word(self, word: str, number: int | None, *, first: bool) -> None:
        state = self._state
        if word in _ASIDE and (first or state.aside == "*"):
            self._state = replace(state, aside=word)
        elif word in ("listtext", "pntext"):
            self._state = replace(state, label=True, aside="")
        elif word == "shptxt":
            self._state = replace(state, aside="")
        elif word == "ansicpg" and number:
            self._default = _known(f"cp{number}")
            self._state = replace(state, encoding=self._default)
        elif word == "mac":
            self._default = "mac_roman"
            self._state = replace(state, encoding=self._default)
        elif word == "f":
            self._font = number or 0
            self._state = replace(state, encoding=self._encodings.get(self._font, self._default))
        elif word == "fcharset" and number in _CHARSETS:
            self._encodings[self._font] = _CHARSETS[number]
        elif word == "uc":
            self._state = replace(state, skip=max(number or 0, 0))
        elif word == "u" and number is not None:
            self._unicode(number % 0x10000)
        elif word == "v":
            self._state = replace(state, hidden=number != 0)
        else:
            self._paragraph_word(word, number)

    def _paragraph_word(self, word: str, number: int | None) -> None:
        if word == "s":
            self._paragraph.style = number or 0
        elif self._state.aside:
            return
        elif word == "pard":
            self._paragraph = _Paragraph()
        elif word == "outlinelevel":
            self._paragraph.outline = number
        elif word == "intbl":
            self._paragraph.in_table = True
        elif word in ("par", "sect", "page"):
            self._end_paragraph()
        elif word in ("cell", "nestcell"):
            self._cells.append("".join(self._written))
            self._written, self._label = [], []
        elif word in ("row", "nestrow"):
            self._rows.append(self._cells)
            self._cells = []
        elif sign := _SIGNS.get(word):
            self._put(sign)

    def _bytes(self, data: bytes) -> None:
        """Bytes of text, some of which may stand for the character that went before as Unicode."""
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        self._pending += data

    def _decode(self) -> None:
        self._to_skip = 0
        if self._pending:
            data, self._pending = bytes(self._pending), bytearray()
            self._put(data.decode(self._state.encoding, "replace"))

    def _unicode(self, code: int) -> None:
        if 0xD800 <= code < 0xDC00:
            self._high = code
        elif 0xDC00 <= code < 0xE000:
            if self._high:
                self._put(chr(0x10000 + ((self._high - 0xD800) << 10) + (code - 0xDC00)))
            self._high = 0
        else:
            self._put(chr(code))
        self._to_skip = self._state.skip

    def _put(self, written: str) -> None:
        state = self._state
        if state.aside:
            if state.aside == "stylesheet":
                self._aside.append(written)
        elif state.label:
            self._label.append(written)
        elif not state.hidden:
            self._written.append(written)

    def _end_paragraph(self) -> None:
        if self._paragraph.in_table and (self._cells or self._written):
            self._written.append(" ")  # a paragraph within a cell
            return
        self._end_table()
        written, label = "".join(self._written), "".join(self._label).strip()
        self._written, self._label = [], []
        outline = self._paragraph.outline
        level = outline + 1 if outline is not None and 0 <= outline < 9 else None
        if level is None:
            level = self._levels.get(self._paragraph.style)
        if level is not None:
            self.manuscript.heading(level, f"{label} {written}")
        elif label:
            number = _NUMBERED.match(label)
            self.manuscript.item(written, 0, int(number[1]) if number else None)
        else:
            self.manuscript.paragraph(written)

    def _end_table(self) -> None:
        if self._rows and not self._cells:
            self.manuscript.table(self._rows)
            self._rows = []


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return "cp1252"
