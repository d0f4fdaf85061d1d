"""`carrel verify`: the smallest whole example, run on this machine and written down.

A throwaway profile, the sample document in, the sample question asked; then a record of what it
ran on and what came out, as text and as JSON.
"""

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
import msgspec

from app import paths
from app.cli.options import Command, Run, run_of
from app.cli.output import Output
from app.cli.program import Desk
from app.cli.progress import add
from app.cli.record import Check, Record, describe, runtime
from app.cli.sample import Sample
from app.errors import AppError, StorageError
from app.events import Delta, Failed, Finished, Retrieved
from app.filters import Filter
from app.records import Addition, Document, Manner, Message, Source


@click.command("verify", cls=Command)
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the record goes. Default: verify/ in the profile.",
)
@click.pass_context
def verify(context: click.Context, folder: Path | None) -> int:
    """Run the sample document and question on this machine, and write a record of it.

    Uses a throwaway profile; yours is not opened. The record holds versions, model, backend,
    memory, the time of each hop and the answer. Exit code 1 if the expected fact or its citation
    is missing.
    """
    run = run_of(context)
    record = _perform(run)
    written = _write(record, folder or run.profile.root / "verify")
    run.output.data(record)
    run.output.text(describe(record))
    run.output.remark(f"Written to {written}.")
    return 0 if record.passed else 1


@dataclass(slots=True)
class _Course:
    """What is seen while the sample runs."""

    sample: Sample
    begun: float = field(default_factory=time.perf_counter)
    times: dict[str, float] = field(default_factory=dict)
    document: Document | None = None
    answer: Message | None = None
    page_text: str | None = None
    error: AppError | None = None

    def lap(self, name: str, since: float) -> float:
        """Note the milliseconds from `since` to now under `name`; returns now."""
        now = time.perf_counter()
        self.times[name] = round((now - since) * 1000, 1)
        return now


def _perform(run: Run) -> Record:
    course = _Course(Sample.bundled())
    health = None
    with tempfile.TemporaryDirectory(prefix="carrel-verify-", ignore_cleanup_errors=True) as place:
        profile = paths.Profile(Path(place))
        try:
            with run.program.open(profile, model=run.model, verbose=run.verbose) as desk:
                opened = course.lap("open_ms", course.begun)
                _read(desk, course, run.output, opened)
                _ask(desk, course)
                health = desk.run(desk.client.health())
                closing = time.perf_counter()
            course.lap("close_ms", closing)
        except AppError as error:
            course.error = error
        course.lap("total_ms", course.begun)
    return Record(
        passed=False,
        made_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        runtime=runtime(),
        data_paths={
            "profile": str(run.profile.root),
            "throwaway_profile": str(profile.root),
            "resources": str(paths.resource()),
        },
        health=health,
        times=course.times,
        document=course.document,
        question=course.sample.question,
        answer=course.answer,
        error=course.error.problem if course.error else None,
        checks=_checks(course),
    ).judged()


def _read(desk: Desk, course: _Course, output: Output, since: float) -> None:
    addition: Addition = add(desk, (course.sample.document,), output)[0]
    course.document = addition.document
    course.lap("document_ready_ms", since)


def _ask(desk: Desk, course: _Course) -> None:
    if course.document is None or course.document.status != "ready":
        return
    asked = time.perf_counter()
    # Written, whatever the settings say: the model is to be proven, too.
    asking = desk.client.ask(
        course.sample.question, limited=Filter(documents=(course.document.id,)), manner=Manner(style="write")
    )
    for event in desk.stream(asking):
        if isinstance(event, Retrieved):
            course.lap("sources_ms", asked)
        elif isinstance(event, Delta) and "first_word_ms" not in course.times:
            course.lap("first_word_ms", asked)
        elif isinstance(event, (Finished, Failed)):
            course.lap("answer_ms", asked)
            course.answer = event.message
    cited = _cited(course)
    if cited is not None:
        page = desk.run(
            desk.client.page(
                cited.passage.document_id, cited.passage.page, cited.passage.start, cited.passage.end
            )
        )
        course.page_text = page.text[cited.passage.start : cited.passage.end]


def _cited(course: _Course) -> Source | None:
    """The source that the answer cites for the fact, on the expected page if one is there."""
    if course.answer is None:
        return None
    numbers = {citation.source for citation in course.answer.citations if citation.source is not None}
    cited = [source for source in course.answer.sources if source.number in numbers]
    there = [source for source in cited if source.passage.page == course.sample.page]
    return next(iter(there or cited), None)


def _checks(course: _Course) -> tuple[Check, ...]:
    sample, answer, cited = course.sample, course.answer, _cited(course)
    text = answer.text if answer else ""
    ready = course.document is not None and course.document.status == "ready"
    place = f"{cited.passage.document_name}, page {cited.passage.page}" if cited else "none"
    return (
        Check(
            "the document became ready", ready, "ready", course.document.status if course.document else "-"
        ),
        Check(
            "the answer is whole",
            answer is not None and answer.state == "complete",
            "complete",
            answer.state if answer else "-",
        ),
        Check(
            "the fact is in the answer",
            any(fact.lower() in text.lower() for fact in sample.expected),
            " or ".join(sample.expected),
            text,
        ),
        Check(
            "it cites the right page",
            cited is not None and cited.passage.page == sample.page,
            f"{sample.document.name}, page {sample.page}",
            place,
        ),
        Check(
            "the citation resolves to that page's text",
            cited is not None and course.page_text == cited.passage.text,
            "the passage as it stands on the page",
            "found" if course.page_text else "-",
        ),
    )


def _write(record: Record, folder: Path) -> Path:
    name = f"verify-{record.made_at.replace(':', '').replace('-', '')}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.txt").write_text(describe(record), "utf-8")
        file = folder / f"{name}.json"
        file.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2))
    except OSError as error:
        raise StorageError(f"The record could not be written: {error}.") from error
    return file
