"""The options that every command takes, before or after its name."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import app
from app import paths
from app.cli.interruption import Interruption
from app.cli.output import Output
from app.cli.program import Desk, Program
from app.errors import InvalidRequestError
from app.records import Model

_KEPT = "app.cli.options."

EPILOGUE = (
    "Exit codes: 0 done; 1 failed; 2 the command line was not understood;"
    " 130 stopped by Ctrl-C or by the system."
)


@dataclass(slots=True)
class Attempt:
    """One attempt at a command line; `output` is set once its options are understood."""

    program: Program
    interruption: Interruption
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program: what was asked for on the line, and what it works with."""

    program: Program
    interruption: Interruption
    profile: paths.Profile
    model: Path | None
    verbose: bool
    output: Output

    @contextmanager
    def open(self, *, passes_model_on: bool = False) -> Iterator[Desk]:
        """`with run.open() as desk:` opens the profile for one command.

        Args:
            passes_model_on: the command itself asks a Carrel that was there first for --model.
        Raises:
            AppError: it cannot be opened, or a Carrel that was there first answers with another model.
        """
        with self.program.open(self.profile, model=self.model, verbose=self.verbose) as desk:
            if self.model is not None and not desk.owner and not passes_model_on:
                _same_model(self.model, desk.run(desk.client.models()))
            yield desk


def run_of(context: click.Context) -> Run:
    """The run that `context` belongs to, with the shared options as they were given."""
    attempt: Attempt = context.find_root().obj
    kept = {name: context.meta.get(_KEPT + name) for name in ("as_json", "profile", "model", "verbose")}
    attempt.output = Output(as_json=bool(kept["as_json"]))
    return Run(
        program=attempt.program,
        interruption=attempt.interruption,
        profile=paths.profile(kept["profile"]),
        model=kept["model"].expanduser().absolute() if kept["model"] else None,
        verbose=bool(kept["verbose"]),
        output=attempt.output,
    )


def _same_model(wanted: Path, models: Sequence[Model]) -> None:
    """Refuse a model that a Carrel which was there first does not answer with: it would be passed over."""
    chat = next((model for model in models if model.kind == "chat"), None)
    if chat is None or Path(chat.path) != wanted:
        raise InvalidRequestError(
            f"Carrel is running already{f' and answers with {chat.name}' if chat else ''}."
            " Leave --model out, choose the model in its window, or close it first."
        )


class Command(click.Command):
    """A command with the shared options."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        named.setdefault("epilog", EPILOGUE)
        super().__init__(*arguments, **named)
        self.params.extend(_shared())


class Group(Command, click.Group):
    """A group of commands with the shared options."""

    command_class = Command
    group_class = type


def _shared() -> list[click.Option]:
    def option(*names: str, **named: Any) -> click.Option:
        return click.Option(names, default=None, expose_value=False, callback=_keep, **named)

    return [
        option("--json", "as_json", is_flag=True, help="Print JSON on stdout, and nothing else there."),
        option(
            "--profile",
            type=click.Path(path_type=Path, file_okay=False),
            help="The folder that holds everything of yours. Also: CARREL_PROFILE.",
        ),
        option(
            "--model",
            type=click.Path(path_type=Path),
            help="A GGUF file to answer with in this run.",
        ),
        option("--verbose", is_flag=True, help="Show the log on stderr."),
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_version,
            help="Print the version and stop.",
        ),
    ]


def _keep(context: click.Context, option: click.Parameter, value: object) -> None:
    if value is not None:
        context.meta[f"{_KEPT}{option.name}"] = value


def _version(context: click.Context, _option: click.Parameter, value: object) -> None:
    if value:
        click.echo(f"carrel {app.__version__}")
        context.exit()
