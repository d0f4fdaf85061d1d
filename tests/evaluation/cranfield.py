"""The Cranfield collection, as it is distributed: 1,400 abstracts, 225 queries, graded judgements."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from library import Text, plain


@dataclass(frozen=True, slots=True)
class Query:
    """A query by its place in the file, from 1; `relevant`: the names of documents that answer it."""

    place: int
    text: str
    relevant: dict[str, float]


def documents(folder: Path) -> Iterator[Text]:
    """Every abstract that is not empty, by its number."""
    for number, fields in _records(folder / "cran.all.1400"):
        text = fields.get("W", "").strip()
        if text:
            yield plain(f"{int(number)}", text)


def queries(folder: Path) -> list[Query]:
    """All queries. Judgements name them by their place in the file, not by their number.

    Grades go from 1, a complete answer, to 4, of little interest; what is marked -1 gains nothing. The
    gain is exponential, 2^(5 - grade) - 1, which comes nearest to the baselines that were measured
    elsewhere (BM25 0.354, vectors 0.377, both by reciprocal ranks 0.396 on the even queries).
    """
    relevant: dict[int, dict[str, float]] = defaultdict(dict)
    for line in (folder / "cranqrel").read_text().splitlines():
        if line.strip():
            place, document, grade = line.split()
            if int(grade) > 0:
                relevant[int(place)][document] = 2.0 ** (5 - int(grade)) - 1
    found = enumerate(_records(folder / "cran.qry"), start=1)
    return [Query(place, " ".join(fields["W"].split()), relevant[place]) for place, (_, fields) in found]


def _records(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    for record in re.split(r"^\.I\s+", file.read_text("latin-1"), flags=re.MULTILINE)[1:]:
        number, _, rest = record.partition("\n")
        parts = re.split(r"^\.([TABW])[^\S\n]*\n", rest, flags=re.MULTILINE)
        yield number.strip(), dict(zip(parts[1::2], parts[2::2], strict=True))
