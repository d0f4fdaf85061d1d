"""A flag that stops llama.cpp in the middle of a step."""

import ctypes
import sys

_ABORT_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)  # ggml_abort_callback


class StopFlag:
    """Stops a running `decode` from any thread, without the interpreter lock.

    llama.cpp asks the abort callback between operations. The callback is C's own `strlen` over
    two bytes: empty text is 0 (go on), one character is 1 (stop). No Python runs for it. Only
    the CPU backend asks; on a GPU a step runs to its end.
    """

    def __init__(self) -> None:
        self._bytes = ctypes.create_string_buffer(2)
        library = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
        self.callback = ctypes.cast(library.strlen, _ABORT_CALLBACK)
        self.data = ctypes.cast(self._bytes, ctypes.c_void_p)

    def set(self) -> None:
        self._bytes[0] = b"!"

    def clear(self) -> None:
        self._bytes[0] = b"\0"
