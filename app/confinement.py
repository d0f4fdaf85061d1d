"""Child processes that can do little: what the parsing child and the model probe share.

A child is spawned, never forked from the program: it has neither threads nor descriptors of it. In a
package it is the same program started again (multiprocessing's `freeze_support` sees to that),
and a child imports only what its target needs.

Where there will be many of a kind, Linux forks them from one that was spawned and has done their
imports: a small file was read in 46 milliseconds in place of 136. Elsewhere a fork is not safe, or not known.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:  # the second is not there on Windows
    from multiprocessing.context import ForkServerContext, SpawnContext

spawn = multiprocessing.get_context("spawn")
processes = threading.Lock()
"""Held to start or join a child: multiprocessing keeps its list of them without a lock."""


def many(module: str) -> "SpawnContext | ForkServerContext":
    """What starts children whose targets are in `module`, many of them. One module a program."""
    if sys.platform != "linux":
        return spawn
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload([module])
    return forkserver


def confine(*, output: str = os.devnull, written: int = 0) -> None:
    """In the child, first of all: give up what it does not need, and end with the program.

    Args:
        output: where stdout and stderr go, libraries' included; an existing file is added to.
        written: bytes that any file may grow to by the child's hand.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the program's to handle
    nowhere = os.open(os.devnull, os.O_RDWR)
    said = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream, to in ((0, nowhere), (1, said), (2, said)):
        os.dup2(to, stream)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit("RLIMIT_CORE", 0)  # a core dump would hold the user's text
    limit("RLIMIT_FSIZE", written)


def limit(kind: str, value: int) -> None:
    """Bound a resource of this process for good; nothing where the system does not know it."""
    if sys.platform != "win32":
        number = getattr(resource, kind, None)
        if number is None:
            return
        _, hard = resource.getrlimit(number)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        with contextlib.suppress(OSError, ValueError):  # not every system takes every limit
            resource.setrlimit(number, (value, value))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
