"""What a command prints: text for a person, or JSON for a program, on stdout; the rest on stderr.

Text that came from documents, models or file names may hold terminal control sequences; all of
it goes through `plain` first.
"""

import contextlib
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING

import click
import msgspec

from app.errors import StorageError
from app.records import Problem

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_WIDTH_IN_A_PIPE = 200


class Output:
    """stdout and stderr of one run. With `as_json` only `data` reaches stdout.

    `used` says whether anything was printed on stdout by now.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.used = False

    @cached_property
    def console(self) -> "Console":
        """stderr, for progress and remarks."""
        from rich.console import Console  # noqa: PLC0415 - 90 ms that `--help` can do without

        width = None if sys.stderr is not None and sys.stderr.isatty() else _WIDTH_IN_A_PIPE
        return Console(stderr=True, width=width, highlight=False, markup=False)

    @cached_property
    def page(self) -> "Console":
        """stdout, for tables; never narrower than its content in a pipe."""
        from rich.console import Console  # noqa: PLC0415 - as above

        width = None if sys.stdout is not None and sys.stdout.isatty() else _WIDTH_IN_A_PIPE
        return Console(width=width, highlight=False, markup=False)

    def data(self, value: object) -> None:
        """One JSON value on its own line; nothing unless --json was given."""
        if self.as_json:
            self._write(msgspec.json.encode(value).decode() + "\n")

    def text(self, text: str = "", *, end: str = "\n", dim: bool = False) -> None:
        """Text for a person; nothing if --json was given."""
        if not self.as_json:
            clean = plain(text)
            self._write((click.style(clean, dim=True) if dim else clean) + end)

    def raw(self, text: str) -> None:
        """Text as it is to be read by programs or kept, with --json as without; no control sequences."""
        self._write(plain(text))

    def table(self, table: "Table") -> None:
        """A table for a person; nothing if --json was given."""
        if not self.as_json:
            with self.page.capture() as capture:
                self.page.print(table)
            self._write(capture.get())

    def remark(self, text: str) -> None:
        """A line on stderr."""
        click.echo(plain(text), err=True)

    def problem(self, problem: Problem, trace_id: str | None = None) -> None:
        """Why the command failed: a sentence and its code, and the JSON error object."""
        self.remark(f"{problem.message} [{problem.code}]")
        error = {"code": problem.code, "message": problem.message}
        with contextlib.suppress(StorageError):  # that stdout cannot be written may be the problem
            self.data({"error": error | ({"trace_id": trace_id} if trace_id else {})})

    def _write(self, text: str) -> None:
        """Write to stdout, at once.

        Raises:
            StorageError: it cannot be written.
            BrokenPipeError: nobody reads it any more.
        """
        self.used = True
        try:
            click.echo(text, nl=False)
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            forget_stdout()
            raise StorageError(f"The output could not be written: {error.strerror}.") from error


def forget_stdout() -> None:
    """Point stdout nowhere, so that nothing complains when it is flushed at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def plain(text: str) -> str:
    """`text` without control characters other than line ends and tabs."""
    return "".join(
        letter for letter in text if letter in "\n\t" or (letter >= " " and not "\x7f" <= letter <= "\x9f")
    )


def size(count: float) -> str:
    """A number of bytes for a person, in powers of 1024: "97 MB"."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1024 or unit == "GB":
            return f"{count:.0f} {unit}" if unit in ("bytes", "KB") or count >= 10 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.0f} bytes"
