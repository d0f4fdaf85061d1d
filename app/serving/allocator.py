"""What models leave behind goes back to the system. Only glibc (Linux) has to be told.

glibc keeps what was freed for whoever asks next: up to 64 MB in each of up to eight arenas a
core, and it raises these bounds by itself when large blocks are freed. Every model that is loaded
comes on threads of its own, so each of them would leave its buffers in another arena: after 69
changes of the model 295 MiB were taken, and 112 with these bounds
(tests/serving/test_soak.py).
"""

import ctypes
import sys
from typing import Any

# malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8

_LARGE = 4 << 20
"""Bytes from which a block is mapped by itself; no more than that is kept free in an arena."""

_ARENAS = 4  # the program's busy threads: window, loop, engine, embedder


def bound() -> bool:
    """Let the C library keep little of what is freed, from now on. False: there is nothing to tell it."""
    set_option = _of_glibc("mallopt")
    bounds = ((_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _LARGE), (_ARENA_MAX, _ARENAS))
    return set_option is not None and all(set_option(option, value) for option, value in bounds)


def give_back() -> None:
    """Give back what is free now between blocks that are not: after a model was freed."""
    if (trim := _of_glibc("malloc_trim")) is not None:
        trim(ctypes.c_size_t(0))


def _of_glibc(name: str) -> Any:
    """A function of the C library; None where it has none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
