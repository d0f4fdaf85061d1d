import logging

from app.serving.native_log import LogLines

DEBUG, INFO, WARNING, ERROR, CONTINUES = 1, 2, 3, 4, 5


def records(caplog):
    return [(record.levelno, record.message) for record in caplog.records]


def test_fragments_become_lines(caplog):
    caplog.set_level(logging.DEBUG, "app.serving.llama")
    lines = LogLines()

    for fragment in ("load", "ing ", "done\n"):
        lines.take(INFO if fragment == "load" else CONTINUES, fragment)

    assert records(caplog) == [(logging.DEBUG, "loading done")]


def test_progress_dots_are_not_logged(caplog):
    caplog.set_level(logging.DEBUG, "app.serving.llama")
    lines = LogLines()

    lines.take(INFO, "...")
    lines.take(CONTINUES, "...\n")

    assert records(caplog) == []


def test_errors_of_a_load_are_warnings_and_kept_as_its_reasons(caplog):
    caplog.set_level(logging.DEBUG, "app.serving.llama")
    lines = LogLines()

    with lines.reasons() as reasons:
        lines.take(WARNING, "odd\n")
        lines.take(ERROR, "no such tensor")

    assert reasons == ["no such tensor"]
    assert records(caplog) == [(logging.WARNING, "odd"), (logging.WARNING, "no such tensor")]


def test_positions_beyond_those_a_model_was_trained_on_are_no_news(caplog):
    caplog.set_level(logging.DEBUG, "app.serving.llama")
    lines = LogLines()

    with lines.reasons():
        lines.take(WARNING, "n_ctx_seq (8448) > n_ctx_train (8192) -- possible training context overflow\n")

    assert [level for level, _ in records(caplog)] == [logging.DEBUG]


def test_the_error_of_a_stopped_step_is_not_worth_a_warning(caplog):
    caplog.set_level(logging.DEBUG, "app.serving.llama")

    LogLines().take(ERROR, "failed to decode, ret = 2\n")

    assert records(caplog) == [(logging.DEBUG, "failed to decode, ret = 2")]
