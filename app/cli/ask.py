"""`carrel ask`: a question, its answer as it streams, and where it stands in the documents."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import click
import msgspec

from app.cli.documents import failures, say_what_changed
from app.cli.interruption import STOPPED
from app.cli.limits import limited, limits
from app.cli.options import Command, Run, run_of
from app.cli.output import Output
from app.cli.program import Desk
from app.cli.progress import add
from app.errors import InvalidRequestError
from app.events import AskEvent, Checked, Delta, Failed, Finished, Progress, Retrieved
from app.filters import EVERYTHING, Filter
from app.records import Citation, Manner, Message, Source, Style

_NOT_FOUND_MARK = " [not in your documents]"


@click.command("ask", cls=Command)
@click.argument("question")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--conversation", metavar="ID", help="Go on with this conversation.")
@click.option(
    "--style", type=click.Choice(get_args(Style)), help="In sentences of the documents, or written."
)
@click.option("--without-documents", is_flag=True, help="Let the model answer alone.")
@click.option("--read-all", is_flag=True, help="Read every passage that fits, however long that takes.")
@limits
@click.pass_context
def ask(
    context: click.Context,
    *,
    question: str,
    files: tuple[Path, ...],
    conversation: str | None,
    style: Style | None,
    without_documents: bool,
    read_all: bool,
    collections: tuple[str, ...],
    kinds: tuple[str, ...],
    since: str | None,
    until: str | None,
) -> int:
    """Ask a question about your documents.

    With FILES they are added first, and the answer is looked for in them alone; without, in
    everything added so far. The answer is streamed, then its sources are listed. A sentence that
    no passage supports is marked. A document's date is that of its file; of one that was uploaded,
    when it was added.

    With --json every event of the answer is one line of JSON with its name in "event": "added"
    (only with FILES), "retrieved", then "delta" and "checked" as they come, and at the end
    exactly one "finished" or "failed". A question about whole documents ("Summarise …") has
    "progress" before them, and then "retrieved" again.
    """
    run = run_of(context)
    if not question.strip():
        raise InvalidRequestError("The question is empty.")
    manner = Manner(style, without_documents, read_all)
    where = limited(collections=collections, kinds=kinds, since=since, until=until)
    with run.open() as desk:
        if not files:
            return answer(desk, run, question, conversation_id=conversation, where=where, manner=manner)
        additions = add(desk, files, run.output)
        failures(additions, run.output)
        readable = tuple(a.document.id for a in additions if a.document and a.problem is None)
        if not readable:
            run.output.data({"event": "added", "additions": additions})
            run.output.remark("None of the files could be read, so there is nothing to ask about.")
            return 1
        added = {"event": "added", "additions": additions}
        return answer(
            desk,
            run,
            question,
            conversation_id=conversation,
            where=replace(where, documents=readable),
            manner=manner,
            before=added,
        )


def answer(
    desk: Desk,
    run: Run,
    question: str,
    *,
    conversation_id: str | None,
    where: Filter = EVERYTHING,
    manner: Manner | None = None,
    before: object = None,
) -> int:
    """Stream one answer and list its sources; returns the exit code.

    Args:
        before: a JSON value that goes before the first event.
    Raises:
        ConnectionLostError: the Carrel that answered ended before the first event.
    """
    text = _Text(run.output)
    answer_id: str | None = None
    stopping = False

    def stop() -> None:
        nonlocal stopping
        stopping = True
        if answer_id is None:
            raise KeyboardInterrupt
        desk.start(desk.client.stop(answer_id))

    with run.interruption.gently(stop):
        for event in desk.stream(
            desk.client.ask(question, conversation_id=conversation_id, limited=where, manner=manner)
        ):
            if answer_id is None and before is not None:
                run.output.data(before)
            run.output.data(line(event))
            match event:
                case Retrieved():
                    answer_id = event.answer_id
                case Progress():
                    _tell(event, run.output)
                case Delta():
                    text.add(event.text)
                case Checked():
                    text.mark(event.citations)
                case Finished():
                    text.end(event.message)
                    cited = {citation.source for citation in event.message.citations}
                    sources = [source for source in event.message.sources if source.number in cited]
                    say_what_changed(desk, sources, run.output)
                    return STOPPED if stopping or event.message.state == "stopped" else 0
                case Failed():
                    if event.message is not None:
                        text.end(event.message)
                    run.output.remark(f"{event.problem.message} [{event.problem.code}]")
                    return 1
    raise AssertionError("an answer's stream ended without an end")


def line(event: AskEvent) -> dict[str, object]:
    """The event as one JSON object, its name in "event"."""
    fields: dict[str, object] = msgspec.to_builtins(event)
    return {"event": event.event} | fields


def _tell(event: Progress, output: Output) -> None:
    """Say on stderr which part is being read."""
    if event.done < event.of:
        part = f"part {event.done + 1} of {event.of}: " if event.of > 1 else ""
        output.remark(f"Reading {part}{event.what}…")


class _Text:
    """Prints the answer as it grows, one event behind, so that a mark can follow its sentence.

    A sentence is checked in the moment it ends, so the check arrives right after the piece of
    text that ended it; that piece is held back until the next event tells what it was.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._held = ""
        self._printed = 0
        self._marked: set[tuple[int, int]] = set()

    def add(self, text: str) -> None:
        self._print(len(self._held))
        self._held += text

    def mark(self, citations: tuple[Citation, ...]) -> None:
        for citation in citations:
            here = citation.end - self._printed
            if 0 <= here <= len(self._held):
                self._print(here)
                self._marked.add((citation.start, citation.end))
                if citation.verdict == "unsupported":
                    self._output.text(_NOT_FOUND_MARK, end="", dim=True)
                elif citation.source is not None:
                    self._output.text(f" [{citation.source}]", end="")

    def end(self, message: Message) -> None:
        """Print what is left of the answer, then its sources."""
        self._print(len(self._held))
        if len(message.text) > self._printed:
            self._held = message.text[self._printed :]
            self._print(len(self._held))
        self._output.text()
        if message.state == "stopped":
            self._output.text("(stopped)", dim=True)
        self._late(message)
        _list_sources(message, self._output)

    def _late(self, message: Message) -> None:
        for citation in message.citations:
            if (citation.start, citation.end) not in self._marked:
                sentence = message.text[citation.start : citation.end].strip()
                where = f"[{citation.source}]" if citation.source is not None else _NOT_FOUND_MARK.strip()
                self._output.text(f"{where} “{sentence}”", dim=True)

    def _print(self, count: int) -> None:
        self._output.text(self._held[:count], end="")
        self._printed += count
        self._held = self._held[count:]


def _list_sources(message: Message, output: Output) -> None:
    by_number = {source.number: source for source in message.sources}
    cited: dict[int, list[Citation]] = {}
    for citation in message.citations:
        if citation.source in by_number and citation.source is not None:
            cited.setdefault(citation.source, []).append(citation)
    if not cited:
        if message.sources:
            output.text()
            output.text("No passage of your documents supports this answer.")
        return
    output.text()
    for number in sorted(cited):
        source = by_number[number]
        output.text(f"[{number}] {place(source)}")
        for quote in dict.fromkeys(_quote(citation, source) for citation in cited[number]):
            output.text(f"    “{quote}”")


def place(source: Source) -> str:
    """Where a source stands: "Lease agreement.pdf, page 3 (also in Copy.pdf)"."""
    passage = source.passage
    place = f"{passage.document_name}, page {passage.page}" if passage.paged else passage.document_name
    return f"{place} (also in {', '.join(source.also)})" if source.also else place


def _quote(citation: Citation, source: Source) -> str:
    text = source.passage.text
    if citation.quote_start is not None and citation.quote_end is not None:
        text = text[citation.quote_start : citation.quote_end]
    return " ".join(text.split())
