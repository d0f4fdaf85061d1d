import asyncio
import json
from dataclasses import replace

import pytest

from app.backend.ask import aptitude
from app.backend.ask.aptitude import Aptitudes, Examiner
from app.backend.feed import Feed
from app.errors import ModelError
from app.events import ModelChanged
from app.records import Usage
from app.serving.generation import End, Piece

pytestmark = pytest.mark.model
RIGHT = {
    "berth": "340",
    "winter store": "95",
    "crane": "18",
    "gate": "22",
    "harbour master": "Okafor",
    "treasurer": "Lindholm",
    "notice": "30 September",
    "fee": "15 March",
}


class Pupil:
    """The real engine, but for its answers: right to so many questions; it can be busy, or fail."""

    def __init__(self, engine, right: int, *, size: int = 4_000_000_000, fails: bool = False) -> None:
        self._engine, self._right, self._fails = engine, right, fails
        self.parameters = size
        self.asked = 0
        self.requests = 0

    def __getattr__(self, name):
        return getattr(self._engine, name)

    async def generate(self, generation):
        if self._fails:
            raise ModelError("The model was closed.")
        self.asked += 1
        question = generation.prompt.text.rpartition("Question:")[2].casefold()
        answer = next(answer for word, answer in RIGHT.items() if word in question)
        yield Piece(f"It is {answer}." if self.asked <= self._right else "It is so.", 4)
        yield End("stop", Usage(1, 1), 0.0, 0.0)


def run(coroutine):
    async def bounded():
        async with asyncio.timeout(240):
            return await coroutine

    return asyncio.run(bounded())


@pytest.fixture
def pupil(models):
    engine = asyncio.run(models.chat())
    return lambda right, **options: Pupil(engine, right, **options)


@pytest.mark.parametrize(("right", "fit"), [(8, "write"), (7, "both"), (6, "quote"), (0, "quote")])
def test_a_model_is_fit_for_what_its_right_answers_say(pupil, right, fit):
    aptitudes, engine = Aptitudes(), pupil(right)
    assert run(aptitudes.measure(engine)) == right
    assert aptitudes.of(engine) == fit


@pytest.mark.parametrize(("size", "fit"), [(135_000_000, "quote"), (4_000_000_000, "write")])
def test_before_it_was_measured_its_size_says_it(pupil, size, fit):
    aptitudes = Aptitudes()
    engine = pupil(8, size=size)
    assert (aptitudes.of(engine), aptitudes.known(engine)) == (fit, False)


def test_what_was_measured_is_kept_by_content(pupil, tmp_path):
    file, engine = tmp_path / "aptitudes.json", pupil(7)
    run(Aptitudes(file).measure(engine))
    again = Aptitudes(file)
    assert (again.known(engine), again.of(engine)) == (True, "both")
    assert list(json.loads(file.read_text("utf-8"))) == [engine.model.sha256]


def test_a_damaged_file_is_done_without(pupil, tmp_path):
    file, engine = tmp_path / "aptitudes.json", pupil(8)
    file.write_text("{", "utf-8")
    aptitudes = Aptitudes(file)
    assert not aptitudes.known(engine)
    run(aptitudes.measure(engine))
    assert Aptitudes(file).of(engine) == "write"


def test_a_question_of_the_test_waits_while_somebody_asks(pupil):
    async def main():
        engine = pupil(8)
        engine.requests = 1
        measuring = asyncio.create_task(Aptitudes().measure(engine))
        await asyncio.sleep(0.05)
        assert engine.asked == 0
        engine.requests = 0
        assert await measuring == 8

    run(main())


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(aptitude, "_CALM_S", 0.01)


def test_a_question_of_the_test_waits_while_files_are_read(pupil, monkeypatch):
    monkeypatch.setattr(aptitude, "_CALM_S", 0.3)

    async def main():
        engine, reading = pupil(8), [True]
        measuring = asyncio.create_task(Aptitudes().measure(engine, lambda: reading[0]))
        await asyncio.sleep(0.05)
        reading[0] = False  # one file is done, the next one comes at once
        await asyncio.sleep(0.1)
        assert engine.asked == 0
        assert await measuring == 8

    run(main())


def test_a_model_that_is_loaded_is_measured_once(pupil, lend):
    async def main():
        engine, feed, aptitudes = pupil(8), Feed(), Aptitudes()
        examiner = Examiner(aptitudes, lend(engine), feed)
        examiner.start()
        while not aptitudes.known(engine):
            await asyncio.sleep(0.01)
        feed.publish(ModelChanged(replace(engine.model, loaded=True)))
        await asyncio.sleep(0.05)
        await examiner.close()
        await examiner.close()
        assert engine.asked == 8

    run(main())


def test_a_model_that_fails_is_not_measured_and_nothing_breaks(pupil, lend):
    async def main():
        engine, feed, aptitudes = pupil(8, fails=True), Feed(), Aptitudes()
        examiner = Examiner(aptitudes, lend(engine), feed)
        examiner.start()
        await asyncio.sleep(0.05)
        await examiner.close()
        assert not aptitudes.known(engine)

    run(main())


@pytest.mark.slow
def test_the_bundled_model_is_found_to_be_one_that_quotes(models):
    async def main():
        engine, aptitudes = await models.chat(), Aptitudes()
        await aptitudes.measure(engine)
        assert aptitudes.of(engine) == "quote"

    run(main())
