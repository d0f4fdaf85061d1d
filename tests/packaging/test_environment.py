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
