from app.serving.checkpoints import APART, Checkpoint, Checkpoints


def test_the_latest_that_is_not_too_late_is_best():
    points = Checkpoints()
    for slot, length in ((0, 10), (0, 20), (0, 30), (1, 25)):
        points.keep(Checkpoint(slot, length, b"state"))

    assert points.best(0, 29).length == 20
    assert points.best(1, 24) is None
    assert points.best(2, 100) is None


def test_along_a_prompt_they_are_apart_and_its_end_always_counts():
    points = Checkpoints()

    assert not points.due(0, APART - 1, at_end=False)
    assert points.due(0, APART, at_end=False)
    points.keep(Checkpoint(0, APART, b"state"))
    assert not points.due(0, APART + 5, at_end=False)
    assert points.due(0, APART + 5, at_end=True)
    assert not points.due(0, APART, at_end=True)


def test_what_was_cut_off_cannot_be_gone_back_to():
    points = Checkpoints()
    points.keep(Checkpoint(0, 10, b"state"))
    points.keep(Checkpoint(1, 10, b"state"))
    points.cut(0, 9)

    assert points.best(0, 100) is None
    assert points.best(1, 100) is not None


def test_the_oldest_go_when_there_are_too_many_bytes():
    points = Checkpoints(limit=10)
    for length in (1, 2, 3):
        points.keep(Checkpoint(0, length, b"12345"))

    assert points.best(0, 1) is None
    assert points.best(0, 2) is not None
