"""How a model comes to be loaded: as it was placed, and otherwise where that is refused."""

import asyncio

import pytest

from app.errors import ModelError, ModelTooLargeError
from app.serving import chat_model, hardware
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, End, Generation
from app.serving.hardware import Device

pytestmark = pytest.mark.model

MB = 10**6
CPU = Device("CPU", "a processor", gpu=False, memory_free=1, memory_total=1)


@pytest.fixture
def load(models):
    made = []

    def load(**options):
        made.append(Engine(models.chat.path, sha256="-", **options))
        made[-1].load()
        return made[-1]

    yield load
    for engine in made:
        engine.close()


@pytest.fixture
def machine(monkeypatch):
    """Pretends that so much memory is free, and that there is a graphics card with so much of it."""

    def machine(free=8_000 * MB, card=None):
        devices = [CPU]
        if card is not None:
            devices.append(Device("CUDA0", "a graphics card", True, card, card))
        monkeypatch.setattr(hardware, "memory_available", lambda: free)
        monkeypatch.setattr(chat_model.llama, "devices", lambda: tuple(devices))

    return machine


@pytest.fixture
def natives(monkeypatch):
    """How many layers each model was loaded with on a GPU. `natives.broken`: the driver refuses them."""

    class Natives(list):
        broken = False

    seen, real = Natives(), chat_model.NativeModel

    def native(path, *, gpu_layers):
        seen.append(gpu_layers)
        if gpu_layers and seen.broken:
            raise ModelError("The driver is older than the program.")
        return real(path, gpu_layers=gpu_layers)

    monkeypatch.setattr(chat_model, "NativeModel", native)
    return seen


def answer(engine):
    async def run():
        asked = Generation(
            engine.encode([ChatMessage("user", "Paris is the capital of France. Which city is that?")]), 16
        )
        return [item async for item in engine.generate(asked)]

    *pieces, end = asyncio.run(run())
    assert isinstance(end, End)
    return "".join(piece.text for piece in pieces)


def test_what_was_chosen_is_said(load, machine):
    machine()

    assert load().model.placement == "on the processor, 8,192 tokens, 2 answers side by side"


def test_layers_are_divided_as_the_card_allows_and_the_end_counts_as_one_more(load, machine, natives):
    machine(card=480 * MB)

    model = load().model

    assert 0 < model.layers_offloaded < model.layers == 30
    assert (model.backend, natives) == ("CUDA0", [model.layers_offloaded + 1])
    assert model.placement == f"{model.layers_offloaded} of 30 layers on the GPU, 8,192 tokens"


def test_a_card_that_refuses_gives_way_to_the_processor_which_is_said_once(load, machine, natives):
    machine(card=4_000 * MB)
    natives.broken = True

    engine = load()

    assert natives == [31, 0]
    assert (engine.model.backend, engine.model.layers_offloaded) == ("CPU", 0)
    assert engine.notice is not None
    assert engine.notice.code == "gpu_refused"
    assert "CUDA0" in engine.notice.message
    assert "Paris" in answer(engine)


def test_layers_for_a_card_that_is_not_there_run_on_the_processor_which_is_said(load, machine):
    machine()

    engine = load(gpu_layers=10)

    assert engine.notice is not None
    assert engine.notice.code == "gpu_missing"
    assert engine.model.placement.startswith("on the processor")
    assert load().notice is None


def test_more_than_fits_is_refused_with_figures_before_anything_is_loaded(load, machine, natives):
    machine(free=120 * MB)

    with pytest.raises(ModelTooLargeError, match=r"needs about \d+ MB of memory; 120 MB are free"):
        load()
    machine(card=300 * MB)
    with pytest.raises(ModelTooLargeError, match="on CUDA0 for 30 layers; 300 MB are free there"):
        load(gpu_layers=30)
    machine(free=250 * MB)
    with pytest.raises(ModelTooLargeError, match="with 8,192 tokens of context"):
        load(context_length=8_192)
    assert natives == []


def test_a_context_in_8_bits_answers_as_well(load, machine):
    machine(free=260 * MB)

    engine = load()

    assert "the context in 8 bits" in engine.model.placement
    assert "Paris" in answer(engine)


@pytest.mark.parametrize(("free", "card", "layers"), [(260, None, 0), (233, 343, 3)])
def test_where_8_bits_are_refused_the_context_is_shorter_instead(
    load, machine, monkeypatch, natives, free, card, layers
):
    machine(free=free * MB, card=card and card * MB)
    real = chat_model.NativeContext

    def context(native, *, compact, **options):
        if compact:
            raise ModelError("This model's heads are too narrow for that.")
        return real(native, **options)

    monkeypatch.setattr(chat_model, "NativeContext", context)

    engine = load()

    assert 512 <= engine.context_length < 4_096
    assert engine.model.placement.endswith(f", {engine.context_length:,} tokens")
    assert (engine.model.layers_offloaded, natives) == (layers, [layers + 1 if layers else 0])
    assert "Paris" in answer(engine)


def test_where_there_is_no_room_after_all_less_is_made_of_what_nobody_asked_for(load, machine, monkeypatch):
    machine()
    real, tried = chat_model.NativeContext, []

    def context(native, *, length, slots, **options):
        tried.append((length, slots))
        if length * slots > 1_024:
            raise ModelError("There is no room.")
        return real(native, length=length, slots=slots, **options)

    monkeypatch.setattr(chat_model, "NativeContext", context)

    assert load().context_length == 1_024
    assert tried == [*[(2_048, 1)] * 4, (1_024, 1)]  # of two texts of 8,192 tokens, one of 8,192, 4,096, …
    with pytest.raises(ModelError, match="no room"):
        load(context_length=4_096)
