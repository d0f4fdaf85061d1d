"""The command `carrel`: all its commands, and how a run of it ends."""

import logging
import sys
from collections.abc import Sequence

import click

from app.cli.ask import ask
from app.cli.collections import collections
from app.cli.documents import add, documents
from app.cli.evaluate import evaluate
from app.cli.export import export
from app.cli.interruption import STOPPED, Interruption
from app.cli.models import models
from app.cli.options import Attempt, Group, run_of
from app.cli.output import Output, forget_stdout
from app.cli.program import Program
from app.cli.replay import replay
from app.cli.search import search
from app.cli.serve import serve, token
from app.cli.settings import settings
from app.cli.verify import verify
from app.cli.watch import watch
from app.errors import AppError, ConnectionLostError
from app.records import Problem

_log = logging.getLogger(__name__)

_ATTEMPTS = 3


@click.group("carrel", cls=Group, invoke_without_command=True)
@click.pass_context
def carrel(context: click.Context) -> int | None:
    """A private desk for your own documents.

    Without a command, the window opens. Add files, ask, and read answers tied to their pages;
    nothing leaves this computer. A second Carrel on the same profile talks to the first.
    """
    return _show(context) if context.invoked_subcommand is None else None


@carrel.command("window")
@click.pass_context
def window(context: click.Context) -> int:
    """Open the window, or bring the one that is open to the front."""
    return _show(context)


_COMMANDS = (
    *(ask, add, watch, documents, collections, search, export, replay),
    *(serve, token, settings, models, evaluate, verify),
)
for _command in _COMMANDS:
    carrel.add_command(_command)


def run(program: Program, arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code. Nothing is raised, no traceback is shown.

    When the Carrel that did the work ends before anything was printed, the command begins again;
    it then finds another one to do the work, or does it itself.
    """
    line = list(sys.argv[1:] if arguments is None else arguments)
    interruption = Interruption()
    interruption.install()
    for again in range(_ATTEMPTS - 1, -1, -1):
        attempt = Attempt(program, interruption)
        try:
            return _once(line, attempt)
        except AppError as error:
            output = attempt.output or Output(as_json="--json" in line)
            if error.code != ConnectionLostError.code or output.used or not again:
                output.problem(error.problem, getattr(error, "trace_id", None))
                return 1
    raise AssertionError("the last attempt returns")


def _once(line: list[str], attempt: Attempt) -> int:
    output = Output(as_json="--json" in line)
    try:
        code = carrel.main(line, prog_name="carrel", standalone_mode=False, obj=attempt)
    except click.ClickException as error:
        if not output.as_json:
            error.show()
        else:
            output.problem(Problem("usage", error.format_message()))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        output.remark("Stopped.")
        return STOPPED
    except BrokenPipeError:
        forget_stdout()
        return 1
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 1
    except AppError:
        raise
    except Exception:
        _log.exception("the command failed")
        output.problem(Problem("bug", "This is a mistake in Carrel, not yours; its log says more."))
        return 1
    return code if isinstance(code, int) else 0


def _show(context: click.Context) -> int:
    run = run_of(context)
    return run.program.window(run.profile, model=run.model, verbose=run.verbose)
