"""`carrel replay`: a stored prompt run again, and both answers side by side."""

from typing import TYPE_CHECKING

import click

from app.audit import Audit
from app.cli.options import Command, Run, run_of
from app.cli.output import Output
from app.cli.program import Desk
from app.client.figures import figures
from app.errors import NotFoundError
from app.events import Failed, Finished
from app.records import Message

if TYPE_CHECKING:
    from app.client.client import Client


@click.command("replay", cls=Command)
@click.argument("message", required=False)
@click.pass_context
def replay(context: click.Context, message: str | None) -> int:
    """Run the prompt of an answer again and show both: what they say, how it checks, how fast it was.

    MESSAGE is the id of an answer, as `ask --json` and `export --format json` give it; without, the latest
    one for which something was read. With --model
    another model answers; if another Carrel does the work, it answers with that model meanwhile and goes
    back to its own. Nothing is stored. The new answer is shown as the model wrote it, every sentence
    checked against the passages that were read then.
    """
    run = run_of(context)
    with run.open(passes_model_on=True) as desk:
        before = desk.run(_before(desk.client, message))
        now = _again(desk, run, before.message.id)
    run.output.data({"before": before, "now": now})
    if now is None:
        return 1
    _show("Before", before.message, run.output)
    _show("Now", now, run.output)
    return 0


async def _before(client: "Client", message: str | None) -> Audit:
    if message is not None:
        return await client.message(message)
    for conversation in await client.conversations():
        detail = await client.conversation(conversation.id)
        for found in reversed(detail.messages):
            if found.role == "assistant" and any(source.read for source in found.sources):
                return await client.message(found.id)
    raise NotFoundError("There is no answer yet that could be run again.")


def _again(desk: Desk, run: Run, message: str) -> Message | None:
    """The new answer; None where there is none, and the reason has been told."""
    # The one who holds the profile has loaded --model already.
    model = str(run.model) if run.model and not desk.owner else None
    with run.output.console.status("Answering again…"):
        for event in desk.stream(desk.client.replay(message, model)):
            if isinstance(event, Finished):
                return event.message
            if isinstance(event, Failed):
                run.output.remark(f"{event.problem.message} [{event.problem.code}]")
                return None
    raise AssertionError("a replay's stream ended without an end")


def _show(title: str, message: Message, output: Output) -> None:
    output.text(f"{title}: {message.model or 'no model'}")
    for line in (message.text or "(nothing)").splitlines():
        output.text(f"    {line}")
    output.text(f"    {figures(message)}", dim=True)
