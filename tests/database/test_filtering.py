"""What a filter leaves, and that nothing else is ever found."""

from datetime import datetime
from itertools import product

import numpy as np
import pytest

from app.backend.documents.media_types import PDF, XLSX
from app.database import search as search_module
from app.database import vectors as vectors_module
from app.database.places import NewFile, Places, Stamp
from app.filters import Filter

_TYPES = {"text": "text/plain", "pdf": PDF, "spreadsheet": XLSX}
_YEARS = (2019, 2021, 2023)
_DIMENSION = 64


def _day(year):
    return datetime(year, 6, 1).timestamp()


@pytest.fixture
def many(database, shelf, user):
    """18 documents of three types and three years, 30 passages each; their passages by kind and year."""
    random = np.random.default_rng(4)
    held = {}
    for number, (kind, year) in enumerate(list(product(_TYPES, _YEARS)) * 2):
        document = shelf.add()
        vectors = random.standard_normal((30, _DIMENSION)).astype(np.float32)
        text = "\n\n".join(
            f"Rent of house {number} was {random.integers(1000)} in room {row}." for row in range(30)
        )
        shelf.complete(document, [text], vectors=vectors)
        database.write(
            lambda db, document=document, kind=kind, year=year: (
                db["documents"].update(
                    db.execute("SELECT serial FROM documents WHERE id = ?", [document.id]).fetchone()[0],
                    {"media_type": _TYPES[kind], "dated": _day(year)},
                )
                and None
            )
        )
        first = number * 30 + 1
        held[document.id] = (kind, year, range(first, first + 30), vectors)
    return held


def _filters(held):
    some = tuple(list(held)[::4])
    for documents, types, since, until in product(
        ((), some),
        ((), ("pdf",), ("spreadsheet", "text")),
        (None, _day(2020)),
        (None, _day(2021), _day(2022)),
    ):
        yield Filter(documents=documents, types=types, since=since, until=until)


def _allowed(held, limited):
    for document_id, (kind, year, passages, vectors) in held.items():
        if (
            (not limited.documents or document_id in limited.documents)
            and (not limited.types or kind in limited.types)
            and (limited.since is None or _day(year) >= limited.since)
            and (limited.until is None or _day(year) < limited.until)
        ):
            yield passages, vectors


def test_nearest_within_a_filter_is_the_exact_order_among_what_it_leaves(search, user, many):
    query = np.random.default_rng(9).standard_normal(_DIMENSION).astype(np.float32)

    for limited in _filters(many):
        allowed = list(_allowed(many, limited))
        ids = [number for passages, _ in allowed for number in passages]
        rows = np.concatenate([np.empty((0, _DIMENSION)), *(vectors for _, vectors in allowed)])
        cosines = rows @ query / np.linalg.norm(rows, axis=1)
        exact = [ids[place] for place in np.argsort(-cosines)[:20]]

        assert [hit.passage_id for hit in search.nearest(user, query, 20, limited)] == exact, limited


def test_where_only_some_codes_are_compared_exactly_the_nearest_are_found_all_the_same(
    search, user, many, monkeypatch
):
    monkeypatch.setattr(vectors_module, "_EXACT", 40)
    limited = Filter(types=("pdf",))
    wanted = {number for passages, _ in _allowed(many, limited) for number in passages}
    for seed in range(20):
        query = np.random.default_rng(seed).standard_normal(_DIMENSION).astype(np.float32)
        found = search.nearest(user, query, 3, limited)
        # Among all of them the best of these may not be within the first by code.
        assert {hit.passage_id for hit in found} <= wanted
        assert len(found) == 3


@pytest.mark.parametrize("listed_at_most", [0, 20_000])
def test_words_within_a_filter_are_those_of_an_unlimited_search_that_it_leaves(
    search, user, many, monkeypatch, listed_at_most
):
    monkeypatch.setattr(search_module, "_LISTED_AT_MOST", listed_at_most)
    everything = search.full_text(user, "rent house 500 room", 1000)

    for limited in _filters(many):
        wanted = {number for passages, _ in _allowed(many, limited) for number in passages}
        exact = [hit for hit in everything if hit.passage_id in wanted]

        assert search.full_text(user, "rent house 500 room", 15, limited) == exact[:15], limited
        assert search.within(user, limited, phrase="rent") == sorted(wanted)
        assert len(search.names(user, limited)) * 30 == len(wanted)


def test_among_rare_matches_none_is_missed(search, shelf, user, many, monkeypatch):
    monkeypatch.setattr(search_module, "_LISTED_AT_MOST", 0)
    monkeypatch.setattr(search_module, "_RESERVE", 0)
    (last,) = [document_id for document_id, held in list(many.items())[-1:]]
    every = search.full_text(user, "rent", 1000)
    passages = many[last][2]

    found = search.full_text(user, "rent", 30, Filter(documents=(last,)))

    assert found == [hit for hit in every if hit.passage_id in passages]


def test_nothing_of_another_user_is_found_with_any_filter(search, shelf, user, another_user, meaning):
    theirs = shelf.ready("The rent is 700.", user=another_user)
    shelf.ready("The rent is 800.")

    for limited in (Filter(documents=(theirs.id,)), Filter(types=("text",)), Filter(since=0.0)):
        assert 1 not in [hit.passage_id for hit in search.full_text(user, "rent", 5, limited)]
        assert 1 not in [
            hit.passage_id for hit in search.nearest(user, meaning("The rent is 700."), 5, limited)
        ]
        assert theirs.id not in search.names(user, limited)


# --- the date of a document


def _file(path, content, mtime):
    stamp = None if mtime is None else Stamp(10, int(mtime * 1e9), 1)
    return NewFile(path, path[1:], f"{content:064x}", "text/plain", 10, False, stamp)


@pytest.fixture
def places(database):
    return Places(database)


def test_a_document_is_as_old_as_the_oldest_of_its_copies(documents, places, user):
    (first,) = places.take(user, [_file("/a.txt", 1, 2_000.5)], by_hand=True).documents
    assert first.dated == 2_000.5

    (same,) = places.take(user, [_file("/copy.txt", 1, 1_000.0)], by_hand=False).documents
    assert (same.id, same.dated) == (first.id, 1_000.0)

    gone = [place for place in places.under(user, "/") if place.path == "/copy.txt"]
    places.lose(gone, anew=True)
    assert documents.get(user, first.id).dated == 1_000.0
    gone = [place for place in places.under(user, "/") if place.path == "/copy.txt"]
    places.drop(gone)
    assert documents.get(user, first.id).dated == 2_000.5


def test_an_edited_file_dates_its_document_anew(documents, places, user):
    (first,) = places.take(user, [_file("/a.txt", 1, 2_000.0)], by_hand=True).documents

    (edited,) = places.take(user, [_file("/a.txt", 2, 3_000.0)], by_hand=True).documents

    assert (edited.id, edited.dated) == (first.id, 3_000.0)


def test_a_document_without_a_file_is_as_old_as_its_adding(documents, places, shelf, user):
    added = shelf.add()
    (unknown,) = places.take(user, [_file("/a.txt", 7, None)], by_hand=True).documents

    assert added.dated == added.added_at
    assert unknown.dated == unknown.added_at
    assert documents.list(user, Filter(until=added.added_at)) == ()
    assert len(documents.list(user, Filter(since=added.added_at))) == 2


def test_types_and_dates_are_looked_up_in_an_index(database, user, many):
    def plan(limited):
        where = search_module.condition(user, limited)
        query = f"EXPLAIN QUERY PLAN SELECT d.serial FROM documents d WHERE {where.sql}"
        return database.read(lambda db: " ".join(row[3] for row in db.execute(query, where.values)))

    assert "documents_by_date" in plan(Filter(since=_day(2022)))
    assert "documents_by_type" in plan(Filter(types=("pdf",)))
