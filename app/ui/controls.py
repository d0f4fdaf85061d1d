"""The few controls the window is made of: buttons, one-line text, a switch, a choice of segments.

They paint themselves from the theme. A focus ring shows only where focus came by keyboard.
"""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from app.ui.icons import paint_icon
from app.ui.paint import line_of_text, ring, rounded
from app.ui.theme import Radius, Size, Space, Theme

_BY_KEYBOARD = frozenset(
    {Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason, Qt.FocusReason.ShortcutFocusReason}
)


class Pressable(QAbstractButton):
    """A button that knows whether the pointer is over it and whether focus came by keyboard."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.hovered = False
        self.ringed = False
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self._restyle)

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        self.hovered = True
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered = False
        self.update()
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.ringed = event.reason() in _BY_KEYBOARD
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.ringed = False
        super().focusOutEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self.click()
            return
        super().keyPressEvent(event)


class Button(Pressable):
    """Text, an icon, or both.

    Kinds: `primary` (the one thing to do), `plain` (bordered), `pill` (a chip), `quiet` (no
    border until pointed at), `tool` (an icon only), `send` (the square of the composer).
    """

    def __init__(
        self,
        theme: Theme,
        text: str = "",
        *,
        kind: str = "plain",
        icon: str | None = None,
        icon_last: bool = False,
        name: str = "",
        hint: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent)
        self.kind = kind
        self.icon_name = icon
        self._icon_last = icon_last
        self.setText(text)
        self.setAccessibleName(name or text)
        self.setToolTip(hint or (name if not text else ""))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def set_icon(self, name: str | None) -> None:
        self.icon_name = name
        self.update()

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setAccessibleName(text)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        if self.kind == "tool":
            return QSize(self.theme.px(Size.TOOL), self.theme.px(Size.TOOL))
        if self.kind == "send":
            return QSize(self.theme.px(Size.ROW), self.theme.px(Size.ROW))
        height = self.theme.px(Size.PILL if self.kind == "pill" else Size.ROW)
        if self.kind == "quiet":
            height = self.theme.px(Size.TOOL)
        metrics = QFontMetrics(self.theme.font(self._role))
        icon = (self.theme.px(Size.ICON) + 6) if self.icon_name else 0
        return QSize(metrics.horizontalAdvance(self.text()) + icon + 2 * self._margin, height)

    def minimumSizeHint(self) -> QSize:
        hint = self.sizeHint()
        if self.text() and self.kind == "pill":
            return QSize(min(hint.width(), self.theme.px(72)), hint.height())
        return hint

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        radius = self._radius
        ink = self._paint_box(painter, box, radius)
        painter.setFont(self.theme.font(self._role))
        side = self.theme.px(Size.ICON)
        if not self.text():
            if self.icon_name:
                at = QRectF(0, 0, side, side)
                at.moveCenter(box.center())
                paint_icon(painter, self.icon_name, at, ink)
        else:
            taken = (side + 6) if self.icon_name else 0
            room = box.width() - 2 * self._margin - taken
            wide = min(QFontMetrics(painter.font()).horizontalAdvance(self.text()), room)
            left = box.left() + (box.width() - wide - taken) / 2
            if self.icon_name:
                mirrored = (self.layoutDirection() == Qt.LayoutDirection.RightToLeft) != self._icon_last
                at = QRectF(left + (wide + 6 if mirrored else 0), box.center().y() - side / 2, side, side)
                paint_icon(painter, self.icon_name, at, ink)
                left += 0 if mirrored else taken
            line_of_text(painter, QRectF(left, box.top(), wide + 1, box.height()), self.text(), ink)
        if self.ringed and self.hasFocus():
            ring(painter, box, radius, self.theme)

    def _paint_box(self, painter: QPainter, box: QRectF, radius: float):  # type: ignore[no-untyped-def]
        theme = self.theme
        active = self.isEnabled() and (self.hovered or self.isDown())
        if self.kind in {"primary", "send"}:
            if not self.isEnabled():
                rounded(painter, box, radius, theme.colour("line"))
                return theme.colour("ink3")
            rounded(painter, box, radius, theme.colour("accent_pressed" if active else "accent"))
            return theme.colour("on_accent")
        if self.kind in {"quiet", "tool"}:
            if active or self.isChecked():
                rounded(painter, box, radius, theme.colour("hover" if not self.isChecked() else "soft"))
            return theme.colour("ink" if active else "ink2" if self.isEnabled() else "ink3")
        border = theme.colour("accent" if self.isChecked() else "line")
        fill = theme.colour("hover") if active else theme.colour("soft" if self.isChecked() else "paper")
        rounded(painter, box, radius, fill, border)
        return theme.colour("ink" if active or self.kind == "plain" else "ink2")

    @property
    def _role(self) -> str:
        return "button" if self.kind in {"primary", "plain"} else "control"

    @property
    def _margin(self) -> int:
        return {"pill": 10, "quiet": int(Space.SMALL)}.get(self.kind, 14)

    @property
    def _radius(self) -> float:
        if self.kind == "pill":
            return self.height() / 2
        return {"quiet": Radius.ROW, "tool": Radius.ROW, "send": Radius.SEND}.get(self.kind, Radius.CARD)


class Line(QWidget):
    """One line of text in a role and colour of the theme, elided where there is no room."""

    def __init__(
        self,
        theme: Theme,
        text: str = "",
        *,
        role: str = "control",
        colour: str = "ink",
        elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.theme = theme
        self.role = role
        self.colour_name = colour
        self._elide = elide
        self._text = text
        self._hint = ""
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(text)
        theme.changed.connect(self.updateGeometry)

    @property
    def text(self) -> str:
        return self._text

    def set_text(self, text: str, colour: str | None = None) -> None:
        if text == self._text and colour in {None, self.colour_name}:
            return
        self._text = text
        if colour is not None:
            self.colour_name = colour
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def set_hint(self, hint: str) -> None:
        """What to say of the text to who points at it; "": the text, where there is no room for it."""
        self._hint = hint
        self.setAccessibleDescription(hint)
        self._show_hint()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self.theme.font(self.role))
        return QSize(metrics.horizontalAdvance(self._text) + 2, self.theme.line(self.role))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.theme.line(self.role))

    def resizeEvent(self, event: object) -> None:
        self._show_hint()

    def _show_hint(self) -> None:
        cut = self.sizeHint().width() - 2 > self.width()
        self.setToolTip(self._hint or (self._text if cut else ""))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self.theme.font(self.role))
        line_of_text(
            painter, QRectF(self.rect()), self._text, self.theme.colour(self.colour_name), elide=self._elide
        )


class Switch(Pressable):
    """On or off, said by position and colour."""

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(self.theme.px(36), self.theme.px(20))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        on = self.isChecked()
        rounded(painter, box, box.height() / 2, self.theme.colour("accent" if on else "handle"))
        side = box.height() - 6
        knob = QRectF(box.right() - side - 3 if on else 3.0, 3.0, side, side)
        rounded(painter, knob, side / 2, self.theme.colour("on_accent" if on else "sheet"))
        if self.ringed and self.hasFocus():
            ring(painter, box, box.height() / 2, self.theme)


class Segments(QWidget):
    """One of a few choices, side by side. Arrow keys move, like in a group of radio buttons.

    Signals:
        chosen: the value that was picked by the user.
    """

    chosen = Signal(str)

    def __init__(self, theme: Theme, name: str, choices: Sequence[tuple[str, str]], value: str) -> None:
        super().__init__()
        self.theme = theme
        self.choices = tuple(choices)
        self.value = value
        self._ringed = False
        self.setAccessibleName(name)
        self.setAccessibleDescription(dict(choices).get(value, ""))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self.theme.font("button"))
        widest = max(metrics.horizontalAdvance(label) for _, label in self.choices)
        return QSize(len(self.choices) * (widest + 2 * Space.LARGE), self.theme.px(Size.ROW))

    def pick(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.setAccessibleDescription(dict(self.choices)[value])
            self.update()
            self.chosen.emit(value)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = int(event.position().x() * len(self.choices) / max(1, self.width()))
        self.pick(self.choices[min(max(at, 0), len(self.choices) - 1)][0])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        values = [value for value, _ in self.choices]
        self.pick(values[(values.index(self.value) + step) % len(values)])

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ringed = event.reason() in _BY_KEYBOARD
        super().focusInEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        rounded(painter, box, Radius.CARD, self.theme.colour("desk"), self.theme.colour("line"))
        painter.setFont(self.theme.font("button"))
        wide = box.width() / len(self.choices)
        for index, (value, label) in enumerate(self.choices):
            part = QRectF(index * wide, 0, wide, box.height()).adjusted(3, 3, -3, -3)
            if value == self.value:
                rounded(painter, part, Radius.ROW, self.theme.colour("sheet"), self.theme.colour("line"))
            colour = self.theme.colour("ink" if value == self.value else "ink2")
            line_of_text(painter, part, label, colour, centred=True)
        if self._ringed and self.hasFocus():
            ring(painter, box, Radius.CARD, self.theme)
