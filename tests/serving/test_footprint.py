import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.serving import footprint
from app.serving.footprint import Footprint, Layer
from app.serving.gguf import Header, read_header
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel
from app.serving.scheduler import Row


def header(architecture="llama", *, lists=None, weights=None, vocabulary=1_000, **numbers):
    """A header with these numbers; two underscores in a name are a dot."""
    metadata = {f"{architecture}.{name.replace('__', '.')}": number for name, number in numbers.items()}
    named = {f"{architecture}.{name}": tuple(found) for name, found in (lists or {}).items()}
    return Header(architecture, 1, metadata, named, vocabulary, weights or {})


def kept(found: Footprint) -> list[int]:
    return [layer.kept for layer in found.layers]


def test_the_bundled_model_takes_45_megabytes_for_2048_tokens(models):
    found = footprint.of(read_header(models.chat.path), "SmolLM2")

    assert sum(layer.context("f16", length=2048, slots=1) for layer in found.layers) == 45 * 2**20
    assert sum(layer.context("q8_0", length=2048, slots=1) for layer in found.layers) == 45 * 2**20 * 17 // 32
    assert (len(found.layers), found.trained, found.vocabulary) == (30, 8_192, 49_152)


def test_every_byte_of_the_weights_is_somewhere(models):
    found = footprint.of(read_header(models.chat.path), "SmolLM2")

    weights = sum(layer.weights for layer in found.layers) + found.entrance + found.exit - found.shared
    assert 0.98 < weights / models.chat.path.stat().st_size < 1
    assert found.shared == found.entrance  # one embedding for both ends


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "mamba", "lfm2"])
def test_what_a_token_takes_is_what_llama_cpp_keeps_of_it(tiny, architecture):
    path = tiny(architecture, window=64)
    found = footprint.of(read_header(path), "tiny")
    model = NativeModel(path)
    context = NativeContext(model, length=128, batch=64, threads=1)
    sizes = []
    for start in (0, 32):
        context.decode((Row(0, start, tuple(range(3, 35)), True),))
        sizes.append(len(context.save(0) or b""))
    context.free()
    model.free()

    grown = sum(layer.context("f16", length=32, slots=1) - layer.state for layer in found.layers)
    state = sum(layer.state for layer in found.layers)
    # Besides, llama.cpp notes of each token where it stands and whose it is.
    assert 0 <= (sizes[1] - sizes[0]) - grown <= 32 * 32
    assert sizes[0] >= state / 2  # one of two layers may have none
    assert sizes[0] <= grown + state + 4_096


def test_layers_may_have_different_numbers_of_heads():
    found = footprint.of(
        header(
            block_count=4,
            embedding_length=64,
            attention__head_count=4,
            lists={"attention.head_count_kv": [2, 0, 1, 0]},
        ),
        "m",
    )

    assert kept(found) == [64, 0, 32, 0]


def test_keys_and_values_may_be_wider_than_a_head():
    wide = header(
        block_count=1,
        embedding_length=64,
        attention__head_count=4,
        attention__head_count_kv=1,
        attention__key_length=192,
        attention__value_length=128,
    )

    assert kept(footprint.of(wide, "m")) == [320]


def test_only_every_fourth_layer_of_a_qwen35_keeps_keys_and_values_beside_a_running_state():
    hybrid = header(
        "qwen35",
        block_count=8,
        embedding_length=2_560,
        attention__head_count=16,
        attention__head_count_kv=4,
        attention__key_length=256,
        attention__value_length=256,
        full_attention_interval=4,
        ssm__conv_kernel=4,
        ssm__inner_size=4_096,
        ssm__state_size=128,
        ssm__group_count=16,
    )
    found = footprint.of(hybrid, "m")

    assert kept(found) == [0, 0, 0, 2_048] * 2
    assert found.layers[0].state == 4 * (3 * (4_096 + 2 * 16 * 128) + 128 * 4_096)


def test_what_a_header_leaves_out_is_taken_to_be_the_most_it_can_be():
    assert kept(footprint.of(header(block_count=1, embedding_length=64), "m")) == [128]
    assert kept(footprint.of(header(block_count=1, embedding_length=64, attention__head_count=4), "m")) == [
        128
    ]
    short = header(
        block_count=3,
        embedding_length=64,
        attention__head_count=4,
        lists={"attention.head_count_kv": [1, 2]},
    )
    assert kept(footprint.of(short, "m")) == [32, 64, 64]
    assert footprint.of(header(block_count=1, vocabulary=0), "m").vocabulary == 262_144


@pytest.mark.parametrize("senseless", [-1, 1.5, "four"])
def test_a_number_that_makes_no_sense_is_as_good_as_none(senseless):
    plain = header(block_count=1, embedding_length=64, attention__head_count=4)
    odd = header(
        block_count=1, embedding_length=64, attention__head_count=4, attention__head_count_kv=senseless
    )

    assert kept(footprint.of(odd, "m")) == kept(footprint.of(plain, "m"))


def test_no_layers_and_huge_heads_have_figures_as_well():
    assert len(footprint.of(header(), "m").layers) == 1
    huge = header(
        block_count=512,
        embedding_length=2**32,
        attention__head_count=2**32 - 1,
        attention__key_length=2**32,
    )
    assert footprint.of(huge, "m").layers[0].kept > 2**63


def test_weights_are_told_apart_by_where_they_go():
    found = footprint.of(
        header(
            block_count=2,
            weights={
                "token_embd.weight": 1,
                "blk.0.attn_q.weight": 10,
                "blk.1.attn_q.weight": 100,
                "blk.1.ffn_up.weight": 1_000,
                "output_norm.weight": 10_000,
                "output.weight": 100_000,
                "blk.7.unknown": 1_000_000,
            },
        ),
        "m",
    )

    assert [layer.weights for layer in found.layers] == [10, 1_100]
    assert (found.entrance, found.exit, found.shared) == (1, 1_110_000, 0)


numbers = st.one_of(st.integers(-5, 2**64), st.floats(), st.booleans(), st.text(max_size=3))


@given(
    single=st.dictionaries(
        st.sampled_from(
            [
                "block_count",
                "embedding_length",
                "attention.head_count",
                "attention.head_count_kv",
                "context_length",
                "attention.key_length",
                "feed_forward_length",
                "full_attention_interval",
                "ssm.state_size",
                "ssm.inner_size",
                "wkv.head_size",
                "kda.head_dim",
                "shortconv.l_cache",
            ]
        ),
        numbers,
    ),
    several=st.dictionaries(
        st.sampled_from(["attention.head_count_kv", "attention.recurrent_layers", "attention.head_count"]),
        st.lists(numbers, max_size=6).map(tuple),
    ),
)
def test_any_header_has_a_footprint(single, several):
    single["block_count"] = 6  # a count that makes no sense is refused before
    metadata = {f"x.{key}": value for key, value in single.items()}
    found = footprint.of(Header("x", 1, metadata, {f"x.{key}": it for key, it in several.items()}), "m")

    assert len(found.layers) == 6
    assert all(layer.kept >= 0 and layer.state >= 0 for layer in found.layers)
    flash, plain = (found.computing(batch=1, length=9, slots=1, flash=it) for it in (True, False))
    assert 0 < flash < plain


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 8))
def test_8_bits_never_take_more_than_16(kept, length, slots):
    layer = Layer(0, kept)

    compact, plain = (layer.context(kv, length=length, slots=slots) for kv in ("q8_0", "f16"))
    assert compact <= plain or plain == 0


@given(st.integers(1, 300), st.integers(0, 15))
def test_what_is_computed_begins_with_a_line_of_the_cache(slots, drafts):
    found = footprint.outputs(slots, drafts)

    assert found >= slots + drafts
    assert found * 4 % 64 == 0  # llama.cpp's list of outputs comes first: 4 bytes each
    assert found - (slots + drafts) < 16


@given(st.integers(1, 200_000), st.booleans())
def test_a_slot_has_room_for_its_tokens_and_hardly_more(length, flash):
    found = footprint.positions(length, flash=flash)

    assert length <= found < length + 512
    assert found % 256 == 0
    assert flash or found * 2 % 8_192  # rows of values, 2 bytes each, lie across the lines of the cache
    assert found <= footprint.positions(length + 1, flash=flash)
