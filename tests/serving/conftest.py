"""The bundled models, loaded once a run; tiny models of other kinds; a tap on the engine's steps."""

import asyncio
import dataclasses
import importlib.util
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from app.serving.catalogue import Bundled, bundled
from app.serving.embedder import Embedder
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, End, Generation, Piece, Sampling

Answer = tuple[str, list[Piece], End]


class Tap:
    """The real context, watched: which batches were computed, and what to fail instead."""

    def __init__(self, context):
        self._context = context
        self.batches = []
        self.started = threading.Event()
        self.instead = deque()  # return codes or exceptions of the next steps; None: the real one

    def decode(self, rows):
        self.batches.append(rows)
        self.started.set()
        answer = self.instead.popleft() if self.instead else None
        if isinstance(answer, Exception):
            raise answer
        return self._context.decode(rows) if answer is None else answer

    def __getattr__(self, name):
        return getattr(self._context, name)


@pytest.fixture(scope="session")
def models(bundled_models: Path) -> Bundled:
    return bundled(bundled_models)


@pytest.fixture
def new_engine(models: Bundled) -> Iterator[Callable[..., Engine]]:
    """Engines of one test, closed after it. They do not draft unless told to: see `engine`."""
    made: list[Engine] = []

    def new_engine(**options: object) -> Engine:
        options = {"context_length": 1024, "drafting": "off"} | options
        made.append(Engine(models.chat.path, sha256=models.chat.sha256, **options))
        made[-1].load()
        return made[-1]

    yield new_engine
    for engine in made:
        engine.close()


@pytest.fixture(scope="session")
def engine(models: Bundled) -> Iterator[Engine]:
    """Does not draft: what it drafts depends on the clock, and here steps are counted and texts compared."""
    engine = Engine(models.chat.path, context_length=2048, sha256=models.chat.sha256, drafting="off")
    engine.load()
    yield engine
    engine.close()


@pytest.fixture
def tap(engine: Engine) -> Iterator[Tap]:
    """Watches the shared engine for one test."""
    loop, parts = engine._loop, engine._loop.parts
    tap = Tap(parts.context)
    loop.parts = dataclasses.replace(parts, context=tap)
    yield tap
    loop.parts = parts


def _beside(name: str) -> ModuleType:
    """A module of this folder. Test folders are no packages (importmode=importlib)."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def mutated() -> Callable[[bytes, int], bytes]:
    """Breaks models; see mutated_models.py."""
    return _beside("mutated_models").mutated


@pytest.fixture(scope="session")
def load() -> ModuleType:
    """Random load; see load.py."""
    return _beside("load")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes tiny models; see tiny_models.py."""
    module = _beside("tiny_models")
    folder = tmp_path_factory.mktemp("tiny")

    def tiny(architecture: str, **options: object) -> Path:
        name = "-".join((architecture, *map(str, sorted(options)))) + ".gguf"
        return module.write(folder / name, architecture, **options)

    return tiny


@pytest.fixture
def immense(tiny: Callable[..., Path], tmp_path: Path) -> Path:
    """A model whose header claims so many heads that no machine has the memory for their keys."""
    data = tiny("llama").read_bytes()
    key = b"llama.attention.head_count_kv"
    at = data.index(key) + len(key) + 4
    path = tmp_path / "immense.gguf"
    path.write_bytes(data[:at] + struct.pack("<I", 2**30) + data[at + 4 :])
    return path


@pytest.fixture(scope="session")
def embedder(models: Bundled) -> Iterator[Embedder]:
    embedder = Embedder(models.embedding.path, sha256=models.embedding.sha256)
    embedder.load()
    yield embedder
    embedder.close()


@pytest.fixture(scope="session")
def ask() -> Callable[..., Answer]:
    """Ask an engine on a loop of its own; the text, the pieces and the End, which comes once and last."""

    def ask(
        engine: Engine, question: str, max_tokens: int = 24, *, stop: tuple[str, ...] = (), **sampling: float
    ) -> Answer:
        prompt = engine.encode([ChatMessage("user", question)])

        async def run() -> list[Piece | End]:
            generation = Generation(prompt, max_tokens, Sampling(**sampling), stop)
            return [item async for item in engine.generate(generation)]

        *pieces, end = asyncio.run(run())
        assert isinstance(end, End)
        assert all(isinstance(piece, Piece) for piece in pieces)
        return "".join(piece.text for piece in pieces), pieces, end

    return ask
