"""Who comes first holds the profile; who comes second goes through its socket, or takes over."""

import contextlib
import socket

import pytest
from filelock import FileLock

from app.errors import ModelFileError, ProfileInUseError, StorageError
from app.main import reach as reaching
from app.main.reach import prepare, reach

pytestmark = pytest.mark.model


@pytest.fixture
def opened(profile, bundled_models):
    """Open sides of the profile; all are closed at the end, the last first."""
    with contextlib.ExitStack() as stack:

        def one():
            side = reach(profile, None)
            stack.callback(side.close)
            side.open()
            return side

        yield one


def test_the_second_goes_through_the_first(opened):
    first, second = opened(), opened()

    assert first.owner
    assert not second.owner
    assert second.submit(second.client.health()).result().profile == str(first.socket.parent)


def test_the_second_takes_over_when_the_first_is_gone_and_keeps_its_session(opened):
    first, second = opened(), opened()
    token = second.client.token
    first.close()

    assert second.submit(second.client.documents()).result() == ()

    assert second.owner
    assert second.client.token == token


def test_a_third_goes_through_the_second_that_took_over(opened):
    first, second = opened(), opened()
    first.close()
    second.submit(second.client.documents()).result()

    third = opened()

    assert not third.owner
    assert third.submit(third.client.documents()).result() == ()


def test_what_a_crash_left_does_not_block_the_next_start(opened, profile):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(profile.socket))
    profile.lock.write_text("")

    assert opened().owner


def test_a_profile_whose_holder_does_not_answer_is_in_use(profile, monkeypatch):
    monkeypatch.setattr(reaching, "_ANSWERS_WITHIN_S", 0.2)
    with FileLock(profile.lock), pytest.raises(ProfileInUseError):
        reach(profile, None)


def test_a_profile_that_cannot_be_written_is_refused(tmp_path):
    from app.paths import Profile

    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StorageError, match="cannot be written"):
        prepare(Profile(tmp_path / "file" / "profile"), None, verbose=False)


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_a_model_that_is_none_is_refused_before_anything_is_opened(profile, tmp_path, content):
    model = tmp_path / "model.gguf"
    if content is not None:
        model.write_bytes(content)

    with pytest.raises(ModelFileError):
        prepare(profile, model, verbose=False)


def test_a_damaged_database_is_told_and_the_profile_is_let_go(profile, bundled_models):
    profile.database.write_bytes(b"This is no database at all, but it is long enough to look at." * 99)
    for _ in range(2):
        side = reach(profile, None)
        try:
            with pytest.raises(StorageError):
                side.open()
        finally:
            side.close()
    assert profile.database.read_bytes().startswith(b"This is no database")
