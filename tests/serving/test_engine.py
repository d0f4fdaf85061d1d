"""The engine with the bundled model: real weights, real thread."""

import asyncio
import threading
import time

import pytest

from app.errors import ContextOverflowError, InvalidRequestError, ModelError
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, End, Generation, Piece, Prompt, Sampling

pytestmark = pytest.mark.model

SOON = 5.0  # seconds: generous, for a machine that does other things as well; measured are 0.01
PARIS = "Paris is the capital of France. Which city is the capital of France?"
STORY = "Tell me a long story about a library."


def generation(engine, question, max_tokens=24, **options):
    return Generation(engine.encode([ChatMessage("user", question)]), max_tokens, **options)


def test_the_model_describes_itself(engine, models):
    assert engine.model.loaded
    assert engine.model.kind == "chat"
    assert engine.model.sha256 == models.chat.sha256
    assert engine.model.backend == "CPU"
    assert (engine.model.layers, engine.model.layers_offloaded) == (30, 0)
    assert engine.model.context_length == engine.context_length == 2048
    assert engine.parameters == 134_515_008


def test_a_greedy_answer_is_the_same_each_time(engine, ask):
    engine.forget()  # what is in memory makes other batches, which round otherwise
    first, _, _ = ask(engine, PARIS)
    engine.forget()
    second, _, _ = ask(engine, PARIS)

    assert "Paris" in first
    assert first == second


def test_a_seed_makes_a_drawn_answer_repeatable(engine, ask):
    def draw(seed):
        engine.forget()  # what is in memory makes other batches, which round otherwise
        return ask(engine, STORY, 10, temperature=1.0, seed=seed)[0]

    drawn = {draw(seed) for seed in (1, 2, 3)}
    again = draw(1)

    assert len(drawn) == 3
    assert again in drawn


def test_pieces_and_tokens_add_up_to_the_answer(engine, ask):
    text, pieces, end = ask(engine, "Say hello in Japanese, Chinese and with emoji: 🌈📚", 40)

    assert text
    assert "🌈" in text
    assert "\ufffd" not in text[:-1]  # the last character may be cut by the limit
    assert len(pieces) > 1
    assert sum(piece.tokens for piece in pieces) <= end.usage.completion_tokens <= 40
    assert end.prefill_ms > 0
    assert end.decode_ms > 0


def test_the_end_of_turn_is_the_models_and_not_shown(engine, ask):
    text, _, end = ask(engine, "Answer with one word: is the sky blue?", 200)

    assert end.reason == "stop"
    assert "<|im_end|>" not in text


def test_an_answer_stops_at_its_last_allowed_token(engine, ask):
    _, _, end = ask(engine, STORY, 7)

    assert end.reason == "length"
    assert end.usage.completion_tokens == 7


def test_an_answer_ends_before_its_stop_string(engine, ask):
    engine.forget()  # what is in memory makes other batches, which round otherwise
    whole, _, _ = ask(engine, STORY, 40)
    stop = whole[20:26]

    engine.forget()
    text, _, end = ask(engine, STORY, 40, stop=(stop,))

    assert end.reason == "stop"
    assert text == whole[: whole.index(stop)]


def test_penalties_change_a_repetitive_answer(engine, ask):
    question = "Repeat the word 'ha' many times: ha ha ha ha ha ha ha ha"

    assert ask(engine, question, 40)[0] != ask(engine, question, 40, repeat_penalty=1.5)[0]


def test_the_beginning_two_prompts_share_is_computed_once(engine, tap):
    shared = [ChatMessage("system", "You keep the lease of a small flat in Graz. " * 5)]

    def end_of(question):
        asked = Generation(engine.encode([*shared, ChatMessage("user", question)]), 4)
        return asyncio.run(last(engine, asked))

    end_of("Who signed it?")
    tap.batches.clear()
    end = end_of("What is the rent?")

    computed = sum(len(row.tokens) for rows in tap.batches for row in rows)
    assert end.usage.cached_tokens > 50
    assert computed == end.usage.prompt_tokens - end.usage.cached_tokens + end.usage.completion_tokens - 1


async def last(engine, asked):
    items = [item async for item in engine.generate(asked)]
    return items[-1]


def test_a_prompt_that_does_not_fit_is_refused_before_anything_is_computed(engine, tap):
    too_long = generation(engine, "word " * 2_100)

    with pytest.raises(ContextOverflowError) as refused:
        asyncio.run(last(engine, too_long))

    assert refused.value.needed == len(too_long.prompt.tokens) + 1
    assert refused.value.available == 2048
    assert tap.batches == []


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=-1.0),
        Sampling(temperature=float("nan")),
        Sampling(top_p=1.1),
        Sampling(top_k=-1),
        Sampling(repeat_penalty=0.0),
        Sampling(frequency_penalty=float("inf")),
    ],
)
def test_sampling_no_model_can_do_is_refused(engine, sampling):
    with pytest.raises(InvalidRequestError):
        asyncio.run(last(engine, generation(engine, "Hi", sampling=sampling)))


def test_a_request_for_nothing_is_refused(engine):
    with pytest.raises(InvalidRequestError):
        asyncio.run(last(engine, Generation(Prompt("", ()), 5)))
    with pytest.raises(InvalidRequestError):
        asyncio.run(last(engine, generation(engine, "Hi", max_tokens=0)))


def test_giving_up_while_the_prompt_is_read_stops_within_the_step(engine, tap, ask):
    async def give_up():
        reading = asyncio.ensure_future(last(engine, generation(engine, "word " * 1_900)))
        await asyncio.to_thread(tap.started.wait)
        reading.cancel()
        await asyncio.wait([reading])
        return time.perf_counter()

    begun = asyncio.run(give_up())
    text, _, _ = ask(engine, PARIS, 8)

    assert time.perf_counter() - begun < SOON
    assert "Paris" in text
    assert len(tap.batches) < 15  # the long prompt alone would be 8, the next question 1 and 8 tokens


def test_giving_up_while_an_answer_streams_stops_it(engine, ask):
    async def give_up():
        answer = engine.generate(generation(engine, STORY, 1_000))
        pieces = [await anext(answer) for _ in range(3)]
        begun = time.perf_counter()
        await answer.aclose()
        return pieces, begun

    pieces, begun = asyncio.run(give_up())
    ask(engine, "Hi", 1)

    assert all(isinstance(piece, Piece) for piece in pieces)
    assert time.perf_counter() - begun < SOON
    assert engine.requests == 0


def test_a_loop_that_dies_with_its_question_does_not_hold_up_the_next(engine, ask):
    loop = asyncio.new_event_loop()
    answer = engine.generate(generation(engine, STORY, 1_000))
    loop.run_until_complete(anext(answer))
    loop.close()
    answer.aclose().close()  # nobody is left to wait for it
    del answer

    assert ask(engine, PARIS, 8)[0]


def test_questions_from_several_loops_and_threads_are_all_answered(engine, ask):
    answers = {}

    def work(city, country):
        question = f"{city} is the capital of {country}. Which city is the capital of {country}?"
        answers[city] = ask(engine, question, 12)[0]

    pairs = [("Paris", "France"), ("Rome", "Italy"), ("Tokyo", "Japan")]
    threads = [threading.Thread(target=work, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(city in answer for city, answer in answers.items())
    assert len(answers) == 3


def test_counting_is_of_plain_text(engine):
    assert engine.count("") == 0
    assert engine.count("hello world") == 2
    assert engine.count("<|im_end|>") > 1
    assert engine.count("a\0b\ud800") > 0


def test_an_engine_that_is_not_loaded_says_so(models):
    engine = Engine(models.chat.path)

    with pytest.raises(ModelError, match="not loaded"):
        engine.count("x")
    with pytest.raises(ModelError, match="not loaded"):
        _ = engine.model
    engine.close()


def test_odd_text_is_answered_without_a_crash(engine, ask):
    for odd in ("\0\0\0", "\ud83d", "\u202e" * 5, "<|im_start|>" * 5, "🧑‍🚀" * 5, "a\u0301" * 5):
        _, _, end = ask(engine, odd, 4)
        assert isinstance(end, End)
