from hypothesis import given
from hypothesis import strategies as st

from app.serving.packing import FEW, PACK, packs

LENGTHS = st.lists(st.integers(min_value=1, max_value=64), max_size=80)


@given(
    LENGTHS,
    st.integers(min_value=64, max_value=512),
    st.integers(min_value=1, max_value=16),
    st.integers(min_value=1, max_value=8),
)
def test_each_text_is_in_exactly_one_batch_and_none_is_too_large(lengths, positions, most, threads):
    made = packs(lengths, positions=positions, most=most, threads=threads)

    assert sorted(place for pack in made for place in pack) == list(range(len(lengths)))
    for pack in made:
        assert len(pack) <= most
        assert sum(lengths[place] for place in pack) <= min(PACK, positions)


def test_short_texts_share_a_batch_that_is_worth_it():
    made = packs([30] * 16, positions=512, most=8)

    assert [len(pack) for pack in made] == [4, 4, 4, 4]


def test_a_text_longer_than_a_batch_is_worth_is_one():
    assert packs([PACK + 1, 10], positions=512, most=8) == [(0,), (1,)]


def test_long_texts_stay_alone_and_go_first():
    assert packs([40, 200, 150], positions=512, most=8) == [(1,), (2,), (0,)]


def test_the_gap_beside_a_long_text_is_filled():
    assert packs([100, 20, 90, 30], positions=512, most=8) == [(0, 1), (2, 3)]


def test_a_few_texts_are_spread_over_the_threads():
    made = packs([16] * 8, positions=512, most=8, threads=2)

    assert [sum(16 for _ in pack) for pack in made] == [FEW, FEW]


def test_where_a_model_reads_one_text_at_a_time_each_is_a_batch():
    assert packs([16, 16], positions=512, most=1) == [(0,), (1,)]
