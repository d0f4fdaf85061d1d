"""The one door to llama.cpp: nothing else imports llama_cpp.

`native` is its low-level API. Three classes own what it hands out, thin and checked: `NativeModel`,
`NativeContext` and `NativeSampler`, one file each. They free it by their `free()`, never by the
garbage collector: the order of `__del__` at interpreter exit crashes. Freeing twice is harmless;
using what was freed raises.

Threads: a context and its samplers belong to one thread. Of a model, `tokenize` and `piece` may
be called from any thread (a lock keeps them apart from `free`).
"""

import ctypes
import os
import threading
from collections.abc import Sequence
from typing import Any

from app.errors import ModelError
from app.serving import allocator
from app.serving.hardware import Device
from app.serving.native_log import LogLines

# A backtrace starts a debugger on our own process and hides the reason of an abort.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")
# Libraries are loaded from beside libllama only, never from a place the environment names.
os.environ.pop("GGML_BACKEND_PATH", None)

import llama_cpp.llama_cpp as _low_level  # after the environment it reads
from llama_cpp import __version__ as _binding_version
from llama_cpp._ggml import libggml as _libggml

native: Any = _low_level
log_lines = LogLines()
_GPU_DEVICE_TYPES = (1, 2)  # ggml_backend_dev_type: GPU, integrated GPU

OK, NO_SLOT, ABORTED = 0, 1, 2
"""What `NativeContext.decode` returns; negative: refused (-1) or failed (below)."""


def versions() -> dict[str, str]:
    """Versions of llama.cpp, its Python binding, and what the build can do on this processor."""
    prepare()
    return {
        "llama-cpp-python": _binding_version,
        "llama.cpp": text(native.llama_version()),
        "llama.cpp system": text(native.llama_print_system_info()).strip(" |"),
    }


def build() -> str:
    """What tells this build, on this processor, from others that may do otherwise with a file."""
    return ", ".join(f"{name} {version}" for name, version in versions().items())


def has_tiles() -> bool:
    """Whether this build multiplies in tiles here: AMX, which Intel's servers have.

    It may end the process at the first tile. GCC before 14 takes a configuration of 64 bytes for one
    of 8 and leaves out the rest (`_tile_loadconfig` in ggml_backend_amx_mul_mat); our own build is
    told not to (`packaging/environment.py`), others are not. So a model is tried out before.
    """
    prepare()
    return "AMX_INT8 = 1" in text(native.llama_print_system_info())


def devices() -> tuple[Device, ...]:
    """Every device this build of llama.cpp can compute on; the CPU is one of them."""
    prepare()
    pointer, size = ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)
    name = _ggml("ggml_backend_dev_name", ctypes.c_char_p, pointer)
    description = _ggml("ggml_backend_dev_description", ctypes.c_char_p, pointer)
    kind = _ggml("ggml_backend_dev_type", ctypes.c_int, pointer)
    memory = _ggml("ggml_backend_dev_memory", None, pointer, size, size)
    device_at = _ggml("ggml_backend_dev_get", pointer, ctypes.c_size_t)
    found = []
    for index in range(_ggml("ggml_backend_dev_count", ctypes.c_size_t)()):
        device, free, total = device_at(index), ctypes.c_size_t(), ctypes.c_size_t()
        memory(device, ctypes.byref(free), ctypes.byref(total))
        is_gpu = kind(device) in _GPU_DEVICE_TYPES
        found.append(Device(text(name(device)), text(description(device)), is_gpu, free.value, total.value))
    return tuple(found)


def opened(handle: Any) -> Any:
    """The handle, if it is one: a null handle would end the process.

    Raises:
        ModelError: what it belonged to was freed.
    """
    if not handle:
        raise ModelError("The model was closed.")
    return handle


def because(reasons: Sequence[str]) -> str:
    """llama.cpp's own words for a refusal, as a sentence after ours."""
    return f" llama.cpp says: {reasons[0]}" if reasons else ""


def text(raw: bytes | None) -> str:
    """What llama.cpp says, whatever bytes a file made it say."""
    return raw.decode("utf-8", "replace") if raw else ""


def _ggml(name: str, returns: Any, *takes: Any) -> Any:
    function = _libggml[name]  # a fresh object each time: no other module's types are touched
    function.restype, function.argtypes = returns, list(takes)
    return function


_prepared = threading.Lock()
_is_prepared = False


@native.llama_log_callback  # type: ignore[untyped-decorator]
def _on_log(level: int, fragment: bytes | None, _data: object) -> None:
    log_lines.take(level, text(fragment))


def prepare() -> None:
    """Once, before anything native: the allocator's bounds, our log callback, then the backends."""
    global _is_prepared  # noqa: PLW0603 - the native library's state is one per process, too
    with _prepared:
        if not _is_prepared:
            allocator.bound()
            native.llama_log_set(_on_log, ctypes.c_void_p(0))
            native.llama_backend_init()
            _is_prepared = True
