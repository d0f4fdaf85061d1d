"""A command that ends does not take away what it is doing for another."""

import contextlib
import threading

import pytest

from app.events import Finished, Retrieved
from app.main.reach import reach

pytestmark = [pytest.mark.model, pytest.mark.slow]


def test_an_answer_for_another_process_is_written_to_its_end_before_the_first_leaves(
    profile, bundled_models, sample
):
    with contextlib.ExitStack() as stack:
        first = reach(profile, None)
        stack.callback(first.close)
        first.open()
        second = reach(profile, None)
        stack.callback(second.close)
        second.open()
        asking = threading.Event()

        async def ask():
            await second.client.add_paths([str(sample.document)])
            async for event in second.client.ask(sample.question):
                if isinstance(event, Retrieved):
                    asking.set()
                if isinstance(event, Finished):
                    return event.message.state
            raise AssertionError("no end")

        answer = second.submit(ask())
        assert asking.wait(60)
        first.let_others_finish()
        first.close()

        assert answer.result(10) == "complete"
