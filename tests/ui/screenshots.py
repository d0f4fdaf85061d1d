"""Pictures of the window in all its states, drawn with the fake client.

    python tests/ui/screenshots.py FOLDER [STATE:COLOURS:SIZE[:TEXT SCALE]...]

Run it under a display (xvfb-run works). QT_SCALE_FACTOR=2 gives pictures of twice the pixels.
"""

import asyncio
import contextlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import shiboken6
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.errors import ConnectionLostError
from app.events import DocumentChanged, Progress
from app.filters import moments
from app.records import Addition, Collection, Problem, Renewal, Timings, Usage
from app.settings import Settings
from app.ui.bridge import Bridge
from app.ui.state import StateFile
from app.ui.theme import Theme
from app.ui.window import Window

_spec = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("conftest.py"))
assert _spec is not None
assert _spec.loader is not None
fakes = importlib.util.module_from_spec(_spec)
sys.modules["fakes"] = fakes
_spec.loader.exec_module(fakes)

QUESTION = "How long is the notice period, and when does it start?"
FIRST = (
    "Either party may end the lease with **three months’ notice**, given in writing by the third"
    " working day of a month."
)
TEXT = (
    f"{FIRST} The period then runs to the end of the second month after that.\n\nFor the garage there is a"
    " separate agreement with a notice period of **one month**. Notice by e-mail is usually accepted."
)
MARKS = (
    (
        FIRST,
        1,
    ),
    ("The period then runs to the end of the second month after that.", 1),
    ("The period then runs to the end of the second month after that.", 2),
    ("For the garage there is a separate agreement with a notice period of **one month**.", 3),
    ("Notice by e-mail is usually accepted.", None),
)
_NOTHING = "Nothing in your documents matches this question."
RICH = """## What the drafts say

1. The **rent** is due on the third working day; late payment costs 1 % a month.
2. *Heating* is billed yearly, see `clause 4.2`:
   - gas by meter
   - water by head

> The landlord may not raise the rent within the first twelve months.

| Draft | Rent | Notice |
|---|---|---|
| March | 1,240 € | 3 months |
| June | 1,310 € | 6 months |

```python
def monthly(rent: float, late: int) -> float:
    return rent * (1 + 0.01 * late)
```

The two drafts agree on the deposit. <b>No HTML</b> is read. More at [the ministry](https://example.org/lease).
"""


class Scene:
    """A window with its fake client, as a test has it."""

    def __init__(self, app: QApplication, choice: str, size: tuple[int, int], scale: float = 1.0) -> None:
        self.app = app
        self.folder = tempfile.TemporaryDirectory()
        self.loop = fakes.LoopThread()
        self.client = fakes.FakeClient()
        self.client.loop = self.loop.loop
        self.theme = Theme(app, choice, scale)  # type: ignore[arg-type]
        self.bridge = Bridge(self.client, self.loop.submit)
        root = Path(self.folder.name)
        sample = (root / "Lease agreement.pdf", "How long is the notice period?")
        self.size = size
        settings, state = Settings(root / "settings.json"), StateFile(root / "ui-state.json")
        self.window = Window(self.theme, self.bridge, settings, state, sample)

    def start(self) -> Window:
        self.window.resize(*self.size)
        self.window.show()
        self.bridge.follow()
        self.wait(lambda: bool(self.window.chip.models))
        self.settle()
        return self.window

    def wait(self, done: Callable[[], bool], seconds: float = 5.0) -> None:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            self.app.processEvents()
            time.sleep(0.005)

    def settle(self, seconds: float = 0.3) -> None:
        self.wait(lambda: False, seconds)

    def close(self) -> None:
        self.bridge.close()
        self.window.close()
        for part in (self.window, self.bridge, self.theme):
            shiboken6.delete(part)
        self.loop.close()


def furnish(client: Any) -> list[Any]:
    """The library and the conversations of the sketches."""
    lease, garage = fakes.a_document("Lease 2023.pdf"), fakes.a_document("Garage agreement.md", pages=1)
    client.put(
        lease,
        garage,
        fakes.a_document(
            "Annual report 2025.pdf", status="reading", pages=120, pages_read=74, added_at=fakes.NOW + 2
        ),
        fakes.a_document(
            "scan_0041.pdf",
            status="failed",
            error=Problem(
                "file_encrypted", "The file is protected by a password. Save a copy without one and add that."
            ),
            added_at=fakes.NOW + 1,
        ),
        fakes.a_document("Warranty heat pump — installation, maintenance and exclusions (final, signed).pdf"),
        fakes.a_document(
            "Pump maintenance log 2024.pdf", status="embedding", passages=900, passages_embedded=310
        ),
        fakes.a_document("House rules.txt", status="queued"),
    )
    sources = [
        fakes.a_source(1, lease, 4, "§ 7 Termination"),
        fakes.a_source(2, lease, 5, "§ 7 (2)"),
        fakes.a_source(3, garage, 1, "Section 3"),
        *(fakes.a_source(n, lease, n, None, read=False) for n in range(4, 9)),
    ]
    client.sources = tuple(sources)

    def answer(question: Any) -> Any:
        return fakes.an_answer(
            question, TEXT, sources=tuple(sources), citations=fakes.cited(TEXT, *MARKS), found=11
        )

    day = 86_400
    client.talk("How long is the notice period?", (QUESTION, answer))
    client.talk("Which pumps were replaced in 2024, and by whom", (QUESTION, answer), age=600)
    client.talk(
        "Compare the two lease drafts",
        ("Compare the two lease drafts.", lambda q: fakes.an_answer(q, RICH)),
        age=9 * day,
    )
    client.talk("Warranty terms for the heat pump", (QUESTION, answer), age=9.2 * day)
    return sources


def open_talk(scene: Scene, number: int = 0) -> None:
    client, window = scene.client, scene.window
    key = list(client.held_conversations)[number]
    window.desk.conversation_opened.emit(key)
    scene.wait(lambda: bool(window.room.talk.turns))
    scene.settle()


def first_start(scene: Scene) -> None:
    scene.start()


def talk(scene: Scene) -> None:
    furnish(scene.client)
    scene.start()
    open_talk(scene)


def reader(scene: Scene) -> None:
    talk(scene)
    turn = scene.window.room.talk.turns[0]
    turn.answer.chip_pressed.emit(0, 1)
    scene.wait(lambda: scene.window.reader.page.has_picture)
    scene.settle(0.6)


def reader_text(scene: Scene) -> None:
    talk(scene)
    garage = scene.client.sources[2].passage
    scene.client.pages[garage.document_id, 1] = (
        "# Garage\n\n"
        + "The garage is let apart from the flat. " * 3
        + garage.text
        + "\n\n"
        + "Keys are handed over on the first day. " * 40
    )
    scene.window.room.talk.turns[0].answer.chip_pressed.emit(3, 3)
    scene.settle(0.6)


def rich(scene: Scene) -> None:
    furnish(scene.client)
    scene.start()
    open_talk(scene, 2)


def streaming(scene: Scene) -> None:
    sources = furnish(scene.client)
    forever = asyncio.Event
    pieces = [TEXT[i : i + 5] for i in range(0, 190, 5)]
    scene.client.script = fakes.answering(
        pieces, sources=sources, found=11, before_end=lambda: forever().wait()
    )
    scene.start()
    scene.window.room.ask(QUESTION)
    scene.wait(lambda: len(scene.window.room.talk.turns[0].answer.markdown) > 150)
    scene.settle()


def waiting(scene: Scene) -> None:
    sources = furnish(scene.client)
    forever = asyncio.Event
    scene.client.script = fakes.answering([], sources=sources, found=11, before_end=lambda: forever().wait())
    scene.start()
    scene.window.room.ask(QUESTION)
    scene.settle(0.5)


def stopped(scene: Scene) -> None:
    streaming(scene)
    scene.window.room.stop()
    scene.settle(0.5)


def failed(scene: Scene) -> None:
    furnish(scene.client)
    scene.client.script = fakes.answering(
        [],
        failure=Problem(
            "context_overflow",
            "The question needs 3,912 tokens; this model holds 2,048. Shorten it, or choose a model with a"
            " longer context.",
        ),
    )
    scene.start()
    scene.window.room.ask(QUESTION)
    scene.settle(0.5)


def nothing_found(scene: Scene) -> None:
    furnish(scene.client)
    one_turn(scene, "Who won the chess tournament of 1956?", _NOTHING, usage=None)


def quoted(scene: Scene) -> None:
    sources = furnish(scene.client)
    first = "“Either party may end the lease with three months’ notice, given in writing.”"
    second = "“A message by e-mail or telephone is not enough.”"
    text = f"{first}\n\nAlso: {second}"
    one_turn(scene, QUESTION, text, (first, 1), (second, 2), sources=sources[:4], found=11, usage=Usage(0, 0))


def working_through(scene: Scene) -> None:
    furnish(scene.client)
    progress = Progress(4, 14, "Lease agreement.pdf")
    forever = asyncio.Event
    scene.client.script = fakes.answering(
        [], found=212, progress=progress, before_end=lambda: forever().wait()
    )
    scene.start()
    scene.window.room.ask("Summarise the lease")
    scene.settle(0.5)


def worked_through(scene: Scene) -> None:
    sources = furnish(scene.client)
    quotes = (
        "“The lease begins on 1 April 2024.”",
        "“The rent is 1,180 euros a month, without heating and service charges.”",
        "“Either party may end the lease with three months’ notice, given in writing.”",
    )
    text = "\n".join(f"- {quote}" for quote in quotes)
    one_turn(
        scene,
        "Summarise the lease",
        text,
        *zip(quotes, (1, 2, 3), strict=True),
        sources=sources[:3],
        found=212,
        usage=Usage(0, 0),
        timings=Timings(sections_ms=860.0, first_token_ms=870.0, total_ms=900.0),
    )


def alone(scene: Scene) -> None:
    furnish(scene.client)
    text = "The tournament of 1956 was won by Vasily Smyslov, who went on to play for the world title."
    one_turn(scene, "Who won the chess tournament of 1956?", text, (text, None))


def unread(scene: Scene) -> None:
    sources = furnish(scene.client)
    one_turn(
        scene,
        QUESTION,
        TEXT,
        *MARKS,
        sources=sources,
        found=14,
        timings=Timings(14.0, 6.0, 3.0, 870.0, 1_600.0, 900.0, 2_500.0, unread_ms=38_000.0),
    )


def one_turn(scene: Scene, question: str, text: str, *marks: tuple[str, int | None], **changed: Any) -> None:
    scene.client.talk(
        question,
        (question, lambda q: fakes.an_answer(q, text, citations=fakes.cited(text, *marks), **changed)),
    )
    scene.start()
    open_talk(scene, -1)


def furnish_collections(scene: Scene) -> None:
    furnish(scene.client)
    client = scene.client
    keys = list(client.held_documents)
    for name, many, folder in (
        ("Home", 3, None),
        ("Taxes 2025", 2, None),
        ("Contracts", 4, "/home/me/Contracts"),
    ):
        known = Collection(f"c-{name}", name, many, 0.0, folder)
        client.held_collections[known.id] = known
        client.held_members[known.id] = keys[:many]


def collections(scene: Scene) -> None:
    furnish_collections(scene)
    scene.start()
    open_talk(scene)
    scene.window.collecting.show("c-Home")
    scope = scene.window.scope
    scope.toggle_collection("c-Home")
    scope.toggle_type("pdf")
    scope.set_time(*moments("2025"))
    scene.settle(0.4)


def limits_menu(scene: Scene) -> None:
    collections(scene)
    scope, button = scene.window.scope, scene.window.room.composer.scope
    menu = scope.menu(button)
    menu.show_at(button.mapToGlobal(QPoint(0, -menu.sizeHint().height() - 4)))
    scene.settle(0.2)
    section = next(action for action in menu.actions() if action.text() == "Type")
    menu.setActiveAction(section)
    section.menu().popup(menu.mapToGlobal(QPoint(menu.width() - 8, 70)))
    scene.settle(0.4)


def collection_menu(scene: Scene) -> None:
    collections(scene)
    desk = scene.window.desk
    key = next(iter(scene.client.held_documents))
    menu = desk.document_menu([key])
    menu.show_at(desk.library.mapToGlobal(QPoint(40, 40)))
    scene.settle(0.2)
    for action in menu.actions():
        if action.menu() is not None:
            menu.setActiveAction(action)
            action.menu().popup(menu.mapToGlobal(QPoint(menu.width() - 8, 60)))
    scene.settle(0.4)


def dragging(scene: Scene) -> None:
    talk(scene)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/tmp/a.pdf"), QUrl.fromLocalFile("/tmp/b.pdf")])
    event = QDragEnterEvent(
        QPoint(400, 300),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(scene.window, event)
    scene.settle(0.1)


def indexing(scene: Scene) -> None:
    for n, (status, done) in enumerate((("reading", 31), ("queued", 0), ("embedding", 120), ("queued", 0))):
        scene.client.put(
            fakes.a_document(
                f"Volume {n + 1}.pdf",
                status=status,
                pages=300,
                pages_read=done,
                passages=400,
                passages_embedded=done,
            )
        )
    scene.start()


def model_loading(scene: Scene) -> None:
    scene.client.held_models = (fakes.a_model(loaded=False),)
    furnish(scene.client)
    scene.start()


def no_model(scene: Scene) -> None:
    gone = Problem(
        "model_unavailable", "The model could not be loaded: not enough memory (needs 5.7 GB, 3.1 GB free)."
    )
    scene.client.held_models = (fakes.a_model(loaded=False, problem=gone),)
    furnish(scene.client)
    scene.client.script = fakes.answering([], failure=gone)
    scene.start()
    scene.window.room.ask(QUESTION)
    scene.settle(0.5)


def lost(scene: Scene) -> None:
    talk(scene)
    scene.client.reachable = False
    scene.client.publish(ConnectionLostError("Carrel's other half does not answer."))
    scene.settle(0.5)
    scene.window.room.ask("Is this question kept?")
    scene.settle(0.5)


def renewing(scene: Scene) -> None:
    scene.client.renewal = Renewal("EmbeddingGemma 300M", 1_200, 440, "all-MiniLM-L6-v2")
    talk(scene)


def many(scene: Scene) -> None:
    scene.client.put(*(fakes.a_document(f"Minutes {n:04}.pdf") for n in range(1_000)))
    for n in range(200):
        scene.client.talk(f"Question number {n} about the minutes", age=n * 40_000.0)
    scene.start()


def right_to_left(scene: Scene) -> None:
    document = fakes.a_document("عقد الإيجار.pdf")
    scene.client.put(document, fakes.a_document("חוזה שכירות.pdf"))
    text = (
        "يجوز لأي من الطرفين إنهاء العقد بإشعار مدته **ثلاثة أشهر**. يبدأ الإشعار في أول الشهر."
        " Notice (English) stays left to right."
    )
    marks = (
        ("يجوز لأي من الطرفين إنهاء العقد بإشعار مدته **ثلاثة أشهر**.", 1),
        ("يبدأ الإشعار في أول الشهر.", None),
    )
    source = fakes.a_source(1, document, 2, "إنهاء العقد")
    scene.client.talk(
        "ما هي مدة الإشعار؟",
        (
            "ما هي مدة الإشعار؟",
            lambda q: fakes.an_answer(
                q, text, sources=(source,), citations=fakes.cited(text, *marks), found=1
            ),
        ),
    )
    scene.start()
    open_talk(scene)


def search(scene: Scene) -> None:
    furnish(scene.client)
    scene.start()
    scene.window.desk.find_box.setText("notice")
    scene.window.room.search("notice period")
    scene.settle(0.5)


def settings(scene: Scene) -> None:
    talk(scene)
    scene.window.open_settings()
    scene.settle(0.5)


def folders(scene: Scene) -> None:
    """The settings with more followed folders than there is room for, and what can be wrong with them."""
    client = scene.client
    refused = tuple(
        Addition(name, problem=Problem("file_damaged", "The file is damaged.")) for name in ("a.pdf", "b.pdf")
    )
    missing = Problem(
        "folder_missing", "This folder is not there now. Its documents are kept until it is back."
    )
    limit = Problem(
        "watch_limit",
        "The system's limit of watched folders is reached;"
        " Carrel looks for changes every 30 seconds instead.",
    )
    for folder in (
        fakes.a_folder("/home/reader/Contracts", documents=1_204, refused=refused, refused_count=2),
        fakes.a_folder("/media/reader/USB stick/Scans of the old files", state="missing", problem=missing),
        fakes.a_folder("/home/reader/Archive", state="polling", problem=limit),
        fakes.a_folder("/home/reader/Papers", scanned_at=None, documents=0),
        fakes.a_folder("/home/reader/Books", documents=1),
    ):
        client.held_folders[folder.id] = folder
    settings(scene)


def one_folder(scene: Scene) -> None:
    folder = fakes.a_folder("/home/reader/Contracts")
    scene.client.held_folders[folder.id] = folder
    settings(scene)


def folder_dropped(scene: Scene) -> None:
    talk(scene)
    scene.client.put(
        fakes.a_document("Offer (old edition).pdf", status="queued", changed=True),
        fakes.a_document("On the stick.pdf", missing=True),
    )
    for document in scene.client.held_documents.values():
        scene.client.publish(DocumentChanged(document))
    scene.window.shelf.add([scene.folder.name])
    scene.settle(0.5)


def model_menu(scene: Scene) -> None:
    talk(scene)
    scene.window.chip._open_menu()
    scene.settle(0.3)


def scope_menu(scene: Scene) -> None:
    talk(scene)
    scene.window._offer_scope()
    scene.settle(0.3)


def conversation_menu(scene: Scene) -> None:
    talk(scene)
    view = scene.window.desk.talks
    view._ask_menu(view.visualRect(view.model().index(1, 0)).center())
    scene.settle(0.3)


def document_menu(scene: Scene) -> None:
    talk(scene)
    view = scene.window.desk.library
    view._ask_menu(view.visualRect(view.model().index(1, 0)).center())
    scene.settle(0.3)


def failed_document(scene: Scene) -> None:
    talk(scene)
    failed_one = next(d for d in scene.client.held_documents.values() if d.status == "failed")
    scene.window.desk.document_opened.emit(failed_one.id)
    scene.settle(0.3)


def keyboard(scene: Scene) -> None:
    """Under the offscreen platform: a display without a window manager gives no window the focus."""
    reader(scene)
    scene.window.activateWindow()
    steps = int(os.environ.get("STEPS", "4"))
    scene.window.desk.new.setFocus(Qt.FocusReason.TabFocusReason)
    for _ in range(steps):
        QTest.keyClick(QApplication.focusWidget() or scene.window, Qt.Key.Key_Tab)
    scene.settle(0.2)


def rating(scene: Scene) -> None:
    """A thumb is down, and the pane asks why."""
    talk(scene)
    turn = scene.window.room.talk.turns[-1]
    turn.rating.down.click()
    scene.settle()


def asked_again(scene: Scene) -> None:
    """The same prompt on another model, both answers shown."""
    talk(scene)
    turn = scene.window.room.talk.turns[-1]
    again = "The notice period is three months. It starts at once. A deposit of three rents is due."
    scene.client.script = fakes.answering(
        [again],
        ("The notice period is three months.", 1),
        ("It starts at once.", None),
        ("A deposit of three rents is due.", None),
        sources=list(turn._sources),
        found=11,
    )
    turn.replay_asked.emit(turn._message, False)
    scene.settle(0.6)


def confirm_removal(scene: Scene) -> None:
    talk(scene)
    scene.window.shelf.remove([next(iter(scene.client.held_documents))])
    scene.settle(0.4)


def file_dialog(scene: Scene) -> None:
    talk(scene)
    scene.window.choose_files()
    scene.settle(0.5)


ABOVE = {
    "limits_menu",
    "collection_menu",
    "rating",
    "conversation_menu",
    "asked_again",
    "settings",
    "folders",
    "one_folder",
    "model_menu",
    "scope_menu",
    "document_menu",
    "confirm_removal",
    "file_dialog",
}
STATES: dict[str, Callable[[Scene], None]] = {
    state.__name__: state
    for state in (
        first_start, talk, reader, reader_text, rich, streaming, waiting, stopped, failed, nothing_found,
        quoted, alone, unread, working_through, worked_through,
        dragging, indexing, renewing, model_loading, no_model, lost, many, right_to_left, search, settings,
        model_menu,
        folders, one_folder, folder_dropped,
        scope_menu,
        conversation_menu,
        document_menu,
        collections, limits_menu, collection_menu,
        failed_document, keyboard, rating, asked_again, confirm_removal, file_dialog,
    )
}  # fmt: skip


@contextlib.contextmanager
def scene_of(app: QApplication, choice: str, size: tuple[int, int], scale: float) -> Iterator[Scene]:
    scene = Scene(app, choice, size, scale)
    try:
        yield scene
    finally:
        scene.close()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    app = QApplication(sys.argv[:1])
    chosen = sys.argv[2:] or ["reader:light:1440x900", "reader:dark:1440x900"]
    for entry in chosen:
        given = entry.split(":")
        name, choice, size, *rest = (
            given + ["light", "1440x900"][len(given) - 1 :] if len(given) < 3 else given
        )
        wide, tall = (int(part) for part in size.split("x"))
        scale = float(rest[0]) if rest else 1.0
        with scene_of(app, choice, (wide, tall), scale) as scene:
            STATES[name](scene)
            picture = scene.window.screen().grabWindow(0) if name in ABOVE else scene.window.grab()
            file = folder / f"{name}-{choice}-{size}{'-' + rest[0] if rest else ''}.png"
            picture.save(str(file))
            print(file)
            for widget in app.topLevelWidgets():
                if widget is not scene.window and widget.isVisible():
                    widget.close()
            app.processEvents()


if __name__ == "__main__":
    main()
