"""`carrel export`: questions and answers as training examples, as Markdown, or as everything."""

import codecs
import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import click

from app.cli.options import Command, run_of
from app.cli.output import size
from app.errors import StorageError

_FORMS = {".jsonl": "jsonl", ".md": "markdown", ".markdown": "markdown", ".json": "json"}
_AGO = re.compile(r"(\d{1,4})([dhw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@click.command("export", cls=Command)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "markdown", "json"]),
    help="Training examples, pages to read, or everything. Default: by the file's name, else jsonl.",
)
@click.option("--rated", type=click.Choice(["up", "down", "any"]), help="Only answers you rated so.")
@click.option("--supported-only", is_flag=True, help="Only answers of which every sentence is supported.")
@click.option("--since", metavar="WHEN", help="Only answers since a date (2026-03-31) or a while (7d, 12h).")
@click.option("--conversation", metavar="ID", help="Only this conversation.")
@click.option("--without-passages", is_flag=True, help="Training examples without what was read.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_context
def export(
    context: click.Context,
    *,
    file: Path | None,
    form: str | None,
    rated: str | None,
    supported_only: bool,
    since: str | None,
    conversation: str | None,
    without_passages: bool,
    force: bool,
) -> int:
    """Write your questions and answers to FILE, or to stdout.

    jsonl: one training example a line, in the chat form that fine-tuning tools read. The passages that
    were read stand in the question, the checked citations behind the sentences; answers that broke off
    are left out. markdown: to read, with sources and what the check said. json: everything that is kept,
    prompts, models, timings and ratings included.

    A file is written beside its place first and put there when it is whole. One that is there is never
    written over without --force.
    """
    run = run_of(context)
    form = form or (
        _FORMS.get(file.suffix.lower(), "jsonl") if file else "json" if run.output.as_json else "jsonl"
    )
    after = _moment(since) if since else None
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(_NewFile(file, force=force)) if file else None
        desk = stack.enter_context(run.open())
        chunks = desk.client.export(
            form,
            rated=rated,
            supported_only=supported_only,
            since=after,
            conversation_id=conversation,
            passages=not without_passages,
        )
        decoder = codecs.getincrementaldecoder("utf-8")()
        for chunk in desk.stream(chunks):
            if target is not None:
                target.write(chunk)
            else:
                run.output.raw(decoder.decode(chunk))
        if target is None:
            return 0
        target.keep()
    run.output.data({"file": str(file), "format": form, "bytes": target.written, "lines": target.lines})
    if not target.written:
        run.output.remark("No answer matches; the file is empty.")
    what = f"{target.lines:,} examples, " if form == "jsonl" else ""
    run.output.text(f"Written to {file} ({what}{size(target.written)}).")
    return 0


def _moment(when: str) -> float:
    """Seconds since the epoch of a date, a date with a time, or a while ago; in this computer's time."""
    if found := _AGO.fullmatch(when.strip().lower()):
        ago = timedelta(**{_UNITS[found[2]]: int(found[1])})
        return (datetime.now().astimezone() - ago).timestamp()
    try:
        return datetime.fromisoformat(when.strip()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise click.BadParameter(
            f"{when!r} is neither a date like 2026-03-31 nor a while like 7d.", param_hint="--since"
        ) from error


class _NewFile(contextlib.AbstractContextManager["_NewFile"]):
    """A file that is there as a whole, or not at all.

    Attributes:
        written, lines: bytes and line ends so far.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        """Raises StorageError where there is such a file, or none can be made beside it."""
        self._path = path.expanduser().absolute()
        self._force = force
        self.written = 0
        self.lines = 0
        self._check()
        self._part = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}.part")
        with self._refusal():
            self._file = self._part.open("xb")

    def write(self, chunk: bytes) -> None:
        """Append; raises StorageError."""
        with self._refusal():
            self._file.write(chunk)
        self.written += len(chunk)
        self.lines += chunk.count(b"\n")

    def keep(self) -> None:
        """It is whole: put it in its place. Raises StorageError."""
        with self._refusal():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            # Again: it may have come while this was being written.
            self._check()
            self._part.replace(self._path)

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _check(self) -> None:
        if self._path.exists() and not self._force:
            raise StorageError(f"{self._path.name} is there already. Choose another name, or add --force.")

    @contextlib.contextmanager
    def _refusal(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self._path} cannot be written: {error.strerror}.") from error
