"""What a conversation has read stays in front of the model, as long as it may and fits."""

import asyncio
import itertools

import pytest

from app.backend.ask import budget
from app.backend.ask.candidates import Candidate
from app.backend.ask.standing import Standing
from app.database.documents import Documents
from app.events import Finished, Retrieved
from app.filters import EVERYTHING, Filter
from app.records import Manner

LARGE = 4_000_000_000
RENT = "§ 3 Rent\n\nThe rent is 1,180 euros a month, without heating."
WROTE = "Three months, in writing [1]."
# Enough about one matter that not all of it is found at once; it fits in the window of the test's model.
SECTIONS = [
    f"§ {number} Part {number}\n\nThe notice period of part {number} is {number} months, in writing."
    for number in range(1, 13)
]
ANSWER = 60  # tokens


def run(coroutine):
    async def bounded():
        async with asyncio.timeout(120):
            return await coroutine

    return asyncio.run(bounded())


def answer_of(events):
    (finished,) = [event for event in events if isinstance(event, Finished)]
    return finished.message


async def conversation(desk, *questions, **options):
    """The questions in one conversation, one after the other; the answers."""
    answers = []
    for question in questions:
        conversation_id = answers[-1].conversation_id if answers else None
        events = await desk.ask(question, conversation_id=conversation_id, **options)
        answers.append(answer_of(events))
    return answers


def prompts(engine):
    return [generation.prompt.messages for generation in engine.generations]


def numbers(sources):
    return {source.passage.id: source.number for source in sources}


@pytest.mark.model
def test_the_next_question_comes_after_what_was_read_and_brings_only_what_is_new(open_desk, lend, script):
    engine = script(WROTE, size=LARGE)

    async def main():
        async with open_desk(lend(engine), answer_tokens=ANSWER) as desk:
            await desk.shelve(pages=SECTIONS)
            return await conversation(desk, "What is the notice period of part 3?", "And of part 12?")

    before, after = run(main())
    first, second = prompts(engine)
    assert [(turn.role, turn.content) for turn in second[: len(first)]] == [
        (turn.role, turn.content) for turn in first
    ]
    assert (second[-2].role, second[-2].content) == ("assistant", WROTE)
    read = "\n".join(turn.content for turn in second)
    for source in after.sources:
        assert read.count(f"[{source.number}] Lease.pdf, page {source.passage.page}, ") == source.read
    marks = [source.number for source in after.sources]
    assert len(marks) == len(set(marks))
    kept = {source.passage.id for source in before.sources if source.read}
    assert {number: mark for number, mark in numbers(after.sources).items() if number in kept} == {
        number: mark for number, mark in numbers(before.sources).items() if number in kept
    }
    assert kept <= {source.passage.id for source in after.sources if source.read}
    assert any("of part 12 is 12 months" in source.passage.text and source.read for source in after.sources)
    assert after.found >= sum(source.read for source in after.sources)


@pytest.mark.model
def test_a_follow_up_has_only_a_share_read_anew_and_the_rest_on_request(open_desk, lend, script):
    engine = script(WROTE, size=LARGE)

    async def main():
        async with open_desk(lend(engine), answer_tokens=ANSWER) as desk:
            await desk.shelve(pages=SECTIONS)
            answers = await conversation(desk, "What is the notice period of part 3?", "And of part 12?")
            events = await desk.ask(
                "And of part 12?",
                conversation_id=answers[0].conversation_id,
                manner=Manner(read_all=True),
            )
            return answers[1], answer_of(events)

    follow_up, everything = run(main())
    first, second, third = (len(generation.prompt.tokens) for generation in engine.generations)
    longest = max(engine.count(text) for text in SECTIONS) + 60  # with its place, and the turn around it
    assert second - first <= first // budget.FOLLOW_UP + longest
    assert follow_up.timings.unread_ms > 0
    assert all(source.read for source in everything.sources)
    assert len(everything.sources) == len(SECTIONS)
    assert third > second
    assert everything.timings.unread_ms == 0


@pytest.mark.model
def test_what_was_read_is_not_computed_again(open_desk, lend, script):
    engine = script(size=LARGE)

    async def main():
        async with open_desk(lend(engine), answer_tokens=ANSWER) as desk:
            await desk.shelve(pages=SECTIONS)
            return await conversation(desk, "What is the notice period of part 3?", "And of part 12?")

    before, after = run(main())
    assert after.usage.cached_tokens >= before.usage.prompt_tokens
    assert after.usage.prompt_tokens - after.usage.cached_tokens <= before.usage.prompt_tokens // 4


@pytest.mark.model
def test_a_sentence_may_rest_on_what_was_read_for_an_earlier_question(open_desk, lend, script):
    engine = script("The rent is 1,180 euros a month, without heating [1].", size=LARGE)

    async def main():
        async with open_desk(lend(engine), answer_tokens=ANSWER) as desk:
            await desk.shelve("Rent.pdf", [RENT])
            asked = "What is the notice period of part 3?"
            first = answer_of(await desk.ask("How much is the rent?"))
            await desk.shelve(pages=SECTIONS)
            events = await desk.ask(asked, conversation_id=first.conversation_id)
            return first, events[0], answer_of(events)

    first, found, after = run(main())
    assert isinstance(found, Retrieved)
    (citation,) = after.citations
    assert citation.verdict == "supported"
    cited = next(source for source in after.sources if source.number == citation.source)
    assert cited.passage == first.sources[0].passage


@pytest.mark.model
def test_a_greeting_in_between_stands_there_as_a_turn(open_desk, lend, script):
    engine = script(WROTE, size=LARGE)

    async def main():
        async with open_desk(lend(engine), answer_tokens=ANSWER) as desk:
            await desk.shelve(pages=SECTIONS)
            await conversation(desk, "What is the notice period of part 3?", "Thanks!", "And of part 12?")

    run(main())
    first, second = prompts(engine)
    between = second[len(first) + 1 : -1]
    assert [turn.role for turn in between] == ["user", "assistant"]
    assert between[0].content == "Thanks!"


def begun_anew(engine):
    first, *_, last = prompts(engine)
    asked = first[-1].content
    return all(turn.content != asked for turn in last)


@pytest.mark.model
@pytest.mark.parametrize("what", ["removed", "changed", "left out"])
def test_what_may_not_be_read_any_more_is_not_in_front_of_the_model(open_desk, lend, script, what):
    engine = script(WROTE, size=LARGE)

    async def main():
        async with open_desk(lend(engine), answer_tokens=ANSWER) as desk:
            lease, other = await desk.shelve(pages=SECTIONS), await desk.shelve("Rent.pdf", [RENT])
            (first,) = await conversation(desk, "What is the notice period of part 3?")
            limited = EVERYTHING
            if what == "removed":
                await asyncio.to_thread(Documents(desk.database).delete, desk.user, lease.id)
            elif what == "changed":
                page = "UPDATE pages SET text = replace(text, 'months', 'weeks') WHERE number = 3"
                desk.database.write(lambda db: db.execute(page))
            else:
                limited = Filter(documents=(other.id,))
            await desk.ask("How much is the rent?", conversation_id=first.conversation_id, limited=limited)

    run(main())
    assert begun_anew(engine)


@pytest.mark.model
def test_a_question_that_limits_itself_is_not_answered_from_what_was_read_elsewhere(open_desk, lend, script):
    engine = script(WROTE, size=LARGE)

    async def main():
        async with open_desk(lend(engine), answer_tokens=ANSWER) as desk:
            await desk.shelve(pages=SECTIONS)
            rent = await desk.shelve("Rent.pdf", [RENT])
            asked = "What is the notice period of part 3?"
            _, after = await conversation(desk, asked, "How much is the rent in Rent.pdf?")
            assert {source.passage.document_id for source in after.sources} == {rent.id}
            # What it names is what was read: that may stay.
            await conversation(desk, "How much is the rent in Rent.pdf?", "When is it due, by Rent.pdf?")

    run(main())
    first, second, third, fourth = prompts(engine)
    assert first[-1].content not in [turn.content for turn in second]
    assert fourth[: len(third)] == third


@pytest.mark.model
def test_where_the_window_is_full_the_prompt_is_begun_anew_and_fits(open_desk, lend, script):
    engine = script(WROTE, size=LARGE)
    asked = [
        f"What does part {number} say about its owner, and what of part {13 - number}?"
        for number in range(1, 8)
    ]

    async def main():
        async with open_desk(lend(engine), answer_tokens=ANSWER) as desk:
            await desk.shelve(pages=[section + section[8:] * 2 for section in SECTIONS])
            return await conversation(desk, *asked)

    answers = run(main())
    lengths = [len(generation.prompt.tokens) for generation in engine.generations]
    assert any(later < earlier for earlier, later in itertools.pairwise(lengths))
    for generation in engine.generations:
        assert len(generation.prompt.tokens) + generation.max_tokens <= engine.context_length
        assert generation.max_tokens == ANSWER
    for answer in answers:
        assert len({source.number for source in answer.sources}) == len(answer.sources)


def test_neighbours_that_were_read_as_one_keep_their_mark(source):
    whole = source("The first part. The second part.", 4, id=7, start=10, end=42)
    standing = Standing((), (whole,), 8)
    part = source("The second part.", 1, id=8, start=26, end=42).passage
    wider = source("Before. The first part.", 2, id=7, start=2, end=25).passage
    elsewhere = source("The second part.", 3, id=9, start=26, end=42, page=2).passage

    listed = standing.numbered([Candidate(one, 0.5, 0.0) for one in (part, whole.passage, wider, elsewhere)])

    assert [(one.number, one.read, one.passage.id) for one in listed] == [
        (4, True, 7),
        (9, False, 7),
        (10, False, 9),
    ]
