"""Processes of a benchmark: ended by their id, whatever happens."""

import atexit
import contextlib
import functools
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_PATIENCE_S = 10


@contextlib.contextmanager
def running(
    command: Sequence[str], *, log: Path, talks: bool = True, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """A process whose stderr goes to `log`.

    `talks`: there are pipes to its stdin and from its stdout, which must be read. Else its stdout
    goes to the log, too.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else errors,
            stderr=errors,
            text=True,
            bufsize=1,
            env=environment,
        )
    end = functools.partial(_end, process)
    atexit.register(end)
    try:
        yield process
    finally:
        end()
        atexit.unregister(end)


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_PATIENCE_S)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
