"""`carrel models`: which models are loaded, and how."""

import asyncio
import time
from typing import TYPE_CHECKING

import click

from app.cli.options import Command, run_of
from app.cli.output import size
from app.client.renewal import in_words
from app.records import Model

if TYPE_CHECKING:
    from app.client.client import Client

_LOADS_WITHIN_S = 120.0
_LOOK_EVERY_S = 0.1


@click.command("models", cls=Command)
@click.pass_context
def models(context: click.Context) -> int:
    """Show the model that answers and the one that searches. Exit code 1 if one is not usable."""
    run = run_of(context)
    with run.open() as desk, run.output.console.status("Loading the models…"):
        found = desk.run(_loaded(desk.client))
        renewal = desk.run(desk.client.health()).renewal
    run.output.data({"models": found, "renewal": renewal})
    for model in found:
        run.output.text(f"{model.name} ({model.kind})")
        run.output.text(f"    {model.path}, {size(model.size)}")
        run.output.text(f"    {_state(model)}")
    if renewal is not None:
        run.output.text(in_words(renewal))
    return 1 if any(model.problem for model in found) else 0


async def _loaded(client: "Client") -> tuple[Model, ...]:
    """The models, once each is loaded or failed to; as they are then, if that takes too long."""
    deadline = time.monotonic() + _LOADS_WITHIN_S
    while True:
        found = await client.models()
        settled = all(model.loaded or model.problem or model.resting for model in found)
        if settled or time.monotonic() > deadline:
            return found
        await asyncio.sleep(_LOOK_EVERY_S)


def _state(model: Model) -> str:
    if model.problem is not None:
        return f"not loaded: {model.problem.message}"
    if model.resting:
        return "resting: the next question loads it again"
    if not model.loaded:
        return "loading"
    return (
        f"{model.context_length:,} tokens of context, on {model.backend},"
        f" {model.layers_offloaded} of {model.layers} layers offloaded"
    )
