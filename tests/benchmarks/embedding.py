"""Passages to vectors: our embedder against sentence-transformers and llama_cpp's own `create_embedding`.

Each peer is a process of its own (`embedding_peer.py`). sentence-transformers is no dependency of
the project: it takes part where an interpreter that has it is named (`--torch`).
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import processes
import prompts
from bench import Bench, in_turns
from places import CACHE
from results import Figures, Result, not_measured

from app.serving import llama
from app.serving.admission.probe import Probe
from app.serving.embedder import Embedder, Vectors

_PASSAGES, _TOKENS = 64, 194


def measure(bench: Bench) -> list[Result]:
    """Each round: the same 64 new passages for every side."""
    figures = Figures()
    model = bench.models.embedding
    embedder = Embedder(model.path, sha256=model.sha256, tiles=_tiles(model.path))
    embedder.load()
    with contextlib.ExitStack() as opened:
        opened.callback(embedder.close)
        peers = {
            "high_level": opened.enter_context(
                _peer("high_level", Path(sys.executable), bench.threads, model.path)
            )
        }
        if bench.torch is not None:
            peers["torch"] = opened.enter_context(_peer("torch", bench.torch, bench.threads))
        for number in bench.numbers(warm_up=True):
            passages = prompts.passages(number + 1, _PASSAGES, _TOKENS, embedder.count)
            rates, vectors = {}, {}
            for side in in_turns(("ours", *peers), number):
                begun = time.perf_counter()
                if side == "ours":
                    vectors[side] = asyncio.run(embedder.embed(passages))
                    rates[side] = _PASSAGES / (time.perf_counter() - begun)
                else:
                    vectors[side], seconds = _embed(peers[side], passages)
                    rates[side] = _PASSAGES / seconds
            if number >= 0:
                for side in peers:
                    figures.add(f"embedding.{side}", rates["ours"], rates[side])
                # torch computes in f32: where it takes part, it is the truth.
                truth = vectors.get("torch", vectors["high_level"])
                figures.add("embedding.cosine", float(np.min(np.sum(vectors["ours"] * truth, axis=1))))
    results = figures.results()
    if "torch" not in peers:
        results += not_measured("embedding.torch", "no interpreter with it was named")
    return results


def _tiles(model: Path) -> bool:
    """Whether the program would use the processor's tiles, if it has any."""
    return llama.has_tiles() and Probe().try_out(model, "embedding", tiles=True).outcome == "proven"


def _peer(
    kind: str, python: Path, threads: int, *model: Path
) -> "contextlib.AbstractContextManager[subprocess.Popen[str]]":
    script = Path(__file__).with_name("embedding_peer.py")
    command = [str(python), str(script), kind, str(threads), *map(str, model)]
    return processes.running(command, log=CACHE / f"embedding-{kind}.log")


def _embed(process: "subprocess.Popen[str]", passages: list[str]) -> tuple[Vectors, float]:
    """A peer's vectors, of unit length, and how long it says it took (without the way here)."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(passages) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"A peer of the embedder ended; its log is in {CACHE}.")
    told = json.loads(line)
    vectors = np.asarray(told["vectors"], np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), told["seconds"]
