"""The process ends at once and well whatever its models are doing; a step stops when it is told to."""

import asyncio
import os
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from app.serving.generation import ChatMessage, Generation

pytestmark = pytest.mark.model

# A processor that others use as well lets us wait: the targets are for one that is ours.
BUSY = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)) if hasattr(os, "getloadavg") else 2.5
MOST_S = 3.0 * BUSY
SOON_MS = 20.0 * BUSY
ENDINGS = ("", "sys.exit(0)", "engine.close(); embedder.close()", "loop.close()")

SCRIPT = """
    import asyncio, sys, threading, time
    from pathlib import Path
    from app.serving.embedder import Embedder
    from app.serving.engine import Engine
    from app.serving.generation import ChatMessage, Generation, Prompt
    engine = Engine(Path({chat!r}), context_length=2048, sha256="-", states=Path({states!r}))
    embedder = Embedder(Path({embedding!r}), sha256="-")
    engine.load(); embedder.load()
    loop = asyncio.new_event_loop()
    def ask(text, tokens):
        return engine.generate(Generation(engine.encode([ChatMessage("user", text)]), tokens))
    async def last_words():
        return [item async for item in ask("Hi", 2)]
    async def all_at_once():
        async for _ in ask("The tenant pays the rent on the third working day. " * 40, 1):
            pass
        answers = [ask(f"Tell me long story number {{number}}.", 1500) for number in range(3)]
        await asyncio.gather(*(anext(answer) for answer in answers))
        prefix = Prompt("", tuple(engine._parts.tokens("The library is open. " * 200)))
        waiting = [asyncio.ensure_future(engine.score(prefix, [" Yes", " No"] * 100))]
        waiting.append(asyncio.ensure_future(embedder.embed(["word " * 100] * 200)))
        waiting.append(asyncio.ensure_future(last_words()))
        await asyncio.sleep({delay})
        return answers, waiting
    kept = loop.run_until_complete(all_at_once())
    print(time.time(), flush=True)
    {ending}
"""


def leave(models, tmp_path, number):
    """Seconds from the script's last line to the end of the process."""
    script = SCRIPT.format(
        chat=str(models.chat.path),
        embedding=str(models.embedding.path),
        states=str(tmp_path / "states"),
        delay=number * 37 % 300 / 1_000,
        ending=ENDINGS[number % len(ENDINGS)],
    )
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    took = time.time() - float(done.stdout)
    assert done.returncode == 0, done.stderr
    assert "Traceback (most recent call last)" not in done.stderr.replace("Task was destroyed", "")
    return took


def test_the_process_ends_in_time_while_everything_is_under_way(models, tmp_path):
    took = [leave(models, tmp_path, number) for number in range(3)]

    print(f"\nlongest {max(took):.2f} s")
    assert max(took) < MOST_S


@pytest.mark.long
def test_the_process_ends_in_time_50_times(models, tmp_path):
    took = [leave(models, tmp_path, number) for number in range(50)]

    print(f"\nmedian {np.median(took):.2f} s, longest {max(took):.2f} s")
    assert max(took) < MOST_S


def stops(engine, tap, count):
    """Milliseconds from the request to the return of llama.cpp's call, in prompts and in answers."""
    begun, returned = [], []

    async def stop(question, tokens, pieces):
        answer = engine.generate(Generation(engine.encode([ChatMessage("user", question)]), tokens))
        for _ in range(pieces):
            await anext(answer)
        tap.started.clear()
        reading = asyncio.ensure_future(anext(answer))
        await asyncio.to_thread(tap.started.wait)
        begun.append(time.perf_counter())
        reading.cancel()
        await asyncio.wait([reading])
        await answer.aclose()  # its piece may have come before it was cancelled
        while engine.requests:
            await asyncio.sleep(0)
        returned.append(time.perf_counter())

    for number in range(count):
        engine.forget()
        if number % 2:
            asyncio.run(stop(f"{number} " + "word " * 1_500, 5, 0))
        else:
            asyncio.run(stop(f"Tell me long story number {number}.", 500, 1 + number % 5))
    return (np.array(returned) - np.array(begun)) * 1_000


@pytest.mark.parametrize(("count", "of_them"), [(10, 50), pytest.param(100, 95, marks=pytest.mark.long)])
def test_a_step_stops_when_it_is_told_to(engine, tap, count, of_them):
    took = stops(engine, tap, count)

    print(f"\n{count} stops: median {np.median(took):.1f} ms, longest {took.max():.1f} ms")
    assert np.percentile(took, of_them) < SOON_MS
