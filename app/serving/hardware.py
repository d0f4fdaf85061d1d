"""What this machine has to compute with, and what of it a model may take.

Knows nothing of llama.cpp: `llama.devices()` reports what that build can use, this module what
the machine and its container allow.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

LONGEST_DEFAULT_CONTEXT = 8_192
"""Tokens a context has unless asked otherwise: memory and reading time grow with it."""

SHORTEST_CONTEXT = 512
"""Tokens below which no useful question fits."""

_KV_BYTES = 2  # half precision, for keys and for values
# Beyond the first, slots are a convenience: they take no more than this of anybody's memory.
_MOST_FOR_SLOTS = 1 << 30
# The rest stays for the compute buffers, the embedder, the window and other programs.
_SHARE_FOR_CONTEXT = 0.4


@dataclass(frozen=True, slots=True)
class Device:
    """A compute device ggml knows of. Memory in bytes; 0 where the driver does not say."""

    name: str
    description: str
    gpu: bool
    memory_free: int
    memory_total: int


@dataclass(frozen=True, slots=True)
class Offload:
    """Where the layers of a model go: `layers` of them to `backend`, the rest to the CPU."""

    backend: str
    layers: int


def cores() -> int:
    """Physical cores this process may use: computing on their second threads slows llama.cpp down."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or allowed
    return max(1, min(allowed, physical, _container_cores() or allowed))


def memory_available() -> int:
    """Bytes that can be allocated without swapping, inside the container's limit if there is one."""
    free = int(psutil.virtual_memory().available)
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    if limit is not None:
        free = min(free, max(0, limit - (used or 0)))
    return free


def kv_bytes_per_token(*, layers: int, kv_heads: int, head_width: int) -> int:
    """Bytes one position takes in the KV cache: keys and values of every layer."""
    return 2 * _KV_BYTES * layers * kv_heads * head_width


def context_length(*, asked: int, trained: int, bytes_per_token: int, memory: int) -> int:
    """How many tokens of context to make.

    Args:
        asked: by the user; 0: as the model and memory allow, up to LONGEST_DEFAULT_CONTEXT.
        trained: the longest text the model was trained on; more only makes it stray.
        memory: free bytes where the KV cache goes.
    """
    trained = trained if trained > 0 else LONGEST_DEFAULT_CONTEXT
    if asked > 0:
        return min(asked, trained)
    affordable = int(memory * _SHARE_FOR_CONTEXT) // max(1, bytes_per_token)
    return min(trained, LONGEST_DEFAULT_CONTEXT, max(SHORTEST_CONTEXT, affordable))


def slots(*, most: int, bytes_per_slot: int, memory: int) -> int:
    """How many answers can be written side by side, each with a context of its own.

    Args:
        memory: free bytes where the KV cache goes.
    """
    affordable = min(int(memory * _SHARE_FOR_CONTEXT), _MOST_FOR_SLOTS)
    return max(1, min(most, affordable // max(1, bytes_per_slot)))


def offload(*, asked: int, layers: int, devices: Iterable[Device]) -> Offload:
    """Where the layers go. `asked` -1: all on the GPU, if this build of llama.cpp sees one."""
    gpu = next((device for device in devices if device.gpu), None)
    wanted = layers if asked < 0 else min(asked, layers)
    if gpu is None or wanted == 0:
        return Offload("CPU", 0)
    return Offload(gpu.name, wanted)


def _container_cores() -> int | None:
    """Whole cores of the container's time budget."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):  # no container, or "max"
        return None


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text("ascii"))
    except (OSError, ValueError):
        return None
