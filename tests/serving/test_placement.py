import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ModelTooLargeError
from app.serving import placement
from app.serving.footprint import Footprint, Layer
from app.serving.hardware import Device
from app.serving.placement import Asked, Placement, smaller

GB = 10**9
# As large as a model of 8 thousand million parameters at 4 bits, with 36 layers.
LARGE = Footprint(
    name="Large",
    layers=(Layer(weights=120_000_000, kept=2_048),) * 36,
    entrance=300_000_000,
    exit=500_000_000,
    shared=0,
    trained=131_072,
    width=4_096,
    feed_forward=12_288,
    heads=32,
    vocabulary=150_000,
)
HUGE_CACHE = dataclasses.replace(LARGE, layers=(Layer(weights=1_000_000, kept=16_384),) * 36)


def gpu(free):
    return Device("CUDA0", "a graphics card", gpu=True, memory_free=int(free), memory_total=24 * GB)


def place(model=LARGE, *, free, card=None, kv_types=placement.KV_TYPES, **asked):
    return placement.place(model, free=int(free), gpu=card, asked=Asked(**asked), kv_types=kv_types)


def test_with_much_memory_a_model_gets_all_it_can_use():
    assert place(free=64 * GB) == Placement("CPU", 0, 36, 8_192, 1, "f16", 512, flash=False, reading=512)
    assert place(free=64 * GB).sentence == "on the processor, 8,192 tokens"

    small = dataclasses.replace(LARGE, layers=LARGE.layers[:6], trained=2_048)
    assert place(small, free=64 * GB).sentence == "on the processor, 2,048 tokens, 4 answers side by side"


def test_a_gpu_that_holds_all_layers_gets_all():
    found = place(free=16 * GB, card=gpu(12 * GB))

    assert (found.backend, found.layers, found.context_length) == ("CUDA0", 36, 8_192)
    assert found.sentence == "36 of 36 layers on the GPU, 8,192 tokens"


def test_a_gpu_that_does_not_hold_all_layers_gets_as_many_as_fit():
    found = place(free=16 * GB, card=gpu(4 * GB))

    assert (found.backend, found.context_length) == ("CUDA0", 8_192)
    assert 10 < found.layers < 36
    assert found.sentence == f"{found.layers} of 36 layers on the GPU, 8,192 tokens"
    assert place(free=16 * GB, card=gpu(5 * GB)).layers > found.layers


def test_all_layers_on_the_gpu_are_worth_a_shorter_context_but_a_comfortable_one():
    whole = place(free=16 * GB, card=gpu(6.5 * GB))

    assert whole.layers == 36
    assert 4_096 <= whole.context_length < 8_192


def test_a_gpu_that_holds_no_layer_is_left_alone():
    found = place(free=16 * GB, card=gpu(0.5 * GB))

    assert (found.backend, found.layers) == ("CPU", 0)


def test_a_driver_that_does_not_tell_its_memory_is_believed_to_hold_what_was_asked():
    assert place(free=16 * GB, card=gpu(0)).layers == 36
    assert place(free=16 * GB, card=gpu(0), gpu_layers=7).layers == 7


def test_layers_that_were_asked_for_go_to_the_gpu_or_the_model_is_refused():
    assert place(free=16 * GB, card=gpu(12 * GB), gpu_layers=10).layers == 10
    assert place(free=16 * GB, card=gpu(12 * GB), gpu_layers=999).layers == 36
    assert place(free=16 * GB, card=gpu(12 * GB), gpu_layers=0).backend == "CPU"
    assert place(free=16 * GB, card=None, gpu_layers=10).backend == "CPU"

    with pytest.raises(ModelTooLargeError, match=r"on CUDA0 for 36 layers; 4\.0 GB are free there") as caught:
        place(free=16 * GB, card=gpu(4 * GB), gpu_layers=36)
    fitting = int(re.search(r"(\d+) layers would fit", caught.value.message)[1])
    assert place(free=16 * GB, card=gpu(4 * GB), gpu_layers=fitting).layers == fitting


def test_a_model_that_does_not_fit_is_refused_with_figures():
    with pytest.raises(ModelTooLargeError) as caught:
        place(free=5.1 * GB)

    assert caught.value.code == "model_too_large"
    assert re.fullmatch(r"Large needs about 5\.\d GB of memory; 5\.1 GB are free\.", caught.value.message)


def test_what_does_not_fit_on_the_gpu_must_fit_beside_it():
    with pytest.raises(ModelTooLargeError, match=r"beside \d+ layers on CUDA0; 0\.9 GB are free"):
        place(free=0.9 * GB, card=gpu(4 * GB))


def test_a_context_that_was_asked_for_is_kept_or_refused_with_what_would_fit():
    assert place(free=64 * GB, context_length=131_072).context_length == 131_072
    assert place(free=64 * GB, context_length=10**6).context_length == 131_072  # as it was trained
    assert place(free=64 * GB, context_length=100).context_length == 100

    with pytest.raises(ModelTooLargeError, match="with 131,072 tokens of context") as caught:
        place(free=8 * GB, context_length=131_072)
    fitting = int(re.search(r"([\d,]+) tokens would fit", caught.value.message)[1].replace(",", ""))
    assert place(free=8 * GB, context_length=fitting).context_length == fitting
    with pytest.raises(ModelTooLargeError):
        place(free=8 * GB, context_length=fitting + 1)


def test_the_context_is_kept_in_8_bits_only_where_16_leave_too_little_of_it():
    plain = place(HUGE_CACHE, free=32 * GB)
    compact = place(HUGE_CACHE, free=5 * GB)

    assert (plain.kv, plain.context_length >= 4_096) == ("f16", True)
    assert (compact.kv, compact.context_length) == ("q8_0", 4_096)
    assert compact.sentence == "on the processor, 4,096 tokens, the context in 8 bits to save memory"
    short = place(HUGE_CACHE, free=5 * GB, kv_types=("f16",))
    assert (short.kv, short.context_length < 4_096) == ("f16", True)


def test_a_small_batch_is_the_last_thing_to_be_tried():
    wide = dataclasses.replace(LARGE, width=50_000, feed_forward=200_000)  # 2 GB to compute 512 tokens

    assert place(wide, free=16 * GB).batch == 512
    assert place(wide, free=7 * GB).batch == 128
    card = gpu(24 * GB)
    assert place(wide, free=16 * GB, card=card).batch == 512


def test_on_the_processor_flash_attention_is_for_contexts_whose_scores_find_no_room():
    assert not place(free=64 * GB).flash
    long = place(free=23 * GB, context_length=100_000)
    assert (long.flash, long.kv, long.batch) == (True, "f16", 512)
    assert place(HUGE_CACHE, free=5 * GB).flash  # in 8 bits
    assert place(free=16 * GB, card=gpu(12 * GB)).flash
    beside = place(free=16 * GB, card=gpu(100_000_000))
    assert (beside.layers, beside.flash, beside.batch) == (0, False, 512)


def test_long_texts_are_read_apart_where_answers_are_written_without_flash_attention_and_there_is_room():
    assert place(free=64 * GB).reading == 512
    assert place(free=16 * GB, card=gpu(12 * GB)).reading == 0
    assert place(HUGE_CACHE, free=5 * GB).reading == 0
    assert place(free=10 * GB).reading == 0


def test_slots_that_were_asked_for_are_made():
    assert place(free=64 * GB, slots=7).slots == 7
    assert place(free=64 * GB, slots=1).slots == 1


def test_unknown_training_and_zero_memory():
    unknown = dataclasses.replace(LARGE, trained=0)

    assert place(unknown, free=64 * GB).context_length == 8_192
    with pytest.raises(ModelTooLargeError, match=r"; 0\.0 GB are free"):
        place(free=0)


def test_where_llama_cpp_finds_no_room_slots_go_first_then_length_and_never_what_was_asked():
    placed = Placement("CPU", 0, 30, 2_000, 4, "f16", 512, flash=True)
    steps = []
    while placed is not None:
        steps.append((placed.context_length, placed.slots, placed.batch))
        placed = smaller(placed, Asked())

    assert steps == [
        (2_000, 4, 512),
        (2_000, 2, 512),
        (2_000, 1, 512),
        (1_000, 1, 512),
        (512, 1, 512),
    ]
    assert smaller(Placement("CPU", 0, 30, 2_000, 4, "f16", 512, flash=True), Asked(2_000, -1, 4)) is None


layers = st.lists(
    st.builds(Layer, weights=st.integers(0, 2 * GB), kept=st.integers(0, 2**20), state=st.integers(0, 10**8)),
    min_size=1,
    max_size=40,
).map(tuple)
footprints = st.builds(
    Footprint,
    name=st.just("Any"),
    layers=layers,
    entrance=st.integers(0, GB),
    exit=st.integers(0, GB),
    shared=st.just(0),
    trained=st.integers(0, 10**6),
    width=st.integers(0, 20_000),
    feed_forward=st.integers(0, 80_000),
    heads=st.integers(0, 200),
    vocabulary=st.integers(0, 300_000),
)
cards = st.one_of(st.none(), st.integers(0, 96 * GB).map(gpu))
wishes = st.builds(
    Asked,
    context_length=st.one_of(st.just(0), st.integers(1, 10**6)),
    gpu_layers=st.integers(-1, 50),
    slots=st.integers(0, 4),
)


@given(footprints, st.integers(0, 128 * GB), cards, wishes)
def test_whatever_is_placed_fits_and_is_what_was_asked(model, free, card, asked):
    try:
        found = placement.place(model, free=free, gpu=card, asked=asked)
    except ModelTooLargeError as refusal:
        needed, there = re.search(r"about ([\d,.]+) [GM]B.*; ([\d,.]+) [GM]B", refusal.message).groups()
        assert float(needed.replace(",", "")) > float(there.replace(",", ""))
        return

    trained = model.trained or 8_192
    assert 0 < found.context_length <= trained
    assert found.context_length == min(asked.context_length, trained) or not asked.context_length
    assert found.slots == asked.slots or not asked.slots
    assert 1 <= found.slots <= 4
    assert 1 <= found.batch <= found.context_length
    if card is None or asked.gpu_layers == 0:
        assert (found.backend, found.layers) == ("CPU", 0)
    elif asked.gpu_layers > 0:
        assert found.layers == min(asked.gpu_layers, len(model.layers))
    taken = [
        layer.weights + layer.context(found.kv, length=found.context_length, slots=found.slots)
        for layer in model.layers
    ]
    here, there = taken[: len(taken) - found.layers], taken[len(taken) - found.layers :]
    assert model.entrance + sum(here) <= free
    if found.layers and card.memory_free:
        assert model.exit + sum(there) + 256 * 2**20 <= card.memory_free


@given(footprints, st.integers(0, 64 * GB), st.integers(0, 8 * GB))
def test_more_memory_never_makes_a_context_uncomfortable(model, free, more):
    def length(memory):
        try:
            found = placement.place(model, free=memory, gpu=None, asked=Asked())
        except ModelTooLargeError:
            return 0
        return min(found.context_length, placement.COMFORTABLE_CONTEXT)

    assert length(free) <= length(free + more)
