"""How an engine begins, fails and ends: each request still ends exactly once."""

import asyncio
import gc
import itertools
import os
import subprocess
import sys
import textwrap
import threading
import weakref

import pytest

from app.errors import BusyError, DecodeError, ModelError, ModelFileError
from app.serving import llama
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, End, Generation

pytestmark = pytest.mark.model

PARIS = "Paris is the capital of France. Which city is the capital of France?"
STORY = "Tell me a long story about a library."


def generation(engine, question, max_tokens=24):
    return Generation(engine.encode([ChatMessage("user", question)]), max_tokens)


async def outcome(engine, asked):
    """The End, or the error."""
    try:
        items = [item async for item in engine.generate(asked)]
    except ModelError as error:
        return error
    return items[-1]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no file"),
        (b"", "empty"),
        (os.urandom(4_096), "not a GGUF"),
        (b"GGUF" + os.urandom(4_096), "not a model|cut short|past its end"),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path, content, sentence):
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ModelFileError, match=sentence):
        Engine(path).load()


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="folder"):
        Engine(tmp_path).load()


@pytest.mark.parametrize("part", [0.0001, 0.01, 0.5, 0.999])
def test_a_truncated_model_is_refused(tmp_path, models, part):
    whole = models.chat.path.read_bytes()
    path = tmp_path / "model.gguf"
    path.write_bytes(whole[: int(len(whole) * part)])

    with pytest.raises(ModelFileError):
        Engine(path).load()


def test_an_embedding_model_cannot_answer(models):
    with pytest.raises(ModelFileError, match="vectors"):
        Engine(models.embedding.path).load()


def test_one_question_more_than_may_wait_is_refused_at_once(new_engine):
    engine = new_engine(queue_limit=2, slots=1)  # the two wait as long as the first is answered

    async def crowd():
        first = engine.generate(generation(engine, STORY, 400))
        await anext(first)
        waiting = [asyncio.ensure_future(outcome(engine, generation(engine, "Hi", 2))) for _ in range(2)]
        await asyncio.sleep(0)  # lets both submit
        refused = await outcome(engine, generation(engine, "Hi", 2))
        await first.aclose()
        return refused, await asyncio.gather(*waiting)

    refused, ends = asyncio.run(crowd())

    assert isinstance(refused, BusyError)
    assert [end.reason for end in ends] == ["length", "length"]


def test_closing_ends_the_running_and_the_waiting_answer(new_engine):
    engine = new_engine(slots=1)

    async def close_meanwhile():
        running = engine.generate(generation(engine, STORY, 800))
        await anext(running)
        waiting = asyncio.ensure_future(outcome(engine, generation(engine, STORY)))
        await asyncio.sleep(0)  # lets it submit
        await asyncio.to_thread(engine.close)
        rest = [item async for item in running]
        return rest[-1], await waiting

    running, waiting = asyncio.run(close_meanwhile())

    assert isinstance(running, End)
    assert running.reason == waiting.reason == "cancelled"
    assert waiting.usage.completion_tokens == 0


def test_a_closed_engine_refuses_and_can_be_closed_again(new_engine):
    engine = new_engine()
    asked = generation(engine, "Hi")
    engine.close()
    engine.close()

    assert isinstance(asyncio.run(outcome(engine, asked)), ModelError)
    with pytest.raises(ModelError):
        engine.count("text")
    with pytest.raises(ModelError):
        engine.encode([ChatMessage("user", "Hi")])


def test_a_retired_engine_finishes_its_answer_and_frees_itself(new_engine):
    engine = new_engine()

    async def retire_meanwhile():
        answer = engine.generate(generation(engine, STORY, 30))
        await anext(answer)
        engine.retire(grace=0)
        return [item async for item in answer][-1]

    end = asyncio.run(retire_meanwhile())
    engine._thread.join()

    assert (end.reason, end.usage.completion_tokens) == ("length", 30)
    with pytest.raises(ModelError, match="changed"):
        engine.count("text")


def test_an_engine_that_retired_is_kept_by_nobody(models):
    engine = Engine(models.chat.path, context_length=512, sha256="-")
    engine.load()
    gone, thread = weakref.ref(engine), engine._thread
    engine.retire(grace=0)
    thread.join()

    del engine
    gc.collect()

    assert gone() is None


@pytest.mark.parametrize("code", [llama.NO_SLOT, -1, -3])
def test_a_step_llama_refuses_ends_that_answer_and_no_other(engine, tap, ask, code):
    tap.instead.extend([None, None, code])

    refused = asyncio.run(outcome(engine, generation(engine, STORY)))

    assert isinstance(refused, DecodeError)
    assert "Paris" in ask(engine, PARIS, 8)[0]


def test_an_unexpected_exception_ends_the_answer_as_failed_and_the_engine_goes_on(engine, tap, ask, caplog):
    tap.instead.extend([None, RuntimeError("a bug")])

    failed = asyncio.run(outcome(engine, generation(engine, STORY)))

    assert isinstance(failed, DecodeError)
    assert "a bug" in caplog.text
    assert "Paris" in ask(engine, PARIS, 8)[0]


def test_an_aborted_step_is_computed_again_for_whoever_did_not_cancel(engine, tap, ask):
    engine.forget()  # what is in memory makes other batches, which round otherwise
    undisturbed, _, _ = ask(engine, STORY, 12)
    engine.forget()
    tap.instead.extend([None, None, llama.ABORTED, None, llama.ABORTED])

    disturbed, _, _ = ask(engine, STORY, 12)

    assert disturbed == undisturbed


def test_an_engine_that_keeps_failing_gives_up_and_says_so(new_engine, monkeypatch):
    engine = new_engine()
    monkeypatch.setattr(engine._loop._scheduler, "schedule", lambda prefill: 1 / 0)

    asked = generation(engine, "Hi")
    outcomes = [asyncio.run(outcome(engine, asked)) for _ in range(4)]

    assert [type(error) for error in outcomes] == [DecodeError, DecodeError, ModelError, ModelError]
    assert "stopped working" in outcomes[-1].message


def test_tokens_the_vocabulary_does_not_have_are_an_error_and_no_crash(engine):
    prompt = engine.encode([ChatMessage("user", "Hi")])
    broken = type(prompt)("", (*prompt.tokens, 10_000_000))

    assert isinstance(asyncio.run(outcome(engine, Generation(broken, 4))), DecodeError)


def test_counting_on_other_threads_while_the_engine_closes_is_refused_or_answered(new_engine):
    engine = new_engine()
    surprises = []

    def count():
        try:
            while True:
                assert engine.count("some text to count") == 4
        except ModelError:
            pass
        except BaseException as error:
            surprises.append(error)

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    engine.close()
    for thread in threads:
        thread.join()

    assert surprises == []


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "loop.close()"])
def test_the_process_ends_with_code_0_while_an_answer_is_being_written(models, ending):
    script = f"""
        import asyncio, sys
        from pathlib import Path
        from app.serving.engine import Engine
        from app.serving.embedder import Embedder
        from app.serving.generation import ChatMessage, Generation
        engine = Engine(Path({str(models.chat.path)!r}), context_length=1024, sha256="-")
        embedder = Embedder(Path({str(models.embedding.path)!r}), sha256="-")
        engine.load(); embedder.load()
        loop = asyncio.new_event_loop()
        answer = engine.generate(Generation(engine.encode([ChatMessage("user", {STORY!r})]), 900))
        bulk = loop.create_task(embedder.embed(["word " * 100] * 200))
        print(loop.run_until_complete(anext(answer)).tokens, flush=True)
        {ending}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == "1\n"
    assert done.returncode == 0, done.stderr


def test_who_listens_is_told_when_the_engine_has_work_and_when_it_has_none_left(new_engine):
    told = []
    engine = new_engine(at_work=told.append)
    assert True not in told

    end = asyncio.run(outcome(engine, generation(engine, PARIS, 6)))
    engine.close()

    assert isinstance(end, End)
    assert [busy for busy, _ in itertools.groupby(told)][-2:] == [True, False]
    assert sum(busy for busy, _ in itertools.groupby(told)) == 1


def test_an_engine_closed_in_the_middle_of_an_answer_has_no_work_left(new_engine):
    told = []
    engine = new_engine(at_work=told.append)

    async def close_meanwhile():
        answer = engine.generate(generation(engine, STORY, 300))
        await anext(answer)
        await asyncio.to_thread(engine.close)
        return [item async for item in answer][-1]

    assert asyncio.run(close_meanwhile()).reason == "cancelled"
    assert [busy for busy, _ in itertools.groupby(told)][-2:] == [True, False]
    assert sum(busy for busy, _ in itertools.groupby(told)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_a_polite_engine_computes_on_threads_that_let_others_go_first(models):
    code = f"""
        import asyncio, os
        from pathlib import Path
        from app.serving.engine import Engine
        from app.serving.generation import ChatMessage, Generation

        def niceness():
            stats = (task.joinpath("stat").read_text() for task in Path("/proc/self/task").iterdir())
            return sorted(int(stat.rpartition(")")[2].split()[16]) for stat in stats)

        async def ask(engine):
            async for _ in engine.generate(Generation(engine.encode([ChatMessage("user", "Why?")]), 4)):
                pass

        for polite in (False, True):
            engine = Engine(Path({str(models.chat.path)!r}), threads=3, sha256="-", polite=polite)
            engine.load()
            before = niceness()
            asyncio.run(ask(engine))
            print(polite, before.count(10), niceness().count(10), niceness().count(os.nice(0)) > 0)
            engine.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=120
    )

    # The engine's own thread, and the two of llama.cpp's that help it.
    assert done.stdout.splitlines() == ["False 0 0 True", "True 1 3 True"]
