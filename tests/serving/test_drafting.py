"""What is guessed of an answer, and when: no model, and a clock that is made up."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.serving.drafting import LENGTHS, MOST, REMEMBERED, Costs, Drafter, Lookup, Odds
from app.serving.generation import Generation, Prompt, Sampling
from app.serving.sequence import Sequence

GRAM = 3
PLAIN = 0.01  # seconds


class Nowhere:
    def put(self, item):
        pass


def sequence(prompt, **sampling):
    return Sequence(Generation(Prompt("", tuple(prompt)), 100_000, Sampling(**sampling)), Nowhere())


def lookup(text):
    found = Lookup(text[:GRAM])
    for token in text[GRAM:]:
        found.add(token)
    return found


def test_what_followed_the_last_tokens_before_is_the_draft():
    assert lookup([1, 2, 3, 4, 5, 9, 1, 2, 3]).draft(4) == (4, 5, 9, 1)
    assert lookup([1, 2, 3, 4, 5, 9, 2, 3]).draft(4) == ()


def test_of_several_places_the_latest_counts_until_it_is_wrong():
    text = lookup([1, 2, 3, 4, 9, 1, 2, 3, 5, 9, 1, 2, 3])

    assert text.draft(1) == (5,)
    assert text.add(4) is False
    assert text.draft(3) == (9, 1, 2)
    assert text.add(8) is False
    assert text.draft(1) == ()
    assert text.add(8) is None


def test_where_one_text_is_quoted_the_quote_goes_on_however_often_parts_of_it_stand_elsewhere():
    quoted = [1, 2, 3, 4, 5, 6, 7, 8]
    text = lookup([*quoted, 0, 4, 5, 6, 9, 0, *quoted[:3]])

    assert [text.add(token) for token in quoted[3:]] == [True] * 5


def test_a_text_that_repeats_itself_is_continued_for_as_long_as_one_likes():
    assert lookup([7, 7, 7, 7]).draft(5) == (7,) * 5
    assert lookup([1, 2, 3, 1, 2, 3]).draft(8) == (1, 2, 3, 1, 2, 3, 1, 2)


@given(
    text=st.lists(st.integers(0, 2), max_size=60), begun=st.integers(0, 60), length=st.sampled_from(LENGTHS)
)
def test_a_draft_is_always_what_stood_after_the_same_tokens(text, begun, length):
    found = Lookup(text[:begun])
    for at in range(len(text[:begun]), len(text)):
        expected = found.draft(1)
        assert found.add(text[at]) == (None if not expected else expected == (text[at],))
    assert found.seen == len(text)

    draft = found.draft(length)

    gram = text[-GRAM:]
    places = [at for at in range(GRAM, len(text)) if text[at - GRAM : at] == gram]
    assert bool(draft) == bool(places)
    assert len(draft) in (0, length)
    if draft:
        assert any(draft[: len(text) - at] == tuple(text[at : at + length]) for at in places)


def test_a_long_text_is_remembered_in_part_and_its_end_is_found_again():
    chance = random.Random(1)
    begin = [chance.randrange(10**6) for _ in range(5 * REMEMBERED)]
    found = Lookup(begin)
    assert found.seen == len(begin)

    for token in [*begin[: 3 * REMEMBERED], *begin[-100:-50]]:
        found.add(token)

    assert len(found._tokens) <= 2 * REMEMBERED
    assert len(found._places) <= 2 * REMEMBERED
    for token in found._tokens[-500:-450]:
        found.add(token)
    assert found.draft(7) == tuple(found._tokens[-500:-493])


def test_odds_are_those_seen_after_as_many_right_guesses():
    odds = Odds()
    for _ in range(300):
        odds.tell(0, right=False)
        odds.tell(5, right=True)

    assert odds.of(0) < 0.1
    assert odds.of(4) == odds.of(7) > 0.9
    assert odds.of(1) == odds.of(8) == 0.5
    assert dict(odds.expected(0, 1))[1] == pytest.approx(1 + odds.of(0))
    assert dict(odds.expected(4, 7))[3] == pytest.approx(1 + sum(odds.of(4) ** n for n in (1, 2, 3)))
    assert [length for length, _ in odds.expected(4, 7)] == [1, 3, 7]


def test_an_answer_that_shows_nothing_yet_has_the_odds_of_all_others_and_then_its_own():
    others = Odds()
    for _ in range(300):
        others.tell(0, right=True)
    own = Odds(others)
    assert own.of(0) == others.of(0)

    for _ in range(30):
        own.tell(0, right=False)

    assert own.of(0) < 0.2 < others.of(0)


def test_costs_are_counted_in_plain_steps_and_one_slow_step_does_not_move_them():
    costs = Costs()
    for seconds in (0.01, 0.01, 5.0, 0.01):
        costs.took(0, seconds)

    assert [costs.took(7, seconds) for seconds in (9.0, 0.04, 0.04)] == pytest.approx([8, 4, 4])
    assert costs.of(7) == pytest.approx(4)
    assert costs.known(7)
    assert not costs.known(15)
    assert costs.of(15) == pytest.approx(8)  # twice as many tokens, at most twice as dear
    assert costs.of(3) == 4.0


def test_a_machine_that_stalls_while_a_draft_is_tried_out_does_not_end_drafting():
    drafter, chance, stalls = Drafter(), random.Random(3), iter([500.0, 300.0])
    took = plain = 0.0
    for _ in range(5):
        document, text = quoting(chance)
        took += written(drafter, sequence(document), text, lambda drafted: next(stalls, 1.0 + 0.05 * drafted))
        plain += len(text) * PLAIN

    assert took - 800 * PLAIN < 0.5 * plain


def test_costs_are_found_out_anew_after_a_while():
    costs = Costs()
    costs.took(0, 0.01)
    costs.took(3, 0.01)
    costs.took(3, 0.01)
    assert costs.known(3)

    for _ in range(3_000):
        costs.took(0, 0.01)

    assert not costs.known(3)


def written(drafter, answer, text, cost):
    """Let `answer` become `text`, with steps that take `cost(drafted)` plain ones; returns the seconds."""
    took, end = 0.0, len(answer.tokens) + len(text)
    whole = [*answer.tokens, *text]
    while len(answer.tokens) < end:
        at = len(answer.tokens)
        draft = drafter.draft(answer, end - at - 1)
        right = 0
        while right < len(draft) and draft[right] == whole[at + right]:
            right += 1
        answer.tokens += whole[at : at + right + 1]
        seconds = PLAIN * (cost(len(draft)) if draft else 1.0)
        drafter.took(answer, len(draft), right, seconds)
        took += seconds
    return took


def quoting(chance, length=400, run=60):
    """A document, and an answer that quotes it: here and there a word of its own."""
    document = [chance.randrange(1_000) for _ in range(2_000)]
    answer = []
    while len(answer) < length:
        begin = chance.randrange(1_900)
        answer += [*document[begin : begin + chance.randrange(run)], chance.randrange(1_000)]
    return document, answer[:length]


def test_where_a_draft_costs_little_a_quoting_answer_takes_less_than_half_its_time():
    drafter, chance = Drafter(), random.Random(3)
    took = plain = 0.0
    for _ in range(5):
        document, text = quoting(chance)
        took += written(drafter, sequence(document), text, lambda drafted: 1.0 + 0.05 * drafted)
        plain += len(text) * PLAIN

    assert took < 0.5 * plain


def test_as_dear_as_on_a_processor_a_draft_still_pays_where_long_passages_are_quoted():
    drafter, chance = Drafter(), random.Random(3)
    measured = {1: 2.2, 3: 3.1, 7: 4.0, 15: 4.8}
    took = plain = 0.0
    for _ in range(5):
        document, text = quoting(chance)
        took += written(drafter, sequence(document), text, measured.__getitem__)
        plain += len(text) * PLAIN

    assert took < 0.8 * plain


@pytest.mark.parametrize("run", [0, 4, 9, 60])
def test_where_a_draft_costs_as_much_as_its_tokens_all_that_is_lost_is_the_allowance(run):
    drafter, chance = Drafter(), random.Random(3)
    took = plain = 0.0
    for _ in range(20):
        document, text = quoting(chance, run=max(1, run))
        took += written(drafter, sequence(document), text, lambda drafted: 1.0 + drafted)
        plain += len(text) * PLAIN

    assert took < 1.02 * plain


def test_texts_that_mislead_lose_no_more_than_the_allowance():
    """Each passage is quoted for just as long as it takes to be believed."""
    drafter, chance = Drafter(), random.Random(3)
    took = plain = 0.0
    for number in range(20):
        document, text = quoting(chance, run=60 if number < 3 else 12)
        took += written(drafter, sequence(document), text, lambda drafted: 2.0 + 0.4 * drafted)
        plain += len(text) * PLAIN

    assert took < 1.02 * plain


def test_whoever_gives_a_seed_gets_no_drafts():
    drafter, answer = Drafter(), sequence([1, 2, 3] * 50, temperature=1.0, seed=5)

    assert written(drafter, answer, [1, 2, 3] * 50, lambda drafted: 0.0) == pytest.approx(150 * PLAIN)


def test_no_more_is_drafted_than_is_asked_for():
    drafter, answer = Drafter(), sequence([1, 2, 3] * 50)
    written(drafter, answer, [1, 2, 3] * 50, lambda drafted: 1.0)

    lengths = {len(drafter.draft(answer, most)) for most in range(MOST + 9)}

    assert {0, 7, 15} <= lengths <= {0, *LENGTHS}
    assert drafter.draft(answer, 0) == ()


def test_nothing_is_kept_of_a_text_that_is_over():
    drafter, answer = Drafter(), sequence([1, 2, 3] * 50)
    written(drafter, answer, [1, 2, 3] * 5, lambda drafted: 1.0)
    drafter.forget(sequence([1]))
    assert drafter._lookup.seen > 150

    drafter.forget(answer)

    assert drafter._lookup.seen == 0
    drafter.took(answer, 3, 3, 0.1)  # too late, and no harm
    assert drafter._sequence is None
