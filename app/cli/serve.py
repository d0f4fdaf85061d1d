"""`carrel serve` and `carrel token`: the API for other tools on this computer."""

import shlex

import click

from app.cli.options import Command, Run, run_of
from app.errors import ConnectionLostError
from app.paths import profile
from app.settings import Settings


@click.command("serve", cls=Command)
@click.option("--port", type=click.IntRange(0, 65_535), help="Listen there instead; 0: any free port.")
@click.pass_context
def serve(context: click.Context, port: int | None) -> int:
    """Let other tools on this computer use Carrel's API, until Ctrl-C.

    Listens on 127.0.0.1 only. Every request needs a token; `carrel token` prints one. When
    Carrel runs already, that one listens as long as this command lasts.

    With --json one line is printed once it listens: {"address": …, "profile": …}.
    """
    run = run_of(context)
    chosen = Settings(run.profile.settings).number("listen_port") if port is None else port
    with run.open() as desk:
        before = desk.run(desk.client.health()).listening
        address = desk.run(desk.client.listen(True, chosen))
        try:
            run.output.data({"address": address, "profile": str(run.profile.root)})
            run.output.text(f"Listening on {address}. Ctrl-C stops.")
            token = f"carrel token{_profile(run)}"
            run.output.text("Every request needs a token, for example:")
            run.output.text(f'    curl -H "Authorization: Bearer $({token})" {address}/documents')
            for _ in desk.stream(desk.client.feed()):
                pass
            raise ConnectionLostError("The Carrel that was listening has ended.")
        except KeyboardInterrupt:
            run.output.remark("Stopped listening.")
            return 0
        finally:
            if not desk.owner and before is None:
                desk.run(desk.client.listen(False, chosen))


@click.command("token", cls=Command)
@click.pass_context
def token(context: click.Context) -> int:
    """Print a token for other tools. It ends after 24 hours without use.

    Only the owner of the profile can get one: it is handed out inside the program and over the
    profile's private socket, never over the network.
    """
    run = run_of(context)
    with run.open() as desk:
        session = desk.run(desk.client.new_session())
    run.output.data(session)
    run.output.text(session.token)
    return 0


def _profile(run: Run) -> str:
    """How another command says that it means this profile, where it has to."""
    return "" if profile() == run.profile else f" --profile {shlex.quote(str(run.profile.root))}"
