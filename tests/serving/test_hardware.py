import os
import sys
import threading
from pathlib import Path

import psutil
import pytest

from app.serving import hardware

LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")


def test_threads_are_cores_this_process_may_use():
    assert 1 <= hardware.cores() <= (os.cpu_count() or 1)


def test_there_is_memory():
    assert hardware.memory_available() > 0


@pytest.fixture
def container(tmp_path, monkeypatch):
    """Pretends to run in a container whose control group says this."""
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)

    def container(**files):
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)

    return container


def test_a_containers_limit_is_a_limit(container):
    container(memory_max="3000000", memory_current="1000000")

    assert hardware.memory_available() == 2_000_000


def test_files_a_container_holds_in_memory_can_be_dropped(container):
    container(
        memory_max="3000000",
        memory_current="2900000",
        memory_stat="anon 900000\nfile 2000000\nactive_file 1500000\ninactive_file 500000",
    )

    assert hardware.memory_available() == 2_100_000


@pytest.mark.parametrize(("limit", "used"), [("max", "5"), ("", ""), ("5000", "junk")])
def test_a_container_that_says_nothing_sensible_is_no_reason_to_fail(container, limit, used):
    container(memory_max=limit, memory_current=used, memory_stat="what is this")

    assert 0 <= hardware.memory_available() <= psutil.virtual_memory().total


def test_a_container_that_is_overdrawn_has_nothing_left(container):
    container(memory_max="1000", memory_current="5000")

    assert hardware.memory_available() == 0


def test_a_containers_time_is_counted_in_whole_cores(container):
    container(cpu_max="150000 100000")

    assert hardware.cores() == 1


@LINUX_ONLY
def test_a_thread_steps_back_with_all_it_starts_and_without_the_others():
    seen = []

    def child():
        seen.append(niceness())

    def parent():
        hardware.step_back()
        hardware.step_back()  # twice is as good as once
        seen.append(niceness())
        thread = threading.Thread(target=child)
        thread.start()
        thread.join()

    before = niceness()
    thread = threading.Thread(target=parent)
    thread.start()
    thread.join()

    assert seen == [max(10, before)] * 2
    assert niceness() == before


def niceness() -> int:
    """Of the calling thread, as the system has it."""
    after_name = Path(f"/proc/self/task/{threading.get_native_id()}/stat").read_text().rpartition(")")[2]
    return int(after_name.split()[16])
