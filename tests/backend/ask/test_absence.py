from dataclasses import replace

import pytest

from app.backend.ask.absence import nothing_found
from app.filters import Filter
from app.records import Document

READY = Document("1", "a.pdf", None, "h", "application/pdf", 1, "ready", True, 1, 1, 1, 1, None, 0.0, 0.0)
QUEUED = replace(READY, id="2", status="queued")
READING = replace(READY, id="3", status="reading")
FAILED = replace(READY, id="4", status="failed")


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ([], "there are none yet"),
        ([QUEUED], "one is still being read"),
        ([QUEUED, READING], "2 are still being read"),
        ([READY], "Nothing in your documents matches this question."),
        ([READY, READING], "one is still being read"),
        ([FAILED], "could not be read"),
        ([READY, FAILED], "One of them could not be read."),
    ],
)
def test_the_reason_why_nothing_was_found_is_said(documents, said):
    assert said in nothing_found(documents)


def test_of_chosen_documents_only_they_are_spoken_of():
    limited = Filter(documents=("1",))

    assert nothing_found([READY], limited) == "Nothing in the chosen documents matches this question."
