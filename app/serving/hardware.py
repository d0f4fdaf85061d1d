"""What this machine has to compute with.

Knows nothing of llama.cpp: `llama.devices()` reports what that build can use, this module what
the machine and its container allow.
"""

import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")
_POLITE = 10  # niceness; the window's thread has 0


@dataclass(frozen=True, slots=True)
class Device:
    """A compute device ggml knows of. Memory in bytes; 0 where the driver does not say."""

    name: str
    description: str
    gpu: bool
    memory_free: int
    memory_total: int


def cores() -> int:
    """Physical cores this process may use: computing on their second threads slows llama.cpp down."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or allowed
    return max(1, min(allowed, physical, _container_cores() or allowed))


def memory_available() -> int:
    """Bytes that can be had without swapping, inside the container's limit if there is one.

    Pages of mapped files count as free, as they do for the system, which drops them first: so a
    model that is about to be replaced does not stand in the way of the one that replaces it.
    """
    free = int(psutil.virtual_memory().available)
    limit, used = _number("memory.max"), _number("memory.current")
    if limit is not None:
        free = min(free, max(0, limit - max(0, (used or 0) - _file_pages())))
    return free


def step_back() -> None:
    """Let other threads go first: the calling one, and those that it starts from now on.

    Only on Linux has a thread a niceness of its own, which its own threads inherit. Elsewhere
    nothing happens: lowering the whole process would lower the window as well.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        # Nobody may step forward again: it stays as far back as the whole process was put.
        os.setpriority(os.PRIO_PROCESS, thread, max(_POLITE, os.getpriority(os.PRIO_PROCESS, thread)))


def _container_cores() -> int | None:
    """Whole cores of the container's time budget."""
    try:
        quota, period = (_CGROUP / "cpu.max").read_text("ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):  # no container, or "max"
        return None


def _file_pages() -> int:
    """Bytes of files the container holds in memory, which count as used though they can be dropped."""
    try:
        lines = (_CGROUP / "memory.stat").read_text("ascii").splitlines()
        entries = dict(line.split() for line in lines)
        return int(entries["active_file"]) + int(entries["inactive_file"])
    except (OSError, ValueError, KeyError):
        return 0


def _number(name: str) -> int | None:
    try:
        return int((_CGROUP / name).read_text("ascii"))
    except (OSError, ValueError):
        return None
