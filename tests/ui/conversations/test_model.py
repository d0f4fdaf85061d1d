import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester

from app.records import Conversation
from app.ui.conversations.model import ConversationsModel

DAY = 86_400.0
NOON = 1_795_003_200.0


@pytest.fixture
def model(qapp):
    made = ConversationsModel(clock=lambda: NOON)
    tester = QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield made
    del tester


def a_talk(key: str, age_days: float, title: str | None = None) -> Conversation:
    at = NOON - age_days * DAY
    return Conversation(key, title or key, at, at)


def rows(model) -> list[str]:
    return [model.index(row).data() for row in range(model.rowCount())]


def test_conversations_stand_under_their_days_the_last_used_first(model):
    model.reset([a_talk("c", 1), a_talk("a", 0.01), a_talk("b", 0.02), a_talk("d", 9), a_talk("e", 400)])
    assert rows(model)[:5] == ["Today", "a", "b", "Yesterday", "c"]
    assert rows(model)[5:7] == ["Last week", "d"]
    assert rows(model)[-1] == "e"


def test_a_used_conversation_moves_to_the_top(model):
    model.reset([a_talk("a", 0.01), a_talk("b", 3)])
    model.put(a_talk("b", 0))
    assert rows(model) == ["Today", "b", "a"]


def test_headings_cannot_be_selected(model):
    model.reset([a_talk("a", 0.01)])
    assert model.flags(model.index(0)) == Qt.ItemFlag.NoItemFlags
    assert model.flags(model.index(1)) & Qt.ItemFlag.ItemIsSelectable


def test_find_keeps_titles_with_every_word(model):
    model.reset(
        [
            a_talk("a", 0, "Notice period of the lease"),
            a_talk("b", 0, "Notice board"),
            a_talk("c", 2, "Pumps"),
        ]
    )
    model.filter("notice LEASE")
    assert rows(model) == ["Today", "Notice period of the lease"]
    model.filter("")
    assert len(rows(model)) == 5


def test_a_removed_conversation_takes_its_lonely_heading_along(model):
    model.reset([a_talk("a", 0.01), a_talk("b", 1)])
    model.remove("b")
    assert rows(model) == ["Today", "a"]
