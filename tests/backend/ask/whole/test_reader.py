"""Whole documents through the real service, with the bundled models."""

import asyncio
import re

import numpy as np
import pytest

from app.backend.ask.completion import CARREL, Completed, CompletionRequest, Said
from app.backend.ask.whole import material
from app.database.audits import Audits
from app.errors import NotFoundError
from app.events import Checked, Delta, Finished, Progress, Retrieved
from app.filters import Filter
from tests.backend.ask.conftest import PAGES

pytestmark = pytest.mark.model

BRENNER = (
    "Scope\n\nWe install an air-to-water heat pump of the type Kelvin 9 with an output of 9 kW.",
    "Price\n\nThe price is 31,400 euros including VAT. A deposit of 30 percent is due on signing.",
    "Warranty\n\nThe warranty on labour is five years. This offer is valid until 30 June 2024.",
)
LINDQVIST = (
    "What we do\n\nWe install a brine-to-water heat pump of the type Norden B12 with an output of 12 kW.",
    "Cost\n\nThe price is 44,900 euros including VAT and the permit. No deposit is due.",
    "Guarantee\n\nWe guarantee our labour for two years. The offer can be accepted until 15 July 2024.",
)


def run(coroutine):
    async def bounded():
        async with asyncio.timeout(120):
            return await coroutine

    return asyncio.run(bounded())


def words(text):
    return set(re.findall(r"[^\W_]+", text.casefold()))


def quoted(message):
    """What each citation says, and what stands in its passage there."""
    by_number = {source.number: source.passage for source in message.sources}
    for citation in message.citations:
        passage = by_number[citation.source]
        yield (
            message.text[citation.start : citation.end].strip("“”"),
            " ".join(passage.text[citation.quote_start : citation.quote_end].split()),
        )


def test_a_summary_is_sentences_of_all_sections_word_for_word(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            events = await desk.ask("Summarise the lease")
            message = events[-1].message
            assert message.state == "complete"
            assert all(said == there for said, there in quoted(message))
            assert {source.passage.page for source in message.sources} == {1, 2, 3, 4}
            said = " ".join(text for text, _ in quoted(message))
            for fact in ("Uferstraße 14", "1,180 euros", "landlord’s consent", "three months’ notice"):
                assert fact in said
            assert words(message.text) <= words(" ".join(PAGES))
            assert [message.citations[place].start for place in range(len(message.citations))] == sorted(
                citation.start for citation in message.citations
            )

    run(main())


def test_progress_comes_between_the_two_lists_of_sources(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            events = await desk.ask("What is this document about?")
            kinds = [type(event) for event in events]
            first = kinds.index(Progress)
            assert kinds[0] is Retrieved
            assert kinds[first - 1] is Retrieved
            assert events[0].sources == ()
            assert events[0].found == len(PAGES)
            assert events[first] == Progress(0, 1, "Lease.pdf")
            second = kinds.index(Retrieved, 1)
            assert events[second].sources
            assert events[second].answer_id == events[0].answer_id
            assert kinds[second + 1 : second + 3] == [Delta, Checked]
            assert kinds[-1] is Finished
            message = events[-1].message
            assert message.worked_through
            assert message.quoted
            assert not message.nearest
            assert message.found == len(PAGES)
            assert message.timings.sections_ms > 0

    run(main())


def test_what_is_stored_is_a_quote_with_its_sources(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            message = (await desk.ask("What are the key points?"))[-1].message
            audit = Audits(desk.database).get(desk.user, message.id)
            assert audit.style == "quote"
            assert audit.prompt is None
            assert audit.message.sources == message.sources

    run(main())


def test_a_list_holds_every_place_in_order_and_nothing_else(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            message = (await desk.ask("List all deadlines"))[-1].message
            assert [said for said, _ in quoted(message)] == [
                "It is due on the third working day of each month.",
                "Either party may end the lease with three months’ notice, given in writing.",
            ]
            message = (await desk.ask("List all rooms"))[-1].message
            assert [said for said, _ in quoted(message)] == ["It has three rooms and a balcony."]

    run(main())


def test_a_comparison_puts_the_same_matters_below_the_name_of_each_document(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve("Offer Brenner.pdf", BRENNER)
            await desk.shelve("Offer Lindqvist.pdf", LINDQVIST)
            await desk.shelve()
            text = (await desk.ask("Compare the two offers"))[-1].message.text
            first, second = text.split("\n\nOffer Lindqvist.pdf:")
            assert first.startswith("Offer Brenner.pdf:\n\n- “")
            order = [
                (first.index(one), second.index(two))
                for one, two in (
                    ("31,400 euros", "44,900 euros"),
                    ("five years", "two years"),
                    ("30 June 2024", "15 July 2024"),
                )
            ]
            assert sorted(one for one, _ in order) == [one for one, _ in sorted(order, key=lambda it: it[1])]
            assert "Heidelberg" not in text

            cost = (await desk.ask("Compare the offers with regard to price"))[-1].message.text
            assert "31,400 euros" in cost
            assert "44,900 euros" in cost
            assert "five years" not in cost

    run(main())


def test_only_the_documents_that_are_named_or_allowed_are_read(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            lease = await desk.shelve()
            offer = await desk.shelve("Offer Brenner.pdf", BRENNER)
            for question, limit, expected in (
                ("Summarise the lease", None, {lease.id}),
                ("Summarise Offer Brenner.pdf", None, {offer.id}),
                ("What is this document about?", [offer.id], {offer.id}),
                ("Summarise everything", None, {lease.id, offer.id}),
            ):
                message = (await desk.ask(question, limited=Filter(documents=tuple(limit or ()))))[-1].message
                assert {source.passage.document_id for source in message.sources} == expected, question

    run(main())


def test_what_is_said_beside_the_name_of_a_document_or_a_page_counts(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            await desk.shelve("Offer Brenner.pdf", BRENNER)
            due = [
                "It is due on the third working day of each month.",
                "Either party may end the lease with three months’ notice, given in writing.",
            ]
            message = (await desk.ask("List all deadlines in Lease.pdf"))[-1].message
            assert [said for said, _ in quoted(message)] == due
            message = (await desk.ask("Summarise the notice period in Lease.pdf"))[-1].message
            assert due[1] in message.text
            assert "three rooms" not in message.text
            message = (await desk.ask("What is the deposit in Lease.pdf about?"))[-1].message
            assert not message.worked_through
            message = (await desk.ask("Summarise page 2 of Lease.pdf"))[-1].message
            assert {source.passage.page for source in message.sources} == {2}
            assert len(message.citations) == 2

    run(main())


def test_a_name_in_quotation_marks_means_all_of_the_document(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve("Uferstraße 14.pdf")
            await desk.shelve("Offer Brenner.pdf", BRENNER)
            message = (await desk.ask("Summarise “Uferstraße 14”"))[-1].message
            assert message.found == len(PAGES)
            assert {source.passage.page for source in message.sources} == {1, 2, 3, 4}

    run(main())


def test_a_section_is_looked_for_in_all_documents_and_those_without_it_are_not_missed(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            for number in range(14):
                await desk.shelve(f"Note {number}.pdf", ["Note\n\nThe house belongs to the old mill."])
            message = (await desk.ask("Summarise section 11"))[-1].message
            assert message.worked_through
            assert "three months’ notice" in message.text
            assert "Read" not in message.text

    run(main())


def test_a_document_is_compared_with_one_that_is_not_named_in_full(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve("Offer Brenner.pdf", BRENNER)
            await desk.shelve("Lindqvist.pdf", LINDQVIST)
            await desk.shelve()
            message = (await desk.ask("Compare Offer Brenner.pdf with Lindqvist"))[-1].message
            assert {source.passage.document_name for source in message.sources} == {
                "Offer Brenner.pdf",
                "Lindqvist.pdf",
            }
            assert "five years" in message.text
            message = (await desk.ask("Compare the price in Offer Brenner.pdf with Lindqvist"))[-1].message
            assert "44,900 euros" in message.text
            assert "five years" not in message.text

    run(main())


def test_documents_of_a_type_or_a_time_are_read_as_such(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            mail = await desk.shelve("Offer Brenner.eml", BRENNER)

            def work(db):
                db.execute("UPDATE documents SET media_type = 'message/rfc822' WHERE id = ?", [mail.id])

            desk.database.write(work)
            for question in ("Summarise my emails", "What are my emails about?"):
                message = (await desk.ask(question))[-1].message
                assert message.worked_through
                assert {source.passage.document_id for source in message.sources} == {mail.id}
                assert "Kelvin 9" in message.text
            # None of 2023: no sentence with "2023" in it will do.
            message = (await desk.ask("Summarise the documents from 2023"))[-1].message
            assert not message.worked_through

    run(main())


def test_of_a_document_that_is_too_long_it_is_said_how_much_was_read(open_desk, monkeypatch):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            monkeypatch.setattr(material, "_MOST_PASSAGES", 3)
            message = (await desk.ask("Summarise the lease"))[-1].message
            assert message.text.endswith("Of Lease.pdf the first 3 of 4 passages were read.")

    run(main())


def test_what_is_looked_for_in_all_documents_is_not_forgotten(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            await desk.shelve("Offer Brenner.pdf", BRENNER)
            message = (await desk.ask("List all deadlines in all my documents"))[-1].message
            assert message.worked_through
            assert "third working day" in message.text
            assert "30 June 2024" in message.text
            message = (await desk.ask("Summarise the notice period in all documents"))[-1].message
            assert "three months’ notice" in message.text
            assert "Kelvin 9" not in message.text
            message = (await desk.ask("Summarise all of my documents"))[-1].message
            assert "Kelvin 9" in message.text

    run(main())


def test_this_means_the_document_of_the_answer_before(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            lease = await desk.shelve()
            await desk.shelve("Offer Brenner.pdf", BRENNER)
            first = (await desk.ask("How long is the notice period?"))[-1].message
            assert first.sources[0].passage.document_id == lease.id
            then = (await desk.ask("Summarise this", conversation_id=first.conversation_id))[-1].message
            cited = {
                source.passage.document_id
                for source in first.sources
                if source.number == first.citations[0].source
            }
            assert {source.passage.document_id for source in then.sources} == cited

    run(main())


def test_a_library_that_is_too_large_is_read_in_part_and_the_answer_says_so(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            for number in range(14):
                await desk.shelve(
                    f"Note {number}.pdf", [f"Note\n\nThe house number {number} belongs to the old mill."]
                )
            message = (await desk.ask("Summarise all documents"))[-1].message
            assert message.text.endswith("Read 12 of 14 documents.")
            assert len(message.sources) == 12

    run(main())


class Renewed:
    """The real embedding model as another one, of half the dimension."""

    def __init__(self, embedder) -> None:
        self._embedder = embedder
        self.sha256 = "f" * 64

    def __getattr__(self, name):
        return getattr(self._embedder, name)

    async def embed(self, texts, **options):
        rows = (await self._embedder.embed(texts, **options))[:, ::2]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_another_embedding_model_that_takes_over_meanwhile_does_no_harm(open_desk, lend, models):
    async def main():
        lent = lend()
        first, renewed = await models.embedder(), Renewed(await models.embedder())
        async with open_desk(lent, answer_style="quote") as desk:
            await desk.shelve()
            await desk.shelve("Offer Brenner.pdf", BRENNER)
            for question in ("Summarise everything", "Summarise the deposit", "List all wages"):
                given = iter([first])

                async def embedder(given=given):
                    return next(given, renewed)

                lent.embedder = embedder
                ended = (await desk.ask(question))[-1]
                assert isinstance(ended, Finished), question

    run(main())


def test_a_page_of_catchwords_is_better_than_nothing(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve("Table.csv", ["pump;17;oil", "valve;3;water"])
            message = (await desk.ask("Summarise Table.csv"))[-1].message
            assert "pump;17;oil" in message.text

    run(main())


def test_where_nothing_has_to_do_with_it_the_question_is_looked_up_like_any_other(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            message = (await desk.ask("List all submarines"))[-1].message
            assert message.state == "complete"
            assert not message.worked_through
            assert message.text

    run(main())


def test_a_fact_is_not_worked_through(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            events = await desk.ask("How much is the rent?")
            assert not any(isinstance(event, Progress) for event in events)
            assert not events[-1].message.worked_through

    run(main())


def test_stopping_while_it_reads_ends_it_at_once_and_keeps_the_question(open_desk, monkeypatch):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            never = asyncio.Event()
            reading = asyncio.Event()

            async def slow(*_):
                reading.set()
                await never.wait()

            monkeypatch.setattr(desk.backend.ask._retriever, "embed", slow)
            events = []
            stream = desk.backend.ask.ask(desk.user, "Summarise the lease", trace_id="t")
            async for event in stream:
                events.append(event)
                if isinstance(event, Progress) and not any(isinstance(one, Finished) for one in events):
                    await reading.wait()
                    assert await desk.backend.ask.stop(desk.user, events[0].answer_id)
            message = events[-1].message
            assert message.state == "stopped"
            assert message.text == ""
            detail = await desk.backend.conversations.get(desk.user, message.conversation_id)
            assert [one.role for one in detail.messages] == ["user", "assistant"]

    run(main())


def test_a_document_that_is_deleted_meanwhile_leaves_a_whole_answer(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            lease = await desk.shelve()
            stream = desk.backend.ask.ask(desk.user, "Summarise the lease", trace_id="t")
            async for event in stream:
                if isinstance(event, Progress) and event.done == 0:
                    await desk.backend.documents.delete(desk.user, lease.id)
            assert event.message.state == "complete"
            with pytest.raises(NotFoundError):
                await desk.backend.documents.get(desk.user, lease.id)

    run(main())


def test_other_tools_get_it_too(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve()
            request = CompletionRequest(CARREL, (Said("user", "Summarise the lease"),))
            events = [
                event async for event in desk.backend.completions.complete(desk.user, request, trace_id="t")
            ]
            text = "".join(event.text for event in events if isinstance(event, Delta))
            assert "three months’ notice, given in writing.” [4]" in text
            assert "\n\nSources:\n[1] Lease.pdf, page 1" in text
            assert isinstance(events[-1], Completed)

    run(main())
