"""Our side: the engine in this process, and a whole Carrel that is asked over HTTP."""

import contextlib
import inspect
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

import processes
import wire
from answers import Answer
from endless import never_end
from places import CACHE, ROOT

from app.serving.engine import Engine
from app.serving.generation import End, Generation, Prompt

_POSITIONS = 2_560  # of one answer and its prompt; as the peer's
_LISTENING_WITHIN_S = 120


@contextlib.contextmanager
def engine(model: Path, *, threads: int, slots: int, folder: Path | None = None) -> Iterator[Engine]:
    """A loaded engine whose answers never end by themselves.

    An Engine that knows no `slots` answers one after the other.
    """
    never_end()
    opened = Engine(model, **arguments(threads=threads, slots=slots, folder=folder))
    load(opened)
    try:
        yield opened
    finally:
        opened.close()


def load(engine: Engine) -> None:
    """Load as the program does: on a thread that ends.

    It matters: loading computes one token, so OpenMP keeps a worker for that thread as long as it
    lives. With more workers than processors all of them wait in another way (they sleep soon
    instead of spinning), which is slower on a quiet machine and much faster on a busy one.
    """
    with ThreadPoolExecutor(1) as loading:
        loading.submit(engine.load).result()


def arguments(*, threads: int, slots: int, folder: Path | None = None) -> dict[str, object]:
    """What to make an Engine with, as far as it knows these things already."""
    known: dict[str, object] = {"context_length": _POSITIONS, "gpu_layers": 0, "threads": threads}
    if takes("slots"):
        known["slots"] = slots
    if folder is not None and (name := folder_argument()):
        known[name] = folder
    return known


def takes(argument: str) -> bool:
    return argument in inspect.signature(Engine).parameters


def folder_argument() -> str | None:
    """How Engine calls the folder in which it keeps what it has read; None: it keeps nothing."""
    for name, parameter in inspect.signature(Engine).parameters.items():
        if name != "path" and "Path" in str(parameter.annotation):
            return name
    return None


async def ask(opened: Engine, prompt: Prompt, tokens: int) -> Answer:
    """Let the engine write `tokens` of them, always the likeliest."""
    asked = time.perf_counter()
    arrivals = []
    async with aclosing(opened.generate(Generation(prompt, tokens))) as items:
        async for item in items:
            now = time.perf_counter()
            if isinstance(item, End):
                usage = item.usage
                return Answer(asked, tuple(arrivals), now, usage.prompt_tokens, usage.completion_tokens)
            arrivals.append(now)
    raise RuntimeError("the answer has no end")


class Served:
    """`carrel serve`, asked as other tools ask it."""

    def __init__(self, port: int, token: str, model: str) -> None:
        self._port, self._model = port, model
        self._headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, text: str, tokens: int) -> Answer:
        """One question without documents."""
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        asked, events = await wire.stream(self._port, "/v1/chat/completions", body, self._headers)
        *chunks, last = events
        if not last.data.get("usage"):
            raise wire.WireError(f"Carrel broke off: {last.data}")
        return Answer(
            asked=asked,
            arrivals=tuple(event.at for event in chunks if event.data["choices"][0]["delta"].get("content")),
            ended=last.at,
            prompt_tokens=last.data["usage"]["prompt_tokens"],
            tokens=last.data["usage"]["completion_tokens"],
        )


@contextlib.contextmanager
def served(*, threads: int) -> Iterator[Served]:
    """A Carrel on a profile that is thrown away, listening on loopback."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARREL")}
    with tempfile.TemporaryDirectory() as profile:
        environment = kept | {"CARREL_PROFILE": profile, "PYTHONPATH": str(ROOT)}
        for name, value in (("threads", threads), ("gpu_layers", 0)):
            _carrel("settings", name, str(value), environment=environment)
        command = [*_CARREL, "serve", "--json", "--port", "0"]
        log = CACHE / "carrel.log"
        with processes.running(command, log=log, environment=environment) as process:
            said = process.stdout.readline() if process.stdout else ""
            if not said:
                raise wire.WireError(f"carrel serve did not start; its log is {log}.")
            port = int(json.loads(said)["address"].rpartition(":")[2])
            told = json.loads(_carrel("models", "--json", environment=environment))
            chat = next(model["name"] for model in told["models"] if model["kind"] == "chat")
            yield Served(port, _carrel("token", environment=environment).strip(), chat)


_CARREL = (sys.executable, str(Path(__file__).with_name("endless.py")))


def _carrel(*line: str, environment: dict[str, str]) -> str:
    """Run one command line to its end; what it printed."""
    done = subprocess.run(
        [*_CARREL, *line],
        env=environment,
        capture_output=True,
        text=True,
        timeout=_LISTENING_WITHIN_S,
        check=False,
    )
    if done.returncode:
        raise wire.WireError(f"carrel {line[0]} failed: {done.stderr}")
    return done.stdout
