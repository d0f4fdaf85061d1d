"""Public sets for judging retrieval, read from a folder: texts, queries, and what is relevant to each.

Two forms: the Cranfield collection as it is distributed (1,400 abstracts, 225 queries), and BEIR's,
which many sets are published in: corpus.jsonl, queries.jsonl and qrels/test.tsv.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from app.errors import InvalidRequestError

SetName = Literal["cranfield", "beir"]


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a set: what judgements call it, its title if it has one, and its words."""

    name: str
    text: str
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A query by its place in the file, from 1; `relevant`: the gains of the texts that answer it."""

    place: int
    text: str
    relevant: dict[str, float]


@dataclass(frozen=True, slots=True)
class PublicSet:
    """All of a set. Queries without a judgement are left out: nothing can be said about them."""

    texts: tuple[Text, ...]
    queries: tuple[Query, ...]


def read(name: SetName, folder: Path) -> PublicSet:
    """Read a set.

    Raises:
        InvalidRequestError: the folder does not hold it, or a file of it is not in its form.
    """
    try:
        texts = tuple(cranfield_texts(folder) if name == "cranfield" else _beir_texts(folder))
        queries = cranfield_queries(folder) if name == "cranfield" else _beir_queries(folder)
    except OSError as error:
        raise InvalidRequestError(f"{error.filename or folder} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, msgspec.MsgspecError) as error:
        raise InvalidRequestError(f"{folder} holds no {name} set, or a broken one.") from error
    judged = tuple(query for query in queries if query.relevant)
    if not texts or not judged:
        raise InvalidRequestError(f"{folder} holds no {name} set that can be measured.")
    return PublicSet(texts, judged)


def cranfield_texts(folder: Path) -> Iterator[Text]:
    """Every abstract that is not empty, by its number."""
    for number, fields in _records(folder / "cran.all.1400"):
        text = fields.get("W", "").strip()
        if text:
            yield Text(f"{int(number)}", text)


def cranfield_queries(folder: Path) -> list[Query]:
    """All queries. Judgements name them by their place in the file, not by their number.

    Grades go from 1, a complete answer, to 4, of little interest; what is marked -1 gains nothing. The
    gain is 5 - grade.
    """
    relevant: dict[int, dict[str, float]] = defaultdict(dict)
    for line in (folder / "cranqrel").read_text("ascii").splitlines():
        if line.strip():
            place, document, grade = line.split()
            if int(grade) > 0:
                relevant[int(place)][document] = 5.0 - int(grade)
    found = enumerate(_records(folder / "cran.qry"), start=1)
    return [Query(place, " ".join(fields["W"].split()), relevant[place]) for place, (_, fields) in found]


def _records(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    for record in re.split(r"^\.I\s+", file.read_text("latin-1"), flags=re.MULTILINE)[1:]:
        number, _, rest = record.partition("\n")
        parts = re.split(r"^\.([TABW])[^\S\n]*\n", rest, flags=re.MULTILINE)
        yield number.strip(), dict(zip(parts[1::2], parts[2::2], strict=True))


class _BeirText(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    text: str
    title: str = ""


class _BeirQuery(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    text: str


def _beir_texts(folder: Path) -> Iterator[Text]:
    with (folder / "corpus.jsonl").open("rb") as lines:
        for line in lines:
            if line.strip():
                found = msgspec.json.decode(line, type=_BeirText)
                if found.text.strip() or found.title.strip():
                    yield Text(found.id, found.text or found.title, found.title if found.text else None)


def _beir_queries(folder: Path) -> list[Query]:
    relevant: dict[str, dict[str, float]] = defaultdict(dict)
    for line in (folder / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        if line.strip():
            query, text, grade = line.split("\t")
            if float(grade) > 0:
                relevant[query][text] = float(grade)
    with (folder / "queries.jsonl").open("rb") as lines:
        found = [msgspec.json.decode(line, type=_BeirQuery) for line in lines if line.strip()]
    return [Query(place, query.text, relevant[query.id]) for place, query in enumerate(found, start=1)]
