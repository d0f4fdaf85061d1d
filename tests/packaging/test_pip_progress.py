import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pip_progress
import pytest
from pip_progress import Progress


def test_fetching_counts_the_packages_and_names_the_one_at_hand():
    progress = Progress("Installing", packages=73, cores=2)

    progress.read("Collecting numpy==2.4.6 (from -r requirements.lock (line 3))\n", 1.0)
    progress.read("  Downloading numpy-2.4.6.whl (16 MB)\n", 1.1)
    progress.read("Collecting httpx2==2.16.2 (from -r requirements.lock (line 9))\n", 2.0)

    assert progress.line(2.0) == "Installing: 2 of about 73 packages fetched (httpx2)"


def test_compiling_is_told_at_once_and_in_percent():
    progress = Progress("Installing", packages=73, cores=2)

    assert progress.read("  [1/193] /usr/bin/g++ -c ggml.cpp\n", 10.0) is True
    assert progress.read("  [97/193] /usr/bin/g++ -c llama.cpp\n", 210.0) is False

    assert progress.line(210.0).startswith("Compiling llama.cpp: 50% (97 of 193), about ")


def test_the_time_left_starts_from_experience_and_ends_at_the_measured_pace():
    progress = Progress("Installing", packages=73, cores=2)

    progress.read("[1/100] cc", 0.0)
    assert progress.line(0.1).endswith("about 7 minutes left")
    # Four times slower than expected: at 90 % the pace of this machine is what counts.
    progress.read("[90/100] cc", 1620.0)
    assert progress.line(1620.0).endswith("about 3 minutes left")
    progress.read("[100/100] cc", 1800.0)
    assert progress.line(1800.0).endswith("less than a minute left")


def test_a_whole_run_logs_everything_and_tells_the_stages(tmp_path, monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    script = "print('[1/2] cc'); print('[2/2] cc'); print('Installing collected packages: a, b')"
    log = tmp_path / "install.log"

    code = pip_progress.run(
        [sys.executable, "-c", script], dict(os.environ), log, doing="Installing", packages=2
    )

    assert code == 0
    assert log.read_text().splitlines() == ["[1/2] cc", "[2/2] cc", "Installing collected packages: a, b"]
    assert shown.getvalue().splitlines()[0].startswith("Compiling llama.cpp: 50% (1 of 2)")
    assert shown.getvalue().splitlines()[-1] == "Installing: unpacking"


def test_a_failure_hands_on_the_exit_code_and_the_lines_that_tell_something(tmp_path):
    script = "print('Link requires a different Python'); print('error: no compiler'); raise SystemExit(7)"
    log = tmp_path / "install.log"

    code = pip_progress.run(
        [sys.executable, "-c", script], dict(os.environ), log, doing="Installing", packages=2
    )

    assert code == 7
    assert pip_progress.telling_lines(log, 5) == ["error: no compiler"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.timeout(60)
def test_an_interruption_ends_the_compilers_too(tmp_path):
    pipe, log = tmp_path / "compiler", tmp_path / "install.log"
    os.mkfifo(pipe)
    # The compiler of this test holds the pipe open for as long as it lives.
    compiler = (
        f"import signal; file = open({str(pipe)!r}, 'w'); print('up', file=file, flush=True); signal.pause()"
    )
    pip = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {compiler!r}])"
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(pip_progress.__file__).parent)!r})\nimport pip_progress\n"
        f"pip_progress.run([sys.executable, '-c', {pip!r}], dict(os.environ), Path({str(log)!r}),"
        " doing='Installing', packages=2)\n"
    )
    with (
        subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) as running,
        pipe.open() as held,
    ):
        assert held.readline() == "up\n"
        running.send_signal(signal.SIGINT)

        assert held.read() == ""  # its other end is closed: the compiler is gone
