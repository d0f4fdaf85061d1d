"""Measures the words that the reader marks: `python -m tests.evaluation.spans.run [--wrong]`.

100 sentences over the sample document and the licences that come with Carrel, each with the words
that support it, marked by hand. Prints the intersection over union of what is marked with those, in
characters; a sentence that is not found supported, or in another section, counts 0.
"""

import argparse
import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pypdfium2

from app import paths
from app.backend.ask.evidence import Evidence
from app.records import Passage, Source

_CASES = Path(__file__).with_name("cases.txt")
_IN_PROMPT = 4


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence and the `span` of sections[place] that supports it; the others are its neighbours."""

    sentence: str
    sections: tuple[str, ...]
    place: int
    span: tuple[int, int]


def cases() -> list[Case]:
    """All cases, in the order of the file."""
    found: list[Case] = []
    name = number = ""
    for line in _CASES.read_text("utf-8").splitlines():
        mark, _, rest = line.partition(" ")
        if mark == "#" and len(rest.split()) == 2:
            name, number = rest.split()
        elif mark == "-":
            sentence, _, words = rest.partition(" | ")
            every = sections(name)
            numbers = list(every)
            first = numbers.index(number)
            near = [numbers[(first + step) % len(numbers)] for step in range(min(_IN_PROMPT, len(numbers)))]
            span = _span(every[number], words)
            found.append(Case(sentence, tuple(every[one] for one in near), 0, span))
    return found


@cache
def sections(name: str) -> dict[str, str]:
    """The sections of a text by their numbers, as they stand there."""
    text, heads = _TEXTS[name]()
    starts = list(re.finditer(heads, text))
    ends = [one.start() for one in starts[1:]] + [len(text)]
    return {one[1]: text[one.start() : end].strip() for one, end in zip(starts, ends, strict=True)}


def _span(text: str, words: str) -> tuple[int, int]:
    """Where the words stand in the text: all of them, or from the first to the last of "first ... last"."""
    first, _, last = words.partition(" ... ")
    found = re.search(_wrapped(first), text)
    if found is None:
        raise ValueError(words)
    if not last:
        return found.span()
    end = re.compile(_wrapped(last)).search(text, found.end())
    if end is None:
        raise ValueError(words)
    return found.start(), end.end()


def _wrapped(words: str) -> str:
    return r"\s+".join(map(re.escape, words.split()))


def _lease() -> str:
    document = pypdfium2.PdfDocument(paths.resource("sample", "Lease agreement.pdf"))
    try:
        pages = [page.get_textpage().get_text_range().replace("\r", "") for page in document]
    finally:
        document.close()
    # Without the running heads, which stand in the middle of sections.
    return "\n".join(page.partition("\n")[2] for page in pages)


_TEXTS: dict[str, Callable[[], tuple[str, str]]] = {
    "lease": lambda: (_lease(), r"(?m)^§ (\d+) "),
    "gpl": lambda: (paths.resource("notices", "GPL-3.0.txt").read_text("utf-8"), r"(?m)^  (\d+)\. [A-Z]"),
    "lgpl": lambda: (paths.resource("notices", "LGPL-3.0.txt").read_text("utf-8"), r"(?m)^  (\d+)\. [A-Z]"),
    "apache": lambda: (
        paths.resource("..", "LICENSE").read_text("utf-8"),
        r"(?m)^   (\d+)\. [A-Z]",
    ),
}


def marked(case: Case) -> tuple[int, int] | None:
    """The span of the case's section that is marked for its sentence; None: none, or in another."""
    sources = [
        Source(
            number,
            Passage(number, "d", "Document.pdf", True, number, 0, len(text), None, text),
            1.0 / number,
            read=True,
        )
        for number, text in enumerate(case.sections, start=1)
    ]
    found = Evidence(sources, "").support(case.sentence)
    if found is None or found.verdict == "unsupported" or found.source != case.place + 1:
        return None
    return found.start, found.end


def overlap(one: tuple[int, int] | None, other: tuple[int, int]) -> float:
    """Intersection over union of two spans."""
    if one is None:
        return 0.0
    both = max(0, min(one[1], other[1]) - max(one[0], other[0]))
    return both / (max(one[1], other[1]) - min(one[0], other[0])) if both else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wrong", action="store_true", help="print each case below 0.7")
    options = parser.parse_args()
    results = [(case, marked(case)) for case in cases()]
    scores = [overlap(span, case.span) for case, span in results]
    for (case, span), score in zip(results, scores, strict=True):
        if options.wrong and score < 0.7:
            there = case.sections[case.place]
            print(f"{score:.2f}  {case.sentence}")
            print(f"      wanted: {' '.join(there[slice(*case.span)].split())}")
            print(f"      marked: {' '.join(there[slice(*span)].split()) if span else '-'}")
    print(f"{len(scores)} sentences, IoU median {statistics.median(scores):.2f}", end=", ")
    print(f"mean {statistics.fmean(scores):.2f}, below 0.7: {sum(score < 0.7 for score in scores)}")


if __name__ == "__main__":
    main()
