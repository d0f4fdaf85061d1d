"""`carrel add` and `carrel documents`: what is in the library, and what became of it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.options import Command, Group, run_of
from app.cli.output import Output, plain, size
from app.cli.program import Desk
from app.cli.progress import add as add_and_wait
from app.cli.progress import wait
from app.client.renewal import in_words
from app.errors import ConnectionLostError, NotFoundError, ReportedError
from app.records import Addition, Document, Source

if TYPE_CHECKING:
    from app.client.client import Client

_SHORT_ID = 8


@click.command("add", cls=Command)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_context
def add(context: click.Context, paths: tuple[Path, ...]) -> int:
    """Add files, and folders with all that is in them.

    Waits until every file is ready or failed. Exit code 1 if one of them failed; the others are
    kept. Stopped with Ctrl-C, what was added is read at the next start.
    """
    run = run_of(context)
    with run.open() as desk:
        additions = add_and_wait(desk, paths, run.output)
    run.output.data({"additions": additions})
    ready = [a for a in additions if a.problem is None]
    known = sum(a.known for a in ready)
    run.output.text(
        f"{count(len(ready), 'document')} ready" + (f" ({known} known before)." if known else ".")
    )
    return 1 if failures(additions, run.output) else 0


@click.group("documents", cls=Group, invoke_without_command=True)
@click.pass_context
def documents(context: click.Context) -> int | None:
    """List the documents, and how far another embedding model has read them.

    `remove` takes single ones out, `retry` reads them again. An ID may be shortened as long as only
    one document's begins so.
    """
    if context.invoked_subcommand is not None:
        return None
    run = run_of(context)
    with run.open() as desk:
        found = desk.run(desk.client.documents())
        renewal = desk.run(desk.client.health()).renewal
    run.output.data({"documents": found, "renewal": renewal})
    _table(found, run.output)
    if renewal is not None:
        run.output.text(in_words(renewal))
    return 0


@documents.command("remove")
@click.argument("ids", metavar="ID", nargs=-1, required=True)
@click.pass_context
def remove(context: click.Context, ids: tuple[str, ...]) -> int:
    """Remove documents and everything made from them. The files themselves are not touched."""
    run = run_of(context)
    removed: list[Document] = []
    with run.open() as desk:
        for given in ids:
            document = desk.run(find(desk.client, given))
            desk.run(desk.client.delete_document(document.id))
            removed.append(document)
            run.output.text(f"Removed {document.name}.")
    run.output.data({"removed": [document.id for document in removed]})
    return 0


@documents.command("retry")
@click.argument("ids", metavar="ID", nargs=-1, required=True)
@click.pass_context
def retry(context: click.Context, ids: tuple[str, ...]) -> int:
    """Read failed documents again. Exit code 1 if one fails again."""
    run = run_of(context)
    with run.open() as desk:
        again: list[Addition] = []
        for given in ids:
            found = desk.run(find(desk.client, given))
            document = desk.run(desk.client.retry_document(found.id))
            again.append(Addition(document.name, document))
        additions = wait(desk, again, run.output)
    run.output.data({"additions": additions})
    for addition in additions:
        if addition.problem is None:
            run.output.text(f"{addition.name} is ready.")
    return 1 if failures(additions, run.output) else 0


def failures(additions: Sequence[Addition], output: Output) -> bool:
    """Show on stderr which files failed, and why; returns whether there are any."""
    failed = [addition for addition in additions if addition.problem is not None]
    if not failed:
        return False
    from rich.table import Table  # noqa: PLC0415 - rich is loaded only where something is drawn with it

    table = Table("File", "Why it failed", "Code", title=f"{count(len(failed), 'file')} failed")
    for addition in failed:
        if addition.problem is not None:
            table.add_row(plain(addition.name), plain(addition.problem.message), addition.problem.code)
    output.console.print(table)
    return True


def say_what_changed(desk: Desk, sources: Iterable[Source], output: Output) -> None:
    """Remark on stderr which sources are of an earlier state of their file, that is not read again yet.

    Nothing is said where that cannot be learned: the command has done what it was for, and the Carrel
    that answered may be gone by now.
    """
    ids = {source.passage.document_id for source in sources}
    if not ids:
        return
    try:
        documents = desk.run(desk.client.documents())
    except (ConnectionLostError, ReportedError):
        return
    for document in documents:
        if document.id in ids and document.changed:
            output.remark(f"{document.name} has changed since it was read; this is what it said before.")


async def find(client: "Client", given: str) -> Document:
    """The one document whose ID begins with `given`, or that is called so.

    Raises:
        NotFoundError: there is none, or more than one.
    """
    known = await client.documents()
    # Every ID begins with nothing at all.
    matching = [document for document in known if given and document.id.startswith(given)] or [
        document for document in known if document.name == given
    ]
    exact = [document for document in matching if document.id == given]
    if len(exact or matching) != 1:
        if matching:
            raise NotFoundError(f"There is more than one document whose ID begins with {given}.")
        raise NotFoundError(f"There is no document whose ID begins with {given}, or that is called so.")
    return (exact or matching)[0]


def _table(found: Sequence[Document], output: Output) -> None:
    if not found:
        output.text("No documents yet. `carrel add FILE` adds one.")
        return
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table("ID", "Name", "Status", "Pages", "Passages", "Size", "Time", box=None, pad_edge=False)
    for document in found:
        table.add_row(
            document.id[:_SHORT_ID],
            plain(document.name),
            _status(document),
            _pages(document),
            str(document.passages),
            size(document.size),
            _time(document),
        )
    output.table(table)


def _status(document: Document) -> str:
    status = f"failed: {document.error.message}" if document.error else str(document.status)
    if document.changed:
        status = "changed" if status == "queued" else f"changed, {status}"
    return f"{status}, file missing" if document.missing else status


def _pages(document: Document) -> str:
    """How many, and which of them were no ordinary ones."""
    parts = [f"{document.pages_empty} empty"] if document.pages_empty else []
    parts += [f"{document.pages_by_ocr} by OCR"] if document.pages_by_ocr else []
    pages = str(document.pages) if document.pages and (document.paged or parts) else ""
    return f"{pages} ({', '.join(parts)})" if parts else pages


def _time(document: Document) -> str:
    """Of reading and of embedding."""
    if document.read_s is None or document.embed_s is None:
        return ""
    return f"{document.read_s:.1f} + {document.embed_s:.1f} s"


def count(number: int, noun: str) -> str:
    """A number of things for a person: "1 document", "1,000 documents"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
