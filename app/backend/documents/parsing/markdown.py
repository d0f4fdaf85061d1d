"""Markdown: the text as it is written, with the headings it declares."""

import re
from collections.abc import Iterator
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.backend.documents.parsing import text
from app.backend.documents.parsing.messages import Heading, ReadPage
from app.backend.documents.parsing.source import Source

_FRONT_MATTER = re.compile(r"\A---\n.*?\n(?:---|\.\.\.)(?:\n|\Z)", re.DOTALL)


def pages(source: Source) -> Iterator[ReadPage]:
    """Read the file page by page, like `text.pages`, and find each page's headings.

    Raises:
        OSError: the file cannot be read.
    """
    # Only blocks are wanted; inline parsing is the slow half of a large file.
    blocks = MarkdownIt("commonmark").disable(["inline", "text_join"], ignoreInvalid=True)
    inline = MarkdownIt("commonmark")
    for page in text.pages(source):
        yield with_headings(page, blocks, inline)


def with_headings(page: ReadPage, blocks: MarkdownIt, inline: MarkdownIt) -> ReadPage:
    """The page with the headings that its Markdown declares."""
    return ReadPage(page.number, page.text, tuple(_headings(page, blocks, inline)))


def _headings(page: ReadPage, blocks: MarkdownIt, inline: MarkdownIt) -> Iterator[Heading]:
    source = page.text
    if page.number == 1 and (front := _FRONT_MATTER.match(source)):
        # Front matter would read as a heading underlined by its closing dashes.
        source = "\n" * source.count("\n", 0, front.end()) + source[front.end() :]
        shift = len(page.text) - len(source)
    else:
        shift = 0
    starts = _line_starts(source)
    tokens = blocks.parse(source)
    for token, content in pairwise(tokens):
        if token.type == "heading_open" and token.map is not None:
            title = _plain(inline.parseInline(content.content))
            if title:
                yield Heading(starts[token.map[0]] + shift, int(token.tag[1:]), title)


def _line_starts(source: str) -> list[int]:
    starts = [0]
    for found in re.finditer("\n", source):
        starts.append(found.end())
    return starts


def _plain(tokens: list[Token]) -> str:
    words = []
    for token in tokens:
        for child in token.children or []:
            if child.type in ("text", "code_inline"):
                words.append(child.content)
            elif child.type in ("softbreak", "hardbreak"):
                words.append(" ")
    return " ".join("".join(words).split())
