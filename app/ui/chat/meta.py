"""The calm numbers under an answer: passages, first word, speed, and where the time went."""

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.records import Message, Timings
from app.ui.controls import Line
from app.ui.theme import Size, Theme

_HOPS = (
    ("question embedded", "embed_ms", "ink3", 0.3),
    ("passages searched", "search_ms", "ink3", 0.55),
    ("documents read", "sections_ms", "accent", 0.4),
    ("prompt built", "prompt_ms", "accent", 0.25),
    ("passages read by the model", "prefill_ms", "accent", 0.55),
    ("answer written", "decode_ms", "accent", 1.0),
)
_OWN_WORDS = "In your documents’ own words"
_LEAST_WIDTH = 3.0
_GAP = 14


class HopBar(QWidget):
    """A thin bar whose parts are the hops of the question; the tooltip names them."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._parts: list[tuple[str, float, str, float]] = []
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_timings(self, timings: Timings) -> None:
        self._parts = [
            (name, float(getattr(timings, field)), colour, opacity)
            for name, field, colour, opacity in _HOPS
            if getattr(timings, field) > 0
        ]
        lines = [f"{name}: {_milliseconds(ms)}" for name, ms, _, _ in self._parts]
        if timings.total_ms > 0:
            lines.append(f"in all: {_milliseconds(timings.total_ms)}")
        self.setToolTip("\n".join(lines))
        self.setAccessibleName("Where the time went: " + ", ".join(lines))
        self.update()

    @property
    def has_parts(self) -> bool:
        return bool(self._parts)

    def sizeHint(self) -> QSize:
        # Higher than it looks: a 6 px target is hard to point at.
        return QSize(Size.TRACE_WIDTH, self._theme.line("caption"))

    def paintEvent(self, event: QPaintEvent) -> None:
        total = sum(ms for _, ms, _, _ in self._parts)
        if not total:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bar = QRectF(0, (self.height() - Size.TRACE) / 2, self.width(), Size.TRACE)
        path = QPainterPath()
        path.addRoundedRect(bar, Size.TRACE / 2, Size.TRACE / 2)
        painter.setClipPath(path)
        painter.fillRect(bar, self._theme.colour("line"))
        free = bar.width() - _LEAST_WIDTH * len(self._parts)
        left = bar.left()
        for _, ms, colour, opacity in self._parts:
            wide = _LEAST_WIDTH + free * ms / total
            painter.fillRect(QRectF(left, bar.top(), wide, bar.height()), self._theme.colour(colour, opacity))
            left += wide


class MetaLine(QWidget):
    """One line in small grey type."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setMinimumWidth(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(_GAP)
        self.own_words = Line(theme, role="caption", colour="ink3")
        self.passages = Line(theme, role="caption", colour="ink3")
        self.first = Line(theme, role="caption", colour="ink3")
        self.speed = Line(theme, role="caption", colour="ink3")
        self.bar = HopBar(theme)
        for part in (self.own_words, self.passages, self.first, self.speed):
            row.addWidget(part)
            part.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row.addWidget(self.bar)
        row.addStretch(1)
        theme.changed.connect(self._fit)
        self.show_passages(0, 0)
        self.own_words.set_text("")
        self._show_times(None, "")

    def show_passages(self, read: int, found: int) -> None:
        """`read` of `found` passages are in the model's prompt."""
        self.passages.set_text(f"{read} of {found} passages read" if found else "no passages found")
        self._fit()

    def show_worked_through(self, passages: int) -> None:
        """Whole documents were read: so many passages. Whether that is all of them, the answer says."""
        self.passages.set_text("1 passage read" if passages == 1 else f"{passages:,} passages read")
        self._fit()

    def show_message(self, message: Message) -> None:
        """The numbers of an answer that has ended."""
        read = sum(source.read for source in message.sources)
        self.show_passages(read, max(message.found, len(message.sources)))
        if message.worked_through:
            self.show_worked_through(message.found)
        if message.undocumented:
            self.passages.set_text("no documents read")
        self.own_words.set_text(_OWN_WORDS if message.quoted else "")
        self._show_times(message.timings, message.text)

    def _show_times(self, timings: Timings | None, text: str) -> None:
        first = timings.first_token_ms if timings else 0.0
        self.first.set_text(f"first word {first / 1000:.1f} s" if first > 0 else "")
        words = len(text.split())
        seconds = (timings.decode_ms if timings else 0.0) / 1000
        speed = words / seconds if seconds > 0 and words > 1 else 0.0
        said = f"{speed:.0f} words/s" if speed >= 1 else f"{speed:.1f} words/s"
        self.speed.set_text(said if speed > 0 else "")
        self.bar.show_timings(timings or Timings())
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Leave out from the end what has no room; half a number says nothing."""
        styled = bool(self.own_words.text)
        first, second = (self.own_words, self.passages) if styled else (self.passages, self.own_words)
        first.setVisible(True)
        room = self.width() - first.sizeHint().width()
        for part, there in (
            (second, bool(second.text)),
            (self.first, bool(self.first.text)),
            (self.speed, bool(self.speed.text)),
            (self.bar, self.bar.has_parts),
        ):
            room -= part.sizeHint().width() + _GAP if there else 0
            part.setVisible(there and room >= 0)


def _milliseconds(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms >= 1 else "under 1 ms"
