"""How busy the machine is with something else while we measure: a claim needs one that is not."""

import contextlib
import os
import time

import psutil

BUSY = 0.1
"""Share of the processors; where others take more, figures are good for a look, not for a claim."""


class Others:
    """What other processes than this one and its children take of the processors, from here on."""

    def __init__(self) -> None:
        self._begun, self._all, self._ours = time.monotonic(), _all_busy_s(), _our_busy_s()

    def share(self) -> float:
        """0: nothing, 1: all processors all the time."""
        theirs = (_all_busy_s() - self._all) - (_our_busy_s() - self._ours)
        had = (time.monotonic() - self._begun) * (psutil.cpu_count() or 1)
        return max(0.0, theirs / had)


def _all_busy_s() -> float:
    """Seconds that all processors together have worked; also for other guests of the same host."""
    times = psutil.cpu_times()
    return sum(getattr(times, kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq", "steal"))


def _our_busy_s() -> float:
    """Seconds that this process and its children have worked, ended ones included."""
    ours = sum(os.times()[:4])
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended just now
            ours += sum(child.cpu_times()[:2])
    return ours
