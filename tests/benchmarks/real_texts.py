"""Real sentences of this machine and their real vectors: what search at size is measured with.

    python tests/benchmarks/real_texts.py [--most N] FOLDER...

Takes the sentences of documentation (web pages, Markdown, reStructuredText, docstrings) below the
folders, each once, in a shuffled order, and embeds them with the bundled model into
.cache/benchmarks. It may be ended and goes on where it was: 1,000,000 sentences take hours.
"""

import argparse
import asyncio
import itertools
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from places import CACHE, say
from selectolax.lexbor import LexborHTMLParser

from app import paths
from app.serving.catalogue import bundled
from app.serving.embedder import Embedder

DIMENSION = 384
TEXTS, VECTORS = CACHE / "sentences.txt", CACHE / "sentences.f16"
_LARGEST = 3_000_000  # bytes of a file that is looked at
_OF_ONE_FILE = 200
_AT_ONCE = 200
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")
_DOCSTRING = re.compile(r'"""(.+?)"""', re.DOTALL)
_KINDS = (".html", ".rst", ".md", ".txt", ".py")


def load() -> tuple[list[str], NDArray[np.float16]]:
    """The sentences that are embedded so far, and their vectors: shape (n, DIMENSION), unit length."""
    vectors = np.fromfile(VECTORS, "<f2").reshape(-1, DIMENSION)
    return TEXTS.read_text("utf-8").splitlines()[: len(vectors)], vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--most", type=int, default=1_000_000)
    asked = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    if not TEXTS.exists():
        TEXTS.write_text("".join(f"{line}\n" for line in _collect(asked.folders, asked.most)), "utf-8")
    asyncio.run(_embed(TEXTS.read_text("utf-8").splitlines()[: asked.most]))


def _collect(folders: list[Path], most: int) -> list[str]:
    files = [
        Path(place, name)
        for folder in folders
        for place, _, names in os.walk(folder)
        for name in names
        if name.endswith(_KINDS)
    ]
    chance = random.Random(1)
    chance.shuffle(files)
    found: dict[str, None] = {}
    for file in files:
        found.update(dict.fromkeys(itertools.islice(_sentences(file), _OF_ONE_FILE)))
        if len(found) >= most:
            break
    lines = list(found)
    chance.shuffle(lines)
    return lines


def _sentences(file: Path) -> Iterator[str]:
    try:
        if file.is_symlink() or file.stat().st_size > _LARGEST:
            return
        text = file.read_text("utf-8", "ignore")
    except OSError:
        return
    for paragraph in _paragraphs(file.suffix, text):
        for sentence in _END.split(" ".join(paragraph.split())):
            letters = sum(sign.isalpha() or sign == " " for sign in sentence)
            if 30 <= len(sentence) <= 140 and sentence.count(" ") >= 4 and letters > 0.8 * len(sentence):
                yield sentence


def _paragraphs(kind: str, text: str) -> Iterator[str]:
    if kind == ".html":
        for node in LexborHTMLParser(text).css("p, li, dd, td, h1, h2, h3"):
            yield node.text(separator=" ")
    elif kind == ".py":
        for docstring in _DOCSTRING.findall(text):
            yield from docstring.split("\n\n")
    else:
        yield from text.split("\n\n")


async def _embed(lines: list[str]) -> None:
    model = bundled(paths.resource("models")).embedding
    embedder = Embedder(model.path, sha256=model.sha256)
    embedder.load()
    try:
        with VECTORS.open("ab") as file:
            done = file.tell() // (2 * DIMENSION)
            for begin in range(done, len(lines), _AT_ONCE):
                vectors = await embedder.embed(lines[begin : begin + _AT_ONCE])
                file.write(vectors.astype("<f2").tobytes())
                if begin // _AT_ONCE % 100 == 0:
                    say(f"{begin + len(vectors):,} of {len(lines):,} sentences embedded")
    finally:
        embedder.close()


if __name__ == "__main__":
    main()
