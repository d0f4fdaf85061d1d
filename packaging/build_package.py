"""`make package`: builds dist/carrel with PyInstaller and proves that it runs.

The package carries both models as they are prepared in resources/models, the resources, and the
licence of every library in it. It runs on machines like the one it was built on: llama.cpp is
compiled for this processor.
"""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import check_package

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
LICENCES = BUILD / "licences"
PACKAGE = ROOT / "dist" / "carrel"
LOG = BUILD / "package.log"
_LICENCE_FILE = re.compile(r"(^|/)(licen[cs]e|copying|notice|authors)[^/]*$|/licenses?/", re.IGNORECASE)


def runtime_packages(root: str = "carrel") -> set[str]:
    """The names of the installed packages that Carrel needs to run, found through their metadata."""
    found: set[str] = set()
    waiting = [root]
    while waiting:
        name = _plain(waiting.pop())
        if name in found:
            continue
        try:
            requirements = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # asked for under another system's marker
        found.add(name)
        needed = [text for text in requirements if "extra ==" not in text]
        waiting += [re.split(r"[\s;<>=!~\[(]", text, maxsplit=1)[0] for text in needed]
    return found - {root}


def collect_licences(target: Path) -> list[str]:
    """Copy every runtime package's licence files to `target`/<package>/; returns who has none."""
    shutil.rmtree(target, ignore_errors=True)
    without = []
    for name in sorted(runtime_packages()):
        files = list(_licence_files(name))
        for number, file in enumerate(files):
            place = target / name / (file.name if number == 0 else f"{number}-{file.name}")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
        if not files:
            without.append(name)
    python = Path(sys.base_prefix) / "lib" / f"python3.{sys.version_info.minor}" / "LICENSE.txt"
    if python.is_file():
        (target / "python").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(python, target / "python" / "LICENSE.txt")
    return without


def main() -> int:
    begun = time.monotonic()
    BUILD.mkdir(exist_ok=True)
    without = collect_licences(LICENCES)
    if without:
        _say(f"Without a licence file of their own (named in NOTICE.md): {', '.join(without)}.")
    _say("Building the package with PyInstaller (a minute or two) …")
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "INFO"]
    command += ["--distpath", str(ROOT / "dist"), "--workpath", str(BUILD / "pyinstaller")]
    command.append(str(ROOT / "packaging" / "carrel.spec"))
    with LOG.open("w", encoding="utf-8") as log:
        code = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        last = "\n".join(LOG.read_text("utf-8", "replace").splitlines()[-15:])
        print(f"PyInstaller failed. The whole log is in {LOG}; its last lines:\n\n{last}", file=sys.stderr)
        return 1
    size = sum(file.stat().st_size for file in PACKAGE.rglob("*") if file.is_file() and not file.is_symlink())
    _say(f"Built {PACKAGE.relative_to(ROOT)}: {size / 1e6:.0f} MB, {time.monotonic() - begun:.0f} s.")
    return check_package.main([str(PACKAGE)])


def _licence_files(name: str) -> Iterator[Path]:
    for file in importlib.metadata.files(name) or []:
        if ".dist-info/" in str(file) and _LICENCE_FILE.search(str(file)):
            place = Path(str(file.locate()))
            if place.is_file():
                yield place


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
