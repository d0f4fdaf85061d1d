"""What goes wrong while several answers run: nobody hangs, nobody is told what is not true."""

import asyncio
import resource
import subprocess
import sys
import textwrap

import pytest

from app.errors import AppError, DecodeError, ModelError
from app.serving import llama
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, End, Generation, Prompt

STORY = "Tell me a long story about a library."
PARIS = "Paris is the capital of France. Which city is the capital of France?"
LEASE = "The tenant pays the rent on the third working day. " * 40
HOURS = "The library opens at nine and closes at five. " * 45


def asked(engine, question, max_tokens=12, *, system=None):
    said = [ChatMessage("system", system)] if system else []
    return Generation(engine.encode([*said, ChatMessage("user", question)]), max_tokens)


async def outcome(engine, generation):
    """The text and the End, or the error; nothing comes after it."""
    items = []
    try:
        async for item in engine.generate(generation):
            items.append(item)
    except AppError as error:
        return error
    *pieces, end = items
    assert isinstance(end, End)
    return "".join(piece.text for piece in pieces), end


async def together(engine, *generations):
    return await asyncio.gather(*(outcome(engine, one) for one in generations))


def at_rest(engine):
    """The books are those of the model's memory, and nothing is taken."""
    context, cache = engine._loop.parts.context, engine._loop._cache
    held = {slot.number: context.held(slot.number) for slot in cache.slots}
    assert held == {slot.number: len(slot.tokens) for slot in cache.slots}
    assert cache.free_slots == len(cache.slots)
    assert engine.requests == 0
    assert not engine._loop._samplers
    return True


@pytest.fixture
def open_engine(models, tmp_path):
    """Engines over one folder of states, closed after the test."""
    made = []

    def open_engine(path=models.chat.path, **options):
        options = {"context_length": 2048, "slots": 2, "states": tmp_path / "states"} | options
        made.append(Engine(path, sha256="-", **options))
        made[-1].load()
        return made[-1]

    yield open_engine
    for engine in made:
        engine.close()


@pytest.mark.model
@pytest.mark.parametrize("fault", [llama.NO_SLOT, -1, -3, RuntimeError("a bug")])
@pytest.mark.parametrize("step", [0, 1, 2, 5, 9])
def test_a_step_that_fails_with_several_in_it_ends_no_others_and_the_next_are_answered(
    engine, tap, fault, step
):
    tap.instead.extend([*[None] * step, fault])

    outcomes = asyncio.run(together(engine, *(asked(engine, STORY, 30) for _ in range(6))))

    failed = [one for one in outcomes if isinstance(one, DecodeError)]
    several = len(tap.batches[step]) > 1
    assert len(failed) == 0 if several and isinstance(fault, int) else 1 <= len(failed) <= 4
    assert all(one in failed or one[1].reason in ("length", "stop") for one in outcomes)
    text, _ = asyncio.run(outcome(engine, asked(engine, PARIS, 8)))
    assert "Paris" in text
    assert at_rest(engine)


@pytest.mark.model
def test_of_several_in_a_step_only_the_one_that_cannot_be_computed_ends(engine):
    """A prompt with a token that the vocabulary does not have."""
    engine.forget()
    questions = [asked(engine, f"{STORY} It is number {number}.", 12) for number in range(3)]
    prompt = questions[0].prompt
    broken = Generation(Prompt("", (*prompt.tokens[:20], 10_000_000, *prompt.tokens[20:])), 12)

    *answers, refused = asyncio.run(together(engine, *questions, broken))

    assert isinstance(refused, DecodeError)
    assert all(end.usage.completion_tokens == 12 for _, end in answers)
    assert at_rest(engine)


@pytest.mark.model
@pytest.mark.parametrize("step", [0, 1, 3, 6])
def test_a_step_that_is_stopped_with_several_in_it_changes_no_answer(engine, tap, step):
    engine.forget()
    questions = [asked(engine, f"{STORY} It is number {number}.", 16) for number in range(4)]
    undisturbed = [text for text, _ in asyncio.run(together(engine, *questions))]
    engine.forget()
    tap.instead.extend([*[None] * step, llama.ABORTED, None, llama.ABORTED])

    disturbed = [text for text, _ in asyncio.run(together(engine, *questions))]

    assert [text[:12] for text in disturbed] == [text[:12] for text in undisturbed]
    assert at_rest(engine)


@pytest.mark.model
def test_a_copy_that_is_under_way_is_not_overwritten_by_what_comes_from_disk(open_engine):
    """Two begin in one step: one copies from the slot into which the other is restored."""
    engine = open_engine()
    hours = asked(engine, "When does it open?", system=HOURS)
    asyncio.run(outcome(engine, hours))
    engine.close()
    engine = open_engine()
    rent = asked(engine, "When is the rent paid?", system=LEASE)
    asyncio.run(
        outcome(engine, asked(engine, "Say all of it again in your own words. " * 60, 1, system=LEASE))
    )

    (about_rent, _), (about_hours, _) = asyncio.run(together(engine, rent, hours))

    assert "rent" in about_rent
    assert "library" in about_hours
    assert at_rest(engine)


@pytest.mark.model
def test_no_memory_for_scoring_ends_the_scoring_and_no_answer(new_engine, monkeypatch):
    engine = new_engine()

    def no_memory(_parts):
        raise ModelError("A context of 2,048 tokens could not be made.")

    prefix = Prompt("", tuple(engine._parts.tokens("The capital of France is")))

    async def both():
        scorings = (engine.score(prefix, [" Paris"]) for _ in range(4))
        answer, *scored = await asyncio.gather(
            outcome(engine, asked(engine, PARIS, 30)), *scorings, return_exceptions=True
        )
        return answer, scored

    with monkeypatch.context() as patch:
        patch.setattr(type(engine._parts), "scoring_context", no_memory)
        (text, _), scored = asyncio.run(both())

    assert "Paris" in text
    assert all(isinstance(error, ModelError) and "could not be made" in error.message for error in scored)
    assert len(asyncio.run(engine.score(prefix, [" Paris"]))) == 1
    assert at_rest(engine)


@pytest.mark.model
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "noise", "count"])
def test_a_damaged_state_costs_time_and_no_answer(open_engine, tmp_path, damage):
    engine = open_engine()
    rent = asked(engine, "When is the rent paid?", system=LEASE)
    expected, _ = asyncio.run(outcome(engine, rent))
    engine.close()
    (path,) = (tmp_path / "states").iterdir()
    raw = path.read_bytes()
    path.write_bytes(
        {
            "cut": raw[:-100],
            "flipped": raw[:-100] + bytes([raw[-100] ^ 1]) + raw[-99:],
            "empty": b"",
            "noise": bytes(4_096),
            "count": raw.replace(b'"tokens": 4', b'"tokens": 3', 1),
        }[damage]
    )

    engine = open_engine()
    text, end = asyncio.run(outcome(engine, rent))

    assert text == expected
    assert end.usage.cached_tokens == 0
    assert at_rest(engine)


@pytest.mark.model
def test_of_the_states_of_several_documents_each_question_gets_its_own(open_engine):
    engine = open_engine()
    documents = (LEASE, HOURS, LEASE + "Pets are allowed.", HOURS[:1_000] + HOURS)
    asks = ("When is the rent paid?", "When does the library open?") * 2
    questions = [asked(engine, ask, system=document) for ask, document in zip(asks, documents, strict=True)]
    for one in questions:
        asyncio.run(outcome(engine, one))
    engine.close()
    engine = open_engine()

    found = asyncio.run(together(engine, *questions))

    for word, (text, _) in zip(("third", "nine") * 2, found, strict=True):
        assert word in text
    assert any(end.usage.cached_tokens > 400 for _, end in found)
    assert at_rest(engine)


@pytest.mark.model
@pytest.mark.skipif(sys.platform == "win32", reason="a limit of POSIX")
def test_a_disk_that_is_full_costs_time_and_no_answer(models, tmp_path):
    """The child may write files of 100 kB at most; a state takes megabytes."""
    script = f"""
        import asyncio
        from pathlib import Path
        from app.serving.engine import Engine
        from app.serving.generation import ChatMessage, Generation
        states = Path({str(tmp_path)!r}) / "states"
        engine = Engine(Path({str(models.chat.path)!r}), context_length=1024, sha256="-", states=states)
        engine.load()
        asked = ChatMessage("user", "When is the rent paid?")
        prompt = engine.encode([ChatMessage("system", {LEASE!r}), asked])
        async def answer():
            items = [item async for item in engine.generate(Generation(prompt, 12))]
            return "".join(item.text for item in items[:-1])
        first = asyncio.run(answer())
        slot = next(slot for slot in engine._loop._cache.slots if slot.tokens)
        while slot.kept < len(slot.tokens):
            pass
        assert asyncio.run(answer()) == first and "rent" in first, first
        engine.close()
        print(sorted(path.name for path in states.iterdir()))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
