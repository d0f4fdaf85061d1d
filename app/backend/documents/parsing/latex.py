"""LaTeX sources: sections, lists, tables and prose; commands go, mathematics stays as written.

A source is read as a person skims it. Nothing is run, expanded or included.
"""

import re
import unicodedata
from collections.abc import Iterator

from app.backend.documents.parsing import text
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage
from app.backend.documents.parsing.source import Source

# Comments, and the places where a percent sign begins none.
_COMMENT = re.compile(
    r"(\\begin\{(verbatim|lstlisting|minted|Verbatim|alltt)\*?\}.*?\\end\{\2\*?\}|\\[\\%])|%[^\n]*\n?[ \t]*",
    re.DOTALL,
)
_LEVELS = {
    "part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5,
    "subparagraph": 6, "title": 1, "frametitle": 2,
}  # fmt: skip
_BLOCK = re.compile(
    r"\\(part|chapter|section|subsection|subsubsection|paragraph|subparagraph|title|frametitle)\*?\s*"
    r"(?:\[[^\]]{0,500}\])?\s*\{"
    r"|\\begin\s*\{(\w{1,30}\*?)\}|\\end\s*\{(\w{1,30}\*?)\}|\\item\b\s*(?:\[([^\]\n]{0,200})\])?"
)
_VERBATIM = frozenset({"verbatim", "lstlisting", "minted", "Verbatim", "alltt"})
_TABLES = frozenset({"tabular", "tabular*", "tabularx", "longtable", "tabulary", "array"})
_MATH = frozenset({"equation", "align", "gather", "multline", "displaymath", "eqnarray", "math"})
_LEFT_OUT = frozenset({"tikzpicture", "thebibliography", "filecontents", "comment"})
_LISTS = frozenset({"itemize", "enumerate", "description"})
_MATH_SPAN = re.compile(
    r"\$\$.{1,2000}?\$\$|\$[^$\n]{1,500}\$|\\\[.{1,2000}?\\\]|\\\(.{1,500}?\\\)", re.DOTALL
)
# Commands whose argument is a name, a length or a file, not words.
_NAMES = (
    "label|ref|eqref|pageref|autoref|cref|Cref|includegraphics|bibliography|bibliographystyle|input|include|"
    "usepackage|documentclass|vspace|hspace|setlength|addtolength|newcommand|renewcommand|pagestyle|"
    "thispagestyle|hypersetup|setcounter|addcontentsline|graphicspath|color|textcolor|nocite|cmidrule|"
    "index|author|date"
)
_NAMED = re.compile(
    rf"\\(?:{_NAMES})\b\*?\s*(?:\[[^\]]{{0,500}}\])*\s*(?:\([^)]{{0,20}}\))?(?:\{{[^{{}}]{{0,1000}}\}})?"
)
_CITED = re.compile(
    r"~?\\(?:cite|citep|citet|parencite|textcite)\*?(?:\[[^\]]{0,200}\]){0,2}\{([^{}]{0,500})\}"
)
_LINKED = re.compile(r"\\href\s*\{[^{}]{0,2000}\}")
_ACCENT = re.compile(r"\\([`'^\"~=.]|[uvHckrbd](?=[\s{]))\s*(?:\{\\?([A-Za-z])\}|\\?([A-Za-z]))(?:\{\})?")
_MARKS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
    "b": "\u0331",
}  # fmt: skip
_LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å", "l": "ł",
    "L": "Ł", "i": "ı", "S": "§", "P": "¶", "pounds": "£", "euro": "€", "ldots": "…", "dots": "…",
    "textellipsis": "…", "copyright": "©", "LaTeX": "LaTeX", "TeX": "TeX", "textbackslash": "\\",
    "textendash": "–", "textemdash": "—", "quad": " ", "qquad": " ", "textdegree": "°", "newline": "\n",
    "hline": "", "toprule": "", "midrule": "", "bottomrule": "", "par": "\n\n",
}  # fmt: skip
_LETTER = re.compile(r"\\([A-Za-z]{1,40})\*?(?:\[[^\]\n]{0,200}\])?[ \t]*(?:\{\})?")
_ROW_END = re.compile(r"\\\\\s*(?:\[[^\]]{0,40}\])?|\\tabularnewline\b")
_CELL_END = re.compile(r"(?<!\\)&")
_SIGNS = (("---", "—"), ("--", "–"), ("``", "“"), ("''", "”"), ("~", " "), ("\\,", " "), ("\\;", " "),
          ("\\!", ""), ("\\-", ""), ("\\/", ""), ("\\@", ""))  # fmt: skip


def pages(source: Source) -> Iterator[ReadPage]:
    """Read the file.

    Raises:
        ParserLimitError: it is larger than can be held in memory.
        OSError: it cannot be read.
    """
    written = _COMMENT.sub(lambda found: found[1] or "", text.whole(source))
    title = re.search(r"\\title\s*\{", written)
    begin = re.search(r"\\begin\s*\{document\}", written)
    manuscript = Manuscript()
    writer = _Writer(manuscript)
    if begin is not None:
        end = written.find("\\end{document}", begin.end())
        if title is not None and title.start() < begin.start():
            inside, _ = _braced(written, title.end())
            manuscript.heading(1, prose(inside))
        written = written[begin.end() : end if end >= 0 else len(written)]
    writer.write(written)
    yield from manuscript.turn()


def prose(source: str) -> str:
    """The words of a piece of LaTeX that holds no sections, lists or tables."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\x00{len(kept) - 1}\x00"

    written = _MATH_SPAN.sub(keep, source)
    written = _CITED.sub(r" [\1]", written)
    written = _LINKED.sub("", _NAMED.sub("", written))
    written = _ACCENT.sub(_accented, written)
    written = _ROW_END.sub("\n", written)
    for sign, meant in _SIGNS:
        written = written.replace(sign, meant)
    written = _LETTER.sub(lambda found: _LETTERS.get(found[1], ""), written)
    written = re.sub(r"\\([%&$#_{} ])", lambda found: f"\x01{ord(found[1])}\x01", written)
    written = written.replace("{", "").replace("}", "").replace("\\", "")
    written = re.sub(r"\x01(\d+)\x01", lambda found: chr(int(found[1])), written)
    return re.sub(r"\x00(\d+)\x00", lambda found: kept[int(found[1])], written)


class _Writer:
    """Goes through the source from one section, list or environment to the next."""

    def __init__(self, manuscript: Manuscript) -> None:
        self._manuscript = manuscript
        self._lists: list[int | None] = []
        self._item: str | None = None

    def write(self, source: str) -> None:
        place = 0
        while (found := _BLOCK.search(source, place)) is not None:
            self._prose(source[place : found.start()])
            place = found.end()
            section, begun, ended, label = found.groups()
            if section:
                title, place = _braced(source, place)
                self._manuscript.heading(_LEVELS[section], prose(title))
            elif begun:
                place = self._environment(source, begun, place)
            elif ended:
                if ended.rstrip("*") in _LISTS and self._lists:
                    self._lists.pop()
            else:
                self._item = f"{prose(label)}: " if label else ""
        self._prose(source[place:])

    def _environment(self, source: str, name: str, place: int) -> int:
        """Begin an environment; those with a form of their own are written whole."""
        plain = name.rstrip("*")
        if plain in _LISTS:
            self._lists.append(0 if plain == "enumerate" else None)
            return place
        if not (name in _VERBATIM | _TABLES | _LEFT_OUT or plain in _MATH):
            return place
        end = source.find(f"\\end{{{name}}}", place)
        inside = source[place : end if end >= 0 else len(source)]
        if name in _VERBATIM:
            self._manuscript.code(inside.strip("\n"))
        elif name in _TABLES:
            self._manuscript.table(list(_rows(inside)))
        elif plain in _MATH:
            self._manuscript.paragraph(re.sub(r"\\label\{[^{}]*\}", "", inside))
        return end + len(f"\\end{{{name}}}") if end >= 0 else len(source)

    def _prose(self, source: str) -> None:
        for place, paragraph in enumerate(re.split(r"\n[ \t]*\n", source)):
            for part in prose(paragraph).split("\n\n"):
                words = "\n".join(" ".join(line.split()) for line in part.strip().split("\n"))
                if not words:
                    continue
                if self._item is not None and place == 0 and self._lists:
                    number = self._lists[-1]
                    if number is not None:
                        number += 1
                        self._lists[-1] = number
                    self._manuscript.item(self._item + words, len(self._lists) - 1, number)
                    self._item = None
                else:
                    self._manuscript.paragraph(words)


def _rows(source: str) -> Iterator[list[str]]:
    """The cells of a tabular; what stands before the first is its arguments."""
    place = 0
    while (found := re.compile(r"\s*(\{|\[)").match(source, place)) is not None:
        _, place = _braced(source, found.end(), "}" if found[1] == "{" else "]")
    for row in _ROW_END.split(source[place:]):
        yield [" ".join(prose(cell).split()) for cell in _CELL_END.split(row)]


def _braced(source: str, start: int, close: str = "}") -> tuple[str, int]:
    """What is between an open brace before `start` and its close; and where that ends."""
    depth = 1
    for found in re.compile(r"\\.|[{}\]]", re.DOTALL).finditer(source, start, start + 10_000):
        if found[0] == "{":
            depth += 1
        elif found[0] == close and depth == 1:
            return source[start : found.start()], found.end()
        elif found[0] == "}":
            depth -= 1
    line_end = source.find("\n", start)
    line_end = line_end if line_end >= 0 else len(source)
    return source[start:line_end], line_end


def _accented(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", (found[2] or found[3]) + _MARKS[found[1]])
