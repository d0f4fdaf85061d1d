"""What the user thinks of an answer: two quiet buttons, and why where it was not good."""

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QHideEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.records import Rating, RatingReason, Thumb
from app.ui.controls import Button, Line
from app.ui.menu import cut_corners
from app.ui.paint import rounded
from app.ui.theme import Radius, Space, Theme

_WIDTH = 320
_LONGEST = 2_000
_REASONS: tuple[tuple[RatingReason, str], ...] = (
    ("incorrect", "It is wrong"),
    ("not_asked", "Not what I asked"),
    ("incomplete", "Something is missing"),
    ("wrong_source", "Wrong source"),
    ("hard_to_read", "Hard to read"),
)
_NAMES: dict[Thumb, str] = {"up": "Good answer", "down": "Bad answer"}


class RatingButtons(QWidget):
    """Thumb up and thumb down. The chosen one is filled; pressed again it takes the rating back.

    Signals:
        rated: the Rating the user gave (its time is the store's matter), or None.
    """

    rated = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.rating: Rating | None = None
        self.up = Button(theme, kind="tool", icon="thumbs-up", name=_NAMES["up"])
        self.down = Button(theme, kind="tool", icon="thumbs-down", name=_NAMES["down"])
        self.reasons: Reasons | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.up)
        row.addWidget(self.down)
        self.up.clicked.connect(lambda: self._press("up"))
        self.down.clicked.connect(lambda: self._press("down"))

    def show_rating(self, rating: Rating | None) -> None:
        """As it is stored."""
        self.rating = rating
        for button, thumb in ((self.up, "up"), (self.down, "down")):
            chosen = rating is not None and rating.thumb == thumb
            button.set_icon(f"thumbs-{thumb}-filled" if chosen else f"thumbs-{thumb}")
            name = _NAMES["up" if thumb == "up" else "down"]
            # Who does not see the filled icon hears of it.
            button.setAccessibleName(f"{name}, chosen" if chosen else name)
            button.setToolTip(f"{name}: chosen. Press again to take it back" if chosen else name)

    def _press(self, thumb: Thumb) -> None:
        if self.rating is not None and self.rating.thumb == thumb:
            self._give(None)
            return
        # Kept at once: the reasons are a courtesy, not a condition.
        self._give(Rating(thumb))
        if thumb == "down":
            self._ask_why()

    def _ask_why(self) -> None:
        # Built when it is wanted: most answers never need it.
        if self.reasons is None:
            self.reasons = Reasons(self.theme, self)
            self.reasons.given.connect(self._give)
        self.reasons.show_under(self.down)

    def _give(self, rating: Rating | None) -> None:
        self.show_rating(rating)
        self.rated.emit(rating)


class Reasons(QWidget):
    """A small pane that asks why an answer was not good. Escape, or a press beside it, leaves it.

    Signals:
        given: a Rating with the reasons that were picked and the words that were typed.
    """

    given = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setWindowFlag(Qt.WindowType.NoDropShadowWindowHint)
        self.setAccessibleName("Why was it not good?")
        self.picks: dict[RatingReason, Button] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.LARGE, Space.MEDIUM, Space.LARGE, Space.LARGE)
        column.setSpacing(Space.SMALL)
        column.addWidget(Line(theme, "What was not good?", role="button"))
        for row in (_REASONS[:2], _REASONS[2:4], _REASONS[4:]):
            line = QHBoxLayout()
            line.setSpacing(Space.SMALL)
            for code, text in row:
                pick = Button(theme, text, kind="pill")
                pick.setCheckable(True)
                pick.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                self.picks[code] = pick
                line.addWidget(pick)
            line.addStretch(1)
            column.addLayout(line)
        self.comment = QLineEdit()
        self.comment.setPlaceholderText("In your words (optional)")
        self.comment.setAccessibleName("What was not good, in your words")
        self.comment.setMaxLength(_LONGEST)
        self.comment.returnPressed.connect(self._send)
        column.addWidget(self.comment)
        end = QHBoxLayout()
        end.addWidget(Line(theme, "Stays on this computer", role="caption", colour="ink3"), 1)
        self.send = Button(theme, "Save", kind="primary")
        self.send.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.send.clicked.connect(self._send)
        end.addWidget(self.send)
        column.addLayout(end)

    def show_under(self, button: QWidget) -> None:
        """Show it at a button, above it where there is no room below, and never off the screen."""
        self.setFixedWidth(self.theme.px(_WIDTH))
        self.adjustSize()
        screen = button.screen().availableGeometry()
        corner = button.mapToGlobal(QPoint(button.width() - self.width(), button.height() + Space.HAIR))
        if corner.y() + self.height() > screen.bottom():
            corner.setY(button.mapToGlobal(QPoint(0, 0)).y() - self.height() - Space.HAIR)
        corner.setX(max(screen.left(), min(corner.x(), screen.right() - self.width())))
        self.move(corner)
        self.show()
        next(iter(self.picks.values())).setFocus(Qt.FocusReason.PopupFocusReason)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        cut_corners(self)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        for pick in self.picks.values():
            pick.setChecked(False)
        self.comment.clear()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        rounded(
            painter, QRectF(self.rect()), Radius.CARD, self.theme.colour("sheet"), self.theme.colour("line")
        )

    def _send(self) -> None:
        reasons = tuple(code for code, pick in self.picks.items() if pick.isChecked())
        comment = self.comment.text().strip()
        self.hide()
        if reasons or comment:
            self.given.emit(Rating("down", reasons, comment))
