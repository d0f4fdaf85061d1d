"""A window that draws at 60 Hz while an answer is written: what each costs the other.

The frames are Python on the main thread, 4 ms of work each, as Qt's would be; the answer is read
on a loop on another thread, and computed on the engine's, which lets the frames go first as it does
beside a window.
"""

import asyncio
import math
import threading
import time
from concurrent.futures import Future

import ours
import prompts
from answers import Answer
from bench import Bench, in_turns
from results import Figures, Result, percentile

from app.serving.engine import Engine
from app.serving.generation import Prompt

_FRAME_S, _WORK_S = 1 / 60, 0.004
_PROMPT, _TOKENS = 100, 400


def measure(bench: Bench) -> list[Result]:
    """Each round: an answer beside frames and one without."""
    figures = Figures()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="reading", daemon=True)
    thread.start()
    try:
        with ours.engine(bench.models.chat.path, threads=bench.threads, slots=1, polite=True) as engine:
            for number in bench.numbers(warm_up=True):
                rates, late = {}, [0.0]
                for drawing in in_turns((True, False), number):
                    _, prompt = prompts.question(engine, 50_000 + 2 * number + drawing, _PROMPT)
                    asking = _ask(loop, engine, prompt)
                    if drawing:
                        late = _draw(asking)
                    rates[drawing] = asking.result().decode_rate
                if number >= 0:
                    figures.add("frames.late_p95", percentile(late, 0.95) * 1_000)
                    figures.add("frames.late_max", max(late) * 1_000)
                    figures.add("frames.decode", rates[True], rates[False])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    return figures.results()


def _ask(loop: asyncio.AbstractEventLoop, engine: Engine, prompt: Prompt) -> "Future[Answer]":
    return asyncio.run_coroutine_threadsafe(ours.ask(engine, prompt, _TOKENS), loop)


def _draw(asking: "Future[Answer]") -> list[float]:
    """Draw until the answer is over; how many seconds after its time each frame began.

    A frame that runs into the time of the next one takes that one's place.
    """
    late = []
    due = time.perf_counter() + _FRAME_S
    while not asking.done():
        time.sleep(max(0.0, due - time.perf_counter()))
        late.append(time.perf_counter() - due)
        worked_until = time.thread_time() + _WORK_S
        while time.thread_time() < worked_until:
            pass
        due += _FRAME_S * math.ceil((time.perf_counter() - due) / _FRAME_S)
    return late
