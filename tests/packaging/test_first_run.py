import json

import first_run


def test_without_a_display_the_sample_is_asked_in_the_terminal(root):
    line, arguments = first_run.command({}, "linux")

    sample = json.loads((root / "resources" / "sample" / "sample.json").read_text("utf-8"))
    assert "no display" in line
    assert arguments == ["ask", sample["question"], str(root / "resources" / "sample" / sample["document"])]


def test_with_a_display_the_window_opens():
    for environment in ({"DISPLAY": ":0"}, {"WAYLAND_DISPLAY": "wayland-0"}):
        assert first_run.command(environment, "linux") == ("", [])
    assert first_run.command({}, "darwin") == ("", [])
