import pytest

from app.ui.state import StateFile, WindowState


def test_what_is_remembered_is_read_again(tmp_path):
    StateFile(tmp_path / "ui-state.json").remember(width=900, desk_folded=True, zoom=1.5, x=-20)
    state = StateFile(tmp_path / "ui-state.json").state
    assert (state.width, state.desk_folded, state.zoom, state.x) == (900, True, 1.5, -20)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"width": "wide"}', '{"width": -4, "zoom": 1e9, "desk_folded": 3}', "\x00\xff"],
)
def test_a_file_that_makes_no_sense_is_as_good_as_none(tmp_path, text):
    (tmp_path / "ui-state.json").write_text(text, "utf-8")
    assert StateFile(tmp_path / "ui-state.json").state == WindowState()


def test_a_folder_that_cannot_be_written_is_not_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    StateFile(tmp_path / "file" / "ui-state.json").remember(width=900)
