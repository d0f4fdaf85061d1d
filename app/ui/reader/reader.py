"""The right pane: the page a source stands on. Open only while there is something to show."""

from collections import OrderedDict
from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt, Signal, SignalInstance
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from app.records import Document, Page, Problem
from app.ui.bridge import Bridge
from app.ui.controls import Button, Line
from app.ui.documents.words import description
from app.ui.icons import paint_icon
from app.ui.places import Place, place_of_document
from app.ui.reader.page_view import PageView
from app.ui.reader.text_view import TextView
from app.ui.theme import Size, Space, Theme
from app.ui.words import Words

_PICTURES_KEPT = 12
_WIDE = 400


class Reader(QWidget):
    """Fetches pages and shows them.

    Signals:
        closed: the user closed the pane.
        place_shown: the Place that is shown now, or None.
        retry_asked, removal_asked: of a document that could not be read.
    """

    closed = Signal()
    place_shown = Signal(object)
    retry_asked = Signal(str)
    removal_asked = Signal(str)

    def __init__(self, theme: Theme, bridge: Bridge, zoom: float = 1.0) -> None:
        super().__init__()
        self.theme = theme
        self._bridge = bridge
        self.place: Place | None = None
        self._places: list[Place] = []
        self._number = 1
        self._count = 0
        self._asked = 0
        self._pictures: OrderedDict[tuple[str, int, int], QImage] = OrderedDict()
        self._contents: dict[str, str] = {}  # by document: the hash of the file that was said last
        self._moved_on = False  # whether the open place stands on its page no more
        self.page = PageView(theme, zoom)
        self.page.width_wanted.connect(self._fetch_picture)
        self.page.zoomed.connect(self._show_zoom)
        self.page.turned.connect(self.turn)
        self.text = TextView(theme)
        self.notice = ReaderNotice(theme)
        self.notice.retry.clicked.connect(lambda: self._ask_for(self.retry_asked))
        self.notice.remove.clicked.connect(lambda: self._ask_for(self.removal_asked))
        self.name = Line(theme, role="title", elide=Qt.TextElideMode.ElideMiddle)
        self.number = Line(theme, role="control", colour="ink3")
        self._build()
        self._show_zoom(self.page.zoom)

    def _build(self) -> None:
        theme = self.theme
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._head = QWidget()
        head = QHBoxLayout(self._head)
        head.setContentsMargins(Space.LARGE, 0, Space.SMALL, 0)
        head.setSpacing(Space.HAIR)
        self.back = Button(theme, kind="tool", icon="chevron-left", name="Page before")
        self.forth = Button(theme, kind="tool", icon="chevron-right", name="Next page")
        shut = Button(theme, kind="tool", icon="x", name="Close the reader", hint="Close the reader (Esc)")
        self.back.clicked.connect(lambda: self.turn(-1))
        self.forth.clicked.connect(lambda: self.turn(1))
        shut.clicked.connect(self.closed)
        head.addWidget(self.name, 1)
        head.addSpacing(Space.SMALL)
        for part in (self.back, self.number, self.forth, shut):
            head.addWidget(part)
        self.stack = QStackedWidget()
        for shown in (self.page, self.text, self.notice):
            self.stack.addWidget(shown)
        self._foot = QWidget()
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(Space.SMALL, 0, Space.SMALL, 0)
        foot.setSpacing(Space.HAIR)
        self.previous_place = Button(theme, "previous place", kind="quiet", icon="chevron-left")
        self.next_place = Button(theme, "next", kind="quiet", icon="chevron-right", icon_last=True)
        self.next_place.setAccessibleName("next place")
        self.at_place = Line(theme, role="control", colour="ink3")
        self.at_place.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.previous_place.clicked.connect(lambda: self.step(-1))
        self.next_place.clicked.connect(lambda: self.step(1))
        smaller = Button(theme, kind="tool", icon="minus", name="Smaller")
        larger = Button(theme, kind="tool", icon="plus", name="Larger")
        self.zoom = Button(theme, "100 %", kind="quiet", hint="As wide as the pane")
        smaller.clicked.connect(lambda: self.page.set_zoom(self.page.zoom / 1.2))
        larger.clicked.connect(lambda: self.page.set_zoom(self.page.zoom * 1.2))
        self.zoom.clicked.connect(lambda: self.page.set_zoom(1.0))
        for part in (self.previous_place, self.at_place, self.next_place):
            foot.addWidget(part)
        foot.addStretch(1)
        self._zooms = (smaller, self.zoom, larger)
        for part in self._zooms:
            foot.addWidget(part)
        column.addWidget(self._head)
        column.addWidget(self.stack, 1)
        column.addWidget(self._foot)
        self.setMinimumWidth(280)
        self.theme.changed.connect(self._restyle)
        self._restyle()

    def show_place(self, place: Place, places: Sequence[Place] = ()) -> None:
        """Open a place; `places` are those the user can step through."""
        self._places = list(places) if place in places else [place, *places]
        self._open(place)

    def show_document(self, document: Document) -> None:
        """Open a document by itself; one that is not ready says why."""
        place = place_of_document(document)
        if document.askable:
            self.show_place(place)
            return
        self._asked += 1
        self._places = [place]
        self.place = place
        self.notice.show_document(document)
        self.stack.setCurrentWidget(self.notice)
        self._show_head()
        self.place_shown.emit(place)

    def document_changed(self, document: Document) -> None:
        """Follow the document that is open: it may have become ready, or failed, or be another file now."""
        if self._contents.get(document.id, document.content_hash) != document.content_hash:
            self._forget_pictures(document.id)
        self._contents[document.id] = document.content_hash
        shown = self.place
        if shown is None or shown.document_id != document.id or self.stack.currentWidget() is not self.notice:
            return
        self.show_document(document)

    def document_removed(self, document_id: str) -> None:
        self._forget_pictures(document_id)
        if self.place is not None and self.place.document_id == document_id:
            self._fail(Problem("not_found", "This document was removed from the library."))

    def _forget_pictures(self, document_id: str) -> None:
        for key in [key for key in self._pictures if key[0] == document_id]:
            del self._pictures[key]

    def clear(self) -> None:
        """Nothing is shown."""
        self._asked += 1
        self.place = None
        self._places = []
        self.place_shown.emit(None)

    def step(self, by: int) -> None:
        """To the next (1) or previous (-1) place of the same answer."""
        if self.place in self._places:
            at = self._places.index(self.place) + by
            if 0 <= at < len(self._places):
                self._open(self._places[at])

    def turn(self, by: int) -> None:
        """To the next (1) or previous (-1) page, away from the place."""
        number = self._number + by
        if self.place is None or not self.place.paged or not 1 <= number <= self._count:
            return
        self._number = number
        self._moved_on = False
        self._fetch(self.place, number, None, None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = self.width() >= self.theme.px(_WIDE)
        self.previous_place.setText("previous place" if wide else "previous")
        self.previous_place.setAccessibleName("previous place")
        self._show_head()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.theme.colour("desk"))
        painter.setPen(self.theme.colour("line"))
        painter.drawLine(0, self._head.height() - 1, self.width(), self._head.height() - 1)
        painter.drawLine(0, self._foot.y(), self.width(), self._foot.y())

    def _open(self, place: Place) -> None:
        self.place = place
        self._number = place.page
        self._moved_on = False
        self._fetch(place, place.page, place.start, place.end)
        self.place_shown.emit(place)

    def _fetch(self, place: Place, number: int, start: int | None, end: int | None) -> None:
        self._asked += 1
        asked = self._asked
        if place.paged:
            if self.stack.currentWidget() is not self.page:
                self.page.clear()
            self.stack.setCurrentWidget(self.page)
        self._show_head()

        def arrived(page: Page) -> None:
            if asked == self._asked:
                self._show_page(place, page, start, end)

        def failed(problem: Problem) -> None:
            if asked == self._asked:
                self._fail(problem)

        work = self._bridge.client.page(place.document_id, number, start, end)
        self._bridge.request(work, arrived, failed, owner=self)
        if place.paged:
            self.page.show_boxes(())
            self._fetch_picture()

    def _show_page(self, place: Place, page: Page, start: int | None, end: int | None) -> None:
        self._count = page.count
        stretch = place.stretch_on(page.text)
        if (start, end) == (place.start, place.end) and start is not None and stretch != (start, end):
            # The file has changed since the place was found.
            self._moved_on = stretch is None
            start, end = stretch or (None, None)
            if page.paged and stretch is not None:
                self._fetch(place, page.number, start, end)
                return
        if page.paged:
            self.page.show_boxes(page.boxes if start is not None else ())
        else:
            self.text.show_text(page.text, start, end)
            self.stack.setCurrentWidget(self.text)
        self._show_head()

    def _fetch_picture(self) -> None:
        place = self.place
        if place is None or not place.paged or self.stack.currentWidget() is not self.page:
            return
        key = (place.document_id, self._number, self.page.pixel_width)
        asked = self._asked
        if key in self._pictures:
            self._pictures.move_to_end(key)
            self.page.show_picture(self._pictures[key])
            return

        def arrived(data: bytes) -> None:
            image = QImage.fromData(data)
            if image.isNull():
                failed(Problem("page_image", "The picture of this page could not be shown."))
                return
            self._pictures[key] = image
            while len(self._pictures) > _PICTURES_KEPT:
                self._pictures.popitem(last=False)
            if asked == self._asked:
                self.page.show_picture(image)

        def failed(problem: Problem) -> None:
            if asked == self._asked:
                self._fail(problem)

        work = self._bridge.client.page_image(*key)
        self._bridge.request(work, arrived, failed, owner=self)

    def _fail(self, problem: Problem) -> None:
        self.notice.show_problem(problem)
        self.stack.setCurrentWidget(self.notice)
        self._show_head()

    def _show_head(self) -> None:
        place = self.place
        if place is None:
            return
        paged = place.paged and self.stack.currentWidget() is self.page
        self.name.set_text(f"{place.name} · changed since then" if self._moved_on else place.name)
        self.number.set_text(
            f"page {self._number} of {self._count}" if self._count else f"page {self._number}"
        )
        for part in (self.number, self.back, self.forth):
            part.setVisible(paged)
        self.back.setEnabled(self._number > 1)
        self.forth.setEnabled(self._number < self._count)
        several = len(self._places) > 1 and place in self._places
        for part in (self.previous_place, self.at_place, self.next_place):
            part.setVisible(several)
        if several:
            at = self._places.index(place)
            self.at_place.set_text(f"{at + 1} of {len(self._places)}")
            self.previous_place.setEnabled(at > 0)
            self.next_place.setEnabled(at + 1 < len(self._places))
        room = self.width() >= self.theme.px(_WIDE if several else 0)
        for part in self._zooms:
            part.setVisible(paged and (room or part is self.zoom))
        self._foot.setVisible(several or paged)

    def _ask_for(self, signal: SignalInstance) -> None:
        if self.place is not None:
            signal.emit(self.place.document_id)

    def _show_zoom(self, zoom: float) -> None:
        self.zoom.setText(f"{round(zoom * 100)} %")

    def _restyle(self) -> None:
        self._head.setFixedHeight(self.theme.px(Size.BAR))
        self._foot.setFixedHeight(self.theme.px(Size.FOOT))


class ReaderNotice(QWidget):
    """Why there is no page to see."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._icon, self._tone = "info", "ink3"
        self.text = Words(theme, "", "control", "ink2")
        self.text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.retry = Button(theme, "Try again", icon="refresh-cw")
        self.remove = Button(theme, "Remove…", icon="trash-2")
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.VAST, 0, Space.VAST, 0)
        column.setSpacing(Space.LARGE)
        column.addStretch(2)
        column.addSpacing(Space.VAST)
        column.addWidget(self.text)
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        row.addStretch(1)
        row.addWidget(self.retry)
        row.addWidget(self.remove)
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch(3)

    def show_document(self, document: Document) -> None:
        failed = document.status == "failed"
        self._icon, self._tone = ("circle-alert", "warn") if failed else ("clock", "ink3")
        self.text.set_words(description(document).removeprefix(f"{document.name}\n"))
        self.retry.setVisible(failed)
        self.remove.setVisible(failed)
        self.update()

    def show_problem(self, problem: Problem) -> None:
        self._icon, self._tone = "circle-alert", "warn"
        self.text.set_words(problem.message)
        self.retry.hide()
        self.remove.hide()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        side = 24.0
        at = QRectF((self.width() - side) / 2, self.text.y() - side - Space.MEDIUM, side, side)
        paint_icon(painter, self._icon, at, self._theme.colour(self._tone))
