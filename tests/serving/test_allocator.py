"""What is freed goes back to the system, whichever thread took it."""

import platform
import subprocess
import sys

import pytest

from app.serving import allocator

glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc has to be told to give back what was freed"
)

TAKE_AND_FREE = """
import ctypes, sys, threading
import psutil
from app.serving import allocator

bound = sys.argv[1] == "bound"
if bound:
    assert allocator.bound()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.free(libc.malloc(30 << 20))  # raises glibc's own bounds
SIZES = [1 << 20] * 24
everybody = threading.Barrier(8)  # each in an arena of its own, if there is one

def work():
    everybody.wait()
    blocks = [libc.malloc(size) for size in SIZES]
    for block, size in zip(blocks, SIZES):
        ctypes.memset(block, 1, size)
    libc.malloc(2048)  # stays, above what is freed
    everybody.wait()
    for block in blocks:
        libc.free(block)

before = psutil.Process().memory_info().rss
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if bound:
    allocator.give_back()
print((psutil.Process().memory_info().rss - before) >> 20)
"""


def _left_after(how):
    """MiB that eight threads leave behind, in a process of their own: the bounds hold for all of it."""
    command = [sys.executable, "-c", TAKE_AND_FREE, how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return int(done.stdout)


@glibc
def test_threads_leave_little_of_what_they_freed():
    assert _left_after("bound") < _left_after("as it is") / 4


def test_elsewhere_there_is_nothing_to_tell(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")

    assert not allocator.bound()
    allocator.give_back()
