"""The engine with drafts put into its mouth: whatever they say, the answer is the one it gives without.

Up to the last bits of its scores, which llama.cpp rounds by the shape of a batch: answers here are
shorter than those for which that is seen (see test_alone_and_together.py).
"""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from app.serving import llama
from app.serving.engine import Engine
from app.serving.generation import Asker, ChatMessage, End, Generation, Prompt, Sampling

BEGIN = (1, *range(5, 45))
WAYS = [
    {},
    {"temperature": 1.0, "seed": 3},
    {"temperature": 1.0, "seed": 4, "top_k": 0, "typical_p": 0.9, "repeat_penalty": 1.3},
    {"temperature": 1.0, "seed": 5, "xtc_probability": 0.5, "xtc_threshold": 0.01},
    {"temperature": 1.0, "seed": 6, "mirostat": 2},
    {"dry_multiplier": 1.0, "dry_allowed_length": 1, "frequency_penalty": 0.5},
    {"temperature": 1.0, "seed": 7, "grammar": 'root ::= ("ab" | "abc" | [a-z ])*'},
    {"json_schema": '{"type": "array", "items": {"enum": ["the", "he", "th"]}, "maxItems": 9}'},
]


@dataclass(frozen=True)
class Answer:
    tokens: tuple[int, ...]
    text: str
    reason: str
    logprobs: list[float] = field(compare=False)


class Guesser:
    """In the place of the Drafter: guesses a text of which every so many tokens are wrong."""

    def __init__(self, text=(), wrong_every=0, most=15):
        self.text, self.wrong_every, self.most = text, wrong_every, most
        self.made = self.right = 0

    def draft(self, sequence, most):
        at = sequence.sampled
        guess = list(self.text[at : at + min(most, self.most)])
        if self.wrong_every:
            for place in range(len(guess)):
                if (at + place) % self.wrong_every == self.wrong_every - 1:
                    guess[place] = 3 + (guess[place] + 1) % 200
        return tuple(guess)

    def took(self, sequence, drafted, right, seconds):
        self.made += drafted
        self.right += right

    def forget(self, sequence):
        pass


@pytest.fixture
def ask(monkeypatch):
    """Ask an engine that holds nothing, with a Guesser or without; all that is to be compared."""

    def ask(engine, generation, guesser=None):
        engine.forget()
        asked = []
        put = engine._inbox.put
        with monkeypatch.context() as patch:
            patch.setattr(engine._loop, "_drafter", guesser)
            patch.setattr(engine._inbox, "put", lambda request: (asked.append(request), put(request)))

            async def run():
                return [item async for item in engine.generate(generation)]

            *pieces, end = asyncio.run(run())
        assert isinstance(end, End)
        assert at_rest(engine)
        told = [logprob.logprob for piece in pieces for logprob in piece.logprobs]
        tokens = tuple(asked[0].tokens[asked[0].prompt_tokens :])
        assert len(tokens) == end.usage.completion_tokens
        text = "".join(piece.text for piece in pieces)
        return Answer(tokens, text, end.reason, told)

    return ask


def at_rest(engine):
    """The books are those of the model's memory, and nothing is taken."""
    context, cache = engine._loop.parts.context, engine._loop._cache
    held = {slot.number: context.held(slot.number) for slot in cache.slots}
    assert held == {slot.number: len(slot.tokens) for slot in cache.slots}
    assert cache.free_slots == len(cache.slots)
    return True


@pytest.fixture(scope="module")
def quick(tiny):
    """A tiny random model: it says nothing, quickly, and never more than 256 tokens."""
    engine = Engine(tiny("llama"), sha256="-", slots=2)
    engine.load()
    yield engine
    engine.close()


@pytest.mark.parametrize("wrong_every", [0, 1, 2, 3, 7, 16])
@pytest.mark.parametrize("way", WAYS)
def test_an_answer_is_the_same_wherever_its_drafts_are_wrong(quick, ask, way, wrong_every):
    generation = Generation(Prompt("", BEGIN), 60, Sampling(**way), logprobs=3)
    plain = ask(quick, generation)
    guesser = Guesser(plain.tokens, wrong_every)

    drafted = ask(quick, generation, guesser)

    assert drafted == plain
    assert drafted.logprobs == pytest.approx(plain.logprobs, abs=1e-3)
    assert guesser.made > 0
    if wrong_every != 1:
        assert guesser.right > 0


def test_a_right_draft_saves_steps(quick, ask, monkeypatch):
    generation = Generation(Prompt("", BEGIN), 64)
    plain = ask(quick, generation)
    steps = []
    decode = quick._loop.parts.context.decode
    monkeypatch.setattr(
        quick._loop.parts.context, "decode", lambda rows: (steps.append(rows), decode(rows))[1]
    )

    assert ask(quick, generation, Guesser(plain.tokens)) == plain
    assert len(steps) == 1 + 4  # the prompt gives the first token; then 16 a step, at most


@pytest.mark.parametrize("max_tokens", range(1, 20))
def test_an_answer_with_drafts_stops_at_its_last_allowed_token(quick, ask, max_tokens):
    plain = ask(quick, Generation(Prompt("", BEGIN), max_tokens))

    assert ask(quick, Generation(Prompt("", BEGIN), max_tokens), Guesser(plain.tokens + (9,) * 20)) == plain
    assert plain.reason == "length"


@pytest.mark.parametrize("left", [1, 2, 3, 9, 16, 17, 18])
def test_an_answer_with_drafts_ends_where_the_context_does(quick, ask, left):
    prompt = Prompt("", (1, *[7] * (quick.context_length - left - 1)))
    plain = ask(quick, Generation(prompt, 500))

    assert ask(quick, Generation(prompt, 500), Guesser(plain.tokens + (9,) * 20)) == plain
    assert (plain.reason, len(plain.tokens)) == ("length", left)


def test_a_stop_string_within_a_draft_ends_the_answer_before_it(quick, ask):
    whole = ask(quick, Generation(Prompt("", BEGIN), 40))
    text = whole.text
    for at in range(1, len(text) - 2, 3):
        stops = Generation(Prompt("", BEGIN), 40, stop=(text[at : at + 2],))
        plain = ask(quick, stops)
        assert plain.reason == "stop"
        assert ask(quick, stops, Guesser(whole.tokens)) == plain


@pytest.mark.parametrize("at", range(12))
def test_an_end_of_turn_within_a_draft_ends_the_answer(quick, ask, monkeypatch, at):
    whole = ask(quick, Generation(Prompt("", BEGIN), 12)).tokens
    ends = quick._parts.native.ends
    monkeypatch.setattr(quick._parts.native, "ends", lambda token: ends(token) or token == whole[at])
    plain = ask(quick, Generation(Prompt("", BEGIN), 12))

    assert plain.reason == "stop"
    assert ask(quick, Generation(Prompt("", BEGIN), 12), Guesser(whole)) == plain


def test_an_answer_whose_drafts_were_wrong_leaves_the_next_turn_its_memory(quick, ask):
    generation = Generation(Prompt("", BEGIN), 30)
    plain = ask(quick, generation)
    ask(quick, generation, Guesser(plain.tokens, wrong_every=4))
    more = Prompt("", (*BEGIN, *plain.tokens, 9, 9))

    async def go_on():
        return [item async for item in quick.generate(Generation(more, 8))][-1]

    assert asyncio.run(go_on()).usage.cached_tokens == len(BEGIN) + len(plain.tokens) - 1


def test_an_urgent_question_in_the_middle_of_drafts_changes_no_answer(tiny, ask, monkeypatch):
    engine = Engine(tiny("llama"), sha256="-", slots=1)
    engine.load()
    generation = Generation(Prompt("", BEGIN), 150)
    plain = ask(engine, generation).text
    monkeypatch.setattr(engine._loop, "_drafter", Guesser(ask(engine, generation).tokens, 5, most=3))

    async def disturbed():
        async def text(asked, begun=None):
            pieces = []
            async for item in engine.generate(asked):
                pieces.append("" if isinstance(item, End) else item.text)
                if begun is not None:
                    begun.set()
            return "".join(pieces)

        begun = asyncio.Event()
        running = asyncio.ensure_future(text(generation, begun))
        await begun.wait()
        await text(Generation(Prompt("", (1, 9, 9, 9)), 4, asker=Asker(urgent=True)))
        return await running

    assert asyncio.run(disturbed()) == plain
    assert at_rest(engine)
    engine.close()


def test_giving_up_in_the_middle_of_drafts_leaves_the_books_right(quick, ask, monkeypatch, load):
    whole = ask(quick, Generation(Prompt("", BEGIN), 150)).tokens
    monkeypatch.setattr(quick._loop, "_drafter", Guesser(whole, wrong_every=3))
    chance = random.Random(1)

    async def give_up():
        answer = quick.generate(Generation(Prompt("", BEGIN), 150))
        for _ in range(chance.randrange(1, 9)):
            await anext(answer)
        await answer.aclose()

    for _ in range(20):
        asyncio.run(give_up())
    load.rest(quick)


@pytest.mark.parametrize("code", [llama.NO_SLOT, -1, -3])
def test_a_step_that_is_refused_with_a_draft_is_made_again_without(quick, ask, monkeypatch, code):
    generation = Generation(Prompt("", BEGIN), 40)
    plain = ask(quick, generation)
    context = quick._loop.parts.context
    decode = context.decode
    monkeypatch.setattr(
        context, "decode", lambda rows: code if any(row.drafted for row in rows) else decode(rows)
    )

    assert ask(quick, generation, Guesser(plain.tokens)) == plain


@pytest.mark.parametrize(
    ("architecture", "options"), [("mamba", {}), ("lfm2", {}), ("gemma2", {"window": 32})]
)
def test_a_model_whose_memory_cannot_be_cut_never_drafts(tiny, architecture, options):
    engine = Engine(tiny(architecture, **options), sha256="-")
    engine.load()

    assert engine._loop._drafter is None
    assert engine._loop.parts.drafts == 0
    engine.close()


def test_it_can_be_switched_off(tiny):
    engine = Engine(tiny("llama"), sha256="-", drafting="off")
    engine.load()

    assert engine._loop._drafter is None
    engine.close()


@pytest.mark.model
def test_the_bundled_model_quotes_the_same_in_fewer_steps(new_engine, ask):
    engine = new_engine(slots=1, drafting="automatic")
    drafter = engine._loop._drafter
    passage = "The tenant pays the rent of 512 euros on the third working day of each month, in advance."
    question = f"Repeat this text word for word, twice:\n\n{passage}"
    generation = Generation(engine.encode([ChatMessage("user", question)]), 70)
    plain = ask(engine, generation)
    guesser = Guesser(plain.tokens, wrong_every=9)

    assert len(generation.prompt.tokens) + 70 < 256
    assert ask(engine, generation, guesser) == plain
    assert guesser.right >= 20
    assert ask(engine, generation, drafter) == plain
