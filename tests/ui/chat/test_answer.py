import dataclasses

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QFocusEvent, QImage, QMouseEvent, QTextCursor
from PySide6.QtWidgets import QApplication

from app.ui.chat.answer import AnswerView
from app.ui.chat.marks import UNDERLINED
from app.ui.chat.stops import link_stops

TEXT = "Notice is three months. Nobody knows why."


@pytest.fixture
def view(qtbot, theme) -> AnswerView:
    made = AnswerView(theme, lambda number: f"Lease.pdf, page {number}")
    qtbot.addWidget(made)
    made.resize(400, 100)
    made.show()
    return made


def checked(fakes, view):
    view.show_answer(TEXT, fakes.cited(TEXT, ("Notice is three months.", 1), ("Nobody knows why.", None)))


def chip_point(view) -> QPoint:
    cursor = view.document().find("\ufffc")
    rect = view.cursorRect(cursor)
    return QPoint(rect.left() - 6, rect.center().y())


def test_a_chip_that_is_pressed_names_its_sentence_and_source(qtbot, view, fakes):
    checked(fakes, view)
    with qtbot.waitSignal(view.chip_pressed) as pressed:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=chip_point(view))
    assert pressed.args == [0, 1]


def test_a_chip_is_reached_and_pressed_by_keyboard(qtbot, view, fakes):
    checked(fakes, view)
    view.activateWindow()
    view.setFocus(Qt.FocusReason.TabFocusReason)
    QApplication.processEvents()
    view.focusInEvent(QFocusEvent(QEvent.Type.FocusIn, Qt.FocusReason.TabFocusReason))
    with qtbot.waitSignal(view.chip_pressed) as pressed:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert pressed.args == [0, 1]


def test_the_height_is_that_of_the_words(view):
    view.append("short")
    short = view.height()
    view.append(" and much longer" * 40)
    assert view.height() > 3 * short
    assert not view.verticalScrollBar().isVisible()


def test_copied_words_carry_their_marks(view, fakes):
    checked(fakes, view)
    assert view.plain_text() == "Notice is three months. [1] Nobody knows why. (not in your documents)"
    view.selectAll()
    assert view.createMimeDataFromSelection().text() == view.plain_text()
    assert view.accessibleDescription() == view.plain_text()


def test_a_selection_across_two_paragraphs_is_copied_as_two(view):
    view.append("First one.\n\nSecond one.")
    cursor = QTextCursor(view.document())
    cursor.setPosition(6)
    cursor.setPosition(17, QTextCursor.MoveMode.KeepAnchor)
    view.setTextCursor(cursor)
    assert view.createMimeDataFromSelection().text() == "one.\nSecond"


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "/etc/passwd", "//host/share/x.png", "http://x/y.png"]
)
def test_no_resource_is_ever_loaded(qtbot, theme, address):
    asked = []

    class Watching(AnswerView):
        def loadResource(self, type, name):  # noqa: A002 - Qt's signature
            asked.append(name)
            return super().loadResource(type, name)

    view = Watching(theme, str)
    qtbot.addWidget(view)
    view.append(f"![x]({address}) <img src='{address}'>\n\n[y]({address})")
    view.grab()
    assert asked == []
    assert view.loadResource(2, QUrl(address)) is None


def test_a_link_is_said_and_never_followed(qtbot, view):
    view.append("[press](https://example.org/)")
    cursor = view.document().find("press")
    cursor.setPosition(2)
    at = view.cursorRect(cursor).center()
    with qtbot.waitSignal(view.link_pressed) as pressed:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert pressed.args == ["https://example.org/"]
    assert view.toPlainText() == "press"


def test_the_open_chip_is_drawn_in_the_accent(view, theme, fakes):
    checked(fakes, view)

    def accents() -> int:
        picture = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        wanted = theme.colour("accent").rgb()
        return sum(picture.pixel(x, y) == wanted for x in range(picture.width()) for y in range(30))

    before = accents()
    view.show_open(1, 0)
    assert accents() > before + 50
    view.show_open(None, None)
    assert accents() == before


def test_unsupported_words_have_dots_under_them(view, theme, fakes):
    checked(fakes, view)
    picture = view.grab().toImage()
    warn = theme.colour("warn")
    reddish = sum(
        abs(picture.pixelColor(x, y).hue() - warn.hue()) < 12 and picture.pixelColor(x, y).saturation() > 120
        for x in range(picture.width())
        for y in range(picture.height())
    )
    assert reddish > 60


def test_words_that_a_source_supports_only_partly_have_dots_and_its_chip(view, fakes):
    first, second = fakes.cited(TEXT, ("Notice is three months.", 1), ("Nobody knows why.", None))
    view.show_answer(TEXT, (dataclasses.replace(first, verdict="partly"), second))

    def dotted(words):
        return view.document().find(words).charFormat().property(int(UNDERLINED))

    assert dotted("Notice is three months.")
    assert view.document().toPlainText().count("\ufffc") == 2  # the chip of one, the tag of the other
    view.show_answer(TEXT, (first, second))
    assert not dotted("Notice is three months.")


def test_right_to_left_words_begin_at_the_right(view):
    view.append("ما هي مدة الإشعار؟")
    block = view.document().begin()
    assert block.textDirection() == Qt.LayoutDirection.RightToLeft
    line = block.layout().lineAt(0)
    assert line.naturalTextRect().right() > view.width() * 0.9


def test_the_wheel_scrolls_the_talk_and_not_the_answer(view):
    from PySide6.QtGui import QWheelEvent

    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(0, 0),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    view.wheelEvent(event)
    assert not event.isAccepted()


def test_a_pointer_over_a_chip_is_a_hand(view, fakes):
    checked(fakes, view)
    at = QPointF(chip_point(view))
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        at,
        view.viewport().mapToGlobal(at),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(view.viewport(), event)
    assert view.viewport().cursor().shape() == Qt.CursorShape.PointingHandCursor


def test_the_tab_key_goes_from_chip_to_chip(view, fakes):
    text = "One. Two. [a **link**](https://example.org/)"
    view.show_answer(text, fakes.cited(text, ("One.", 1), ("Two.", 2)))
    targets = [stop.target for stop in link_stops(view.document())]
    assert targets == ["source:0:1", "source:1:2", "https://example.org/"]
    assert view.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_an_answer_with_nothing_to_press_is_passed_by(view):
    view.show_answer("Only words.", ())
    assert not view.focusPolicy() & Qt.FocusPolicy.TabFocus
