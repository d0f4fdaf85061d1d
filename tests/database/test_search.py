import threading

import numpy as np
import pytest

from app.database.search import Search
from app.filters import Filter


def _random(count, dimension=8, seed=0):
    return np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)


def _pages(count):
    return "\n\n".join(f"Passage {number}." for number in range(count))


def test_nearest_is_the_exact_order_of_cosines(search, shelf, user):
    vectors = _random(50) * np.linspace(0.1, 9, 50, dtype=np.float32)[:, None]
    shelf.ready(_pages(20), vectors=vectors[:20])
    shelf.ready(_pages(30), vectors=vectors[20:])
    query = _random(1, seed=1)[0] * 3
    cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)

    hits = search.nearest(user, query, 10)

    assert [hit.passage_id - 1 for hit in hits] == list(np.argsort(-cosines)[:10])
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(cosines)[::-1][:10], atol=1e-3)


def test_a_smaller_library_gives_fewer_hits(search, shelf, user):
    assert search.nearest(user, _random(1)[0], 5) == []
    shelf.ready("One.\n\nTwo.")

    assert len(search.nearest(user, _random(1)[0], 5)) == 2
    assert search.nearest(user, _random(1)[0], 0) == []


def test_nearest_is_limited_to_documents(search, shelf, user, meaning):
    first, second, third = shelf.ready("Rent."), shelf.ready("Pets."), shelf.ready("Deposit.")

    hits = search.nearest(user, meaning("Pets."), 5, Filter(documents=(first.id, third.id)))

    assert sorted(hit.passage_id for hit in hits) == [1, 3]
    assert [
        hit.passage_id for hit in search.nearest(user, meaning("Rent."), 1, Filter(documents=(second.id,)))
    ] == [2]
    assert search.nearest(user, meaning("Rent."), 5, Filter(documents=("nobody's",))) == []


def test_nearest_gives_a_user_only_their_own_passages(search, shelf, user, another_user, meaning):
    shelf.ready("Rent.")
    shelf.ready("Rent.", user=another_user)
    shelf.ready("Pets.")

    assert sorted(hit.passage_id for hit in search.nearest(user, meaning("Rent."), 5)) == [1, 3]
    assert [hit.passage_id for hit in search.nearest(another_user, meaning("Rent."), 5)] == [2]
    assert search.nearest("nobody", meaning("Rent."), 5) == []


def test_only_vectors_of_the_models_own_kind_are_compared(search, shelf, user):
    shelf.ready("Old.", vectors=_random(1, 8), embedder="a" * 64)
    shelf.ready("New.", vectors=_random(1, 16), embedder="b" * 64)

    for _ in range(2):
        assert [hit.passage_id for hit in search.nearest(user, _random(1, 16)[0], 5)] == [2]
        old = search.nearest(user, _random(1, 8)[0], 5, embedder="a" * 64)
        assert [hit.passage_id for hit in old] == [1]
    assert search.nearest(user, _random(1, 4)[0], 5, embedder="c" * 64) == []
    with pytest.raises(ValueError):
        search.nearest(user, _random(1, 8)[0], 5)


def test_a_query_that_is_no_number_is_refused(search, shelf, user):
    shelf.ready("One.")

    with pytest.raises(ValueError):
        search.nearest(user, np.full(8, np.nan, np.float32), 5)
    assert len(search.nearest(user, np.zeros(8, np.float32), 5)) == 1


def test_the_matrix_follows_what_is_added_deleted_and_read_anew(search, documents, shelf, user, meaning):
    first, second = shelf.ready("Rent.\n\nDeposit."), shelf.ready("Pets.")
    assert len(search.nearest(user, meaning("Rent."), 9)) == 3

    documents.delete(user, first.id)
    assert [hit.passage_id for hit in search.nearest(user, meaning("Rent."), 9)] == [3]

    shelf.ready("Rent.")
    assert [hit.passage_id for hit in search.nearest(user, meaning("Rent."), 1)] == [4]

    documents.requeue(second.id)
    assert [hit.passage_id for hit in search.nearest(user, meaning("Rent."), 9)] == [4]
    shelf.complete(second, ["Pets.\n\nKeys."])
    assert sorted(hit.passage_id for hit in search.nearest(user, meaning("Rent."), 9)) == [4, 5, 6]

    shelf.complete(second, ["Garden."])
    assert sorted(hit.passage_id for hit in search.nearest(user, meaning("Rent."), 9)) == [4, 7]


def test_a_transaction_that_fails_is_never_seen(database, search, documents, shelf, user, meaning):
    shelf.ready("Rent.")
    search.nearest(user, meaning("Rent."), 9)
    document = shelf.add()
    pages = database.write(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    database.write(lambda db: db.execute(f"PRAGMA max_page_count={pages + 1}").fetchone())

    with pytest.raises(Exception, match="disk is full"):
        shelf.complete(document, ["Long text. " * 20_000])

    assert [hit.passage_id for hit in search.nearest(user, meaning("Rent."), 9)] == [1]


def test_a_library_opened_again_is_searched_the_same(database, search, shelf, user, meaning):
    shelf.ready("Rent.\n\nDeposit.", "Pets.")
    before = search.nearest(user, meaning("Pets."), 3)
    database.close()
    database.open()

    assert Search(database).nearest(user, meaning("Pets."), 3) == before


def test_passages_come_in_the_order_asked_for_without_those_that_are_gone(search, shelf, user):
    document = shelf.ready("Rent.\n\nDeposit.", "Pets.", heading="Lease > Money")

    found = search.passages([3, 99, 1])

    assert [passage.text for passage in found] == ["Pets.", "Rent."]
    assert found[0].document_id == document.id
    assert (found[0].document_name, found[0].page, found[0].heading) == (document.name, 2, "Lease > Money")
    assert (found[0].start, found[0].end) == (0, 5)
    assert search.passages([]) == ()
    assert search.vector_count() == 3


def test_searching_while_documents_come_and_go_always_gives_one_committed_state(
    search, documents, shelf, user, meaning
):
    # Every document has three passages, so any state that was committed has a multiple of three.
    shelf.ready("A.\n\nB.\n\nC.")
    done = threading.Event()
    errors = []

    def read():
        query = meaning("A.")
        try:
            while not done.is_set():
                hits = search.nearest(user, query, 1_000)
                assert len(hits) % 3 == 0, len(hits)
                assert len({hit.passage_id for hit in hits}) == len(hits)
                scores = [hit.score for hit in hits]
                assert scores == sorted(scores, reverse=True)
                assert len(search.full_text(user, "topic", 1_000)) % 3 == 0
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    kept = []
    for turn in range(40):
        kept.append(shelf.ready(f"topic A{turn}.\n\ntopic B{turn}.\n\ntopic C{turn}."))
        if turn % 2:
            documents.delete(user, kept.pop(turn % len(kept)).id)
    done.set()
    for reader in readers:
        reader.join()

    assert errors == []
    expected = {hit.passage_id for hit in Search(search._database).nearest(user, meaning("A."), 1_000)}
    assert {hit.passage_id for hit in search.nearest(user, meaning("A."), 1_000)} == expected
    assert len(expected) == 3 * (len(kept) + 1)


def test_in_a_large_library_the_nearest_are_found_too(database, documents, shelf, user):
    # Around 200 directions, as the passages of real documents lie around their subjects.
    random = np.random.default_rng(7)
    subjects = random.normal(size=(200, 128))
    vectors = subjects[random.integers(0, 200, 12_000)] + 0.8 * random.normal(size=(12_000, 128))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    for begin in range(0, 12_000, 1_500):
        shelf.ready(_pages(1_500), vectors=vectors[begin : begin + 1_500])
    documents.delete(user, shelf.ready(_pages(500), vectors=vectors[:500]).id)
    search, found = Search(database), 0

    for query in vectors[::400] + 0.05 * random.normal(size=(30, 128)).astype(np.float32):
        best = set(np.argsort(-(vectors @ query))[:10])
        found += len(best & {hit.passage_id - 1 for hit in search.nearest(user, query, 10)})

    assert found >= 0.98 * 300
