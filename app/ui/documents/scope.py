"""What a question is limited to: documents, collections, types and a time, chosen here, shown as chips."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TypeVar

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from app.filters import EVERYTHING, KIND_WORDS, KINDS, Filter, Kind, in_calendar, kind_of, moments, period
from app.records import Document
from app.ui.chat.composer import Chip
from app.ui.documents.collections import Collecting
from app.ui.documents.model import DocumentsModel
from app.ui.icons import icon
from app.ui.menu import Menu
from app.ui.theme import Theme

Value = TypeVar("Value", bound=str)

_OFFERED = 12
_YEARS = 6
_WIDEST = 320
# More collections or types than these are one chip: in a small window their names would have no room.
_ONE_BY_ONE = 2


class Scope(QObject):
    """The limits of the next question and search.

    Signals:
        changed: there are others: the Filter, and its Chips.
    """

    changed = Signal(object, list)

    def __init__(
        self, theme: Theme, documents: DocumentsModel, collecting: Collecting, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._documents = documents
        self._collecting = collecting
        self.limited = EVERYTHING
        # A question about what is gone is refused, so it is not asked for.
        for changed in (collecting.changed, documents.rowsRemoved, documents.modelReset):
            changed.connect(self._keep_those_that_are_there)

    def clear(self) -> None:
        """Ask everything again."""
        self._take(EVERYTHING)

    def ask_documents(self, ids: Sequence[str]) -> None:
        """Ask only these documents; none: all."""
        self._take(Filter(documents=tuple(ids)))

    def ask_collection(self, key: str) -> None:
        """Ask only this collection."""
        self._take(Filter(collections=(key,)))

    def toggle_document(self, key: str) -> None:
        self._take(replace(self.limited, documents=_toggled(self.limited.documents, key)))

    def toggle_collection(self, key: str) -> None:
        self._take(replace(self.limited, collections=_toggled(self.limited.collections, key)))

    def toggle_type(self, kind: Kind) -> None:
        self._take(replace(self.limited, types=_toggled(self.limited.types, kind)))

    def set_time(self, since: float | None, until: float | None) -> None:
        """Ask only documents of this time; that of now again: of any."""
        if (since, until) == (self.limited.since, self.limited.until):
            since = until = None
        self._take(replace(self.limited, since=since, until=until))

    def remove(self, key: str) -> None:
        """Take one chip away."""
        what, _, value = key.partition(":")
        if what == "documents":
            self._take(replace(self.limited, documents=()))
        elif what == "collections":
            self._take(replace(self.limited, collections=()))
        elif what == "types":
            self._take(replace(self.limited, types=()))
        elif what == "time":
            self._take(replace(self.limited, since=None, until=None))
        elif what == "collection":
            self.toggle_collection(value)
        else:
            kinds = tuple(kind for kind in self.limited.types if kind != value)
            self._take(replace(self.limited, types=kinds))

    def menu(self, parent: QWidget) -> "ScopeMenu":
        """What it can be limited to."""
        return ScopeMenu(parent, self._theme, self, self._documents.documents(), self._collecting)

    def offer(self, button: QWidget) -> None:
        """Open the menu above a button."""
        menu = self.menu(button)
        menu.show_at(button.mapToGlobal(QPoint(0, -menu.sizeHint().height() - 4)))

    def _take(self, limited: Filter) -> None:
        self.limited = limited
        self.changed.emit(limited, self._chips())

    def _keep_those_that_are_there(self) -> None:
        limited = self.limited
        if limited.documents or limited.collections:
            documents = (key for key in limited.documents if self._documents.document(key))
            collections = (key for key in limited.collections if self._collecting.model.collection(key))
            # Also where one was only renamed: its chip says the new name.
            self._take(replace(limited, documents=tuple(documents), collections=tuple(collections)))

    def _chips(self) -> list[Chip]:
        limited, chips = self.limited, []
        if limited.documents:
            found = (self._documents.document(key) for key in limited.documents)
            names = [document.name for document in found if document is not None]
            text = names[0] if len(names) == 1 else f"{len(limited.documents)} documents"
            chips.append(Chip("documents", text, "\n".join(names[:_OFFERED])))
        those = [known for key in limited.collections if (known := self._collecting.model.collection(key))]
        if len(those) > _ONE_BY_ONE:
            names = [known.name for known in those[:_OFFERED]]
            chips.append(Chip("collections", f"{len(those)} collections", "\n".join(names)))
        else:
            for known in those:
                hint = f"What is in {known.folder or known.name}"
                chips.append(Chip(f"collection:{known.id}", known.name, hint))
        words = [_words(kind) for kind in limited.types]
        if len(words) > _ONE_BY_ONE:
            chips.append(Chip("types", f"{len(words)} types", "\n".join(words)))
        else:
            chips += [Chip(f"type:{kind}", _words(kind), "") for kind in limited.types]
        if limited.since is not None or limited.until is not None:
            when = period(limited.since, limited.until)
            chips.append(Chip("time", when, f"Files that were last changed: {when}"))
        return chips


class ScopeMenu(Menu):
    """All documents, or those of some collections, types and a time, or single ones."""

    def __init__(
        self,
        parent: QWidget,
        theme: Theme,
        scope: Scope,
        documents: Sequence[Document],
        collecting: Collecting,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        limited = scope.limited
        self._offer(self, "All documents", scope.clear, chosen=not limited)
        self.addSeparator()
        collections = collecting.model.collections()
        if collections:
            inside = self._section("Collection")
            for known in collections:
                self._offer(
                    inside,
                    known.name,
                    lambda key=known.id: scope.toggle_collection(key),
                    chosen=known.id in limited.collections,
                )
        self._add_types(scope, documents)
        self._add_times(scope, documents)
        ready = [document for document in documents if document.askable]
        if ready:
            self.addSeparator()
        for document in ready[:_OFFERED]:
            self._offer(
                self,
                document.name,
                lambda key=document.id: scope.toggle_document(key),
                chosen=document.id in limited.documents,
            )

    def _add_types(self, scope: Scope, documents: Iterable[Document]) -> None:
        there = {kind_of(document.media_type) for document in documents}
        if not there:
            return
        inside = self._section("Type")
        for kind in KINDS:
            if kind in there:
                chosen = kind in scope.limited.types
                self._offer(inside, _words(kind), lambda kind=kind: scope.toggle_type(kind), chosen=chosen)

    def _add_times(self, scope: Scope, documents: Iterable[Document]) -> None:
        dated = [document.dated for document in documents if document.dated is not None]
        if not dated:
            return
        inside = self._section("Last changed")
        today = date.today()
        month = moments(f"{today.year:04}-{today.month:02}")[0]
        for text, since, until in (
            ("This month", month, None),
            ("In the last 12 months", _midnight(time.time() - 365 * 86_400), None),
            *((str(year), *moments(f"{year:04}")) for year in _years(dated)),
        ):
            chosen = (scope.limited.since, scope.limited.until) == (since, until)
            self._offer(
                inside, text, lambda since=since, until=until: scope.set_time(since, until), chosen=chosen
            )

    def _section(self, title: str) -> Menu:
        inside = Menu(self)
        # It goes with this menu, not each time the pointer leaves it.
        inside.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        inside.setTitle(title)
        self.addMenu(inside)
        return inside

    def _offer(self, menu: QMenu, text: str, work: object, *, chosen: bool) -> None:
        shown = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, _WIDEST)
        action = QAction(shown.replace("&", "&&"), menu)
        action.setCheckable(True)
        action.setChecked(chosen)
        if chosen:
            action.setIcon(icon("check", self._theme.colour("accent")))
        action.triggered.connect(lambda _=False: work())  # type: ignore[operator]
        menu.addAction(action)


def _toggled(values: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
    return tuple(other for other in values if other != value) if value in values else (*values, value)


def _words(kind: Kind) -> str:
    words = KIND_WORDS[kind][1]
    return words[0].upper() + words[1:]


def _years(dated: Iterable[float]) -> list[int]:
    """The latest years that files are of."""
    years = {datetime.fromtimestamp(moment).year for moment in dated if in_calendar(moment)}
    return sorted(years, reverse=True)[:_YEARS]


def _midnight(moment: float) -> float:
    day = date.fromtimestamp(moment)
    return moments(day.isoformat())[0]
