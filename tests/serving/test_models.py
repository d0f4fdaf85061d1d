import asyncio
import subprocess
import sys
import textwrap
import threading

import pytest

from app.errors import ModelCrashedError, ModelError, ModelFileError
from app.serving import llama
from app.serving.admission.admission import Admission
from app.serving.admission.breadcrumb import Breadcrumb
from app.serving.admission.probe import Probe
from app.serving.embedders import MadeWith
from app.serving.generation import ChatMessage, End, Generation
from app.serving.models import Models

pytestmark = pytest.mark.model


class Desk:
    """Models under test, and what they reported. Several in a row are the runs of one profile."""

    def __init__(
        self,
        tmp_path,
        models,
        *,
        chat=None,
        embedding=None,
        reranking=None,
        library=None,
        fallback=True,
        rests_after=None,
        gpu_layers=-1,
    ):
        self.changes = []
        self.rested = threading.Event()
        self.notices = []
        self.breadcrumb = tmp_path / "at_work.json"
        self.models = Models(
            chat or models.chat.path,
            embedding or models.embedding.path,
            context_length=512,
            gpu_layers=gpu_layers,
            threads=0,
            admission=Admission(
                hashes=tmp_path / "hashes.json",
                verdicts=tmp_path / "verdicts.json",
                trusted=frozenset((models.chat.sha256, models.embedding.sha256)),
                on_notice=self.notices.append,
                probe=Probe(),
            ),
            breadcrumb=Breadcrumb(self.breadcrumb),
            states=tmp_path / "states",
            rests_after=rests_after,
            fallback_chat=models.chat.path if fallback else None,
            fallback_embedding=models.embedding.path if fallback else None,
            library=library,
            reranking=reranking,
            on_change=self._changed,
            on_notice=self.notices.append,
        )

    def _changed(self, model):
        self.changes.append(model)
        if model.resting:
            self.rested.set()


@pytest.fixture
def desk(tmp_path, models):
    made = []

    def desk(**options):
        made.append(Desk(tmp_path, models, **options))
        return made[-1]

    yield desk
    for one in made:
        one.models.close()


def test_both_models_load_in_the_background_and_are_described(desk, models):
    here = desk()
    assert [model.loaded for model in here.models.describe()] == [False, False]
    here.models.start()

    async def both():
        return await asyncio.gather(here.models.chat(), here.models.embedder())

    engine, embedder = asyncio.run(both())

    assert engine.model.name == "SmolLM2 135M Instruct"
    assert embedder.sha256 == models.embedding.sha256
    here.models.close()
    assert [model.kind for model in here.models.describe()] == ["chat", "embedding"]
    assert {change.kind for change in here.changes} == {"chat", "embedding"}
    assert all(change.loaded for change in here.changes)
    assert here.notices == []


def test_a_reranking_model_is_proven_and_loaded_beside_the_others(desk, tiny):
    here = desk(reranking=tiny("bert"))
    here.models.start()

    async def order():
        reranker = await here.models.reranker()
        return await reranker.score("who pays", ["the tenant", "a cat"])

    assert asyncio.run(order()).shape == (2,)
    assert [model.kind for model in here.models.describe()] == ["chat", "embedding", "reranking"]
    assert here.models.describe()[2].loaded


def test_without_a_reranking_model_that_works_search_goes_on(desk, tiny, models):
    none, wrong = desk(), desk(reranking=models.embedding.path)
    wrong.models.start()

    assert asyncio.run(none.models.reranker()) is None
    assert asyncio.run(wrong.models.reranker()) is None
    assert wrong.models.describe()[2].problem.code == "model_file_invalid"


def embedders(desk):
    """The one that searches and the one that is wanted, once both are settled."""

    async def both():
        return await desk.models.embedder(), await desk.models.wanted_embedder()

    return asyncio.run(both())


def codes(desk):
    return [notice.code for notice in desk.notices]


def test_the_model_of_the_library_searches_until_another_is_promoted(desk, tiny, models):
    wanted = tiny("bert", ranks=False)
    here = desk(embedding=wanted, library=MadeWith(models.embedding.path, models.embedding.sha256))
    here.models.start()

    async def promote():
        old, new = await here.models.embedder(), await here.models.wanted_embedder()
        assert (old.sha256, new.path) == (models.embedding.sha256, wanted)
        assert here.models.embedders() == (old, new)
        assert (here.models.embedder_file(old), here.models.embedder_file(new)) == (None, wanted)
        await here.models.promote_embedder()
        await here.models.promote_embedder()  # nothing more happens
        assert await here.models.embedder() is new
        with pytest.raises(ModelError, match="closed"):
            await old.embed(["text"])
        assert (await new.embed(["text"])).shape == (1, 64)

    asyncio.run(promote())

    loaded = [change.path for change in here.changes if change.kind == "embedding"]
    assert loaded == [str(models.embedding.path), str(wanted)]
    assert here.notices == []


def test_a_copy_of_the_librarys_model_is_the_same_model(desk, models, tmp_path):
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(models.embedding.path.read_bytes())
    here = desk(embedding=copy, library=MadeWith(models.embedding.path, models.embedding.sha256))
    here.models.start()

    old, new = embedders(here)
    assert old is new


@pytest.mark.parametrize("left", ["gone", "changed"])
def test_where_the_librarys_model_is_gone_the_wanted_one_searches_and_it_is_said(
    desk, models, tmp_path, left
):
    old = tmp_path / "old.gguf"
    if left == "changed":
        old.write_bytes(models.embedding.path.read_bytes())
    here = desk(library=MadeWith(old, "e" * 64))
    here.models.start()

    current, wanted = embedders(here)
    assert current is wanted
    assert codes(here) == ["embedder_gone"]


@pytest.mark.parametrize("made_with", [None, "bundled", "other"])
def test_a_wanted_model_that_gives_no_vectors_leaves_the_search_to_another(desk, tiny, models, made_with):
    library = {
        None: None,
        "bundled": MadeWith(models.embedding.path, models.embedding.sha256),
        "other": MadeWith(tiny("bert"), "e" * 64),
    }[made_with]
    here = desk(embedding=tiny("bert"), library=library)
    here.models.start()

    current, wanted = embedders(here)
    assert (current.sha256, wanted) == (models.embedding.sha256, None)
    (notice,) = here.notices
    assert notice.code == "model_file_invalid"
    assert "Search goes on with all-MiniLM-L6-v2." in notice.message
    assert ("found by its words only" in notice.message) == (made_with == "other")


def test_an_embedding_model_in_quarantine_is_not_loaded_by_itself(desk, tiny, models):
    wanted = tiny("bert", ranks=False)
    for _ in range(3):
        before = Breadcrumb(desk().breadcrumb)
        before.pick_up()
        before.mark(wanted, wanted.stem, "loading", "CPU").show(True)
    here = desk(embedding=wanted)
    here.models.start()

    current, wanted = embedders(here)
    assert (current.sha256, wanted) == (models.embedding.sha256, None)
    assert codes(here)[-1] == "model_quarantined"


def test_a_chosen_model_that_fails_at_the_start_is_replaced_by_the_bundled_one(desk, tmp_path):
    here = desk(chat=tmp_path / "gone.gguf")
    here.models.start()

    engine = asyncio.run(here.models.chat())

    assert engine.model.name == "SmolLM2 135M Instruct"
    assert [notice.code for notice in here.notices] == ["model_file_invalid"]
    assert "gone.gguf" in here.notices[0].message


def test_a_chosen_model_that_does_not_fit_is_replaced_by_the_bundled_one_with_figures(desk, immense):
    here = desk(chat=immense)

    assert started(here).model.name == "SmolLM2 135M Instruct"
    assert [notice.code for notice in here.notices] == ["model_too_large"]
    assert "immense.gguf needs about" in here.notices[0].message
    assert "are free. The model that comes with Carrel answers instead." in here.notices[0].message


def read_again(engine):
    """How many tokens of a long prompt need not be computed."""
    asked = Generation(engine.encode([ChatMessage("user", "word " * 300)]), 2)

    async def last():
        return [item async for item in engine.generate(asked)][-1]

    return asyncio.run(last()).usage.cached_tokens


def test_what_must_be_forgotten_is_in_no_memory_and_on_no_disk(desk, tmp_path):
    here = desk()
    here.models.start()
    engine = asyncio.run(here.models.chat())
    read_again(engine)
    assert read_again(engine) > 300

    here.models.forget()

    assert read_again(engine) == 0
    here.models.close()
    assert any((tmp_path / "states").iterdir())
    here = desk()
    here.models.forget()  # before there is a model to be told
    here.models.start()
    assert read_again(asyncio.run(here.models.chat())) == 0


def test_a_model_nobody_asks_for_is_freed_and_loaded_again_by_the_next_question(desk, tmp_path):
    here = desk(rests_after=0.1)
    here.models.start()
    first = asyncio.run(here.models.chat())
    read_again(first)
    assert here.rested.wait(30)
    resting, _ = here.models.describe()
    assert (resting.loaded, resting.resting, resting.problem) == (False, True, None)

    again = asyncio.run(here.models.chat())

    assert again is not first
    assert read_again(again) > 300  # it came back from disk
    assert [(change.loaded, change.resting) for change in here.changes if change.kind == "chat"][:4] == [
        (True, False),
        (False, True),
        (False, False),
        (True, False),
    ]
    here.rested.clear()
    assert here.rested.wait(30)
    here.models.forget()
    assert not any((tmp_path / "states").iterdir())


@pytest.mark.skipif(any(device.gpu for device in llama.devices()), reason="there is a graphics card")
def test_that_there_is_no_graphics_card_is_said_once_however_often_the_model_wakes(desk, models):
    here = desk(rests_after=0.1, gpu_layers=10)
    first = started(here)
    assert here.rested.wait(30)
    assert asyncio.run(here.models.chat()) is not first

    assert [notice.code for notice in here.notices] == ["gpu_missing"]

    asyncio.run(here.models.choose_chat(models.chat.path))  # who asks is told again
    assert len(here.notices) == 2


def test_a_model_that_cannot_be_loaded_again_is_tried_again(desk, models, tmp_path):
    file = tmp_path / "mine.gguf"
    file.write_bytes(models.chat.path.read_bytes())
    here = desk(chat=file, rests_after=0.1)
    here.models.start()
    asyncio.run(here.models.chat())
    assert here.rested.wait(60)
    away = file.rename(tmp_path / "away.gguf")

    with pytest.raises(ModelError):
        asyncio.run(here.models.chat())
    assert here.models.describe()[0].problem is not None
    away.rename(file)

    assert asyncio.run(here.models.chat()).model.path == str(file)


def test_models_that_cannot_be_loaded_say_why_to_everyone_who_asks(desk, tmp_path):
    (tmp_path / "bad.gguf").write_bytes(b"not a model")
    here = desk(chat=tmp_path / "bad.gguf", embedding=tmp_path / "gone.gguf", fallback=False)
    here.models.start()

    for _ in range(2):
        with pytest.raises(ModelFileError, match="not a GGUF"):
            asyncio.run(here.models.chat())
        with pytest.raises(ModelFileError, match="gone"):
            asyncio.run(here.models.embedder())
    assert all(model.problem and not model.loaded for model in here.models.describe())


def test_one_who_stops_waiting_does_not_stop_the_load(desk):
    here = desk()

    async def impatient():
        waiting = asyncio.ensure_future(here.models.chat())
        await asyncio.sleep(0)  # lets it wait
        waiting.cancel()
        await asyncio.wait([waiting])
        here.models.start()
        return await here.models.chat()

    assert asyncio.run(impatient()).model.loaded


def test_another_model_answers_from_now_on_and_the_old_one_ends_its_answer(desk, models):
    here = desk()
    here.models.start()

    async def choose_meanwhile():
        old = await here.models.chat()
        prompt = old.encode([ChatMessage("user", "Tell me a long story.")])
        answer = old.generate(Generation(prompt, 60))
        await anext(answer)
        chosen = await here.models.choose_chat(models.chat.path)
        rest = [item async for item in answer]
        return old, await here.models.chat(), chosen, rest[-1]

    old, new, chosen, end = asyncio.run(choose_meanwhile())

    assert new is not old
    assert new.model == chosen
    assert isinstance(end, End)
    assert end.reason in ("length", "stop")


def test_a_choice_that_cannot_be_loaded_leaves_the_old_model(desk, tmp_path):
    (tmp_path / "bad.gguf").write_bytes(b"not a model")
    here = desk()
    here.models.start()

    async def choose_badly():
        old = await here.models.chat()
        with pytest.raises(ModelFileError, match="not a GGUF"):
            await here.models.choose_chat(tmp_path / "bad.gguf")
        return old, await here.models.chat()

    old, still = asyncio.run(choose_badly())

    assert still is old
    assert here.models.describe()[0].loaded


def test_closing_before_anything_is_loaded_tells_those_who_wait(desk):
    here = desk()

    async def wait_for_both():
        waiting = asyncio.gather(here.models.chat(), here.models.embedder(), return_exceptions=True)
        await asyncio.sleep(0)  # lets them wait
        await asyncio.to_thread(here.models.close)
        return await waiting

    assert all(isinstance(error, ModelError) for error in asyncio.run(wait_for_both()))


def test_closing_while_loading_ends_cleanly(desk):
    here = desk()
    here.models.start()
    here.models.close()

    for ask in (here.models.chat, here.models.embedder):
        with pytest.raises(ModelError):
            asyncio.run(ask())


@pytest.fixture
def crashing(tiny, tmp_path):
    """A file that is a model in every respect but one, and would end this process."""
    path = tmp_path / "crashing.gguf"
    path.write_bytes(tiny("llama").read_bytes().replace(b"<0xF4>", b"<none>"))
    return path


@pytest.fixture
def mine(tiny, tmp_path):
    path = tmp_path / "mine.gguf"
    path.write_bytes(tiny("llama").read_bytes())
    return path


def left_behind(desk, path, times):
    """As if the process had ended `times` in a row while `path` was answering."""
    for _ in range(times):
        breadcrumb = Breadcrumb(desk.breadcrumb)
        breadcrumb.pick_up()
        breadcrumb.mark(path, path.stem, "answering", "CPU").show(True)


def started(here):
    here.models.start()
    return asyncio.run(here.models.chat())


def test_a_model_of_the_settings_that_would_end_the_process_gives_way_to_the_bundled_one(desk, crashing):
    here = desk(chat=crashing)

    assert started(here).model.name == "SmolLM2 135M Instruct"
    assert [notice.code for notice in here.notices] == ["model_crashed"]
    assert "crashing.gguf" in here.notices[0].message
    assert "answers instead" in here.notices[0].message


def test_a_choice_that_would_end_the_process_leaves_the_old_model(desk, crashing):
    here = desk()
    old = started(here)

    with pytest.raises(ModelCrashedError, match="SIGABRT"):
        asyncio.run(here.models.choose_chat(crashing))

    assert asyncio.run(here.models.chat()) is old


def test_an_embedding_model_that_would_end_the_process_is_not_loaded(desk, crashing):
    here = desk(embedding=crashing, fallback=False)
    here.models.start()

    with pytest.raises(ModelCrashedError):
        asyncio.run(here.models.embedder())
    assert here.models.describe()[1].problem.code == "model_crashed"


def test_a_model_of_the_users_own_is_proven_and_answers(desk, mine):
    here = desk(chat=mine, fallback=False)

    assert started(here).model.path == str(mine)
    assert '"outcome":"proven"' in (mine.parent / "verdicts.json").read_text()
    assert here.notices == []


def test_the_breadcrumb_lies_there_while_a_model_answers_and_is_gone_after_it(desk):
    here = desk()
    engine = started(here)
    asyncio.run(here.models.embedder())
    assert not here.breadcrumb.exists()

    async def ask():
        prompt = engine.encode([ChatMessage("user", "Tell me a story.")])
        answer = engine.generate(Generation(prompt, 8))
        await anext(answer)
        meanwhile = here.breadcrumb.read_text()
        assert [item async for item in answer]
        return meanwhile

    assert '"phase":"answering"' in asyncio.run(ask())
    here.models.close()
    assert not here.breadcrumb.exists()


def test_closing_in_the_middle_of_an_answer_leaves_no_breadcrumb(desk):
    here = desk()
    engine = started(here)

    async def ask():
        prompt = engine.encode([ChatMessage("user", "Tell me a long story.")])
        answer = engine.generate(Generation(prompt, 300))
        await anext(answer)
        assert here.breadcrumb.exists()
        await asyncio.to_thread(here.models.close)
        return [item async for item in answer][-1].reason

    assert asyncio.run(ask()) == "cancelled"
    assert not here.breadcrumb.exists()


def test_a_process_that_ended_while_a_model_answered_is_told_at_the_next_start(desk, mine):
    here = desk(chat=mine)
    left_behind(here, mine, 1)

    assert started(here).model.name == "mine"
    assert [notice.code for notice in here.notices] == ["ended_unexpectedly"]
    assert "while mine was answering" in here.notices[0].message


def test_after_the_third_time_the_bundled_model_answers_until_the_other_is_chosen_again(desk, mine):
    here = desk(chat=mine)
    left_behind(here, mine, 3)

    assert started(here).model.name == "SmolLM2 135M Instruct"
    assert [notice.code for notice in here.notices] == ["model_quarantined"]
    assert "choose it again" in here.notices[0].message
    assert asyncio.run(here.models.choose_chat(mine)).name == "mine"
    here.models.close()

    again = desk(chat=mine)
    assert started(again).model.name == "mine"
    assert again.notices == []


def test_a_model_in_quarantine_that_is_given_on_the_command_line_answers(desk, mine):
    here = desk(chat=mine, fallback=False)
    left_behind(here, mine, 3)

    assert started(here).model.name == "mine"
    assert [notice.code for notice in here.notices] == ["ended_unexpectedly"]


def test_the_bundled_model_is_never_in_quarantine(desk, models):
    here = desk()
    left_behind(here, models.chat.path, 5)

    assert started(here).model.name == "SmolLM2 135M Instruct"
    assert [notice.code for notice in here.notices] == ["ended_unexpectedly"]
    assert "5 times in a row" in here.notices[0].message


def test_closing_while_a_file_is_tried_out_ends_the_trial(desk, mine, monkeypatch):
    here = desk(chat=mine, fallback=False)
    begun, go_on = threading.Event(), threading.Event()

    def slow(self, path, kind, **options):
        begun.set()
        go_on.wait(30)
        return whole(self, path, kind, **options)

    whole = Probe.try_out
    monkeypatch.setattr(Probe, "try_out", slow)
    here.models.start()
    assert begun.wait(30)
    threading.Timer(0.2, go_on.set).start()
    here.models.close()

    with pytest.raises(ModelError, match="closing"):
        asyncio.run(here.models.chat())


def test_the_process_ends_with_code_0_while_models_are_being_loaded(models, tmp_path):
    script = f"""
        from pathlib import Path
        from app.serving.admission.admission import Admission
        from app.serving.admission.breadcrumb import Breadcrumb
        from app.serving.models import Models
        from app.serving.admission.probe import Probe
        folder = Path({str(tmp_path)!r})
        admission = Admission(
            hashes=folder / "hashes.json", verdicts=folder / "verdicts.json", on_notice=print, probe=Probe(),
            trusted=frozenset({[models.chat.sha256, models.embedding.sha256]!r}),
        )
        models = Models(
            Path({str(models.chat.path)!r}), Path({str(models.embedding.path)!r}), context_length=512,
            gpu_layers=-1, threads=0, admission=admission, breadcrumb=Breadcrumb(folder / "at_work.json"),
            fallback_chat=None,
            on_change=lambda model: print(model.kind), on_notice=print,
        )
        models.start()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["chat", "embedding"]
