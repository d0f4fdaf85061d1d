"""The options that say which documents are searched."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from app.filters import KINDS, Filter, kind_named, moment

Function = TypeVar("Function", bound=Callable[..., object])


def limits(command: Function) -> Function:
    """Give a command --in, --type, --since and --until: arguments for `limited`."""
    for option in (
        click.option("--until", metavar="WHEN", help="Changed then or before: 2024, 2024-03 or 2024-03-31."),
        click.option("--since", metavar="WHEN", help="Only documents whose file was changed then or later."),
        click.option(
            "--type",
            "kinds",
            multiple=True,
            metavar="TYPE",
            help=f"Only documents of this type: {', '.join(KINDS)}. May be given several times.",
        ),
        click.option(
            "--in",
            "collections",
            multiple=True,
            metavar="NAME",
            help="Only documents in this collection or followed folder. May be given several times.",
        ),
    ):
        command = option(command)
    return command


def limited(
    *, collections: Sequence[str], kinds: Sequence[str], since: str | None, until: str | None
) -> Filter:
    """What the options leave.

    Raises:
        click.BadParameter: there is no such type or date.
    """
    try:
        types = tuple(kind_named(name) for name in kinds)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--type") from error
    return Filter(
        collections=tuple(collections),
        types=types,
        since=None if since is None else _moment(since, "--since"),
        until=None if until is None else _moment(until, "--until"),
    )


def _moment(when: str, option: str) -> float:
    try:
        return moment(when, ends=option == "--until")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error
