import hashlib

import numpy as np
import pytest

from app.backend.evaluation.choosing import chosen
from app.database.connection import Database
from app.database.documents import Documents, PageText
from app.database.users import Users

PAGES = [
    f"The fee of room {letter} is {euros} euros a day for guests. Nothing else stands here."
    for euros, letter in enumerate("ABCDEFGHI", start=2)
]


@pytest.fixture
def documents(tmp_path):
    database = Database(tmp_path / "library.sqlite")
    database.open()
    yield Documents(database), Users(database).local()
    database.close()


@pytest.fixture
def shelve(documents):
    store, user = documents

    def put(name, pages):
        document, _ = store.add(
            user,
            name=name,
            path=f"/there/{name}",
            stored=None,
            content_hash=hashlib.sha256(" ".join(pages).encode()).hexdigest(),
            media_type="text/plain",
            size=1,
            paged=True,
        )
        texts = [PageText(number, text) for number, text in enumerate(pages, 1)]
        store.complete(document.id, texts, [], np.zeros((0, 4), np.float32), "5" * 64)
        return store.get(user, document.id)

    return put


def test_every_document_has_its_share_and_the_same_library_gives_the_same_questions(documents, shelve):
    library = [shelve("a.txt", PAGES[:6]), shelve("b.txt", PAGES[6:]), shelve("c.txt", ["Nothing to ask."])]

    found = chosen(documents[0], library, 4)

    assert [question.document_id for question in found].count(library[0].id) == 2
    assert [question.document_id for question in found].count(library[1].id) == 2
    assert chosen(documents[0], library[::-1], 4) == found


def test_a_small_library_gives_what_it_has(documents, shelve):
    library = [shelve("a.txt", PAGES)]

    found = chosen(documents[0], library, 100)

    assert len(found) == len(PAGES)
    assert {question.page for question in found} == set(range(1, 10))
    assert chosen(documents[0], [], 10) == []
