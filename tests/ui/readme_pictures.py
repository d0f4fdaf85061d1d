"""Makes the pictures of the README with the real program, its models and the sample document.

    python tests/ui/readme_pictures.py [FOLDER]

Run it under a display, in the repository. FOLDER is resources/screenshots unless given.
"""

import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import shiboken6
from PySide6.QtWidgets import QApplication

from app.cli.sample import Sample
from app.main.reach import prepare, reach
from app.paths import Profile, resource
from app.ui.bridge import Bridge
from app.ui.state import StateFile
from app.ui.theme import Theme
from app.ui.window import Window

SIZE = (1440, 900)
BESIDE = {
    "Bicycle insurance.txt": "The bicycle is insured against theft from a locked cellar. Excess: 80 euros.",
    "Kitchen manual.md": "# Oven\n\nLet the oven cool before it is cleaned.\n\n# Hob\n\nUse no steel wool.",
    "House rules.md": "# Quiet hours\n\nFrom 22 to 6 o'clock. Bicycles stand in the cellar.",
}
EARLIER = ("May I keep a cat?", "How much is the deposit?")
QUESTIONS = ("How long is the notice period?", "Who pays for small repairs?")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else resource("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    app = QApplication(sys.argv[:1])
    with tempfile.TemporaryDirectory() as place:
        profile = Profile(Path(place) / "profile")
        prepare(profile, None, verbose=False)
        side = reach(profile, None)
        opening = threading.Thread(target=side.open)
        opening.start()
        theme = Theme(app, "light")
        bridge = Bridge(side.client, side.submit)
        window = Window(theme, bridge, side.settings, StateFile(Path(place) / "ui-state.json"))
        window.resize(*SIZE)
        window.show()
        bridge.follow()
        try:
            take(app, window, theme, Path(place), folder)
        finally:
            bridge.close()
            window.close()
            for part in (window, bridge, theme):
                shiboken6.delete(part)
            opening.join()
            side.close()


def take(app: QApplication, window: Window, theme: Theme, place: Path, folder: Path) -> None:
    def wait(done: Callable[[], bool], seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise TimeoutError
            app.processEvents()
            time.sleep(0.01)

    def settle() -> None:
        end = time.monotonic() + 0.8
        wait(lambda: time.monotonic() > end)

    def ask(question: str) -> None:
        window.room.ask(question)
        wait(lambda: not window.room.asking)

    paths = []
    for name, text in BESIDE.items():
        (place / name).write_text(text, "utf-8")
        paths.append(str(place / name))
    wait(lambda: window.chip.text().endswith(("CPU", "GPU")))
    window.shelf.add([str(Sample.bundled().document), *paths])
    documents = window.shelf.model.documents
    wait(lambda: len(documents()) == 4 and all(document.status == "ready" for document in documents()))
    for question in EARLIER:
        window.new_question()
        ask(question)
    window.new_question()
    for question in QUESTIONS:
        ask(question)
    settle()
    window.room.talk.verticalScrollBar().setValue(0)
    turn = window.room.talk.turns[0]
    turn.place_opened.emit(turn.places[0])
    wait(lambda: window.reader.page.has_picture)
    settle()
    window.room.talk.verticalScrollBar().setValue(0)
    for choice in ("light", "dark"):
        theme.choose(choice)
        settle()
        window.grab().save(str(folder / f"{choice}.png"))
        print(folder / f"{choice}.png")


if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
