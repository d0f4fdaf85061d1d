import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from app.database.agreement import disagreements
from app.database.connection import Database
from app.database.documents import Documents
from app.database.jobs import Jobs
from app.database.search import Search
from app.database.users import Users
from app.records import Problem

from .conftest import Shelf, vector_of

_WORDS = ["rent", "deposit", "dog", "cat", "key", "garden", "é\u0301té", "\x00", "😀", "running", "run"]
_texts = st.lists(
    st.lists(st.sampled_from(_WORDS), min_size=1, max_size=4).map(" ".join), min_size=1, max_size=4
)


class Library(RuleBasedStateMachine):
    """Any order of adding, completing, failing, requeueing and deleting, against a plain model."""

    documents = Bundle("documents")

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.database = Database(self.folder / "carrel.db")
        self.database.open()
        self.user = Users(self.database).local()
        self.library = Documents(self.database)
        self.search = Search(self.database)
        self.shelf = Shelf(self.library, self.user)
        self.model: dict[str, list[str]] = {}
        self.waiting: set[str] = set()

    def teardown(self):
        self.database.close()
        shutil.rmtree(self.folder)

    @rule(target=documents)
    def add(self):
        document = self.shelf.add()
        self.model[document.id] = []
        self.waiting.add(document.id)
        return document

    @rule(document=documents, texts=_texts)
    def complete(self, document, texts):
        self.shelf.complete(document, ["\n\n".join(texts), "Last page."])
        self.model[document.id] = [*texts, "Last page."]
        self.waiting.discard(document.id)

    @rule(document=documents)
    def fail(self, document):
        self.library.fail(document.id, Problem("no_text", "No text."))
        self.model[document.id] = []
        self.waiting.discard(document.id)

    @rule(document=documents)
    def requeue(self, document):
        self.library.requeue(document.id)
        self.model[document.id] = []
        self.waiting.add(document.id)

    @rule(document=consumes(documents))
    def delete(self, document):
        self.library.delete(self.user, document.id)
        del self.model[document.id]
        self.waiting.discard(document.id)

    @rule()
    def reopen(self):
        self.database.close()
        self.database.open()

    @rule(word=st.sampled_from(["rent", "garden", "last"]))
    def find(self, word):
        hits = self.search.full_text(self.user, word, 1_000)
        texts = sorted(passage.text for passage in self.search.passages([hit.passage_id for hit in hits]))
        expected = sorted(
            text for texts in self.model.values() for text in texts if word in text.lower().split()
        )
        assert texts == expected

    @invariant()
    def the_matrix_holds_what_the_documents_hold(self):
        hits = self.search.nearest(self.user, vector_of("rent"), 1_000)
        found = sorted(passage.text for passage in self.search.passages([hit.passage_id for hit in hits]))
        assert found == sorted(text for texts in self.model.values() for text in texts)
        assert len(found) == len(hits) == self.search.vector_count()

    @invariant()
    def all_tables_agree(self):
        assert disagreements(self.database) == ()
        assert self.library.counts(self.user).queued == Jobs(self.database).waiting() == len(self.waiting)


Library.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


@pytest.mark.slow
class TestLibrary(Library.TestCase):
    """Whatever happens to the documents, pages, passages, full text, vectors and jobs agree."""


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("DELETE FROM vectors WHERE passage = 1", "1 passages without a vector"),
        ("UPDATE vectors SET vector = x'00' WHERE passage = 1", "1 vectors of a wrong length"),
        ("UPDATE vectors SET document = 9 WHERE passage = 1", "1 vectors without a passage, or of another"),
        ("UPDATE pages SET text = 'other'", "2 passages whose place on the page"),
        ("UPDATE passages SET text_hash = x'00'", "2 passages whose hash"),
        ("UPDATE documents SET passages = 3", "1 ready documents whose count of passages"),
        ("UPDATE documents SET status = 'queued'", "1 documents that wait without a job"),
        ("DELETE FROM pages", "1 ready documents whose count of pages"),
        (
            "INSERT INTO passages_fts (passages_fts, rowid, text) VALUES ('delete', 1, 'The rent.')",
            "1 passages without full text",
        ),
        ("INSERT INTO passages_fts (rowid, text) VALUES (7, 'Nobody.')", "1 full text without a passage"),
        (
            "INSERT INTO passages_fts (passages_fts, rowid, text) VALUES ('delete', 1, 'Another text.')",
            "the full text does not fit the passages",
        ),
    ],
)
def test_every_disagreement_is_found(database, shelf, statement, finding):
    shelf.ready("The rent.\n\nThe deposit.")
    assert disagreements(database) == ()

    database.write(lambda db: db.execute(statement) and None)

    assert any(found.startswith(finding) for found in disagreements(database))


def test_vectors_are_kept_as_unit_vectors_of_half_the_size(database, shelf):
    shelf.ready("One.\n\nTwo.", vectors=np.array([[3, 4] + [0] * 6, [0] * 8], np.float32))

    rows = database.read(lambda db: [row["vector"] for row in db["vectors"].rows])

    np.testing.assert_allclose(np.frombuffer(rows[0], "<f2")[:2], [0.6, 0.8], atol=1e-3)
    assert not np.frombuffer(rows[1], "<f2").any()
