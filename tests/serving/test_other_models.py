"""The engine with models unlike the bundled one: tiny, random, and therefore quick."""

import asyncio
import subprocess
import sys
import textwrap

import pytest

from app.errors import ContextOverflowError
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, Generation, Prompt, Sampling

QUESTIONS = ("abc", "abcdef", "abc" + " the" * 30, "abc" + " the" * 30, "abc" + " the" * 20 + "x", "abc")
KINDS = [("llama", {}), ("gemma2", {"window": 32}), ("mamba", {}), ("lfm2", {})]


@pytest.fixture
def load(tiny):
    made = []

    def load(architecture, **options):
        made.append(Engine(tiny(architecture, **options), sha256="-"))
        made[-1].load()
        return made[-1]

    yield load
    for engine in made:
        engine.close()


def answer(engine, question, **sampling):
    async def run():
        prompt = engine.encode([ChatMessage("user", question)])
        return [item async for item in engine.generate(Generation(prompt, 12, Sampling(**sampling)))]

    *pieces, end = asyncio.run(run())
    return "".join(piece.text for piece in pieces), end


@pytest.mark.parametrize(("architecture", "options"), KINDS)
def test_what_was_answered_before_changes_no_answer(load, architecture, options):
    used = load(architecture, **options)

    for question in QUESTIONS:
        fresh = load(architecture, **options)
        assert answer(used, question)[0] == answer(fresh, question)[0]


@pytest.mark.parametrize(("architecture", "options"), KINDS)
def test_the_same_prompt_again_is_not_read_again(load, architecture, options):
    engine = load(architecture, **options)
    first, _ = answer(engine, "abc" + " the" * 30)
    again, end = answer(engine, "abc" + " the" * 30)

    assert end.usage.cached_tokens == end.usage.prompt_tokens - 1
    assert again == first


@pytest.mark.parametrize("architecture", ["mamba", "lfm2"])
def test_a_running_state_goes_back_to_where_another_prompt_branches_off(load, architecture):
    engine = load(architecture)
    fresh = load(architecture)

    async def ask(engine, tokens):
        items = [item async for item in engine.generate(Generation(Prompt("", tuple(tokens)), 12))]
        return "".join(piece.text for piece in items[:-1]), items[-1].usage.cached_tokens

    begin = [1] + [5, 6, 7] * 20
    first, _ = asyncio.run(ask(engine, begin))
    branched, cached = asyncio.run(ask(engine, [*begin[:-1], *[9] * 30]))

    assert cached == len(begin) - 1
    assert branched == asyncio.run(ask(fresh, [*begin[:-1], *[9] * 30]))[0]
    assert asyncio.run(ask(engine, begin))[0] == first


@pytest.mark.parametrize(("architecture", "options"), KINDS)
def test_giving_up_a_long_prompt_leaves_the_next_answer_as_it_was(load, architecture, options):
    engine = load(architecture, **options)
    expected, _ = answer(engine, "abc")

    async def give_up():
        prompt = engine.encode([ChatMessage("user", "the " * 60)])
        reading = asyncio.ensure_future(anext(engine.generate(Generation(prompt, 12))))
        await asyncio.sleep(0)  # lets it submit
        reading.cancel()
        await asyncio.wait([reading])

    for _ in range(20):
        asyncio.run(give_up())

    assert answer(engine, "abc")[0] == expected


def test_a_model_without_a_template_gets_chatml_and_its_beginning_of_text(load):
    prompt = load("llama").encode([ChatMessage("user", "abc")])

    assert prompt.text.startswith("<|im_start|>user\nabc<|im_end|>")
    assert prompt.tokens[0] == 1
    assert prompt.tokens.count(1) == 1


def test_a_template_that_writes_the_beginning_of_text_does_not_get_it_twice(load):
    engine = load(
        "llama", template="{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}{{ eos_token }}"
    )

    prompt = engine.encode([ChatMessage("user", "<s>abc</s>")])

    assert prompt.text == "<s><s>abc</s></s>"
    assert prompt.tokens.count(1) == 1
    assert prompt.tokens.count(2) == 1


def test_a_small_context_refuses_what_does_not_fit(load):
    engine = load("llama")

    with pytest.raises(ContextOverflowError) as refused:
        engine.check(engine.encode([ChatMessage("user", "the " * 300)]))

    assert refused.value.available == engine.context_length == 256


def test_a_prompt_that_just_fits_gets_the_one_token_there_is_room_for(load):
    engine = load("llama")
    tokens = engine.encode([ChatMessage("user", "the " * 300)]).tokens

    async def run(prompt):
        engine.check(prompt)
        return [item async for item in engine.generate(Generation(prompt, 50))][-1]

    end = asyncio.run(run(Prompt("", tokens[: engine.context_length - 1])))

    assert end.reason == "length"
    assert end.usage.completion_tokens == 1
    with pytest.raises(ContextOverflowError):
        asyncio.run(run(Prompt("", tokens[: engine.context_length])))


def test_every_way_of_sampling_works(load):
    engine = load("llama")
    for sampling in (
        {"temperature": 1.0, "seed": 2**40},
        {"temperature": 2.0, "top_k": 0, "top_p": 0.0, "min_p": 1.0, "seed": -1},
        {"repeat_penalty": 1.3, "frequency_penalty": -2.0, "presence_penalty": 2.0},
    ):
        assert answer(engine, "abc", **sampling)[1].usage.completion_tokens > 0


def test_weights_that_are_no_numbers_are_answered_with_nonsense_and_no_crash(tiny, tmp_path):
    path = tmp_path / "nan.gguf"
    data = tiny("llama").read_bytes()
    path.write_bytes(data[:9_000] + b"\xff" * (len(data) - 9_000))
    engine = Engine(path, sha256="-")
    engine.load()

    for temperature in (0.0, 1.0):
        assert answer(engine, "abc", temperature=temperature)[1].usage.completion_tokens > 0
    engine.close()


@pytest.mark.slow
def test_mutated_models_are_answered_or_refused_and_never_end_the_process(tiny, tmp_path):
    script = f"""
        import asyncio, random
        from pathlib import Path
        from app.errors import AppError
        from app.serving.engine import Engine
        from app.serving.generation import ChatMessage, Generation
        whole, path = Path({str(tiny("llama"))!r}).read_bytes(), Path({str(tmp_path)!r}) / "mutated.gguf"
        async def answer(engine):
            prompt = engine.encode([ChatMessage("user", "abc")])
            return [item async for item in engine.generate(Generation(prompt, 3))]
        for seed in range(150):
            chance, data = random.Random(seed), bytearray(whole)
            for _ in range(3):
                data[chance.randrange(9_000)] = chance.choice((0, 1, 255, chance.randrange(256)))
            path.write_bytes(data)
            engine = Engine(path, sha256="-")
            print(seed, flush=True)
            try:
                engine.load()
                asyncio.run(answer(engine))
            except AppError:
                pass
            engine.close()
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )

    assert done.returncode == 0, f"seed {done.stdout.split()[-1:]}: {done.stderr[-2_000:]}"
    assert done.stdout.split()[-1] == "149"
