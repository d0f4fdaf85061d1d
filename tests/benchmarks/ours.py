"""Our side: the engine in this process, and a whole Carrel that is asked over HTTP."""

import contextlib
import functools
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
from places import CACHE, ROOT

from app.serving.drafting import Drafting
from app.serving.engine import Engine
from app.serving.generation import End, Generation, Prompt, Sampling

_POSITIONS = 2_560  # of one answer and its prompt; as the peer's
_LISTENING_WITHIN_S = 120


@contextlib.contextmanager
def engine(
    model: Path,
    *,
    threads: int,
    slots: int,
    states: Path | None = None,
    polite: bool = False,
    drafting: Drafting = "automatic",
) -> Iterator[Engine]:
    """A loaded engine. `states`: the folder in which it keeps what it has read, if any."""
    opened = Engine(
        model,
        context_length=_POSITIONS,
        gpu_layers=0,
        threads=threads,
        slots=slots,
        states=states,
        polite=polite,
        drafting=drafting,
    )
    load(opened)
    try:
        yield opened
    finally:
        opened.close()


def load(opened: Engine) -> None:
    """Load as the program does: on a thread that ends.

    It matters: loading computes one token, so OpenMP keeps a worker for that thread as long as it
    lives. With more workers than processors all of them wait in another way (they sleep soon
    instead of spinning), which is slower on a quiet machine and much faster on a busy one.
    """
    with ThreadPoolExecutor(1) as loading:
        loading.submit(opened.load).result()


@functools.cache  # the vocabulary is asked once a model, not once an answer
def ends(opened: Engine) -> tuple[int, ...]:
    """The tokens that end the model's turn.

    Both sides are forbidden to choose them (llama-server calls it `ignore_eos`), so that every
    answer has the length that was asked for.
    """
    native = opened._loaded.native
    return tuple(token for token in range(native.vocabulary_size) if native.ends(token))


def endless(opened: Engine, prompt: Prompt, tokens: int) -> Generation:
    """A request for exactly `tokens` of them, always the likeliest."""
    return Generation(prompt, tokens, Sampling(banned=ends(opened)))


async def ask(opened: Engine, prompt: Prompt, tokens: int) -> Answer:
    """Let the engine write exactly `tokens` of them, always the likeliest."""
    request = endless(opened, prompt, tokens)
    asked = time.perf_counter()
    arrivals = []
    async with aclosing(opened.generate(request)) as items:
        async for item in items:
            now = time.perf_counter()
            if isinstance(item, End):
                usage = item.usage
                return Answer(asked, tuple(arrivals), now, usage.prompt_tokens, usage.completion_tokens)
            arrivals.append(now)
    raise RuntimeError("the answer has no end")


class Served:
    """`carrel serve`, asked as other tools ask it."""

    def __init__(self, port: int, token: str, model: str, banned: tuple[int, ...]) -> None:
        self._port, self._model, self._banned = port, model, banned
        self._headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, text: str, tokens: int) -> Answer:
        """One question without documents."""
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": tokens,
            "temperature": 0,
            "logit_bias": [[token, False] for token in self._banned],
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
def served(*, threads: int, banned: tuple[int, ...]) -> Iterator[Served]:
    """A Carrel on a profile that is thrown away, listening on loopback. `banned`: see `ends`."""
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
            yield Served(port, _carrel("token", environment=environment).strip(), chat, banned)


_CARREL = (sys.executable, "-m", "app")


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
