"""Whole documents with a model that writes: notes on every part, then an answer from them.

The engine is the bundled one that claims to be large; what it writes is made of what it is shown.
"""

import asyncio
import re

import pytest

from app.backend.ask.whole import composing, notes
from app.cache.notes import NoteCache
from app.database.audits import Audits
from app.errors import BusyError, DeadlineError, DecodeError, ModelError
from app.events import Delta, Failed, Finished, Progress, Retrieved
from app.records import Manner, Usage
from app.serving.generation import End, Piece
from tests.backend.ask.conftest import PAGES, Scripted
from tests.evaluation.injection.documents import INJECTED

pytestmark = pytest.mark.model

LARGE = 4_000_000_000
FILLER = "It is read once a year by the office, and whoever objects may do so in writing within the month."
STATUTES = tuple(
    f"§ {number} Fee {number}\n\nThe fee for berth {number} is {number * 7 + 100} euros a year."
    f" The rule number {number} was agreed by the members in spring. {FILLER} {FILLER}"
    for number in range(1, 13)
)


class Noting(Scripted):
    """Notes the first full sentence of each passage; answers with the first sentence of each note.

    `fails_at`: these notes (from 1) break off; `says`: what it writes after each of its texts; `reason`:
    how its notes end; `during`: what is awaited in the middle of its third note.
    """

    def __init__(self, engine, *, fails_at=(), says="", stops_at=None, reason="stop") -> None:
        super().__init__(engine, size=LARGE)
        self.noted = 0
        self.reached = asyncio.Event()
        self.during = None
        self.reason = reason
        self._fails_at, self._says, self._stops_at = fails_at, says, stops_at

    async def generate(self, generation):
        self.generations.append(generation)
        shown = generation.prompt.messages[-1].content
        reason = "stop"
        if "\n\nTask: " in shown:
            reason = self.reason
            self.noted += 1
            if self.noted in self._fails_at:
                raise DecodeError("The step was refused.")
            if self.noted == self._stops_at:
                self.reached.set()
                await asyncio.Event().wait()
            if self.noted == 3 and self.during is not None:
                await self.during()
            found = re.findall(r"^> (The fee [^.]*\.)", shown, re.MULTILINE)
        else:
            found = re.findall(r"^> \[\d+\] ([^\n]*)", shown, re.MULTILINE)
        for text in (*found, self._says):
            yield Piece(f"{text}\n", 1)
        yield End(reason, Usage(len(generation.prompt.tokens), len(found)), prefill_ms=2.0, decode_ms=1.0)


def run(coroutine):
    async def bounded():
        async with asyncio.timeout(120):
            return await coroutine

    return asyncio.run(bounded())


@pytest.fixture
def noting(models):
    engine = asyncio.run(models.chat())
    return lambda **options: Noting(engine, **options)


@pytest.fixture
def cache(profile):
    made = NoteCache(profile.notes)
    yield made
    made.close()


def test_every_part_is_noted_and_the_answer_rests_on_passages_of_all_of_them(open_desk, lend, noting):
    async def main():
        engine = noting()
        async with open_desk(lend(engine)) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
            events = await desk.ask("Summarise the statutes")
            progress = [event for event in events if isinstance(event, Progress)]
            assert engine.noted == progress[-1].of > 2
            assert [event.done for event in progress] == list(range(progress[-1].of + 1))
            assert {event.what for event in progress[:-1]} == {"Statutes.pdf"}
            assert [type(event) for event in events].count(Retrieved) == 2
            message = events[-1].message
            assert message.state == "complete"
            assert message.worked_through
            assert not message.quoted
            assert message.found == len(STATUTES)
            assert {source.passage.page for source in message.sources} == set(range(1, 13))
            assert {citation.verdict for citation in message.citations} == {"supported"}
            cited = {citation.source for citation in message.citations}
            assert cited == {source.number for source in message.sources}
            for number in range(1, 13):
                assert f"berth {number} is {number * 7 + 100} euros" in message.text
            audit = Audits(desk.database).get(desk.user, message.id)
            assert audit.style == "write"
            assert audit.prompt[0].content == composing.RULES
            assert audit.model_sha256 == engine.model.sha256

    run(main())


def test_what_no_passage_carries_is_noted_by_nobody(open_desk, lend, noting):
    async def main():
        engine = noting(says="The harbour was sold to a bank in Oslo for 9 million euros.")
        async with open_desk(lend(engine)) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
            message = (await desk.ask("Summarise the statutes"))[-1].message
            final = engine.generations[-1].prompt.messages[-1].content
            assert "Oslo" not in final
            # The final answer says it once more: it is shown, and marked.
            assert [one.verdict for one in message.citations].count("unsupported") == 1

    run(main())


def test_the_second_time_no_part_is_noted_again(open_desk, lend, noting, cache):
    async def main():
        engine = noting()
        async with open_desk(lend(engine), notes=cache) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
            first = (await desk.ask("Summarise the statutes"))[-1].message
            noted = engine.noted
            second = (await desk.ask("Summarise the statutes"))[-1].message
            assert engine.noted == noted
            assert second.text == first.text
            await desk.ask("Summarise what the statutes say about berth 3")
            assert engine.noted > noted

    run(main())


def test_nothing_of_the_notes_stays_when_a_document_is_deleted(open_desk, lend, noting, cache, profile):
    async def main():
        engine = noting()
        async with open_desk(lend(engine), notes=cache) as desk:
            document = await desk.shelve("Statutes.pdf", STATUTES)
            await desk.ask("Summarise the statutes")
            files = [path for path in profile.notes.iterdir() if path.is_file()]
            assert any(b"berth 3" in path.read_bytes() for path in files)
            await desk.backend.documents.delete(desk.user, document.id)
            assert not any(b"berth" in path.read_bytes() for path in profile.notes.iterdir())
            cache.put(("a",), ())
            assert cache.get(("a",)) == ()

    run(main())


def test_a_part_that_fails_is_named_and_the_others_go_on(open_desk, lend, noting):
    async def main():
        async with open_desk(lend(noting(fails_at=(2,)))) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
            message = (await desk.ask("Summarise the statutes"))[-1].message
            assert message.state == "complete"
            assert message.text.endswith("\n\nCould not be read: Statutes.pdf, part 2.")
            assert 0 < message.found < len(STATUTES)
            assert "berth 1 is 107 euros" in message.text
            assert "berth 12 is 184 euros" in message.text

    run(main())


def test_a_model_that_many_wait_for_is_waited_for(open_desk, lend, noting):
    async def main():
        engine = noting()
        refusals = iter((True, True, False))

        async def busy():
            if next(refusals):
                engine.noted -= 1  # it is asked for once more
                raise BusyError

        engine.during = busy
        async with open_desk(lend(engine)) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
            message = (await desk.ask("Summarise the statutes"))[-1].message
            assert message.state == "complete"
            assert "Could not be read" not in message.text
            assert next(refusals, None) is None

    run(main())


def test_where_every_part_fails_the_answer_does(open_desk, lend, noting):
    async def main():
        async with open_desk(lend(noting(fails_at=range(1, 50)))) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
            failed = (await desk.ask("Summarise the statutes"))[-1]
            assert isinstance(failed, Failed)
            assert failed.problem.code == "decode_failed"
            assert failed.message.state == "failed"

    run(main())


def test_stopping_in_the_middle_of_a_part_ends_it_at_once(open_desk, lend, noting, cache):
    async def main():
        engine = noting(stops_at=3)
        async with open_desk(lend(engine), notes=cache) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
            events = []

            async def ask():
                async for event in desk.backend.ask.ask(desk.user, "Summarise the statutes", trace_id="t"):
                    events.append(event)

            asking = asyncio.create_task(ask())
            await engine.reached.wait()
            assert await desk.backend.ask.stop(desk.user, events[0].answer_id)
            await asking
            assert isinstance(events[-1], Finished)
            assert events[-1].message.state == "stopped"
            # What was noted before is kept: asked again, it goes on where it was.
            engine._stops_at = None
            before = engine.noted
            parts = next(event.of for event in events if isinstance(event, Progress))
            await desk.ask("Summarise the statutes")
            assert engine.noted - before == parts - 2

    run(main())


def test_a_deadline_holds_for_all_of_it(open_desk, lend, noting):
    async def main():
        engine = noting()
        async with open_desk(lend(engine)) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
            await desk.ask("Summarise the statutes", deadline=60.0, client="tool", urgent=True)
            deadlines = [generation.deadline for generation in engine.generations[:-1]]
            assert deadlines == sorted(deadlines, reverse=True)
            assert 0 < deadlines[-1] < deadlines[0] <= 60
            # Also for the answer from the notes.
            assert 0 < engine.generations[-1].deadline < deadlines[-1]
            assert all(one.asker.client == "tool" and one.asker.urgent for one in engine.generations)

    run(main())


def test_a_deadline_that_has_passed_is_said_as_it_was_given(open_desk, lend, noting):
    async def main():
        engine = noting()
        async with open_desk(lend(engine)) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)

            async def late():
                raise DeadlineError(engine.generations[-1].deadline)

            engine.during = late
            failed = (await desk.ask("Summarise the statutes", deadline=60.0))[-1]
            assert failed.problem.code == "deadline_exceeded"
            assert "the 60 seconds" in failed.problem.message

    run(main())


def test_a_sentence_that_was_cut_off_is_no_note(open_desk, lend, noting):
    async def main():
        engine = noting(says="The rule was agreed by the members", reason="length")
        async with open_desk(lend(engine)) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
            await desk.ask("Summarise the statutes")
            final = engine.generations[-1].prompt.messages[-1].content
            assert "The fee for berth 1 is 107 euros" in final
            assert "agreed by the members" not in final

    run(main())


def test_a_note_that_a_closing_model_broke_off_is_not_kept(open_desk, lend, noting, cache):
    async def main():
        engine = noting(reason="cancelled")
        async with open_desk(lend(engine), notes=cache) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
            failed = (await desk.ask("Summarise the statutes"))[-1]
            assert isinstance(failed, Failed)
            engine.reason = "stop"
            before = engine.noted
            assert (await desk.ask("Summarise the statutes"))[-1].message.state == "complete"
            assert engine.noted == 2 * before

    run(main())


def test_what_is_being_read_when_a_document_is_deleted_is_not_kept_either(
    open_desk, lend, noting, cache, profile
):
    async def main():
        engine = noting()
        async with open_desk(lend(engine), notes=cache) as desk:
            document = await desk.shelve("Statutes.pdf", STATUTES)
            engine.during = lambda: desk.backend.documents.delete(desk.user, document.id)
            events = await desk.ask("Summarise the statutes")
            assert isinstance(events[-1], Finished)
            assert engine.noted > 3
            assert not any(b"berth" in path.read_bytes() for path in profile.notes.iterdir())

    run(main())


def test_documents_that_fit_as_a_whole_are_read_as_a_whole(open_desk, lend, script):
    async def main():
        engine = script("The rent is 1,180 euros a month [2].", size=LARGE)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            message = (await desk.ask("Summarise the lease"))[-1].message
            shown = engine.generations[0].prompt.messages[-1].content
            assert all(page.split("\n\n")[1][:40] in shown for page in PAGES)
            assert len(engine.generations) == 1
            assert message.citations[0].verdict == "supported"
            assert message.worked_through

    run(main())


def test_a_model_that_writes_quotes_where_it_is_asked_to(open_desk, lend, noting):
    async def main():
        engine = noting()
        async with open_desk(lend(engine)) as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
            message = (await desk.ask("Summarise the statutes", manner=Manner(style="quote")))[-1].message
            assert message.quoted
            assert engine.generations == []

    run(main())


def test_orders_in_a_section_stand_in_quotation_and_are_not_followed(open_desk, lend, noting):
    async def main():
        engine = noting()
        async with open_desk(lend(engine)) as desk:
            pages = [f"{page} {order}" for page, order in zip(STATUTES, INJECTED, strict=False)]
            document = await desk.shelve("Statutes.pdf", pages)
            message = (await desk.ask("Summarise the statutes"))[-1].message
            for generation in engine.generations[:-1]:
                assert generation.prompt.messages[0].content == notes.RULES
                frame = [
                    line
                    for line in generation.prompt.messages[1].content.splitlines()
                    if line and not line.startswith(("> ", "[", "Passages:", "Task: "))
                ]
                assert frame == []
            assert message.state == "complete"
            assert {citation.verdict for citation in message.citations} == {"supported"}
            assert (await desk.backend.documents.get(desk.user, document.id)).status == "ready"

    run(main())


def test_a_damaged_note_is_made_anew(cache):
    cache.put(("a", "b"), (notes.Noted("It is so.", 0),))
    assert cache.get(("a", "b")) == (notes.Noted("It is so.", 0),)
    assert cache.get(("ab", "")) is None
    cache._store.put([(next(iter(cache._store._cache)), b"\x80no json")])
    assert cache.get(("a", "b")) is None


def test_without_an_embedding_model_notes_are_taken_all_the_same(open_desk, lend, noting):
    async def main():
        engine = noting()
        async with open_desk() as desk:
            await desk.shelve("Statutes.pdf", STATUTES)
        async with open_desk(lend(engine, embedding=False)) as desk:
            events = await desk.ask("Summarise the statutes")
            assert events[-1].message.state == "complete"
            assert any(isinstance(event, Delta) for event in events)
            with pytest.raises(ModelError):
                await lend(engine, embedding=False).embedder()

    run(main())
