import re
import tomllib

import environment
import pytest

LOCK = """\
pip==26.3 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
pip-tools==1.0 \\
    --hash=sha256:cc
zipp==3 ; python_version < '3.12' \\
    --hash=sha256:dd
"""


def test_one_package_is_cut_out_of_the_lock_with_its_hashes():
    assert environment.locked("pip", LOCK) == (
        "pip==26.3 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    )
    assert environment.locked("absent", LOCK) == ""


def test_an_unknown_backend_is_refused_with_the_names_that_exist():
    with pytest.raises(environment.SetupError, match="cpu, cuda, metal, vulkan"):
        environment.set_up(for_tests=False, backend="quantum")


def test_every_locked_package_is_pinned_and_hashed(root):
    text = (root / "requirements.lock").read_text("utf-8")
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]

    assert len(blocks) > 40
    for block in blocks:
        assert re.match(r"[a-z0-9.-]+==\S+", block), block[:60]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block[:60]


def test_the_lock_names_no_index_and_no_place(root):
    text = (root / "requirements.lock").read_text("utf-8")

    assert not re.search(r"://|--(extra-)?index|--find-links|(^|\s)/", text)


def test_everything_that_is_declared_is_locked(root):
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["dev"], *extras["build"]]
    locked = set(re.findall(r"(?m)^([a-z0-9.-]+)==", (root / "requirements.lock").read_text("utf-8")))

    names = {re.split(r"[<>=!~; \[]", entry)[0].lower().replace("_", "-") for entry in declared}
    assert names - locked == set()


def test_the_folder_packaging_is_no_package_so_that_the_library_of_that_name_is_found(root):
    assert not (root / "packaging" / "__init__.py").exists()


def test_where_the_processor_has_tiles_the_compiler_is_told_to_leave_nothing_out(tmp_path):
    cpu = tmp_path / "cpuinfo"
    cpu.write_text("processor : 0\nflags\t\t: fpu avx512f avx512_bf16 amx_bf16 amx_tile amx_int8\n")
    assert environment.compiler_flags(cpu) == "-fno-dse"

    cpu.write_text("processor : 0\nflags\t\t: fpu avx2 avx512f\n")
    assert environment.compiler_flags(cpu) == ""
    assert environment.compiler_flags(tmp_path / "none") == ""


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """What pip is asked to do, in place of doing it; `pip.fails`: what of it does not work."""

    class Pip(list):
        fails = ""

        def __call__(self, doing, _arguments, variables, *, packages):
            self.append((doing, variables.get("CXXFLAGS")))
            if doing == self.fails:
                raise environment.SetupError("It failed.")

    asked = Pip()
    monkeypatch.delenv("CXXFLAGS", raising=False)
    monkeypatch.setattr(environment, "_pip", asked)
    monkeypatch.setattr(environment, "_cache", lambda options, flags: str(tmp_path))
    monkeypatch.setattr(environment, "LOG", tmp_path / "install.log")
    return asked


def test_where_llama_cpp_cannot_be_compiled_for_tiles_it_is_installed_without(pip):
    pip.fails = "Installing llama.cpp"

    environment._install("", flags="-fno-dse", rebuild=True)

    assert ("Installing llama.cpp", "-fno-dse") in pip
    assert ("Installing", None) in pip


def test_where_it_cannot_be_compiled_for_the_backend_that_was_asked_for_that_is_said(pip):
    pip.fails = "Installing llama.cpp"

    with pytest.raises(environment.SetupError):
        environment._install("cuda", flags="-fno-dse", rebuild=False)


def test_without_tiles_or_a_backend_pip_chooses_the_wheel(pip):
    environment._install("", flags="", rebuild=False)

    assert pip == [("Preparing pip", None), ("Installing", None), ("Installing Carrel", None)]
