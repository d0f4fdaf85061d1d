"""A block that ends with its connection."""

import asyncio

import pytest

from app.gateway.connection import Connected
from app.gateway.door import Door
from app.gateway.errors import ClientGoneError, ClosingError

pytestmark = pytest.mark.anyio


class Line:
    """A connection whose other end hangs up when told to."""

    def __init__(self) -> None:
        self.hung_up = asyncio.Event()

    async def receive(self):
        await self.hung_up.wait()
        return {"type": "http.disconnect"}


async def test_a_block_that_ends_by_itself_is_left_alone():
    async with Connected(Line().receive, Door("tcp")):
        await asyncio.sleep(0)

    assert asyncio.current_task().cancelling() == 0


async def test_what_the_block_awaits_is_cancelled_when_the_client_goes():
    line = Line()
    asyncio.get_running_loop().call_soon(line.hung_up.set)

    with pytest.raises(ClientGoneError):
        async with Connected(line.receive, Door("tcp")):
            await asyncio.Event().wait()

    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)


async def test_what_the_block_awaits_is_cancelled_when_the_door_closes():
    door = Door("tcp")
    asyncio.get_running_loop().call_soon(door.close)

    with pytest.raises(ClosingError):
        async with Connected(Line().receive, door):
            await asyncio.Event().wait()


async def test_a_closed_door_lets_no_block_begin():
    door = Door("tcp")
    door.close()

    with pytest.raises(ClosingError):
        async with Connected(Line().receive, door):
            pytest.fail("entered")


async def test_a_client_that_goes_at_the_very_end_does_not_cancel_what_follows():
    door = Door("tcp")

    with pytest.raises(ClosingError):
        async with Connected(Line().receive, door):
            door.close()

    await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0


async def test_an_error_of_the_block_counts_more_than_a_client_that_goes_at_the_same_time():
    door = Door("tcp")

    async def work():
        async with Connected(Line().receive, door):
            door.close()
            raise LookupError

    with pytest.raises(LookupError):
        await work()

    await asyncio.sleep(0)


@pytest.mark.parametrize("also_closing", [False, True])
async def test_a_cancellation_from_outside_stays_one(also_closing):
    door = Door("tcp")
    entered = asyncio.Event()

    async def work():
        async with Connected(Line().receive, door):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    if also_closing:
        door.close()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_is_left_behind():
    door = Door("tcp")
    before = asyncio.all_tasks()
    for _ in range(5):
        async with Connected(Line().receive, door):
            await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == before
    assert not door._watchers
