import asyncio
from contextlib import aclosing

import numpy as np
import pytest

from app.backend.ask.brief import Brief
from app.backend.ask.evidence import Evidence
from app.backend.ask.quoting import NOTHING_SAYS
from app.backend.ask.reciting import Quote
from app.backend.ask.writing import Writing
from app.errors import DecodeError
from app.events import Checked, Delta
from app.records import Usage
from app.serving.generation import End, Generation, Piece, Prompt, Sampling

NOTICE = "Either party may end the lease with three months’ notice, given in writing."
QUESTION = "How long is the notice period?"
PROMPT = Prompt("Say it.", (1, 2, 3))


class Pen:
    """Writes a script; each entry is a text, an exception, or an event to wait for."""

    def __init__(self, *script: object) -> None:
        self.script = script
        self.closed = False
        self.waiting = asyncio.Event()

    async def generate(self, generation: Generation):
        tokens = 0
        try:
            for entry in self.script:
                if isinstance(entry, asyncio.Event):
                    self.waiting.set()
                    await entry.wait()
                elif isinstance(entry, Exception):
                    raise entry
                else:
                    tokens += 1
                    yield Piece(entry, 1)
            yield End("stop", Usage(3, tokens), 5.0, 7.0)
        finally:
            self.closed = True


@pytest.fixture
def writing(source):
    def writing(
        pen: Pen, *, guarded: bool = False, above: bool = False, quotable: bool = True, embed=None
    ) -> Writing:
        sources = (source(NOTICE),)
        generation = Generation(PROMPT, 100, Sampling())
        quote = Quote(1, 0, len(NOTICE), NOTICE)
        brief = Brief(
            engine=pen,
            sources=sources,
            found=1,
            evidence=Evidence(sources, QUESTION),
            generation=generation,
            guarded=guarded,
            quote=quote if guarded and quotable and not above else None,
            embed_ms=0.0,
            search_ms=0.0,
            prompt_ms=0.0,
            above=quote if above else None,
            embed=embed,
        )
        return Writing(brief, generation)

    return writing


def run(coroutine):
    async def bounded():
        async with asyncio.timeout(30):
            return await coroutine

    return asyncio.run(bounded())


async def collect(writing: Writing) -> list:
    return [event async for event in writing.events()]


def test_pieces_that_come_together_go_out_together(writing):
    pen = Pen(*"The notice period is three months.")
    events = run(collect(writing(pen)))
    deltas = [event for event in events if isinstance(event, Delta)]
    assert "".join(delta.text for delta in deltas) == "The notice period is three months."
    assert len(deltas) < 5


def test_the_first_piece_goes_out_at_once(writing):
    async def main():
        gate = asyncio.Event()
        pen = Pen("It", gate, " is three months.")
        async with aclosing(writing(pen).events()) as events:
            assert await anext(events) == Delta("It")
            gate.set()

    run(main())


def test_a_check_follows_the_text_it_speaks_of(writing):
    events = run(collect(writing(Pen("It is three months. ", "It is ", "given in writing."))))
    shown = 0
    for event in events:
        if isinstance(event, Delta):
            shown += len(event.text)
        elif isinstance(event, Checked):
            assert all(one.end <= shown for one in event.citations)
    assert sum(isinstance(event, Checked) for event in events) >= 1


def test_what_was_written_and_what_was_shown_are_both_kept(writing):
    one = writing(Pen("It is three months [1", "]", "."))
    run(collect(one))
    assert (one.raw, one.text) == ("It is three months [1].", "It is three months.")
    assert one.usage == Usage(3, 3)
    assert (one.reason, one.prefill_ms, one.decode_ms) == ("stop", 5.0, 7.0)


def test_an_engine_that_fails_is_heard_and_what_was_shown_stays(writing):
    async def main():
        one = writing(Pen("It is", DecodeError("No slot.")))
        with pytest.raises(DecodeError):
            await collect(one)
        assert one.text == "It is"
        assert one.usage == Usage(3, 1)

    run(main())


def test_stopped_before_the_first_piece_nothing_is_shown(writing):
    async def main():
        pen = Pen(asyncio.Event(), "Never.")
        one = writing(pen)
        reader = asyncio.create_task(collect(one))
        await pen.waiting.wait()
        one.stop()
        assert await reader == []
        assert pen.closed
        assert one.reason == "cancelled"

    run(main())


def test_left_by_its_reader_the_engine_is_released(writing):
    async def main():
        pen = Pen("It is", asyncio.Event(), "never.")
        async with aclosing(writing(pen).events()) as events:
            await anext(events)
        assert pen.closed

    run(main())


@pytest.mark.parametrize(
    ("wrote", "shown"),
    [
        ("The notice period is three months.", "The notice period is three months."),
        ("The answer is: three months.", "Three months."),
        ('The answer to the question is: "three months"', "Three months"),
        ("The notice period is three months. It is painted blue.", "The notice period is three months."),
        (
            "It is three months. It is three months. It is given in writing.",
            "It is three months. It is given in writing.",
        ),
    ],
)
def test_a_guarded_answer_shows_what_holds_and_nothing_else(writing, wrote, shown):
    one = writing(Pen(*wrote), guarded=True)
    events = run(collect(one))
    assert one.text == shown
    assert "".join(event.text for event in events if isinstance(event, Delta)) == shown
    assert all(citation.verdict == "supported" for citation in one.citations)
    assert one.raw == wrote


@pytest.mark.parametrize("wrote", ["Twelve days.", "Yes.", "", "The flat is a luxury villa in Rome."])
def test_a_guarded_answer_without_ground_is_the_passage_itself(writing, wrote):
    one = writing(Pen(wrote), guarded=True)
    run(collect(one))
    (citation,) = one.citations
    assert one.text[citation.start : citation.end] == f"“{NOTICE}”"
    assert (citation.source, citation.quote_start, citation.quote_end) == (1, 0, len(NOTICE))


def test_where_nothing_holds_and_nothing_can_be_quoted_the_answer_says_so(writing):
    one = writing(Pen("Twelve days."), guarded=True, quotable=False)
    events = run(collect(one))
    assert one.text == "".join(event.text for event in events) == NOTHING_SAYS
    assert not one.citations


def test_a_guarded_answer_that_has_lost_its_thread_is_broken_off(writing):
    async def main():
        never = asyncio.Event()
        pen = Pen("The moon is blue. The sun is green. The sea", " is red and warm. And so", never)
        one = writing(pen, guarded=True)
        await collect(one)
        assert pen.closed
        assert one.reason == "stop"
        assert NOTICE in one.text

    run(main())


def test_a_stopped_guarded_answer_gets_no_quote(writing):
    async def main():
        pen = Pen("The moon", asyncio.Event())
        one = writing(pen, guarded=True)
        reader = asyncio.create_task(collect(one))
        await pen.waiting.wait()
        one.stop()
        await reader
        assert one.text == ""

    run(main())


@pytest.mark.parametrize("guarded", [False, True])
def test_the_best_quote_stands_above_and_the_checks_point_at_what_was_written(writing, guarded):
    work = writing(Pen("The notice ", "is three months."), guarded=guarded, above=True)
    events = run(collect(work))
    assert events[0] == Delta(f"“{NOTICE}”")
    assert work.text == f"“{NOTICE}”\n\nThe notice is three months."
    assert [work.text[one.start : one.end] for one in work.citations] == [
        f"“{NOTICE}”",
        "The notice is three months.",
    ]


def test_the_quote_above_does_not_wait_for_the_model(writing):
    async def main():
        gate = asyncio.Event()
        async with aclosing(writing(Pen(gate, "So."), above=True).events()) as events:
            assert await anext(events) == Delta(f"“{NOTICE}”")
            gate.set()

    run(main())


def test_where_nothing_that_was_written_holds_the_quote_above_is_all(writing):
    work = writing(Pen("Twelve years. ", "Nine euros."), guarded=True, above=True)
    run(collect(work))
    assert work.text == f"“{NOTICE}”"


@pytest.mark.parametrize(("near", "verdict"), [(0.1, "unsupported"), (0.9, "supported")])
def test_a_word_in_anothers_place_is_settled_by_meaning_before_the_check_goes_out(writing, near, verdict):
    async def embed(texts):
        return [np.array([1.0, 0.0]), np.array([near, (1 - near**2) ** 0.5])]

    said = NOTICE.replace("lease", "club")
    work = writing(Pen(said), embed=embed)
    events = run(collect(work))
    (checked,) = [event for event in events if isinstance(event, Checked)]
    assert [one.verdict for one in checked.citations] == [verdict]
    assert work.citations == list(checked.citations)
