import os

import pytest

from app.errors import ModelQuarantinedError
from app.serving.admission.breadcrumb import Breadcrumb


@pytest.fixture
def file(tmp_path):
    return tmp_path / "at_work.json"


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "mine.gguf"


def died(file, path, phase="answering", device="CPU"):
    """A run that is never closed: it picks up what is there, and ends while `path` is at work."""
    breadcrumb = Breadcrumb(file)
    left = breadcrumb.pick_up()
    breadcrumb.mark(path, "Mine", phase, device).show(True)
    return left


def test_a_mark_is_in_the_file_while_the_model_is_at_work_and_gone_after_it(file, mine):
    breadcrumb = Breadcrumb(file)
    with breadcrumb.mark(mine, "Mine", "loading", "CPU"):
        assert "mine.gguf" in file.read_text()

    assert not file.exists()
    assert Breadcrumb(file).pick_up() == ()


def test_a_mark_that_is_left_tells_which_model_did_what(file, mine):
    died(file, mine)

    (left,) = Breadcrumb(file).pick_up()

    assert (left.path, left.name, left.phase, left.device, left.times) == (
        mine,
        "Mine",
        "answering",
        "CPU",
        1,
    )
    assert left.notice.code == "ended_unexpectedly"
    assert left.notice.message == "Carrel ended unexpectedly while Mine was answering."


def test_a_death_is_told_once(file, mine):
    died(file, mine)

    assert len(Breadcrumb(file).pick_up()) == 1
    assert Breadcrumb(file).pick_up() == ()


def test_a_death_while_loading_on_a_graphics_card_offers_the_processor(file, mine):
    died(file, mine, "loading", "CUDA0")

    message = Breadcrumb(file).pick_up()[0].notice.message

    assert "while Mine was being loaded" in message
    assert "gpu_layers 0" in message


def test_a_step_that_changes_nothing_is_not_written(file, mine, monkeypatch):
    mark = Breadcrumb(file).mark(mine, "Mine", "answering", "CPU")
    mark.show(False)
    mark.show(True)
    monkeypatch.setattr(os, "fsync", lambda handle: pytest.fail("written again"))

    mark.show(True)

    assert file.exists()


def test_two_models_at_work_are_both_told(file, mine, tmp_path):
    breadcrumb = Breadcrumb(file)
    breadcrumb.mark(mine, "Mine", "loading", "CPU").show(True)
    breadcrumb.mark(tmp_path / "other.gguf", "Other", "loading", "CPU").show(True)
    done = breadcrumb.mark(tmp_path / "third.gguf", "Third", "loading", "CPU")
    done.show(True)
    done.show(False)

    assert {left.name for left in Breadcrumb(file).pick_up()} == {"Mine", "Other"}


def test_after_three_deaths_in_a_row_a_model_is_in_quarantine_and_others_are_not(file, mine, tmp_path):
    for times in range(3):
        assert [left.times for left in died(file, mine)] == ([times] if times else [])
        Breadcrumb(file).check(mine, "Mine")

    breadcrumb = Breadcrumb(file)
    assert [left.times for left in breadcrumb.pick_up()] == [3]
    breadcrumb.check(tmp_path / "other.gguf", "Other")
    with pytest.raises(ModelQuarantinedError, match="3 times in a row while Mine was at work"):
        breadcrumb.check(mine, "Mine")


def test_a_quarantine_outlasts_runs_with_another_model(file, mine, tmp_path):
    for _ in range(3):
        died(file, mine)
    for _ in range(2):
        breadcrumb = Breadcrumb(file)
        breadcrumb.pick_up()
        with breadcrumb.mark(tmp_path / "bundled.gguf", "Bundled", "answering", "CPU"):
            pass
        breadcrumb.close()

    breadcrumb = Breadcrumb(file)
    assert breadcrumb.pick_up() == ()
    with pytest.raises(ModelQuarantinedError):
        breadcrumb.check(mine, "Mine")


def test_asking_for_a_model_ends_its_quarantine(file, mine):
    for _ in range(3):
        died(file, mine)
    breadcrumb = Breadcrumb(file)
    breadcrumb.pick_up()

    breadcrumb.trust(mine)

    breadcrumb.check(mine, "Mine")
    breadcrumb.close()
    assert not file.exists()


def test_a_run_that_ends_well_breaks_the_row(file, mine):
    for _ in range(2):
        died(file, mine)
    well = Breadcrumb(file)
    well.pick_up()
    with well.mark(mine, "Mine", "answering", "CPU"):
        pass
    well.close()
    assert not file.exists()

    assert died(file, mine) == ()
    assert [left.times for left in Breadcrumb(file).pick_up()] == [1]


def test_closing_while_a_model_is_at_work_leaves_nothing_and_takes_no_more_marks(file, mine):
    breadcrumb = Breadcrumb(file)
    mark = breadcrumb.mark(mine, "Mine", "loading", "CPU")
    mark.show(True)

    breadcrumb.close()
    breadcrumb.close()
    breadcrumb.mark(mine, "Mine", "answering", "CPU").show(True)
    mark.show(False)

    assert not file.exists()


@pytest.mark.parametrize("damaged", [b"", b"{", b'{"at_work": [1]}', b'{"at_work": [{"path": "x"}]}', b"\0"])
def test_a_damaged_file_is_done_without(file, mine, damaged):
    file.write_bytes(damaged)
    breadcrumb = Breadcrumb(file)

    assert breadcrumb.pick_up() == ()
    with breadcrumb.mark(mine, "Mine", "loading", "CPU"):
        assert b"mine.gguf" in file.read_bytes()
    assert not file.exists()


def test_a_place_that_cannot_be_written_keeps_nobody_from_working(tmp_path, mine):
    (tmp_path / "file").write_text("in the way")
    breadcrumb = Breadcrumb(tmp_path / "file" / "at_work.json")

    with breadcrumb.mark(mine, "Mine", "loading", "CPU"):
        pass
    breadcrumb.close()
