import threading

import pytest

from app.cache.sessions import Sessions

_DAY = 24 * 3600


@pytest.fixture
def sessions(tmp_path, clock):
    opened = Sessions(tmp_path / "sessions", clock=clock)
    yield opened
    opened.close()


def test_a_token_names_its_user_until_the_session_ends(sessions):
    session = sessions.create("user")

    assert session.user_id == "user"
    assert sessions.user(session.token) == "user"
    assert sessions.end(session.token)
    assert sessions.user(session.token) is None
    assert not sessions.end(session.token)


@pytest.mark.parametrize("token", ["", "x", "\x00", "\ud800", "é", "a" * 100_000])
def test_an_unknown_token_is_nobodys(sessions, token):
    sessions.create("user")

    assert sessions.user(token) is None


def test_tokens_are_long_and_never_the_same(sessions):
    tokens = {sessions.create("user").token for _ in range(20)}

    assert len(tokens) == 20
    assert all(len(token) >= 43 for token in tokens)


def test_a_token_is_not_in_the_file(sessions, tmp_path):
    token = sessions.create("user").token
    sessions.user(token)

    for path in (tmp_path / "sessions").iterdir():
        assert token.encode() not in path.read_bytes()


def test_a_session_ends_a_day_after_its_last_use(sessions, clock, tmp_path, tamper):
    session = sessions.create("user")
    assert session.expires_at == pytest.approx(clock() + _DAY, abs=5)
    tamper(tmp_path / "sessions", "UPDATE Cache SET expire_time = expire_time - 80000")  # hours later
    assert sessions.user(session.token) == "user"  # a use: renewed
    clock.ahead = _DAY - 60
    assert sessions.user(session.token) == "user"

    clock.ahead = _DAY + 60

    assert sessions.user(session.token) is None


def test_a_session_outlives_the_program_but_not_its_day(sessions, clock, tmp_path):
    session = sessions.create("user")
    sessions.close()

    again = Sessions(tmp_path / "sessions", clock=clock)

    assert again.user(session.token) == "user"
    clock.ahead = _DAY + 1
    assert again.user(session.token) is None
    again.close()


def test_no_session_makes_room_for_another(sessions):
    first = sessions.create("first")
    for number in range(100):
        sessions.create(f"user {number}")

    assert sessions.user(first.token) == "first"


def test_damaged_sessions_end_and_new_ones_can_be_opened(sessions, tmp_path):
    token = sessions.create("user").token
    sessions.close()
    (tmp_path / "sessions" / "cache.db").write_bytes(b"damaged" * 1_000)

    again = Sessions(tmp_path / "sessions")

    assert again.user(token) is None
    assert again.user(again.create("user").token) == "user"
    again.close()


def test_many_threads_open_and_use_sessions(sessions):
    errors = []

    def work(name):
        try:
            for _ in range(10):
                session = sessions.create(name)
                assert sessions.user(session.token) == name
                assert sessions.end(session.token)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"user {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
