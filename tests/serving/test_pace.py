from app.serving.pace import Pace


def test_before_anything_is_known_a_prompt_is_read_in_whole_batches():
    assert Pace(512).chunk(writing=False) == 512
    assert Pace(512).chunk(writing=True) < 512


def test_a_slow_model_reads_little_at_a_time_while_an_answer_is_written():
    pace = Pace(512)
    for _ in range(20):
        pace.took(100, 2.0)  # 50 tokens a second

    assert pace.chunk(writing=True) == 32
    assert pace.chunk(writing=False) == 50


def test_a_fast_model_fills_the_batch():
    pace = Pace(512)
    pace.took(512, 0.05)

    assert pace.chunk(writing=True) == pace.chunk(writing=False) == 512


def test_short_steps_tell_nothing():
    pace = Pace(512)
    pace.took(3, 5.0)
    pace.took(100, 0.0)

    assert pace.chunk(writing=False) == 512
