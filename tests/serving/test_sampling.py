"""Each way of choosing tokens has its effect; values out of range are refused."""

import asyncio
import math
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.errors import InvalidRequestError
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, Generation, Sampling

STORY = "Tell me a story about a library."
REPEAT = "Repeat the word 'ha' many times: ha ha ha ha ha ha ha ha"


@pytest.fixture(scope="module")
def quick(tiny):
    """A tiny random model: it says nothing, quickly."""
    engine = Engine(tiny("llama"), sha256="-")
    engine.load()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def alone(models):
    """The bundled model with one place for answers.

    Where a prompt is read in other portions, because other parts of it were read before, its scores
    differ in their last bits, and a draw may fall to the next token.
    """
    engine = Engine(models.chat.path, context_length=1024, slots=1, sha256=models.chat.sha256)
    engine.load()
    yield engine
    engine.close()


def items(engine, question, max_tokens=12, *, logprobs=None, **sampling):
    engine.forget()  # what is in memory makes other batches, which round otherwise

    async def run():
        prompt = engine.encode([ChatMessage("user", question)])
        generation = Generation(prompt, max_tokens, Sampling(**sampling), logprobs=logprobs)
        return [item async for item in engine.generate(generation)]

    return asyncio.run(run())


def answer(engine, question, max_tokens=12, **sampling):
    *pieces, end = items(engine, question, max_tokens, **sampling)
    return "".join(piece.text for piece in pieces), end


def token_of(engine, text):
    (token,) = engine._loaded.native.tokenize(text.encode())
    return token


def repeats(text):
    """The share of words that stand right after themselves."""
    words = text.split()
    return sum(one == other for one, other in pairwise(words)) / max(len(words) - 1, 1)


@pytest.mark.model
def test_one_candidate_is_the_likeliest_token(engine):
    greedy, _ = answer(engine, STORY, 20)

    assert answer(engine, STORY, 20, temperature=1.5, top_k=1)[0] == greedy
    assert answer(engine, STORY, 20, temperature=1.5, top_k=0, min_p=1.0)[0] == greedy
    assert answer(engine, STORY, 20, temperature=1.5, top_k=0, top_p=0.0)[0] == greedy


@pytest.mark.model
@pytest.mark.parametrize(
    "options",
    [
        {"typical_p": 0.2, "top_k": 0},
        {"xtc_probability": 1.0, "xtc_threshold": 0.01},
        {"mirostat": 1, "mirostat_tau": 8.0},
        {"mirostat": 2, "mirostat_tau": 8.0},
        {"dry_multiplier": 5.0, "dry_allowed_length": 1, "dry_sequence_breakers": ()},
        {"logit_bias": ((28, -50.0), (30, 50.0))},
        {"repeat_penalty": 2.0},
        {"min_p": 0.5},
    ],
)
def test_each_way_changes_a_drawn_answer_and_a_seed_repeats_it(alone, options):
    plain, _ = answer(alone, STORY, 40, temperature=1.0, seed=5)
    changed, _ = answer(alone, STORY, 40, temperature=1.0, seed=5, **options)
    again, _ = answer(alone, STORY, 40, temperature=1.0, seed=5, **options)

    assert changed != plain
    assert again == changed


@pytest.mark.model
def test_a_bias_of_a_hundred_forces_a_token(engine):
    token = token_of(engine, " library")

    assert answer(engine, "Hi", 4, temperature=1.0, logit_bias=((token, 100.0),))[0] == " library" * 4


@pytest.mark.model
def test_a_bias_of_minus_a_hundred_and_a_ban_leave_a_token_out(engine):
    greedy, _ = answer(engine, "Is the sky blue? Answer yes or no.", 1)
    token = token_of(engine, greedy)

    assert answer(engine, "Is the sky blue? Answer yes or no.", 1, logit_bias=((token, -100.0),))[0] != greedy
    assert answer(engine, "Is the sky blue? Answer yes or no.", 1, banned=(token,))[0] != greedy


def test_a_banned_token_never_comes_in_two_hundred_draws(quick):
    native = quick._loaded.native
    kept = tuple(native.tokenize(b"abc"))
    banned = tuple(token for token in range(native.vocabulary_size) if token not in kept)

    text, end = answer(quick, "a", 200, temperature=5.0, top_k=0, min_p=0.0, top_p=1.0, seed=1, banned=banned)

    assert end.usage.completion_tokens == 200
    assert set(text) <= set(" abc")


@pytest.mark.model
@pytest.mark.parametrize(
    "options",
    [{"repeat_penalty": 1.5}, {"frequency_penalty": 1.5}, {"presence_penalty": 8.0}, {"dry_multiplier": 2.0}],
)
def test_what_punishes_repeats_makes_fewer(engine, options):
    plain, _ = answer(engine, REPEAT, 60)
    changed, _ = answer(engine, REPEAT, 60, **options)

    assert repeats(plain) > 0.8
    assert repeats(changed) < repeats(plain) / 2


@pytest.mark.parametrize(
    "sampling",
    [
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"top_p": 1.1},
        {"top_k": -1},
        {"top_k": 2.5},
        {"min_p": -0.1},
        {"typical_p": 1.1},
        {"typical_p": math.inf},
        {"repeat_penalty": 0.0},
        {"frequency_penalty": math.inf},
        {"presence_penalty": -101.0},
        {"dry_multiplier": -0.1},
        {"dry_base": 0.5},
        {"dry_allowed_length": 0},
        {"dry_penalty_last_n": -2},
        {"dry_sequence_breakers": ("",)},
        {"dry_sequence_breakers": ("x" * 41,)},
        {"dry_sequence_breakers": ("x",) * 17},
        {"xtc_probability": 1.5},
        {"xtc_threshold": math.nan},
        {"mirostat": 3},
        {"mirostat": 1.0},
        {"mirostat_tau": -1.0},
        {"mirostat_eta": math.inf},
        {"logit_bias": ((5, math.nan),)},
        {"logit_bias": ((5, 101.0),)},
        {"logit_bias": ((-1, 1.0),)},
        {"logit_bias": ((10**9, 1.0),)},
        {"logit_bias": tuple((token, 1.0) for token in range(1_025))},
        {"banned": (-1,)},
        {"banned": (10**9,)},
        {"grammar": "root"},
        {"grammar": 'root ::= "a"', "json_schema": "{}"},
        {"json_schema": "{"},
        {"json_schema": '{"type": "text"}'},
        {"logprobs": 21},
        {"logprobs": -1},
    ],
)
def test_what_no_sampler_can_do_is_refused_by_name(quick, sampling):
    with pytest.raises(InvalidRequestError) as refused:
        items(quick, "a", **sampling)

    names = [name.replace("logprobs", "top_logprobs").replace("banned", "logit_bias") for name in sampling]
    named = refused.value.message.replace("JSON schema", "json_schema")
    assert any(name in named for name in names)


def in_range(low, high):
    return st.floats(low, high, allow_nan=False)


ANY_SAMPLING = st.fixed_dictionaries(
    {},
    optional={
        "temperature": in_range(0, 100),
        "top_k": st.integers(0, 1_000_000),
        "top_p": in_range(0, 1),
        "min_p": in_range(0, 1),
        "typical_p": in_range(0, 1),
        "repeat_penalty": in_range(0.01, 100),
        "frequency_penalty": in_range(-100, 100),
        "presence_penalty": in_range(-100, 100),
        "seed": st.integers(-(2**63), 2**63 - 1),
        "dry_multiplier": in_range(0, 100),
        "dry_base": in_range(1, 100),
        "dry_allowed_length": st.integers(1, 1_000_000),
        "dry_penalty_last_n": st.integers(-1, 1_000_000),
        "dry_sequence_breakers": st.lists(st.text(min_size=1, max_size=10), max_size=4).map(tuple),
        "xtc_probability": in_range(0, 1),
        "xtc_threshold": in_range(0, 1),
        "mirostat": st.integers(0, 2),
        "mirostat_tau": in_range(0, 100),
        "mirostat_eta": in_range(0, 100),
        "logit_bias": st.lists(st.tuples(st.integers(0, 250), in_range(-100, 100)), max_size=5).map(tuple),
        "banned": st.lists(st.integers(0, 250), max_size=5).map(tuple),
        "grammar": st.sampled_from(
            ["root ::= [a-z ]{3,40}", 'root ::= ("the" | "a") " "? root | "."', "root ::= .*"]
        ),
        "logprobs": st.integers(0, 20),
    },
)


@given(ANY_SAMPLING)
@example({"temperature": 1.4e-45, "grammar": "root ::= [a-z ]{3,40}"})
@settings(max_examples=150)
def test_any_combination_in_range_gives_an_answer(quick, sampling):
    *pieces, end = items(quick, "abc", **sampling)

    assert end.reason in ("stop", "length")
    assert end.usage.completion_tokens > 0
    if sampling.get("logprobs") is not None:
        assert all(len(piece.logprobs) == piece.tokens for piece in pieces)


def test_a_grammar_that_allows_only_banned_tokens_is_an_error_of_its_answer(quick):
    native = quick._loaded.native
    letter = native.tokenize(b"a")[-1]

    with pytest.raises(InvalidRequestError, match="leaves no token"):
        items(quick, "a", grammar='root ::= "\\x07"', banned=tuple(range(native.vocabulary_size)))
    assert answer(quick, "a", 5, banned=(letter,))[1].usage.completion_tokens > 0


@pytest.mark.model
def test_likelihoods_are_those_of_the_raw_scores(engine):
    *pieces, _ = items(engine, STORY, 12, logprobs=3)
    told = [logprob for piece in pieces for logprob in piece.logprobs]

    assert b"".join(bytes(each.bytes) for each in told).decode() == "".join(piece.text for piece in pieces)
    for each in told:
        assert len(each.top_logprobs) == 3
        likeliest = [other.logprob for other in each.top_logprobs]
        assert likeliest == sorted(likeliest, reverse=True)
        # Greedy: the chosen one is the likeliest.
        assert (each.token, each.logprob) == (each.top_logprobs[0].token, each.top_logprobs[0].logprob)
        assert sum(math.exp(other) for other in likeliest) <= 1.0 + 1e-9


@pytest.mark.model
def test_likelihoods_do_not_change_with_what_sampling_makes_of_them(alone):
    def first(**options):
        return items(alone, STORY, 1, logprobs=5, **options)[0].logprobs[0]

    first()  # from here on, both find the same read before
    plain = first()
    biased = first(temperature=2.0, seed=3, top_k=3, logit_bias=((token_of(alone, " library"), 100.0),))

    assert [other.logprob for other in biased.top_logprobs] == [other.logprob for other in plain.top_logprobs]
    assert biased.token == " library"
    assert biased.logprob < plain.logprob


def test_without_asking_no_likelihood_is_told(quick):
    *pieces, _ = items(quick, "abc")

    assert all(piece.logprobs == () for piece in pieces)
