"""`carrel evaluate`: one page of numbers that can be compared between models and settings."""

import tempfile
import time
from pathlib import Path

import click
import msgspec

from app import paths
from app.cli.documents import failures
from app.cli.options import Command, Run, run_of
from app.cli.output import Output
from app.cli.program import Desk
from app.cli.progress import add
from app.cli.sample import Sample
from app.errors import InvalidRequestError
from app.evaluation import Case, Evaluation, Measure
from app.events import Evaluated, EvaluationProgress, Failed

_SETS = ("cranfield", "beir")
_GROUPS = {"finding": "Finding", "answers": "Answers", "checks": "Checks", "speed": "Speed"}


@click.command("evaluate", cls=Command)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True, help="A rough picture in a minute or less.")
@click.option(
    "--set",
    "public_set",
    type=(click.Choice(_SETS), click.Path(path_type=Path, exists=True, file_okay=False)),
    help="A public set in a folder instead of your files: cranfield, or one in BEIR's form.",
)
@click.option("--sample", is_flag=True, help="The bundled sample, in a throwaway profile.")
@click.option(
    "--compare",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An earlier evaluation (the output of --json): its numbers stand beside the new ones.",
)
@click.option("--cases", is_flag=True, help="Also list every question with what came of it.")
@click.pass_context
def evaluate(
    context: click.Context,
    *,
    files: tuple[Path, ...],
    quick: bool,
    public_set: tuple[str, Path] | None,
    sample: bool,
    compare: Path | None,
    cases: bool,
) -> int:
    """Measure how well your documents are found and answered from.

    Questions are made from sentences of your own pages: a number, a date, a sum or a name is taken out and
    asked for. The page says how often the right passage is found, whether answers hold the fact and cite
    its place, whether questions about documents that are left out are refused, whether changed sentences
    are caught, and how fast it all is. With FILES they are added first, and measured alone. Nothing goes
    into your conversations.
    """
    if bool(files) + bool(public_set) + sample > 1:
        raise click.UsageError("FILES, --set and --sample exclude each other.")
    run = run_of(context)
    earlier = _read(compare) if compare else None
    if sample:
        with tempfile.TemporaryDirectory(prefix="carrel-evaluate-", ignore_cleanup_errors=True) as place:
            profile = paths.Profile(Path(place))
            with run.program.open(profile, model=run.model, verbose=run.verbose) as desk:
                found = _measured(desk, run, (Sample.bundled().document,), quick=quick)
    else:
        with run.open() as desk:
            found = _measured(desk, run, files, quick=quick, public_set=public_set)
    if found is None:
        return 1
    run.output.data(found)
    _show(found, earlier, run.output)
    if cases:
        _list(found.cases, run.output)
    return 0


def _measured(
    desk: Desk,
    run: Run,
    files: tuple[Path, ...],
    *,
    quick: bool,
    public_set: tuple[str, Path] | None = None,
) -> Evaluation | None:
    """The evaluation; None where there is none, and the reason has been told."""
    ids: tuple[str, ...] | None = None
    if files:
        additions = add(desk, files, run.output)
        failures(additions, run.output)
        ids = tuple(one.document.id for one in additions if one.document and one.problem is None)
        if not ids:
            run.output.remark("None of the files could be read, so there is nothing to measure.")
            return None
    chosen = (public_set[0], str(public_set[1].expanduser().absolute())) if public_set else None
    events = desk.client.evaluate(quick=quick, document_ids=ids, public_set=chosen)
    with run.output.console.status("Measuring…") as status:
        for event in desk.stream(events):
            match event:
                case EvaluationProgress():
                    status.update(_said(event))
                case Evaluated():
                    return event.evaluation
                case Failed():
                    run.output.remark(f"{event.problem.message} [{event.problem.code}]")
                    return None
    raise AssertionError("an evaluation's stream ended without an end")


def _said(event: EvaluationProgress) -> str:
    return f"{event.stage.capitalize()}: {event.done:,} of {event.total:,}"


def _read(file: Path) -> Evaluation:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Evaluation)
    except (OSError, msgspec.MsgspecError) as error:
        raise InvalidRequestError(f"{file} is not an evaluation that --json printed.") from error


def _show(found: Evaluation, earlier: Evaluation | None, output: Output) -> None:
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.made_at))
    kind = "quick evaluation" if found.quick else "evaluation"
    output.text(f"Carrel {found.version}, {kind} of {found.of}, {made}")
    noun = "document" if found.documents == 1 else "documents"
    output.text(f"{found.documents:,} {noun}, {found.passages:,} passages, {found.seconds:.0f} s")
    for model in found.models:
        output.text(f"{model.kind}: {model.name} (sha256 {model.sha256[:12]}, {model.backend})")
    output.text("settings: " + ", ".join(f"{name} {value}" for name, value in found.settings.items()))
    before: dict[tuple[str, str], Measure] = {}
    if earlier is not None:
        before = {(one.group, one.name): one for one in earlier.measures}
    for group, title in _GROUPS.items():
        mine = [measure for measure in found.measures if measure.group == group]
        if mine:
            output.text()
            head = f"{title:34}{'now':>12}{'cases':>9}"
            output.text(head + (f"{'before':>12}" if earlier else ""))
        for measure in mine:
            line = f"  {measure.name:32}{_value(measure):>12}{measure.count:>9,}"
            old = before.get((group, measure.name))
            output.text(line + (f"{_value(old) if old else '-':>12}" if earlier else ""))
    if earlier is not None and _different(found, earlier):
        output.text()
        output.text("Not the same: " + "; ".join(_different(found, earlier)) + ".")
    if found.note:
        output.text()
        output.text(f"Answers were not measured to the end: {found.note}")


def _list(cases: tuple[Case, ...], output: Output) -> None:
    for case in cases:
        output.text()
        output.text(case.question)
        if case.fact:
            output.text(f"    wanted: {case.fact} ({case.place})", dim=True)
        if not case.answerable:
            output.text("    its document was left out", dim=True)
        else:
            output.text(f"    found: {'not' if case.rank is None else f'as number {case.rank}'}", dim=True)
        if case.answer is not None:
            refused = " (refused or marked)" if case.refused else ""
            output.text(f"    answer: {' '.join(case.answer.split()) or 'nothing'}{refused}", dim=True)


def _value(measure: Measure) -> str:
    if measure.value is None:
        return "-"
    if measure.unit == "share":
        return f"{measure.value:.3f}"
    return f"{measure.value:,.0f} {measure.unit}"


def _different(found: Evaluation, earlier: Evaluation) -> list[str]:
    """What besides the numbers differs, so that nobody compares what cannot be."""
    changes = []
    if (found.of, found.quick) != (earlier.of, earlier.quick):
        changes.append("what is measured")
    if (found.documents, found.passages) != (earlier.documents, earlier.passages):
        changes.append(f"documents ({earlier.documents:,}, {earlier.passages:,} passages before)")
    old = {model.kind: model for model in earlier.models}
    for model in found.models:
        if model.kind in old and old[model.kind].sha256 != model.sha256:
            changes.append(f"{model.kind} model ({old[model.kind].name} before)")
    for name in sorted(found.settings.keys() | earlier.settings.keys()):
        if found.settings.get(name) != earlier.settings.get(name):
            changes.append(f"{name} ({earlier.settings.get(name, 'not set')} before)")
    return changes
