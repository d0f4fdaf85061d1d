"""Search in libraries of 10,000 to 1,000,000 passages, beside sqlite-vec and plain FTS5 in the same run.

    python tests/benchmarks/real_texts.py FOLDER...   # once, for hours
    python tests/benchmarks/search_at_size.py [--sizes N,N] [--queries N] [--vec FOLDER]

The vectors are those of real sentences. Where a size asks for more than were embedded, the rest are
the same ones, turned a little at random: good for times, not for recall, so recall is told of
the part that is real. Each passage's text is a few of the sentences. --vec names a folder with the
package sqlite_vec, which is no dependency of the project.
"""

import argparse
import hashlib
import itertools
import json
import multiprocessing
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import real_texts
from machine import Others
from numpy.typing import NDArray
from places import CACHE, say
from sqlite_utils.utils import sqlite3

from app.database import full_text, passages
from app.database.collections import Collections
from app.database.connection import Database
from app.database.filtering import condition
from app.database.search import Search
from app.database.users import Users
from app.filters import EVERYTHING, Filter

_MODEL = "a" * 64
_OF_A_DOCUMENT = 50
_SENTENCES = 6
_TOP = 50
_EXACT_TOP = 10
_SHARES = (1, 10, 50)  # % of the documents


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--vec", type=Path)
    asked = parser.parse_args()
    for size in map(int, asked.sizes.split(",")):
        place = CACHE / f"search-{size}"
        texts, vectors = _material(size, asked.queries)
        if not place.exists():
            _build(place, texts, vectors[: -asked.queries])
        # Each in a process of its own, so that the memory counted is that of the search alone.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            figures = pool.apply(_search, (place, texts[-asked.queries :], vectors[-asked.queries :]))
        figures["recall"] = _recall(figures.pop("found"), vectors, asked.queries)
        if asked.vec is not None:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                args = (asked.vec, place, vectors[-asked.queries :])
                figures["sqlite_vec"] = pool.apply(_sqlite_vec, args)
        print(json.dumps({"passages": size, **figures}), flush=True)


def _material(size: int, queries: int) -> tuple[list[str], NDArray[np.float16]]:
    """Texts of the passages and the queries, and their vectors; the queries come last."""
    texts, real = real_texts.load()
    asked, real = real[-queries:], real[:-queries]
    vectors = np.empty((size + queries, real_texts.DIMENSION), np.float16)
    vectors[: min(size, len(real))] = real[:size]
    random = np.random.default_rng(3)
    for begin in range(len(real), size, len(real)):
        part = real[: size - begin].astype(np.float32)
        part += random.normal(scale=0.02, size=part.shape).astype(np.float32)
        vectors[begin : begin + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    vectors[size:] = asked
    return texts, vectors


def _build(place: Path, texts: Sequence[str], vectors: NDArray[np.float16]) -> None:
    say(f"building a library of {len(vectors):,} passages …")
    unfinished = place.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    database = Database(unfinished / "carrel.db")
    database.open()
    user = Users(database).local()
    random = np.random.default_rng(5)

    def add(db: Any, begin: int) -> None:
        rows = vectors[begin : begin + _OF_A_DOCUMENT]
        parts = []
        for number in range(len(rows)):
            others = random.integers(0, len(texts), _SENTENCES - 1)
            text = " ".join([texts[(begin + number) % len(texts)], *(texts[place] for place in others)])
            parts.append(
                passages.NewPassage(1, 0, len(text), None, text, hashlib.sha256(text.encode()).hexdigest())
            )
        serial = db.execute(
            "INSERT INTO documents (id, user_id, name, content_hash, media_type, size, status, paged, pages,"
            " passages, added_at) VALUES (?1, ?2, ?1, ?1, 'text/plain', 1, 'ready', 0, 0, ?3, 0)",
            [f"{begin:032x}", user, len(rows)],
        ).lastrowid
        passages.fill(
            db,
            serial,
            pages=(),
            passages=parts,
            vectors=rows,
            embedder=_MODEL,
            made_from=[None] * len(rows),
        )

    for begin in range(0, len(vectors), 20 * _OF_A_DOCUMENT):
        starts = range(begin, min(begin + 20 * _OF_A_DOCUMENT, len(vectors)), _OF_A_DOCUMENT)
        database.write(lambda db, starts=starts: [add(db, start) for start in starts] and None, durable=False)
    database.close()
    unfinished.rename(place)


def _search(place: Path, texts: Sequence[str], vectors: NDArray[np.float16]) -> dict[str, Any]:
    """In a process of its own: start-up, then every query with and without a filter."""
    before, others = _memory_mb(), Others()
    begun = time.perf_counter()
    database = Database(place / "carrel.db")
    database.open()
    user = Users(database).local()
    search = Search(database)
    search.nearest(user, vectors[0].astype(np.float32), _TOP)
    figures: dict[str, Any] = {"ready_s": round(time.perf_counter() - begun, 2)}
    shares = _collections(database, user)
    queries = [(text, vector.astype(np.float32)) for text, vector in zip(texts, vectors, strict=True)]
    with ThreadPoolExecutor(2) as threads:

        def hybrid(text: str, vector: NDArray[np.float32], limited: Filter = EVERYTHING) -> None:
            worded = threads.submit(search.full_text, user, text, 200, limited)
            near = search.nearest(user, vector, 200, limited)
            found = [hit.passage_id for pair in zip(near, worded.result(), strict=False) for hit in pair]
            search.passages(list(dict.fromkeys(found))[:_TOP])

        def plain(text: str, _: NDArray[np.float32]) -> None:
            words = " OR ".join(f'"{word}"' for word in full_text.words(text))
            query = "SELECT rowid FROM passages_fts WHERE passages_fts MATCH ? ORDER BY rank LIMIT 50"
            database.read(lambda db: db.execute(query, [words]).fetchall())

        def timed(work: Callable[[str, NDArray[np.float32]], object]) -> dict[str, float]:
            return _times(work, queries)

        figures["hybrid"] = timed(hybrid)
        for share, limited in shares.items():
            name = f"in a collection of {share} %"
            figures[f"hybrid, {name}"] = timed(lambda *asked, limited=limited: hybrid(*asked, limited))
            figures[name] = _checked(database, search, user, queries, limited)
        figures["words"] = timed(lambda text, _: search.full_text(user, text, 200))
        figures["vectors"] = timed(lambda _, vector: search.nearest(user, vector, _EXACT_TOP))
        figures["plain FTS5"] = timed(plain)
    figures["memory_mb"] = round(_memory_mb() - before)
    figures["found"] = [
        [hit.passage_id for hit in search.nearest(user, vector, _EXACT_TOP)] for _, vector in queries
    ]
    figures["others"] = round(others.share(), 2)
    database.close()
    return figures


def _collections(database: Database, user: str) -> dict[int, Filter]:
    """Collections of 1, 10 and 50 % of the documents, drawn by chance; by their share."""
    collections, random = Collections(database), np.random.default_rng(7)
    known = {collection.name: collection.id for collection in collections.list(user)}
    ids = database.read(lambda db: [row[0] for row in db.execute("SELECT id FROM documents")])
    shares = {}
    for share in _SHARES:
        chosen = random.choice(ids, max(1, len(ids) * share // 100), replace=False).tolist()
        name = f"{share} %"
        found = known.get(name) or collections.create(user, name, chosen).id
        shares[share] = Filter(collections=(found,))
    return shares


def _checked(
    database: Database,
    search: Search,
    user: str,
    queries: Sequence[tuple[str, NDArray[np.float32]]],
    limited: Filter,
) -> dict[str, float]:
    """Against the exact search among what the filter leaves: recall, and how much it never should find."""
    where = condition(user, limited)
    query = (
        "SELECT p.id, v.vector FROM documents d JOIN passages p ON p.document = d.serial"
        f" JOIN vectors v ON v.passage = p.id WHERE {where.sql}"
    )
    rows = database.read(lambda db: db.execute(query, where.values).fetchall())
    ids = np.asarray([row[0] for row in rows])
    vectors = np.frombuffer(b"".join(row[1] for row in rows), "<f2").reshape(len(rows), -1)
    inside, near, worded, outside = set(ids.tolist()), [], [], 0
    for text, vector in queries:
        cosines = np.concatenate(
            [part.astype(np.float32) @ vector for part in np.array_split(vectors, len(vectors) // 50_000 + 1)]
        )
        exact = set(ids[np.argsort(-cosines)[:_EXACT_TOP]].tolist())
        found = [hit.passage_id for hit in search.nearest(user, vector, _EXACT_TOP, limited)]
        near.append(len(exact & set(found)) / len(exact))
        words = [hit.passage_id for hit in search.full_text(user, text, _EXACT_TOP, limited)]
        every = (hit.passage_id for hit in search.full_text(user, text, 1_000_000))
        best = list(itertools.islice((number for number in every if number in inside), _EXACT_TOP))
        worded.append(words == best)
        outside += len({*found, *words} - inside)
    return {
        "passages": len(ids),
        "recall_at_10": round(statistics.mean(near), 4),
        "words_exact": round(statistics.mean(worded), 4),
        "outside": outside,
    }


def _recall(found: list[list[int]], vectors: NDArray[np.float16], queries: int) -> dict[str, float]:
    """Of the exact ten nearest, how many were found; passage ids count from 1."""
    rows, asked = vectors[:-queries], vectors[-queries:].astype(np.float32)
    scores = np.concatenate(
        [rows[begin : begin + 50_000].astype(np.float32) @ asked.T for begin in range(0, len(rows), 50_000)]
    )
    best = np.argpartition(-scores, _EXACT_TOP, axis=0)[:_EXACT_TOP].T
    shares = [
        len(set(map(int, exact + 1)) & set(ids)) / _EXACT_TOP for exact, ids in zip(best, found, strict=True)
    ]
    real = min(len(rows), len(real_texts.load()[1]) - queries)
    return {"at_10": round(statistics.mean(shares), 4), "real_share": round(real / len(rows), 2)}


def _sqlite_vec(folder: Path, place: Path, vectors: NDArray[np.float16]) -> dict[str, float]:
    """The same vectors in a vec0 table (f32), the ten nearest."""
    sys.path.insert(0, str(folder))
    import sqlite_vec

    path = place / "vec.db"
    fresh = not path.exists()
    db = sqlite3.connect(str(path))
    db.enable_load_extension(True)
    sqlite_vec.load(db)
    if fresh:
        db.execute(
            f"CREATE VIRTUAL TABLE v USING vec0 (e float[{real_texts.DIMENSION}] distance_metric=cosine)"
        )
        source = sqlite3.connect(str(place / "carrel.db"))
        rows = source.execute("SELECT passage, vector FROM vectors ORDER BY passage")
        db.executemany(
            "INSERT INTO v (rowid, e) VALUES (?, ?)",
            ((number, np.frombuffer(blob, "<f2").astype("<f4").tobytes()) for number, blob in rows),
        )
        db.commit()
    queries = [("", vector.astype(np.float32)) for vector in vectors[:20]]

    def nearest(_: str, vector: NDArray[np.float32]) -> None:
        query = "SELECT rowid FROM v WHERE e MATCH ? AND k = 10 ORDER BY distance"
        db.execute(query, [vector.tobytes()]).fetchall()

    return _times(nearest, queries)


def _times(
    work: Callable[[str, NDArray[np.float32]], object], queries: Sequence[tuple[str, NDArray[np.float32]]]
) -> dict[str, float]:
    """Milliseconds of each query once, after three to warm up."""
    for query in queries[:3]:
        work(*query)
    spent = sorted(_timed(work, queries))
    return {"p50": round(statistics.median(spent), 1), "p95": round(spent[int(0.95 * len(spent))], 1)}


def _timed(
    work: Callable[[str, NDArray[np.float32]], object], queries: Sequence[tuple[str, NDArray[np.float32]]]
) -> Iterator[float]:
    for query in queries:
        begun = time.perf_counter()
        work(*query)
        yield (time.perf_counter() - begun) * 1000


def _memory_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


if __name__ == "__main__":
    main()
