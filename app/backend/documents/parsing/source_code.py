"""Source code: the text as it stands, with what it defines as its headings."""

import re
from collections.abc import Iterator

from app.backend.documents.parsing import text
from app.backend.documents.parsing.messages import Heading, ReadPage
from app.backend.documents.parsing.source import Source

# One pattern for all languages: a definition begins its line, says so with a word of its
# language, and names itself. What it is called ends the match.
_DEFINITION = re.compile(
    r"^(?P<indent>[ \t]{0,40})"
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|pub|pub\(\w+\)|unsafe|"
    r"sealed|open|override|virtual|inline|partial|data|extern|const|local)[ \t]+){0,6}"
    r"(?:"
    r"(?:class|interface|struct|enum|trait|union|module|namespace|protocol|record|object|impl|extension|"
    r"def|function|func|fn|fun|sub|proc|procedure|type|macro_rules!|CREATE[ \t]+(?:TABLE|VIEW|FUNCTION))"
    r"[ \t]+(?:\([^()\n]{0,80}\)[ \t]*)?(?:<[^<>\n]{0,80}>[ \t]*)?(?P<named>[\w$.:\"`?!]{1,100})"
    # C and its kin: a type, a name and parameters, then a brace.
    r"|(?:[\w:<>,*&\[\]]+[ \t]+){1,4}[*&]{0,2}(?P<called>~?[A-Za-z_][\w:]{0,100})[ \t]*\([^;{}()\n]{0,300}\)"
    r"[ \t]*(?:const|noexcept|override|throws[ \t]+[\w., ]{1,100})?[ \t]*\n?[ \t]*\{"
    # JavaScript: a name that is given a function.
    r"|(?:let|var)?[ \t]*(?P<given>[A-Za-z_$][\w$]{0,100})[ \t]*=[ \t]*(?:async[ \t]*)?"
    r"(?:function\b|\([^()\n]{0,200}\)[ \t]*=>)"
    r")",
    re.MULTILINE,
)
_NOT_NAMES = frozenset({"if", "for", "while", "switch", "catch", "return", "else", "new", "sizeof", "do"})
_FIRST_WORD = re.compile(r"\s*(?:return|else|new|throw|case|if|while|for|switch|yield|await|import|from)\b")
_LONGEST_LINE = 2_000
_TAB = 4


def pages(source: Source) -> Iterator[ReadPage]:
    """Read the file page by page, like `text.pages`; deeper definitions have higher levels.

    Raises:
        OSError: the file cannot be read.
    """
    for page in text.pages(source):
        yield ReadPage(page.number, page.text, tuple(_headings(page.text)))


def _headings(written: str) -> Iterator[Heading]:
    if max(map(len, written.split("\n"))) > _LONGEST_LINE:
        return  # made by a machine: minified, or data
    levels: list[int] = []  # the indents of the definitions around
    for found in _DEFINITION.finditer(written):
        name = found["named"] or found["called"] or found["given"]
        if name in _NOT_NAMES or _FIRST_WORD.match(found[0]):
            continue
        indent = len(found["indent"].expandtabs(_TAB))
        while levels and levels[-1] >= indent:
            levels.pop()
        levels.append(indent)
        start = found.start() + len(found["indent"])
        yield Heading(start, min(len(levels), 6), name.strip(":."))
