import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

from app.records import Problem
from app.ui.documents.model import DocumentsModel, progress
from app.ui.documents.words import description
from app.ui.rows import Part


@pytest.fixture
def model(qapp):
    made = DocumentsModel()
    tester = QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield made
    del tester


def names(model) -> list[str]:
    return [model.index(row).data() for row in range(model.rowCount())]


def test_the_newest_document_stands_first(model, fakes):
    model.put(fakes.a_document("old.pdf", added_at=1.0))
    model.put(fakes.a_document("new.pdf", added_at=3.0))
    model.put(fakes.a_document("middle.pdf", added_at=2.0))
    assert names(model) == ["new.pdf", "middle.pdf", "old.pdf"]


def test_a_change_is_one_row_and_not_a_reset(qtbot, model, fakes):
    document = fakes.a_document(status="reading", pages=10, pages_read=1)
    model.reset([document, fakes.a_document("other.pdf")])
    with qtbot.assertNotEmitted(model.modelReset), qtbot.waitSignal(model.dataChanged) as changed:
        model.put(fakes.dataclasses.replace(document, pages_read=5))
    assert changed.args[0].row() == changed.args[1].row()


@pytest.mark.parametrize(
    ("changed", "meta", "share"),
    [
        ({"status": "queued"}, "waiting", None),
        ({"status": "reading", "pages": None, "pages_read": 0}, "reading", 0.0),
        ({"status": "reading", "pages": 120, "pages_read": 74}, "74/120", 0.5 * 74 / 120),
        ({"status": "embedding", "passages": 200, "passages_embedded": 100}, "75 %", 0.75),
        ({"status": "ready"}, "", None),
        ({"status": "failed", "error": Problem("file_encrypted", "A password.")}, "encrypted", None),
        ({"status": "failed", "error": Problem("file_empty", "0 bytes.")}, "empty", None),
        ({"status": "failed", "error": Problem("new_code", "What is new.")}, "failed", None),
        ({"status": "failed", "error": None}, "failed", None),
        ({"status": "queued", "changed": True}, "changed", None),
        ({"status": "ready", "missing": True}, "missing", None),
    ],
)
def test_a_row_says_how_far_the_reading_is(model, fakes, changed, meta, share):
    document = fakes.a_document(**changed)
    model.put(document)
    index = model.index(0)
    assert index.data(Part.META) == meta
    assert progress(document) == share
    assert index.data(Part.PROGRESS) == share
    assert index.data(Qt.ItemDataRole.AccessibleTextRole).startswith(document.name)


def test_a_failed_row_gives_its_reason_in_words(fakes):
    problem = Problem("file_encrypted", "The file is protected by a password.")
    assert (
        description(fakes.a_document(status="failed", error=problem))
        == "The file is protected by a password."
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(["put", "remove", "reset"]), st.integers(0, 9)), max_size=40))
def test_any_order_of_changes_keeps_the_model_sound(steps, fakes):
    model = DocumentsModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    held = {}
    for what, number in steps:
        key = f"d{number}"
        document = fakes.a_document(f"{number}.pdf", id=key, added_at=float(number % 4))
        if what == "put":
            model.put(document)
            held[key] = document
        elif what == "remove":
            model.remove(key)
            held.pop(key, None)
        else:
            kept = [document for name, document in held.items() if int(name[1:]) % 2]
            model.reset(kept)
            held = {document.id: document for document in kept}
    assert {document.id for document in model.documents()} == set(held)
    assert model.rowCount(QModelIndex()) == len(held)
    del tester


def test_what_a_reading_came_to_is_said_of_a_document(fakes):
    document = fakes.a_document(pages_empty=1, pages_by_ocr=3, read_s=2.34, embed_s=75.0)

    assert description(document).splitlines()[1:] == [
        "12 pages · 1 without text · 3 by OCR · 48 passages",
        "Read in 2.3 s, indexed in 1 min",
    ]


def test_a_missing_or_changed_document_says_that_it_can_be_asked(fakes):
    missing = fakes.a_document(missing=True)
    changed = fakes.a_document(status="queued", changed=True)
    failed = fakes.a_document(status="failed", changed=True, error=Problem("file_damaged", "Broken."))

    assert "not there now" in description(missing)
    assert "waits to be read again" in description(changed)
    assert description(failed).splitlines() == ["Broken.", "Until it can be, what was read before is asked."]
