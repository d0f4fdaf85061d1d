"""`carrel models`: which models are loaded, and how."""

import click

from app.cli.options import Command, run_of
from app.cli.output import size
from app.records import Model


@click.command("models", cls=Command)
@click.pass_context
def models(context: click.Context) -> int:
    """Show the model that answers and the one that searches. Exit code 1 if one is not usable."""
    run = run_of(context)
    with run.open() as desk:
        found = desk.run(desk.client.models())
    run.output.data({"models": found})
    for model in found:
        run.output.text(f"{model.name} ({model.kind})")
        run.output.text(f"    {model.path}, {size(model.size)}")
        run.output.text(f"    {_state(model)}")
    return 1 if any(model.problem for model in found) else 0


def _state(model: Model) -> str:
    if model.problem is not None:
        return f"not loaded: {model.problem.message}"
    if not model.loaded:
        return "loading"
    return (
        f"{model.context_length:,} tokens of context, on {model.backend},"
        f" {model.layers_offloaded} of {model.layers} layers offloaded"
    )
