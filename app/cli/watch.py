"""`carrel watch`: folders whose files are documents and stay what the files are."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.documents import count, failures
from app.cli.options import Command, Group, run_of
from app.cli.output import Output, plain
from app.cli.progress import wait
from app.errors import NotFoundError
from app.records import Addition, WatchedFolder

if TYPE_CHECKING:
    from app.client.client import Client

_LOOK_EVERY_S = 0.2
_SHORT_ID = 8
_STATES = {"watching": "followed", "polling": "looked at now and then", "missing": "not there"}


@click.group("watch", cls=Group, invoke_without_command=True)
@click.pass_context
def watch(context: click.Context) -> int | None:
    """Folders that are followed: what changes in them changes in the library.

    They are followed while Carrel runs; what changed meanwhile is found at its next start. A file that
    is deleted leaves the library after ten minutes; one on a disk or share that is away stays.
    """
    return _list(context) if context.invoked_subcommand is None else None


@watch.command("add", cls=Command)
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--include", multiple=True, metavar="PATTERN", help="Only such files, such as '*.pdf'.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Not such files or folders: 'drafts/'.")
@click.pass_context
def add(
    context: click.Context, folders: tuple[Path, ...], include: tuple[str, ...], exclude: tuple[str, ...]
) -> int:
    """Follow folders, and wait until all that is in them is read.

    Patterns are those of .gitignore, without "!". Hidden and unfinished files are never taken.
    Exit code 1 if a file could not be taken in or read; the others are kept.
    """
    run = run_of(context)
    with run.open() as desk:
        added = []
        for folder in folders:
            place = os.path.normpath(folder.expanduser().absolute())
            added.append(desk.run(desk.client.watch(place, include, exclude)))
        with run.output.console.status("Looking at the files…"):
            looked = [desk.run(_looked_through(desk.client, begun.id)) for begun in added]
        refused = [addition for followed in looked for addition in followed.refused]
        inside = [
            Addition(document.name, document)
            for document in desk.run(desk.client.documents())
            if any(_is_in(document.path, followed) for followed in looked)
        ]
        additions = (*wait(desk, inside, run.output), *refused)
    run.output.data({"folders": looked, "additions": additions})
    ready = sum(addition.problem is None for addition in additions)
    for followed in looked:
        why = f" {followed.problem.message}" if followed.problem else ""
        run.output.text(f"Following {followed.path}.{why}")
    run.output.text(f"{count(ready, 'document')} ready.")
    return 1 if failures(additions, run.output) else 0


@watch.command("list", cls=Command)
@click.pass_context
def list_(context: click.Context) -> int:
    """The folders that are followed, and how."""
    return _list(context)


@watch.command("remove", cls=Command)
@click.argument("folders", metavar="FOLDER", nargs=-1, required=True)
@click.option("--documents", is_flag=True, help="Remove the documents that came from it, too.")
@click.pass_context
def remove(context: click.Context, folders: tuple[str, ...], documents: bool) -> int:
    """Follow folders no more, by path or ID. Their documents stay; the files are never touched."""
    run = run_of(context)
    removed: list[WatchedFolder] = []
    with run.open() as desk:
        for given in folders:
            folder = desk.run(_find(desk.client, given))
            desk.run(desk.client.unwatch(folder.id, documents))
            removed.append(folder)
            run.output.text(f"{folder.path} is followed no more.")
    run.output.data({"removed": [folder.id for folder in removed]})
    return 0


def _list(context: click.Context) -> int:
    run = run_of(context)
    with run.open() as desk:
        found = desk.run(desk.client.watched())
    run.output.data({"folders": found})
    _table(found, run.output)
    return 0


async def _looked_through(client: "Client", folder_id: str) -> WatchedFolder:
    """Wait until all of a folder was looked at once.

    Raises:
        NotFoundError: somebody ended the following meanwhile.
    """
    while True:
        for folder in await client.watched():
            if folder.id == folder_id:
                break
        else:
            raise NotFoundError("This folder is not followed (any more).")
        if folder.scanned_at is not None or folder.state == "missing":
            return folder
        await asyncio.sleep(_LOOK_EVERY_S)


async def _find(client: "Client", given: str) -> WatchedFolder:
    """The folder at a path, or the one whose ID begins so.

    Raises:
        NotFoundError: there is none, or more than one.
    """
    path = os.path.normpath(Path(given).expanduser().absolute())
    found = await client.watched()
    matching = [folder for folder in found if folder.path == path] or [
        folder for folder in found if folder.id.startswith(given)
    ]
    if len(matching) != 1:
        raise NotFoundError(f"There is no followed folder {given}. `carrel watch list` names them.")
    return matching[0]


def _is_in(path: str | None, folder: WatchedFolder) -> bool:
    return path is not None and Path(path).is_relative_to(folder.path)


def _table(found: Sequence[WatchedFolder], output: Output) -> None:
    if not found:
        output.text("No folder is followed. `carrel watch add FOLDER` follows one.")
        return
    from rich.table import Table  # noqa: PLC0415 - rich is loaded only where something is drawn with it

    table = Table("ID", "Folder", "State", "Documents", "Not taken", "Remarks", box=None, pad_edge=False)
    for folder in found:
        patterns = [*folder.include, *(f"not {pattern}" for pattern in folder.exclude)]
        remarks = [folder.problem.message] if folder.problem else []
        if patterns:
            remarks.append(f"Only {', '.join(patterns)}." if folder.include else f"{', '.join(patterns)}.")
        table.add_row(
            folder.id[:_SHORT_ID],
            plain(folder.path),
            "looked through" if folder.scanned_at is None else _STATES[folder.state],
            f"{folder.documents:,}",
            f"{folder.refused_count:,}" if folder.refused_count else "",
            plain(" ".join(remarks)),
        )
    output.table(table)
