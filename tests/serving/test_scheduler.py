"""The scheduler against a model that is a counter: no llama.cpp, no thread, no clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.serving.generation import Asker, End, Generation, Prompt
from app.serving.kv_cache import KvCache
from app.serving.scheduler import PUSHED_OUT, READ_AT_ONCE, SMALLEST_PART, URGENT_IN_A_ROW, Scheduler
from app.serving.sequence import Sequence
from tests.serving.recorder import Recorder


def sequence(prompt, max_tokens=3, **asker):
    generation = Generation(Prompt("", tuple(prompt)), max_tokens, asker=Asker(**asker))
    return Sequence(generation, Recorder())


class Watched(Scheduler):
    """A scheduler with the model's memory beside it: what each slot really holds."""

    def __init__(self, cache, **options):
        super().__init__(cache, **options)
        self.memory = {}


def counting(one):
    """A model whose next token follows from how many there are."""
    return len(one.tokens) * 7 % 5


def guesses(one, right, wrong):
    """A draft for the counting model: `right` tokens, then `wrong` ones."""
    said = [(len(one.tokens) + ahead) * 7 % 5 for ahead in range(right + wrong)]
    return said[:right] + [token + 1 for token in said[right:]]


def step(scheduler, room=1_000, sampled=7, prefill=None, draft=None):
    """One step of an engine whose model says `sampled` (of a sequence); returns the plan."""
    memory = scheduler.memory
    says = sampled if callable(sampled) else lambda one: sampled
    for dropped in scheduler.drop_cancelled():
        dropped.end("cancelled")
    for _, place in scheduler.admit():
        number = place.slot.number
        if place.source is not None:
            memory[number] = list(memory.get(place.source.number, ()))
        held = memory.setdefault(number, [])
        del held[len(place.slot.tokens) :]
        assert held == place.slot.tokens
    drafts = {one: draft(one) for one in scheduler.sequences} if draft else {}
    plan = scheduler.schedule(prefill, drafts)
    right, over = [], []
    for row, one in zip(plan.rows, plan.sequences, strict=True):
        held = memory.setdefault(row.slot, [])
        assert len(held) == row.start
        held.extend(row.tokens)
        assert len(held) <= scheduler._cache.length
        right.append(0)
        while row.output:
            token = says(one)
            reason = one.append(token, b"x", ends=False, room=room)
            if reason:
                over.append((one, reason))
            if reason or right[-1] == row.drafted or row.tokens[right[-1] - row.drafted] != token:
                break
            right[-1] += 1
    scheduler.commit(plan, right)
    for row, one in zip(plan.rows, plan.sequences, strict=True):
        del memory[row.slot][len(one.slot.tokens) :]
        assert memory[row.slot] == one.slot.tokens
    for one, reason in over:
        scheduler.drop(one)
        one.end(reason)
    return plan


def ends(one):
    return [item for item in one._outbox.items if isinstance(item, End)]


def test_a_long_prompt_is_read_in_chunks_and_only_the_last_has_scores():
    scheduler = Watched(KvCache(100), batch=4)
    scheduler.add(sequence(range(10)))

    rows = [step(scheduler).rows[0] for _ in range(3)]

    assert [(row.start, row.tokens, row.output) for row in rows] == [
        (0, (0, 1, 2, 3), False),
        (4, (4, 5, 6, 7), False),
        (8, (8, 9), True),
    ]


def test_with_one_slot_the_second_question_waits_for_the_first():
    scheduler = Watched(KvCache(100), batch=4)
    first, second = sequence([1, 2], max_tokens=2), sequence([3])
    scheduler.add(first)
    scheduler.add(second)

    assert step(scheduler).sequences == (first,)
    assert step(scheduler).sequences == (first,)
    assert step(scheduler).sequences == (second,)


def test_with_more_slots_an_answer_goes_on_while_a_long_prompt_is_read():
    scheduler = Watched(KvCache(100, slots=2), batch=4)
    answering, reading = sequence([1], max_tokens=9), sequence(range(9))
    scheduler.add(answering)
    step(scheduler)
    scheduler.add(reading)

    plan = step(scheduler)

    assert plan.sequences == (answering, reading)
    assert [len(row.tokens) for row in plan.rows] == [1, 3]


def test_a_step_reads_no_more_of_prompts_than_it_is_told_and_writes_all_the_same():
    scheduler = Watched(KvCache(100, slots=2), batch=50)
    answering, reading = sequence([1], max_tokens=9), sequence(range(30))
    scheduler.add(answering)
    step(scheduler)
    scheduler.add(reading)

    plan = step(scheduler, prefill=7)

    assert [len(row.tokens) for row in plan.rows] == [1, 7]


def test_a_short_prompt_does_not_wait_for_a_long_one():
    scheduler = Watched(KvCache(100, slots=2), batch=8)
    long, short = sequence(range(80)), sequence(range(50, 54))
    scheduler.add(long)
    scheduler.add(short)

    plan = step(scheduler)

    assert [len(row.tokens) for row in plan.rows] == [4, 4]
    assert short.sampled == 1


@given(
    prompts=st.lists(st.integers(SMALLEST_PART, 700), min_size=1, max_size=6),
    slots=st.integers(1, 6),
    prefill=st.integers(2 * SMALLEST_PART, 400),
)
def test_long_prompts_are_read_in_parts_that_are_not_small_and_few_at_a_time(prompts, slots, prefill):
    scheduler = Watched(KvCache(1_000, slots=slots), batch=512)
    for number, length in enumerate(prompts):
        scheduler.add(sequence([number, *range(100, 99 + length)]))

    while not scheduler.idle:
        parts = [row for row in step(scheduler, prefill=prefill).rows if len(row.tokens) > 1]
        assert len(parts) <= READ_AT_ONCE
        assert all(len(row.tokens) >= SMALLEST_PART for row in parts)
        assert all(row.output == (row.left == 0) for row in parts)


def test_a_short_prompt_is_read_beside_long_ones_and_long_ones_only_few_at_a_time():
    scheduler = Watched(KvCache(1_000, slots=5), batch=512)
    for number, length in enumerate((190, 20, 180, 185)):
        scheduler.add(sequence([number, *range(100, 99 + length)]))

    sizes = [{row.slot: len(row.tokens) for row in step(scheduler, prefill=400).rows} for _ in range(2)]

    assert sizes[0] == {0: 190, 1: 20, 2: 180}
    assert sizes[1] == {0: 1, 1: 1, 2: 1, 3: 185}


@pytest.mark.parametrize(
    ("length", "prefill", "parts"),
    [(250, 150, [150, 100]), (180, 150, [116, 64]), (160, 150, [96, 64]), (120, 100, [100, 20])],
)
def test_no_small_rest_is_left_of_a_prompt(length, prefill, parts):
    scheduler = Watched(KvCache(1_000), batch=512)
    scheduler.add(sequence(range(length), max_tokens=1))

    assert [len(step(scheduler, prefill=prefill).rows[0].tokens) for _ in parts] == parts


def test_where_it_can_be_no_larger_a_rest_is_read_at_once_instead():
    scheduler = Watched(KvCache(1_000, slots=2), batch=512)
    scheduler.add(sequence(range(200), max_tokens=1))
    scheduler.add(sequence(range(500, 620), max_tokens=1))

    assert [len(row.tokens) for row in step(scheduler, prefill=150).rows] == [75, 120]


def test_the_client_that_was_served_least_is_next_however_often_another_asks():
    scheduler = Watched(KvCache(100), batch=50)
    greedy = [sequence([1, 2, 3], max_tokens=1, client="greedy") for _ in range(5)]
    modest = sequence([4, 5], max_tokens=1, client="modest")
    for one in greedy:
        scheduler.add(one)
    step(scheduler)
    scheduler.add(modest)

    second = step(scheduler)
    third = step(scheduler)

    assert modest in (*second.sequences, *third.sequences)


def test_a_stream_of_new_clients_keeps_nobody_waiting_for_ever():
    scheduler = Watched(KvCache(1_000), batch=100)
    served_before = sequence(range(80), max_tokens=1, client="regular")
    waits = sequence(range(100, 120), max_tokens=1, client="regular")
    scheduler.add(served_before)
    scheduler.add(waits)

    for number in range(1_000):
        while len(scheduler.sequences) < 8:
            scheduler.add(sequence([1, 2], max_tokens=1, client=str(len(scheduler._arrived) + 8 * number)))
        step(scheduler)
        if waits.ended:
            break

    assert waits.ended


def test_an_urgent_question_goes_before_those_who_wait_longer():
    scheduler = Watched(KvCache(100), batch=50)
    for _ in range(3):
        scheduler.add(sequence([1, 2], max_tokens=1))
    urgent = sequence([3, 4], urgent=True)
    scheduler.add(urgent)

    assert step(scheduler).sequences == (urgent,)


def test_an_urgent_question_takes_the_place_of_another_which_goes_on_later():
    scheduler = Watched(KvCache(100), batch=50)
    long = sequence([1, 2], max_tokens=6)
    scheduler.add(long)
    step(scheduler)
    step(scheduler)
    urgent = sequence([3, 4], max_tokens=2, urgent=True)
    scheduler.add(urgent)

    assert step(scheduler).sequences == (urgent,)
    assert long.waiting
    while not scheduler.idle:
        step(scheduler)

    assert [end.reason for end in ends(long)] == ["length"]
    assert long.tokens == [1, 2] + [7] * 6


def test_one_urgent_question_does_not_push_out_another():
    scheduler = Watched(KvCache(100), batch=50)
    first, second = sequence([1, 2], urgent=True), sequence([3, 4], urgent=True)
    scheduler.add(first)
    step(scheduler)
    scheduler.add(second)

    assert step(scheduler).sequences == (first,)


@pytest.mark.parametrize("slots", [1, 2, 4])
@pytest.mark.parametrize("prompt", [2, 60])
def test_a_flood_of_urgent_questions_lets_the_others_end_all_the_same(slots, prompt):
    scheduler = Watched(KvCache(1_000, slots=slots), batch=40)
    others = [sequence(range(number, number + prompt), max_tokens=30) for number in (0, 100, 200)]
    for one in others:
        scheduler.add(one)
    pushed_out = dict.fromkeys(others, 0)

    for number in range(10_000):
        while sum(one.urgent for one in scheduler.sequences) < 2 * slots:
            begin = 1_000 + 1_000 * number
            scheduler.add(sequence(range(begin, begin + prompt), max_tokens=3, urgent=True))
        before = [one for one in others if one.slot is not None]
        step(scheduler)
        for one in before:
            pushed_out[one] += one.waiting
        if all(one.ended for one in others):
            break

    assert all(one.ended for one in others)
    assert max(pushed_out.values()) <= PUSHED_OUT
    assert not any(one in scheduler._pushed_out for one in others)


def test_after_some_urgent_questions_it_is_anothers_turn():
    scheduler = Watched(KvCache(100), batch=50)
    other = sequence([1, 2], max_tokens=1)
    scheduler.add(other)
    urgent = [sequence([3, number], max_tokens=1, urgent=True) for number in range(10)]
    for one in urgent:
        scheduler.add(one)

    served = [step(scheduler).sequences for _ in range(URGENT_IN_A_ROW + 2)]

    assert served == [(one,) for one in (*urgent[:URGENT_IN_A_ROW], other, urgent[URGENT_IN_A_ROW])]


def test_while_an_urgent_prompt_is_read_a_part_of_each_chunk_goes_to_another():
    scheduler = Watched(KvCache(1_000, slots=2), batch=80)
    other, urgent = sequence(range(300)), sequence(range(500, 900), urgent=True)
    scheduler.add(other)
    scheduler.add(urgent)

    plan = step(scheduler)

    assert {one: len(row.tokens) for row, one in zip(plan.rows, plan.sequences, strict=True)} == {
        other: 10,
        urgent: 70,
    }


def test_a_beginning_that_several_share_is_read_once():
    scheduler = Watched(KvCache(1_000, slots=4), batch=100)
    document = list(range(500, 800))
    questions = [sequence([*document, number], max_tokens=2) for number in range(4)]
    for one in questions:
        scheduler.add(one)

    read = 0
    while not scheduler.idle:
        read += sum(len(row.tokens) for row in step(scheduler).rows)

    assert read == len(document) + 4 * 2
    assert all(len(ends(one)) == 1 for one in questions)


def test_a_plan_that_was_not_committed_is_made_again():
    scheduler = Watched(KvCache(100), batch=4)
    scheduler.add(sequence(range(6)))
    scheduler.admit()

    assert scheduler.schedule() == scheduler.schedule()


def test_a_sequence_whose_memory_was_lost_is_computed_from_the_beginning():
    scheduler = Watched(KvCache(100), batch=4)
    one = sequence([1, 2], max_tokens=5)
    scheduler.add(one)
    step(scheduler)
    one.slot.tokens.clear()
    scheduler.memory.clear()

    plan = step(scheduler)

    assert plan.rows[0].start == 0
    assert plan.rows[0].tokens == (1, 2, 7)


def test_a_cancelled_sequence_gives_its_slot_to_the_next_at_once():
    scheduler = Watched(KvCache(100), batch=4)
    first, second = sequence(range(50)), sequence([3])
    scheduler.add(first)
    scheduler.add(second)
    step(scheduler)
    first.cancelled = True

    assert step(scheduler).sequences == (second,)
    assert [end.reason for end in ends(first)] == ["cancelled"]


def writing(*sequences, slots=1, batch=50, **options):
    """A scheduler in which the prompts of `sequences` are read and their first tokens sampled."""
    scheduler = Watched(KvCache(100, slots=slots), batch=batch, **options)
    for one in sequences:
        scheduler.add(one)
    while any(not one.sampled for one in sequences):
        step(scheduler, sampled=counting)
    return scheduler


@pytest.mark.parametrize("right", range(5))
def test_of_a_draft_what_comes_true_is_kept_and_the_rest_cut(right):
    one = sequence([1, 2], max_tokens=50)
    scheduler = writing(one, drafts=8)

    plan = step(scheduler, sampled=counting, draft=lambda one: guesses(one, right, 4 - right))

    assert [(len(row.tokens), row.drafted) for row in plan.rows] == [(5, 4)]
    assert one.sampled == 2 + right
    assert one.missing == 1
    assert one.tokens[2:] == [(2 + at) * 7 % 5 for at in range(one.sampled)]


@pytest.mark.parametrize(("max_tokens", "drafted"), [(2, 0), (3, 1), (5, 3), (50, 4)])
def test_no_more_is_guessed_than_the_answer_may_have(max_tokens, drafted):
    one = sequence([1, 2], max_tokens=max_tokens)
    scheduler = writing(one, drafts=8)

    assert step(scheduler, sampled=counting, draft=lambda one: guesses(one, 4, 0)).drafted == drafted


def test_no_more_is_guessed_than_the_context_holds():
    one = sequence([1] * 94, max_tokens=50)
    scheduler = writing(one, drafts=8, batch=100)

    assert step(scheduler, room=100, sampled=counting, draft=lambda one: guesses(one, 8, 0)).drafted == 4
    assert one.ended
    assert len(one.tokens) == 100


def test_prompts_and_answers_go_before_guesses():
    answers = [sequence([number], max_tokens=50) for number in (1, 2)]
    scheduler = writing(*answers, slots=3, batch=12, drafts=8)
    reading = sequence(range(30))
    scheduler.add(reading)

    def draft(one):
        return guesses(one, 6, 0)

    assert step(scheduler, sampled=counting, draft=draft).drafted == 0
    assert step(scheduler, sampled=counting, prefill=4, draft=draft).drafted == 0
    while reading.missing > 1:
        step(scheduler, sampled=counting)
    plan = step(scheduler, sampled=counting, draft=draft)
    assert sum(len(row.tokens) for row in plan.rows) == 3 + 8


def test_one_answer_is_alone_while_nobody_else_computes():
    one = sequence([1, 2], max_tokens=50)
    scheduler = writing(one, slots=2)
    assert scheduler.alone is one

    scheduler.add(sequence([3, 4, 5]))
    assert scheduler.alone is one
    scheduler.admit()
    assert scheduler.alone is None


def test_a_prompt_that_is_being_read_has_no_drafts():
    scheduler = Watched(KvCache(100), batch=4, drafts=8)
    scheduler.add(sequence(range(9), max_tokens=9))

    assert step(scheduler, draft=lambda one: [1, 2, 3]).drafted == 0
    assert scheduler.alone is None
    assert step(scheduler, draft=lambda one: [1, 2, 3]).drafted == 0


BEGINNINGS = ([], [8] * 70, [8] * 70 + [9] * 70)  # some are worth copying


@given(
    requests=st.lists(
        st.tuples(
            st.sampled_from(BEGINNINGS),
            st.lists(st.integers(0, 4), min_size=1, max_size=20),  # the rest of the prompt
            st.integers(1, 5),  # longest answer
            st.integers(0, 10),  # step in which it comes
            st.one_of(st.none(), st.integers(0, 20)),  # step in which it is cancelled
            st.sampled_from("abc"),  # client
            st.booleans(),  # urgent
        ),
        max_size=8,
    ),
    slots=st.integers(1, 4),
    batch=st.integers(4, 400),
    prefill=st.one_of(st.none(), st.integers(1, 300)),
    pauses=st.booleans(),
    drafts=st.integers(0, 9),
    right=st.lists(st.integers(0, 6), min_size=1, max_size=7),  # of each draft, what comes true
)
def test_every_request_ends_exactly_once_and_every_batch_is_lawful(
    requests, slots, batch, prefill, pauses, drafts, right
):
    cache = KvCache(1_000, slots=slots)
    scheduler = Watched(cache, batch=batch, pauses_before_last=pauses, drafts=drafts)
    sequences = [
        sequence([*beginning, *rest], longest, client=client, urgent=urgent)
        for beginning, rest, longest, _, _, client, urgent in requests
    ]

    for moment in range(2_000):
        for one, (_, _, _, comes, leaves, _, _) in zip(sequences, requests, strict=True):
            if moment == comes:
                scheduler.add(one)
            if leaves is not None and moment == comes + leaves:
                one.cancelled = True
        true = right[moment % len(right)]
        plan = step(
            scheduler, sampled=counting, prefill=prefill, draft=lambda one, true=true: guesses(one, true, 2)
        )
        numbers = [row.slot for row in plan.rows]
        assert numbers == sorted(set(numbers))
        assert sum(len(row.tokens) for row in plan.rows) <= batch
        assert scheduler.idle or plan
        assert plan.drafted <= drafts
        for row, one in zip(plan.rows, plan.sequences, strict=True):
            size = len(row.tokens) - row.drafted
            assert tuple(one.tokens[row.start : row.start + size]) == tuple(row.tokens[:size])
        if moment > 10 and scheduler.idle:
            break

    assert scheduler.idle
    assert cache.free_slots == slots
    assert not scheduler._served
    assert not scheduler._arrived
    for one, (beginning, rest, longest, _, leaves, _, _) in zip(sequences, requests, strict=True):
        assert len(ends(one)) == 1
        assert ends(one)[0].usage.prompt_tokens == len(beginning) + len(rest)
        answer = one.tokens[one.prompt_tokens :]
        assert answer == [(one.prompt_tokens + at) * 7 % 5 for at in range(len(answer))]
        if leaves is None:
            assert ends(one)[0].reason == "length"
            assert ends(one)[0].usage.completion_tokens == longest


class Life(RuleBasedStateMachine):
    """A scheduler to which anything happens at any moment."""

    @initialize(slots=st.integers(1, 4), batch=st.integers(4, 400), drafts=st.integers(0, 9))
    def begin(self, slots, batch, drafts):
        self.cache = KvCache(1_000, slots=slots)
        self.scheduler = Watched(self.cache, batch=batch, drafts=drafts)
        self.everyone = []

    @rule(
        beginning=st.sampled_from(BEGINNINGS),
        rest=st.lists(st.integers(0, 4), min_size=1, max_size=20),
        client=st.sampled_from("abc"),
        urgent=st.booleans(),
    )
    def join(self, beginning, rest, client, urgent):
        self.everyone.append(sequence([*beginning, *rest], client=client, urgent=urgent))
        self.scheduler.add(self.everyone[-1])

    @rule(which=st.integers(0, 50))
    def leave(self, which):
        if self.everyone:
            self.everyone[which % len(self.everyone)].cancelled = True

    @rule(
        count=st.integers(1, 5),
        prefill=st.one_of(st.none(), st.integers(1, 300)),
        right=st.integers(0, 3),
        wrong=st.integers(0, 3),
    )
    def go_on(self, count, prefill, right, wrong):
        for _ in range(count):
            step(
                self.scheduler,
                sampled=counting,
                prefill=prefill,
                draft=lambda one: guesses(one, right, wrong),
            )

    @rule()
    def lose_all_memory(self):
        self.cache.forget()
        self.scheduler.memory.clear()

    @rule()
    def fail(self):
        """Whoever is running ends, as after a step that was refused."""
        for one in self.scheduler.sequences:
            if not one.waiting:
                self.scheduler.drop(one)
                one.end("cancelled")

    @invariant()
    def each_place_is_taken_by_one_who_runs(self):
        running = [one.slot for one in self.scheduler.sequences if one.slot is not None]
        assert len(set(running)) == len(running) == len(self.cache.slots) - self.cache.free_slots
        assert all(slot.taken for slot in running)

    @invariant()
    def nobody_ends_twice_or_goes_on_after_the_end(self):
        for one in self.everyone:
            assert len(ends(one)) == int(one.ended)
            assert one.ended == (one not in self.scheduler.sequences)

    def teardown(self):
        for _ in range(60 * len(getattr(self, "everyone", ())) + 60):
            if hasattr(self, "scheduler"):
                step(self.scheduler)
        assert all(one.ended for one in getattr(self, "everyone", ()))


TestLife = Life.TestCase
