"""The pages that the cases are made from: made-up documents, each fact with a paraphrase and a question.

The two files pages_*.txt are the source. Of each line the first character says what it is: `==` a
document, `#` a page, `-` a sentence of it; below its sentence `~` a paraphrase and `?` a question
with the words that answer it, word for word as they stand in the sentence; `u` a question that
nothing in any document answers. Paraphrases were written by hand from the one sentence they stand
under, which so is the span that supports them. Nothing here was made by a model of Carrel's.
"""

from dataclasses import dataclass, field
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence of a page, a paraphrase of it, and a question that `answer` (in the sentence) answers."""

    sentence: str
    paraphrase: str
    question: str
    answer: str


@dataclass(slots=True)
class Page:
    """A page of a document; `unanswerable` are questions of its kind that nothing answers."""

    document: str
    heading: str
    facts: list[Fact] = field(default_factory=list)
    unanswerable: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The heading and the sentences, as they stand on the page."""
        return f"{self.heading}\n\n{self.body}"

    @property
    def body(self) -> str:
        return " ".join(fact.sentence for fact in self.facts)

    def span(self, fact: Fact) -> tuple[int, int]:
        """Where a fact's sentence stands in `text`."""
        start = self.text.index(fact.sentence)
        return start, start + len(fact.sentence)


def pages() -> list[Page]:
    """All pages, in the order of the files."""
    found: list[Page] = []
    document = sentence = paraphrase = ""
    for name in ("pages_a.txt", "pages_b.txt"):
        for line in (_FOLDER / name).read_text("utf-8").splitlines():
            mark, _, rest = line.partition(" ")
            match mark:
                case "==":
                    document = rest
                case "#":
                    found.append(Page(document, rest))
                case "-":
                    sentence = rest
                case "~":
                    paraphrase = rest
                case "?":
                    question, _, answer = rest.rpartition(" | ")
                    found[-1].facts.append(Fact(sentence, paraphrase, question, answer))
                case "u":
                    found[-1].unanswerable.append(rest)
                case _:
                    raise ValueError(line)
    return found
