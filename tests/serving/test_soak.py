"""Random load for a while: every request ends once, nothing is taken for good, nothing grows.

Seconds of the long test: CARREL_SOAK_SECONDS (1,800 unless said).
"""

import asyncio
import logging
import os

import pytest

from app.serving.admission.admission import Admission
from app.serving.admission.breadcrumb import Breadcrumb
from app.serving.admission.probe import Probe
from app.serving.engine import Engine
from app.serving.models import Models

pytestmark = pytest.mark.model

MOST_GROWTH = 1.05  # of memory, after the warm-up
LONG_SECONDS = float(os.environ.get("CARREL_SOAK_SECONDS", "1800"))
KINDS = [("llama", {}), ("gemma2", {"window": 32}), ("mamba", {})]


@pytest.fixture
def chosen(tmp_path, models, tiny, load):
    """Models that are changed while they answer: the bundled one and tiny ones."""
    others = load.threads("engine")  # of the models that tests share
    opened = Models(
        models.chat.path,
        models.embedding.path,
        context_length=512,
        gpu_layers=0,
        threads=0,
        admission=Admission(
            hashes=tmp_path / "hashes.json",
            verdicts=tmp_path / "verdicts.json",
            trusted=frozenset((models.chat.sha256, models.embedding.sha256)),
            on_notice=lambda notice: None,
            probe=Probe(),
        ),
        breadcrumb=Breadcrumb(tmp_path / "at_work.json"),
        states=tmp_path / "states",
        fallback_chat=models.chat.path,
        on_change=lambda model: None,
        on_notice=lambda notice: None,
    )
    opened.start()
    files = [models.chat.path, *(tiny(kind, **options) for kind, options in KINDS)]
    yield load.Switching(opened, files, seed=5, others=others)
    opened.close()


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_a_few_seconds_of_random_load_leave_a_tiny_model_as_it_was(tiny, tmp_path, load, kind, options):
    engine = Engine(tiny(kind, **options), sha256="-", slots=3, states=tmp_path / "states")
    engine.load()

    async def the_only() -> Engine:
        return engine

    pressed = load.Load(the_only)
    pressed.run(4, seed=1)
    load.rest(engine)
    engine.close()

    assert pressed.surprises == []
    assert sum(pressed.ended.values()) > 10


@pytest.mark.slow
def test_random_load_and_other_models_for_some_seconds(chosen, load):
    _soak(chosen, load, warm_up=10, seconds=20, switch_every=4)


@pytest.mark.long
@pytest.mark.timeout(LONG_SECONDS * 1.5 + 600)
def test_random_load_and_other_models_for_long(chosen, load, monkeypatch):
    monkeypatch.setattr(logging.root.manager, "disable", logging.WARNING)  # pytest keeps every line
    before, after = _soak(
        chosen, load, warm_up=max(60.0, LONG_SECONDS / 10), seconds=LONG_SECONDS, switch_every=15
    )
    # Only after minutes: at first every kind of request adds what it needs from then on.
    assert after.memory <= before.memory * MOST_GROWTH


def _soak(chosen, load, *, warm_up, seconds, switch_every):
    """Press; return the footprints before and after."""
    pressed = load.Load(chosen.engine)
    with chosen.every(switch_every):
        pressed.run(warm_up, seed=3)
    before = _footprint_at_rest(chosen, load)
    with chosen.every(switch_every):
        pressed.run(seconds, seed=4)
    after = _footprint_at_rest(chosen, load)

    growth = after.memory / before.memory - 1
    print(f"\n{seconds:.0f} s: {sum(pressed.ended.values())} requests, {chosen.switches} other models")
    print(", ".join(f"{how} {count}" for how, count in sorted(pressed.ended.items())))
    print(f"memory {before.memory >> 20} -> {after.memory >> 20} MiB ({growth:+.1%}), {before} -> {after}")
    assert pressed.surprises == []
    assert after.threads <= before.threads
    assert after.descriptors <= before.descriptors + 2
    return before, after


def _footprint_at_rest(chosen, load):
    """With the bundled model loaded again, whatever was loaded last, and those before it gone."""
    asyncio.run(chosen.choose_first())
    load.rest(asyncio.run(chosen.engine()))
    load.wait_for_threads("engine", chosen.others + 1)
    return load.Footprint.now()
