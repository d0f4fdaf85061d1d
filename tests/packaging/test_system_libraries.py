import pytest
import system_libraries
from system_libraries import Need


def test_a_line_names_packages_and_what_shows_that_they_are_there():
    sections = system_libraries.parse(
        "[run]\nnew|old : libnew.so.1|tool   # why\n\n# only a comment\n[test]\n"
    )

    assert sections == {"run": (Need(("new", "old"), ("libnew.so.1", "tool")),), "test": ()}


@pytest.mark.parametrize("line", ["libegl1", "libegl1 :", ": libEGL.so.1"])
def test_a_line_without_a_package_or_without_a_proof_is_refused(line):
    with pytest.raises(ValueError, match="Line 2"):
        system_libraries.parse(f"[run]\n{line}\n")


def test_the_list_itself_is_understood():
    sections = system_libraries.parse(system_libraries.LIST.read_text("utf-8"))

    assert {"run", "test"} == set(sections)
    assert any("libegl1" in need.packages for need in sections["run"])


def test_one_of_the_proofs_is_enough():
    assert Need(("any",), ("no-such-program-here", "sh")).met
    assert not Need(("any",), ("no-such-program-here", "libno-such-library.so.9")).met


def test_somebody_who_is_not_root_is_told_the_command_and_nothing_is_installed(monkeypatch):
    monkeypatch.setattr(system_libraries.sys, "platform", "linux")
    monkeypatch.setattr(system_libraries.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(
        system_libraries.shutil, "which", lambda name: f"/usr/bin/{name}" if name == "apt-get" else None
    )
    monkeypatch.setattr(system_libraries, "missing", lambda for_tests: [Need(("libegl1",), ("libEGL.so.1",))])

    with pytest.raises(system_libraries.MissingError, match=r"sudo apt-get install .* libegl1"):
        system_libraries.ensure(for_tests=False, say=pytest.fail)


def test_where_there_is_no_apt_the_missing_libraries_are_named(monkeypatch):
    monkeypatch.setattr(system_libraries.sys, "platform", "linux")
    monkeypatch.setattr(system_libraries.shutil, "which", lambda name: None)
    monkeypatch.setattr(system_libraries, "missing", lambda for_tests: [Need(("libegl1",), ("libEGL.so.1",))])

    with pytest.raises(system_libraries.MissingError, match=r"lacks: libEGL\.so\.1"):
        system_libraries.ensure(for_tests=False, say=pytest.fail)


def test_nothing_is_asked_of_apt_when_nothing_is_missing(monkeypatch):
    monkeypatch.setattr(system_libraries.sys, "platform", "linux")
    monkeypatch.setattr(system_libraries, "missing", lambda for_tests: [])
    monkeypatch.setattr(system_libraries.subprocess, "run", pytest.fail)

    assert system_libraries.ensure(for_tests=True, say=pytest.fail) is False
