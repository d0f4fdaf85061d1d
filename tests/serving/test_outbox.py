import asyncio
import gc
import threading
import weakref

from app.serving.generation import Piece
from app.serving.outbox import Bells, Outbox

PIECES = [Piece(str(number), 1) for number in range(200)]


def fill(outbox):
    for piece in PIECES:
        outbox.put(piece)


def test_what_is_put_on_another_thread_comes_in_order():
    async def main():
        outbox = Outbox(Bells().here())
        thread = threading.Thread(target=fill, args=(outbox,))
        thread.start()
        got = [await asyncio.wait_for(outbox.get(), 30) for _ in PIECES]
        thread.join()
        return got

    assert asyncio.run(main()) == PIECES


def test_a_loop_is_called_once_for_all_that_was_put_meanwhile(monkeypatch):
    calls = []

    async def main():
        loop = asyncio.get_running_loop()
        call = loop.call_soon_threadsafe
        monkeypatch.setattr(loop, "call_soon_threadsafe", lambda what: calls.append(what) or call(what))
        bells = Bells()
        outboxes = [Outbox(bells.here()) for _ in range(8)]
        for outbox in outboxes:
            fill(outbox)
        assert len(calls) == 1
        return [[await outbox.get() for _ in PIECES] for outbox in outboxes]

    assert asyncio.run(main()) == [PIECES] * 8


def test_a_loop_that_is_closed_is_no_error_and_is_not_kept_alive():
    bells = Bells()
    loop = asyncio.new_event_loop()

    async def make():
        return Outbox(bells.here())

    outbox = loop.run_until_complete(make())
    loop.close()
    fill(outbox)
    gone = weakref.ref(loop)
    del loop
    gc.collect()

    assert gone() is None
    fill(outbox)
    assert not outbox._items
