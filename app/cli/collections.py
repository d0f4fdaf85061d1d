"""`carrel collections`: documents under a name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from app.cli.documents import count, find
from app.cli.options import Command, Group, run_of
from app.cli.output import Output, plain
from app.errors import NotFoundError
from app.records import Collection

if TYPE_CHECKING:
    from app.cli.options import Run
    from app.cli.program import Desk
    from app.client.client import Client

_SHORT_ID = 8


@click.group("collections", cls=Group, invoke_without_command=True)
@click.pass_context
def collections(context: click.Context) -> int | None:
    """Collections of documents, to search and ask in (`--in NAME`).

    A document can be in several. Every followed folder is a collection by itself. A collection is
    named by its name or its ID, a document by its ID, which may be shortened, or its name.
    """
    return _list(context) if context.invoked_subcommand is None else None


@collections.command("list", cls=Command)
@click.pass_context
def list_(context: click.Context) -> int:
    """The collections, and how many documents are in each."""
    return _list(context)


@collections.command("create", cls=Command)
@click.argument("name")
@click.argument("documents", nargs=-1)
@click.pass_context
def create(context: click.Context, name: str, documents: tuple[str, ...]) -> int:
    """Make a collection, with DOCUMENTS in it."""
    run = run_of(context)
    with run.open() as desk:
        ids = _ids(desk, documents)
        made = desk.run(desk.client.create_collection(name, ids))
    return _said(run, made, _filled(made))


@collections.command("rename", cls=Command)
@click.argument("collection")
@click.argument("name")
@click.pass_context
def rename(context: click.Context, collection: str, name: str) -> int:
    """Give a collection another NAME."""
    run = run_of(context)
    with run.open() as desk:
        known = desk.run(_find(desk.client, collection))
        changed = desk.run(desk.client.change_collection(known.id, name=name))
    return _said(run, changed, f"“{known.name}” is called “{changed.name}” now.")


@collections.command("add", cls=Command)
@click.argument("collection")
@click.argument("documents", nargs=-1, required=True)
@click.pass_context
def add(context: click.Context, collection: str, documents: tuple[str, ...]) -> int:
    """Put DOCUMENTS into a collection."""
    return _moved(context, collection, add=documents)


@collections.command("remove", cls=Command)
@click.argument("collection")
@click.argument("documents", nargs=-1, required=True)
@click.pass_context
def remove(context: click.Context, collection: str, documents: tuple[str, ...]) -> int:
    """Take DOCUMENTS out of a collection. They stay in the library."""
    return _moved(context, collection, remove=documents)


@collections.command("delete", cls=Command)
@click.argument("names", metavar="COLLECTION", nargs=-1, required=True)
@click.pass_context
def delete(context: click.Context, names: tuple[str, ...]) -> int:
    """Delete collections. Their documents stay."""
    run = run_of(context)
    deleted: list[Collection] = []
    with run.open() as desk:
        for name in names:
            known = desk.run(_find(desk.client, name))
            desk.run(desk.client.delete_collection(known.id))
            deleted.append(known)
            run.output.text(f"Deleted “{known.name}”; its documents stay.")
    run.output.data({"deleted": [known.id for known in deleted]})
    return 0


def _list(context: click.Context) -> int:
    run = run_of(context)
    with run.open() as desk:
        found = desk.run(desk.client.collections())
    run.output.data({"collections": found})
    _table(found, run.output)
    return 0


def _moved(
    context: click.Context, collection: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> int:
    run = run_of(context)
    with run.open() as desk:
        known = desk.run(_find(desk.client, collection))
        work = desk.client.change_collection(known.id, add=_ids(desk, add), remove=_ids(desk, remove))
        changed = desk.run(work)
    return _said(run, changed, _filled(changed))


def _filled(changed: Collection) -> str:
    return f"{count(changed.documents, 'document')} in “{changed.name}”."


def _said(run: "Run", changed: Collection, text: str) -> int:
    run.output.data(changed)
    run.output.text(text)
    return 0


def _ids(desk: "Desk", documents: Sequence[str]) -> list[str]:
    return [desk.run(find(desk.client, given)).id for given in documents]


async def _find(client: "Client", given: str) -> Collection:
    """The collection of a name, or the one whose ID begins so.

    Raises:
        NotFoundError: there is none, or more than one.
    """
    found = await client.collections()
    matching = [known for known in found if known.name.casefold() == given.casefold()] or [
        known for known in found if given and known.id.startswith(given)
    ]
    made = [known for known in matching if known.folder is None]
    if len(made or matching) != 1:
        raise NotFoundError(f"There is no collection {given}. `carrel collections` names them.")
    return (made or matching)[0]


def _table(found: Sequence[Collection], output: Output) -> None:
    if not found:
        output.text("No collections yet. `carrel collections create NAME` makes one.")
        return
    from rich.table import Table  # noqa: PLC0415 - rich is loaded only where something is drawn with it

    table = Table("ID", "Collection", "Documents", "Folder", box=None, pad_edge=False)
    for known in found:
        table.add_row(
            known.id[:_SHORT_ID], plain(known.name), f"{known.documents:,}", plain(known.folder or "")
        )
    output.table(table)
