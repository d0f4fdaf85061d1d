"""The converted embedder is the model it was made from."""

import asyncio
import base64
import json
from pathlib import Path

import numpy as np
import pytest

from app.serving.catalogue import bundled
from app.serving.embedder import Embedder

DATA = Path(__file__).with_name("data") / "minilm_reference.json"
SENTENCES = json.loads(DATA.read_text("utf-8"))["sentences"]
# llama.cpp's WordPiece takes Hangul apart in another way and drops the vowel signs of Devanagari;
# the model was trained on English and knows neither.
KNOWN_TO_DIFFER = {"합", "य"}


def _case(number: int) -> pytest.param:
    text = SENTENCES[number]["text"]
    marks = (
        [pytest.mark.xfail(reason="llama.cpp cuts this script otherwise")]
        if text[0] in KNOWN_TO_DIFFER
        else []
    )
    return pytest.param(number, id=text[:24].strip(), marks=marks)


@pytest.fixture(scope="module")
def embedder():
    models = bundled(Path(__file__).resolve().parents[2] / "resources" / "models")
    loaded = Embedder(models.embedding.path, sha256=models.embedding.sha256)
    loaded.load()
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def vectors(embedder) -> np.ndarray:
    return asyncio.run(embedder.embed([sentence["text"] for sentence in SENTENCES]))


@pytest.mark.model
@pytest.mark.parametrize("number", [_case(number) for number in range(len(SENTENCES))])
def test_a_sentence_gets_the_vector_that_sentence_transformers_gives_it(vectors, number):
    reference = np.frombuffer(base64.b64decode(SENTENCES[number]["vector"]), "<f2").astype("f4")

    assert vectors[number] @ reference / np.linalg.norm(reference) >= 0.999
