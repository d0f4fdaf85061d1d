"""`carrel search`: passages, without asking a model."""

import click

from app.cli.ask import place
from app.cli.documents import say_what_changed
from app.cli.limits import limited, limits
from app.cli.options import Command, run_of
from app.errors import InvalidRequestError

_LONGEST = 300


@click.command("search", cls=Command)
@click.argument("query")
@click.option(
    "-n", "--number", type=click.IntRange(1, 100), default=10, show_default=True, help="How many passages."
)
@limits
@click.pass_context
def search(
    context: click.Context,
    *,
    query: str,
    number: int,
    collections: tuple[str, ...],
    kinds: tuple[str, ...],
    since: str | None,
    until: str | None,
) -> int:
    """Find passages by their words and their meaning, best first.

    A document's date is that of its file; of one that was uploaded, when it was added.
    """
    run = run_of(context)
    if not query.strip():
        raise InvalidRequestError("There is nothing to search for.")
    where = limited(collections=collections, kinds=kinds, since=since, until=until)
    with run.open() as desk:
        result = desk.run(desk.client.search(query, k=number, limited=where))
        say_what_changed(desk, result.sources, run.output)
    run.output.data(result)
    if not result.sources:
        run.output.text(result.remark or "Nothing found.")
    for source in result.sources:
        text = " ".join(source.passage.text.split())
        run.output.text(f"[{source.number}] {place(source)}")
        run.output.text(f"    {text[:_LONGEST]}{'…' if len(text) > _LONGEST else ''}")
    return 0
