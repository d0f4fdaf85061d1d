from app.serving.pace import Pace


def test_before_anything_is_known_a_prompt_is_read_in_whole_batches():
    assert Pace(512).chunk(writing=False) == 512
    assert Pace(512).chunk(writing=True) < 512


def test_a_slow_model_reads_little_at_a_time_while_an_answer_is_written():
    pace = Pace(512)
    for _ in range(20):
        pace.took(100, 2.0)  # 50 tokens a second

    assert pace.chunk(writing=True) == 32
    assert pace.chunk(writing=False) == 32


def test_a_fast_model_fills_the_batch():
    pace = Pace(512)
    pace.took(512, 0.05)

    assert pace.chunk(writing=True) == pace.chunk(writing=False) == 512


def test_what_a_person_reads_is_interrupted_for_less_time_than_what_programs_read():
    pace = Pace(512)
    for _ in range(20):
        pace.took(500, 1.0)

    assert pace.chunk(writing=True, watched=True) < pace.chunk(writing=True) < pace.chunk(writing=False)


def test_short_steps_tell_nothing():
    pace = Pace(512)
    pace.took(3, 5.0)
    pace.took(100, 0.0)

    assert pace.chunk(writing=False) == 512


def test_steps_that_only_read_keep_their_size_while_the_speed_goes_up_and_down():
    pace, sizes = Pace(512), set()
    pace.took(300, 1.0)
    for speed in (300, 420, 260, 500, 280, 700, 258):
        pace.took(speed, 1.0)
        sizes.add(pace.chunk(writing=False))

    assert sizes == {256}

    for _ in range(20):
        pace.took(512, 0.5)
    assert pace.chunk(writing=False) == 512
