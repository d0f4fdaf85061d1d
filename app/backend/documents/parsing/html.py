"""Web pages as Markdown: what a person would read of them, with headings, lists and tables.

Scripts, navigation and what is hidden are left out; nothing a page points at is fetched.
"""

import re
from collections.abc import Iterator
from html import unescape

from selectolax.lexbor import LexborHTMLParser, LexborNode

from app.backend.documents.parsing import text
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage
from app.backend.documents.parsing.source import Source, read_source
from app.errors import DamagedFileError

_CHARSET = re.compile(
    rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]{2,30})", re.I
)
_CHARSET_WITHIN = 4096
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LEFT_OUT = frozenset([
    "script", "style", "template", "noscript", "iframe", "object", "embed", "svg", "math", "canvas",
    "audio", "video", "head", "nav", "select", "button", "input", "textarea", "map", "dialog",
])  # fmt: skip
_BLOCKS = frozenset([
    "html", "body", "p", "div", "section", "article", "main", "header", "footer", "aside", "figure",
    "figcaption", "address", "blockquote", "details", "summary", "form", "fieldset", "center", "dl", "dt",
    "dd", "ul", "ol", "li", "table", "pre", "hr", "h1", "h2", "h3", "h4", "h5", "h6",
])  # fmt: skip
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_BLANK = re.compile(r"[ \t\r\n\f]+")
# As deep as browsers go. Nobody nests deeper what a person is to read, and the tree would cost
# the square of its depth: the words are read without their structure.
_DEEPEST = 512
_NESTING = re.compile(
    r"<(/?)(?:a|b|i|u|em|strong|font|span|div|section|article|blockquote|table|ul|ol|dl|center|form|small|big)\b",
    re.I,
)
_UNSHOWN = re.compile(r"<(script|style|template)\b.*?(?:</\1\s*>|\Z)|<!--.*?-->|<[^<>]*>?", re.I | re.DOTALL)


def pages(source: Source) -> Iterator[ReadPage]:
    """Read a page of the web; its title is the first heading where it has none of its own.

    Raises:
        ParserLimitError: it is larger than can be held in memory.
        OSError: the file cannot be read.
    """
    manuscript = Manuscript()
    write(manuscript, decoded(read_source(source), source), titled=True)
    yield from manuscript.turn()


def decoded(data: bytes, source: Source) -> str:
    """The characters of a page: by its BOM, else what it declares, else as any text."""
    likely = text.encoding_of(source)
    declared = _CHARSET.search(data[:_CHARSET_WITHIN])
    if declared is not None and not likely.startswith("utf"):
        try:
            return data.decode(declared[1].decode("ascii"), "replace")
        except (LookupError, UnicodeError):
            pass  # no such encoding: as any text
    return data.decode(likely, "replace")


def write(manuscript: Manuscript, markup: str, *, deeper: int = 0, titled: bool = False) -> None:
    """Write what a page says into `manuscript`; headings stand `deeper` levels down.

    Raises:
        DamagedFileError: nothing can be made of it.
    """
    if _depth(markup) > _DEEPEST:
        manuscript.paragraph(_tidy(unescape(_UNSHOWN.sub(" ", markup))))
        return
    try:
        tree = LexborHTMLParser(markup.replace("\x00", ""))
    except Exception:  # the parser says no more than that it could not
        raise DamagedFileError("The file is broken: its HTML cannot be read.") from None
    if titled and tree.css_first("h1") is None and (title := tree.css_first("title")) is not None:
        manuscript.heading(1 + deeper, title.text())
    if tree.body is not None:
        writer = _Writer(manuscript, deeper)
        writer.block(tree.body, 0)
        writer.flush()


def _depth(markup: str) -> int:
    """How deep elements that do not end by themselves are nested, at most."""
    depth = deepest = 0
    for found in _NESTING.finditer(markup):
        depth = max(depth + (-1 if found[1] else 1), 0)
        deepest = max(deepest, depth)
    return deepest


class _Writer:
    """Walks the elements; words gather until a block ends."""

    def __init__(self, manuscript: Manuscript, deeper: int) -> None:
        self._manuscript = manuscript
        self._deeper = deeper
        self._words: list[str] = []
        # Of the lists around: the number of the next item, or None for bullets.
        self._lists: list[int | None] = []
        self._item_open = False

    def flush(self) -> None:
        """Write the words that gathered as a paragraph, or as the item whose mark is due."""
        written = _tidy("".join(self._words))
        self._words = []
        if not written:
            return
        if self._lists and self._item_open:
            number = self._lists[-1]
            self._manuscript.item(written, len(self._lists) - 1, number)
            self._item_open = False
            if number is not None:
                self._lists[-1] = number + 1
        elif self._lists:
            indent = "  " * len(self._lists)
            self._manuscript.paragraph(written.replace("\n", "\n" + indent))
        else:
            self._manuscript.paragraph(written)

    def block(self, node: LexborNode, depth: int) -> None:
        """Write what is inside an element."""
        child = node.first_child
        while child is not None:
            self._node(child, depth + 1)
            child = child.next

    def _node(self, node: LexborNode, depth: int) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self._words.append(_BLANK.sub(" ", node.text_content or ""))
        elif tag == "br":
            self._words.append("\n")
        elif tag == "img":
            self._words.append(f" {(node.attributes.get('alt') or '').strip()} ")
        elif tag.startswith("-") or tag in _LEFT_OUT or _is_hidden(node):
            return
        elif depth > _DEEPEST:
            self._words.append(_BLANK.sub(" ", node.text(separator=" ")))
        elif tag in _BLOCKS:
            self.flush()
            self._begin(node, tag, depth)
            self.flush()
        else:
            self.block(node, depth)

    def _begin(self, node: LexborNode, tag: str, depth: int) -> None:
        if tag in _HEADINGS:
            title = _flat(node)
            self._manuscript.heading(_HEADINGS[tag] + self._deeper, title)
        elif tag in ("ul", "ol"):
            self._lists.append(_first_number(node) if tag == "ol" else None)
            self.block(node, depth)
            self.flush()
            self._lists.pop()
            self._item_open = False
        elif tag == "li":
            self._item_open = True
            self.block(node, depth)
        elif tag == "pre":
            self._manuscript.code(node.text())
        elif tag == "table":
            self._table(node, depth)
        else:
            self.block(node, depth)

    def _table(self, node: LexborNode, depth: int) -> None:
        rows = [row for row in node.css("tr") if _table_of(row) == node]
        cells = [[cell for cell in _children(row) if cell.tag in ("td", "th")] for row in rows]
        if max(map(len, cells), default=0) < 2 or node.css_first("table table, h1, h2, ul li ul") is not None:
            # Lays out the page rather than listing anything.
            for row in cells:
                for cell in row:
                    self.block(cell, depth + 1)
                    self.flush()
            return
        if (caption := node.css_first("caption")) is not None:
            self._manuscript.paragraph(_flat(caption))
        self._manuscript.table([list(_filled(row)) for row in cells])


def _filled(row: list[LexborNode]) -> Iterator[str]:
    """The cells of a row, so that each stands in its column."""
    for cell in row:
        yield _flat(cell)
        span = cell.attributes.get("colspan") or "1"
        yield from [""] * (min(int(span), 100) - 1 if span.isdecimal() else 0)


def _flat(node: LexborNode) -> str:
    """The words of an element on one line."""
    for hidden in node.css("script, style, template"):
        hidden.decompose()
    for line_break in node.css("br"):
        line_break.replace_with(" ")
    # Inside a cell, paragraphs and items are words apart; letters with their own tags are not.
    parts = node.css("p, div, li")
    if parts:
        for part in parts:
            part.insert_before(" ")
    return " ".join(node.text().split())


def _children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.first_child
    while child is not None:
        yield child
        child = child.next


def _table_of(row: LexborNode) -> LexborNode | None:
    above = row.parent
    while above is not None and above.tag != "table":
        above = above.parent
    return above


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    return "hidden" in attributes or bool(_HIDDEN.search(attributes.get("style") or ""))


def _first_number(node: LexborNode) -> int:
    start = node.attributes.get("start") or ""
    return int(start) if start.isdecimal() and len(start) < 7 else 1


def _tidy(written: str) -> str:
    """Words as they are shown: single blanks, none around line ends."""
    lines = (_BLANK.sub(" ", line).strip(" ") for line in written.split("\n"))
    return "\n".join(lines).strip()
