"""The scheduler against a model that is a counter: no llama.cpp, no thread, no clock."""

from hypothesis import given
from hypothesis import strategies as st

from app.serving.generation import End, Generation, Prompt
from app.serving.kv_cache import KvCache
from app.serving.scheduler import Scheduler
from app.serving.sequence import Sequence


class Recorder:
    """An outbox that keeps what it was given."""

    def __init__(self):
        self.items = []

    def put(self, item):
        self.items.append(item)


def sequence(prompt, max_tokens=3):
    return Sequence(Generation(Prompt("", tuple(prompt)), max_tokens), Recorder())


def step(scheduler, room=1_000, sampled=7):
    """One step of an engine whose model always says `sampled`; returns the plan."""
    for dropped in scheduler.drop_cancelled():
        dropped.end("cancelled")
    scheduler.admit()
    plan = scheduler.schedule()
    scheduler.commit(plan)
    for row, one in zip(plan.rows, plan.sequences, strict=True):
        if row.output:
            reason = one.append(sampled, b"x", ends=False, room=room)
            if reason:
                scheduler.drop(one)
                one.end(reason)
    return plan


def ends(one):
    return [item for item in one._outbox.items if isinstance(item, End)]


def test_a_long_prompt_is_read_in_chunks_and_only_the_last_has_scores():
    scheduler = Scheduler(KvCache(100), batch=4)
    scheduler.add(sequence(range(10)))

    rows = [step(scheduler).rows[0] for _ in range(3)]

    assert [(row.start, row.tokens, row.output) for row in rows] == [
        (0, (0, 1, 2, 3), False),
        (4, (4, 5, 6, 7), False),
        (8, (8, 9), True),
    ]


def test_with_one_slot_the_second_question_waits_for_the_first():
    scheduler = Scheduler(KvCache(100), batch=4)
    first, second = sequence([1, 2], max_tokens=2), sequence([3])
    scheduler.add(first)
    scheduler.add(second)

    assert step(scheduler).sequences == (first,)
    assert step(scheduler).sequences == (first,)
    assert step(scheduler).sequences == (second,)


def test_with_more_slots_an_answer_goes_on_while_a_long_prompt_is_read():
    scheduler = Scheduler(KvCache(100, slots=2), batch=4)
    answering, reading = sequence([1], max_tokens=9), sequence(range(9))
    scheduler.add(answering)
    step(scheduler)
    scheduler.add(reading)

    plan = step(scheduler)

    assert plan.sequences == (answering, reading)
    assert [len(row.tokens) for row in plan.rows] == [1, 3]


def test_a_plan_that_was_not_committed_is_made_again():
    scheduler = Scheduler(KvCache(100), batch=4)
    scheduler.add(sequence(range(6)))
    scheduler.admit()

    assert scheduler.schedule() == scheduler.schedule()


def test_a_sequence_whose_memory_was_lost_is_computed_from_the_beginning():
    scheduler = Scheduler(KvCache(100), batch=4)
    one = sequence([1, 2], max_tokens=5)
    scheduler.add(one)
    step(scheduler)
    one.slot.tokens.clear()

    plan = step(scheduler)

    assert plan.rows[0].start == 0
    assert plan.rows[0].tokens == (1, 2, 7)


def test_a_cancelled_sequence_gives_its_slot_to_the_next_at_once():
    scheduler = Scheduler(KvCache(100), batch=4)
    first, second = sequence(range(50)), sequence([3])
    scheduler.add(first)
    scheduler.add(second)
    step(scheduler)
    first.cancelled = True

    assert step(scheduler).sequences == (second,)
    assert [end.reason for end in ends(first)] == ["cancelled"]


@given(
    requests=st.lists(
        st.tuples(
            st.lists(st.integers(0, 4), min_size=1, max_size=20),  # prompt
            st.integers(1, 5),  # longest answer
            st.integers(0, 10),  # step in which it comes
            st.one_of(st.none(), st.integers(0, 20)),  # step in which it is cancelled
        ),
        max_size=8,
    ),
    slots=st.integers(1, 3),
    batch=st.integers(3, 8),
)
def test_every_request_ends_exactly_once_and_every_batch_is_lawful(requests, slots, batch):
    cache = KvCache(100, slots=slots)
    scheduler = Scheduler(cache, batch=batch)
    sequences = [sequence(prompt, longest) for prompt, longest, _, _ in requests]

    for moment in range(400):
        for one, (_, _, comes, leaves) in zip(sequences, requests, strict=True):
            if moment == comes:
                scheduler.add(one)
            if leaves is not None and moment == comes + leaves:
                one.cancelled = True
        plan = step(scheduler, sampled=moment % 5)
        numbers = [row.slot for row in plan.rows]
        assert numbers == sorted(set(numbers))
        assert sum(len(row.tokens) for row in plan.rows) <= batch
        for row, one in zip(plan.rows, plan.sequences, strict=True):
            assert tuple(one.tokens[row.start : row.start + len(row.tokens)]) == tuple(row.tokens)
        if moment > 10 and scheduler.idle:
            break

    assert scheduler.idle
    assert cache.free_slots == slots
    for one, (prompt, longest, _, leaves) in zip(sequences, requests, strict=True):
        assert len(ends(one)) == 1
        assert ends(one)[0].usage.prompt_tokens == len(prompt)
        if leaves is None:
            assert ends(one)[0].reason == "length"
            assert ends(one)[0].usage.completion_tokens == longest
