"""The record of a verification: what it ran on, how long each hop took, what came out."""

import dataclasses
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import app
from app.cli.output import size
from app.records import Document, Health, Message, Problem

_PACKAGES = (
    "llama-cpp-python",
    "PySide6_Essentials",
    "fastapi",
    "starlette",
    "uvicorn",
    "httpx2",
    "sqlite-utils",
    "pysqlite3",
    "diskcache",
    "pypdfium2",
    "numpy",
    "click",
    "rich",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold, what was expected and what was seen."""

    name: str
    passed: bool
    expected: str
    observed: str


@dataclass(frozen=True, slots=True)
class Record:
    """One verification. `times` are milliseconds by hop, as the client saw them.

    `answer.timings` holds the hops inside; `health` is the program after the answer.
    """

    passed: bool
    made_at: str
    runtime: dict[str, str]
    data_paths: dict[str, str]
    health: Health | None
    times: dict[str, float]
    document: Document | None
    question: str
    answer: Message | None
    error: Problem | None
    checks: tuple[Check, ...]

    def judged(self) -> "Record":
        """This record with `passed` as its checks say."""
        return dataclasses.replace(
            self, passed=self.error is None and all(check.passed for check in self.checks)
        )


def runtime() -> dict[str, str]:
    """The machine and the versions of what runs on it."""
    found = {
        "carrel": app.__version__,
        "python": f"{platform.python_version()} ({sys.implementation.name})",
        "packaged": str(bool(getattr(sys, "frozen", False))).lower(),
        "os": platform.platform(),
        "cpu": _cpu(),
        "cores": str(os.cpu_count() or 0),
    }
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def describe(record: Record) -> str:
    """The record as text for a person."""
    parts = [
        "Carrel verification: " + ("passed" if record.passed else "FAILED"),
        f"Made {record.made_at}",
        "",
    ]
    for check in record.checks:
        parts.append(f"{'ok  ' if check.passed else 'FAIL'} {check.name}")
        if not check.passed:
            parts += [f"       expected: {check.expected}", f"       observed: {check.observed}"]
    if record.error:
        parts.append(f"FAIL {record.error.message} [{record.error.code}]")
    parts += ["", f"Question  {record.question}", f"Answer    {record.answer.text if record.answer else '-'}"]
    parts += _cited(record)
    parts += ["", "Times (ms)", *_table(_times(record))]
    if record.health:
        parts += ["", "Models"]
        for model in record.health.models:
            parts += [
                f"  {model.name} ({model.kind})",
                f"    file      {model.path}",
                f"    size      {size(model.size)} ({model.size:,} bytes)",
                f"    sha256    {model.sha256}",
                f"    backend   {model.backend}, {model.layers_offloaded} of {model.layers} layers offloaded",
                f"    context   {model.context_length:,} tokens",
                *([f"    chosen    {model.placement}"] if model.placement else []),
            ]
        parts += [
            "",
            "Program",
            *_table(
                {
                    "memory": size(record.health.memory),
                    "documents": str(record.health.documents),
                    "passages": str(record.health.passages),
                    "vectors": str(record.health.vectors),
                }
            ),
        ]
    versions = record.runtime | (record.health.versions if record.health else {})
    parts += ["", "Runtime", *_table(versions), "", "Places", *_table(record.data_paths)]
    return "\n".join(parts)


def _cited(record: Record) -> list[str]:
    if record.answer is None:
        return []
    numbers = {citation.source for citation in record.answer.citations}
    return [
        f"Source    [{source.number}] {source.passage.document_name}, page {source.passage.page}"
        for source in record.answer.sources
        if source.number in numbers
    ]


def _times(record: Record) -> dict[str, str]:
    timings = record.answer.timings if record.answer else None
    inside = dataclasses.asdict(timings) if timings else {}
    return {name: f"{ms:,.1f}" for name, ms in record.times.items()} | {
        f"answer: {name}": f"{ms:,.1f}" for name, ms in inside.items()
    }


def _table(values: Mapping[str, str]) -> list[str]:
    width = max((len(name) for name in values), default=0)
    return [f"  {name:<{width}}  {value}" for name, value in values.items()]


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
