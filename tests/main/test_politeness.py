"""Where a window is shown, what computes lets it go first; where there is none, it takes its turn."""

import contextlib
import os
import sys
import threading
import time

import pytest

from app.main.reach import reach

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread"),
]


@pytest.mark.parametrize(("window", "stepped_back"), [(True, True), (False, False)])
def test_the_models_let_a_window_go_first(profile, bundled_models, window, stepped_back):
    others = set(threading.enumerate())  # of engines that other tests keep
    with contextlib.ExitStack() as stack:
        side = reach(profile, None, window=window)
        stack.callback(side.close)
        side.open()
        _wait_for_models(side)
        before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        for name in ("engine", "embedding-0"):
            assert _niceness(name, others) == (max(10, before) if stepped_back else before)
        assert _niceness("gateway", others) == before


def _wait_for_models(side):
    deadline = time.monotonic() + 60
    while not all(model.loaded for model in side.submit(side.client.models()).result()):
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


def _niceness(name, others):
    (thread,) = (it for it in threading.enumerate() if it.name == name and it not in others)
    return os.getpriority(os.PRIO_PROCESS, thread.native_id)
