import pytest
import table
from answers import Answer, must_be_same_work, throughput
from bench import in_turns
from claims import CLAIMS, Claim
from results import Figures, Result, Spread, not_measured, percentile

FASTER = Claim("a", "decode", "tokens/s", "the peer", 0.97, at_least=True)
SOONER = Claim("b", "first token", "ms", "the peer", 1.05)
WORST = Claim("c", "stop", "ms", "", 20, worst=True)


def test_a_ratio_is_judged_round_by_round():
    # The machine became ten times slower in the last round, for both sides.
    result = Result(FASTER, (100, 98, 9.8), (100, 100, 10))

    assert result.judged == pytest.approx((1.0, 0.98, 0.98))
    assert Spread.of(result.judged).median == pytest.approx(0.98)
    assert result.holds is True


@pytest.mark.parametrize(
    ("claim", "ours", "theirs", "holds"),
    [
        (FASTER, (96, 96, 200), (100, 100, 100), False),
        (FASTER, (97, 97, 1), (100, 100, 100), True),
        (SOONER, (105, 105, 900), (100, 100, 100), True),
        (SOONER, (106, 106, 1), (100, 100, 100), False),
        (WORST, (1, 1, 20), (), True),
        (WORST, (1, 1, 20.1), (), False),
        (Claim("d", "load", "ms"), (5,), (), None),
        (SOONER, (), (), None),
    ],
)
def test_a_claim_holds_or_does_not(claim, ours, theirs, holds):
    assert Result(claim, ours, theirs).holds is holds


def test_a_round_without_its_other_side_is_a_mistake():
    with pytest.raises(ValueError, match="shorter"):
        _ = Result(FASTER, (1, 2), (1,)).judged


def test_percentiles_lie_between_neighbours():
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([1, 2], 0.5) == 1.5
    assert percentile(range(101), 0.95) == 95
    assert percentile([7], 0.95) == 7


def test_figures_of_rounds_become_results_of_claims():
    figures = Figures()
    for ours, theirs in ((10, 20), (30, 20)):
        figures.add("single.decode", ours, theirs)
    figures.add("restart.load", 5)

    decode, load = figures.results()

    assert decode == Result(CLAIMS["single.decode"], (10, 30), (20, 20))
    assert load == Result(CLAIMS["restart.load"], (5,))


def test_what_could_not_be_measured_says_why_and_is_no_success():
    results = not_measured("restart.", "there is no folder")

    assert {result.claim.name for result in results} == {"restart.first", "restart.load"}
    assert all(result.holds is None for result in results)
    assert table.markdown(results).count("not measured: there is no folder") == 2


def test_every_side_comes_first_as_often():
    firsts = [in_turns(("a", "b", "c"), number)[0] for number in range(6)]

    assert sorted(firsts) == ["a", "a", "b", "b", "c", "c"]
    assert in_turns(("a", "b", "c"), 1) == ["b", "c", "a"]


def test_the_table_tells_medians_their_spread_and_the_verdict():
    missed = Result(FASTER, (50, 40, 60), (100, 100, 100))

    head, _, row = table.markdown([missed]).splitlines()

    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "decode",
        "50.0 tokens/s (40.0–60.0)",
        "the peer",
        "100 tokens/s (100–100)",
        "0.50× (0.40–0.60)",
        "≥ 0.97×",
        "**missed**",
    ]
    assert len(head) == len(row)


def test_json_holds_every_figure():
    told = table.values(Result(WORST, (1.0, 2.0, 3.0)))

    assert told["ours"] == [1.0, 2.0, 3.0]
    assert told["judged"] == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert told["target"] == "≤ 20 ms"
    assert told["holds"] is True


def answer(asked: float = 0, arrivals: tuple[float, ...] = (1, 2, 4), ended: float = 4.5, tokens: int = 8):
    return Answer(asked, arrivals, ended, 20, tokens)


def test_an_answer_is_told_as_its_client_saw_it():
    assert answer().first_token_s == 1
    assert answer().longest_gap_s == 2
    assert answer().decode_rate == 7 / 3.5


def test_throughput_counts_all_tokens_from_the_first_request_to_the_last_end():
    assert throughput([answer(), answer(asked=0.5, ended=7)]) == 2 * 28 / 7


def test_answers_of_other_lengths_are_not_compared():
    must_be_same_work([answer()], [answer(ended=9)])
    with pytest.raises(ValueError, match="same work"):
        must_be_same_work([answer()], [answer(tokens=7)])
