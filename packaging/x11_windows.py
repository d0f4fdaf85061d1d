"""Which windows an X display shows, asked through libX11 with nothing else installed."""

import ctypes
import ctypes.util
from dataclasses import dataclass

_VIEWABLE = 2  # IsViewable of X.h


class DisplayError(Exception):
    """The display cannot be opened, or there is no libX11."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window that is on the screen; sizes are in pixels."""

    title: str
    width: int
    height: int


class _Attributes(ctypes.Structure):
    # XWindowAttributes of Xlib.h.
    _fields_ = (
        *((name, ctypes.c_int) for name in ("x", "y", "width", "height", "border_width", "depth")),
        ("visual", ctypes.c_void_p),
        ("root", ctypes.c_ulong),
        *((name, ctypes.c_int) for name in ("window_class", "bit_gravity", "win_gravity", "backing_store")),
        ("backing_planes", ctypes.c_ulong),
        ("backing_pixel", ctypes.c_ulong),
        ("save_under", ctypes.c_int),
        ("colormap", ctypes.c_ulong),
        ("map_installed", ctypes.c_int),
        ("map_state", ctypes.c_int),
        ("all_event_masks", ctypes.c_long),
        ("your_event_mask", ctypes.c_long),
        ("do_not_propagate_mask", ctypes.c_long),
        ("override_redirect", ctypes.c_int),
        ("screen", ctypes.c_void_p),
    )


def shown(display: str) -> list[Window]:
    """The top-level windows that `display` (":7") shows at this moment.

    Raises:
        DisplayError: it cannot be asked.
    """
    x11 = _library()
    connection = x11.XOpenDisplay(display.encode())
    if not connection:
        raise DisplayError(f"The display {display} cannot be opened.")
    try:
        return _children(x11, connection)
    finally:
        x11.XCloseDisplay(connection)


def _children(x11: ctypes.CDLL, connection: int) -> list[Window]:
    root, parent, count = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_uint()
    children = ctypes.POINTER(ctypes.c_ulong)()
    top = x11.XDefaultRootWindow(connection)
    asked = (ctypes.byref(value) for value in (root, parent, children, count))
    x11.XQueryTree(connection, top, *asked)
    found = []
    for window in children[: count.value]:
        attributes = _Attributes()
        if not x11.XGetWindowAttributes(connection, window, ctypes.byref(attributes)):
            continue
        title = ctypes.c_char_p()
        x11.XFetchName(connection, window, ctypes.byref(title))
        if attributes.map_state == _VIEWABLE:
            text = (title.value or b"").decode("utf-8", "replace")
            found.append(Window(text, attributes.width, attributes.height))
        x11.XFree(title)
    x11.XFree(children)
    return found


def _library() -> ctypes.CDLL:
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError as error:
        raise DisplayError("There is no libX11.") from error
    # A window that closes while it is asked about is an error that ends the process by default.
    x11.XSetErrorHandler(_ignore)
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    x11.XDefaultRootWindow.restype = ctypes.c_ulong
    x11.XDefaultRootWindow.argtypes = [ctypes.c_void_p]
    x11.XQueryTree.argtypes = [ctypes.c_void_p, ctypes.c_ulong, *([ctypes.c_void_p] * 4)]
    x11.XGetWindowAttributes.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p]
    x11.XFetchName.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p]
    x11.XFree.argtypes = [ctypes.c_void_p]
    return x11


def _ignored(_display: int | None, _event: int | None) -> int:
    return 0


_ignore = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(_ignored)
