"""The child: what it may not do, and what becomes of one that goes wrong."""

import asyncio
import importlib
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import aclosing
from pathlib import Path

import pytest

from app.backend.documents.parsing import child, isolation
from app.backend.documents.parsing.messages import Opened, ReadPage
from app.errors import (
    DamagedFileError,
    DocumentError,
    EncryptedFileError,
    FileMissingError,
    NoTextError,
    NotFoundError,
    ParserLimitError,
    UnsupportedTypeError,
)

# What a child does in place of reading; each begins as a real one does.
HOSTILE = """
import os, signal, threading
from app.backend.documents.parsing import child
from app.backend.documents.parsing.messages import Opened, ReadPage, Ended

def crash(connection, path, media_type):
    child._confine()
    child._send(connection, Opened(3))
    os.kill(os.getpid(), signal.SIGSEGV)

def leave(connection, path, media_type):
    child._confine()
    raise RuntimeError("a bug")

def spin(connection, path, media_type):
    child._confine()
    child._limit_cpu(1)
    while True:
        pass

def grow(connection, path, media_type):
    child._confine()
    child._answer(connection, lambda: bytearray(2 << 30))

def hang(connection, path, media_type):
    child._confine()
    child._send(connection, Opened(3))
    threading.Event().wait()

def nonsense(connection, path, media_type):
    child._confine()
    connection.send_bytes(bytes.fromhex(path))
    threading.Event().wait()

def flood(connection, path, media_type):
    child._confine()
    number = 0
    while True:
        number += 1
        child._send(connection, ReadPage(number, "x" * 1_000_000))

def write(connection, path, media_type):
    child._confine()
    try:
        with open(path, "w") as file:
            file.write("x")
        said = "wrote"
    except OSError as error:
        said = "refused"
    child._send(connection, ReadPage(1, said))
    child._send(connection, Ended())

def descriptors(connection, path, media_type):
    child._confine()
    child._send(connection, ReadPage(1, "\\n".join(
        os.readlink(f"/proc/self/fd/{name}") if os.path.lexists(f"/proc/self/fd/{name}") else ""
        for name in os.listdir("/proc/self/fd"))))
    child._send(connection, Ended())
"""


async def read(path: Path, media_type: str = "text/plain", **limits) -> list:
    async with aclosing(isolation.read_file(path, media_type, **limits)) as messages:
        return [message async for message in messages]


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """Puts a function of HOSTILE in the place of the reader."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "carrel_hostile.py").write_text(HOSTILE)
    monkeypatch.syspath_prepend(str(folder))
    module = importlib.import_module("carrel_hostile")

    def put(name: str) -> None:
        monkeypatch.setattr(child, "read", getattr(module, name))

    yield put
    sys.modules.pop("carrel_hostile")


def nobody_left() -> bool:
    return not multiprocessing.active_children()


def test_a_pdf_is_read_page_by_page(make_pdf):
    opened, *pages = asyncio.run(read(make_pdf(pages=40), "application/pdf"))

    assert opened == Opened(40)
    assert [page.number for page in pages] == list(range(1, 41))
    assert nobody_left()


def test_text_and_markdown_are_read(tmp_path):
    path = tmp_path / "a.md"
    path.write_text("# One\n\nText")

    (page,) = asyncio.run(read(path, "text/markdown"))
    (plain,) = asyncio.run(read(path, "text/plain"))

    assert page.text == plain.text == "# One\n\nText"
    assert [heading.title for heading in page.headings] == ["One"]
    assert plain.headings == ()


def test_what_is_wrong_with_a_file_comes_over_as_its_error(tmp_path, locked_pdf, broken_pdf, blank_pdf):
    blank = tmp_path / "blank.txt"
    blank.write_text(" \n ")
    missing = tmp_path / "gone.txt"
    cases = {
        EncryptedFileError: (locked_pdf, "application/pdf"),
        DamagedFileError: (broken_pdf, "application/pdf"),
        NoTextError: (blank_pdf, "application/pdf"),
        FileMissingError: (missing, "text/plain"),
        UnsupportedTypeError: (blank, "image/png"),
    }

    for error, (path, media_type) in cases.items():
        with pytest.raises(error) as raised:
            asyncio.run(read(path, media_type))
        assert raised.value.code == error.code
        assert raised.value.message.endswith(".")
    with pytest.raises(NoTextError, match="blank"):
        asyncio.run(read(blank))
    assert nobody_left()


def test_a_crash_is_a_damaged_file_and_the_program_lives(tmp_path, hostile):
    hostile("crash")

    with pytest.raises(DamagedFileError, match="stopped its reader"):
        asyncio.run(read(tmp_path / "a"))
    assert nobody_left()


def test_a_bug_in_the_reader_is_no_silence(tmp_path, hostile):
    hostile("leave")

    with pytest.raises(DocumentError):
        asyncio.run(read(tmp_path / "a"))


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_file_that_takes_too_much_processor_time_is_given_up(tmp_path, hostile):
    hostile("spin")

    with pytest.raises(ParserLimitError, match="too much time"):
        asyncio.run(read(tmp_path / "a"))


@pytest.mark.skipif(sys.platform != "linux", reason="the limit holds on Linux")
def test_a_file_that_takes_too_much_memory_is_given_up(tmp_path, hostile):
    hostile("grow")

    with pytest.raises(ParserLimitError, match="memory"):
        asyncio.run(read(tmp_path / "a"))


def test_a_file_that_takes_too_long_is_given_up_and_its_reader_ended(tmp_path, hostile):
    hostile("hang")

    with pytest.raises(ParserLimitError, match="too long"):
        asyncio.run(read(tmp_path / "a", wall_seconds=1.0))
    assert nobody_left()


def test_a_file_that_becomes_too_much_text_is_given_up(tmp_path, hostile, monkeypatch):
    hostile("flood")
    monkeypatch.setattr(child, "TEXT_CHARACTERS", 5_000_000)

    with pytest.raises(ParserLimitError, match="more text"):
        asyncio.run(read(tmp_path / "a"))
    assert nobody_left()


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("form", ["pickle", "text", "json"])
def test_what_a_child_sends_is_only_ever_read_as_its_messages(tmp_path, hostile, form):
    mark = tmp_path / "executed"
    sent = {"pickle": pickle.dumps(Touch(mark)), "text": b"hello", "json": b'{"type":"page","number":"x"}'}[
        form
    ]
    hostile("nonsense")

    with pytest.raises(DamagedFileError, match="no sense"):
        asyncio.run(read(Path(sent.hex())))
    assert not mark.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_child_cannot_write_files(tmp_path, hostile):
    hostile("write")

    (page,) = asyncio.run(read(tmp_path / "written"))

    assert page.text == "refused"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_child_has_none_of_the_programs_open_files(tmp_path, hostile):
    hostile("descriptors")
    secret = (tmp_path / "secret").open("w")
    os.set_inheritable(secret.fileno(), True)

    with secret:
        (page,) = asyncio.run(read(tmp_path / "a"))

    assert "secret" not in page.text
    # The library's folder and its database are not there either.
    assert str(tmp_path) not in page.text


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_neither_a_child_nor_where_it_was_forked_outlives_the_program(tmp_path, make_pdf):
    script = tmp_path / "program.py"
    script.write_text(
        "import asyncio, os, pathlib, psutil, sys\n"
        "from app.backend.documents.parsing.isolation import Viewing\n"
        "async def main():\n"
        "    viewing = Viewing(pathlib.Path(sys.argv[1]))\n"
        "    await viewing.boxes(1, 0, 1)\n"
        "    child = viewing._child.pid\n"
        "    print(*{child, psutil.Process(child).ppid()} - {os.getpid()}, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    program = subprocess.Popen(
        [sys.executable, str(script), str(make_pdf())],
        env={
            **environment,
            "PYTHONPATH": f"{Path(__file__).parents[4]}{os.pathsep}{environment['PYTHONPATH']}",
        },
        stdout=subprocess.PIPE,
    )
    pids = [int(pid) for pid in program.stdout.readline().split()]
    watched = [os.pidfd_open(pid) for pid in pids] if hasattr(os, "pidfd_open") else []
    assert len(watched) in {0, 2}
    program.send_signal(signal.SIGKILL)
    program.wait()
    program.stdout.close()

    for descriptor in watched:
        import select

        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(10_000), "it is still there"
        os.close(descriptor)


def test_the_child_imports_neither_the_gateway_nor_the_models_nor_the_window():
    listed = subprocess.run(
        [sys.executable, "-c", "import sys, app.backend.documents.parsing.child; print(*sys.modules)"],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    heavy = {"fastapi", "uvicorn", "llama_cpp", "PySide6", "numpy", "sqlite_utils", "jinja2", "app.database"}
    assert heavy.isdisjoint(listed)


def test_a_viewing_answers_many_requests_from_one_child(make_pdf):
    async def main() -> None:
        viewing = isolation.Viewing(make_pdf(pages=3))
        try:
            images = await asyncio.gather(*(viewing.picture(number, 200) for number in (1, 2, 3, 1)))
            with pytest.raises(NotFoundError):
                await viewing.picture(4, 200)
            boxes = await viewing.boxes(2, 0, 9)

            assert images[0] == images[3] != images[1]
            assert len(boxes) == 1
            assert len(multiprocessing.active_children()) == 1
        finally:
            await viewing.end()
        assert nobody_left()

    asyncio.run(main())


def test_a_viewing_of_a_file_that_cannot_be_opened_says_why(locked_pdf, broken_pdf):
    async def main(path: Path) -> None:
        viewing = isolation.Viewing(path)
        try:
            await viewing.picture(1, 200)
        finally:
            assert viewing.ended
            assert nobody_left()

    with pytest.raises(EncryptedFileError):
        asyncio.run(main(locked_pdf))
    with pytest.raises(DamagedFileError):
        asyncio.run(main(broken_pdf))


def test_offsets_and_widths_from_anywhere_do_no_harm(make_pdf):
    async def main() -> None:
        viewing = isolation.Viewing(make_pdf(pages=1))
        try:
            assert await viewing.boxes(1, -(10**9), 10**9) != ()
            assert await viewing.boxes(1, 10**9, -(10**9)) == ()
            assert await viewing.picture(1, -(10**9)) == await viewing.picture(1, 0)
        finally:
            await viewing.end()

    asyncio.run(main())


def test_a_read_page_is_what_the_parser_gave(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("Zeile \U0001f600 \u2028 ünïcödé\ttab")

    assert asyncio.run(read(path)) == [ReadPage(1, "Zeile \U0001f600 \u2028 ünïcödé\ttab")]


@pytest.mark.long
def test_no_damage_to_a_pdf_leads_to_anything_but_pages_or_a_reason(tmp_path, make_pdf):
    whole = make_pdf(pages=4).read_bytes()
    chance = random.Random(20261123)
    outcomes: Counter[str] = Counter()
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 10, 100, 1000))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path = tmp_path / "mutated.pdf"
        path.write_bytes(data)
        try:
            asyncio.run(read(path, "application/pdf"))
            outcomes["read"] += 1
        except DocumentError as error:
            outcomes[error.code] += 1
    assert nobody_left()
    assert set(outcomes) <= {"read", "file_damaged", "file_encrypted", "no_text", "parser_limit"}
    assert outcomes["read"] > 5
    assert outcomes["file_damaged"] > 5
