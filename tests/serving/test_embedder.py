import asyncio

import numpy as np
import pytest

from app.errors import BusyError, ContextOverflowError, ModelError, ModelFileError
from app.serving.embedder import Embedder

pytestmark = pytest.mark.model

TEXTS = ["The rent is due on the first of the month.", "Cats sleep a lot.", "", "字🌈\0\ud800"]
LONG = "The tenant pays the rent on time. " * 40  # about 320 tokens


def embed(embedder, texts, **options):
    return asyncio.run(embedder.embed(texts, **options))


def test_vectors_are_unit_length_and_float32(embedder):
    vectors = embed(embedder, TEXTS)

    assert vectors.shape == (4, embedder.dimension) == (4, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_a_text_has_the_same_vector_alone_and_among_others(embedder):
    texts = [*TEXTS, LONG, *(f"{number} tenants pay the rent on time." for number in range(20))]

    together = embed(embedder, texts)
    alone = np.concatenate([embed(embedder, [text]) for text in texts])

    # Not bit by bit: attention over few rows is summed up in another order than over many.
    assert (together * alone).sum(axis=1).min() > 0.999


def test_a_question_is_nearer_to_its_answer_than_to_other_text(embedder):
    question, answer, other = embed(embedder, ["When must I pay the landlord?", *TEXTS[:2]])

    assert question @ answer > question @ other + 0.2


def test_no_texts_give_no_vectors(embedder):
    assert embed(embedder, []).shape == (0, 384)


def test_a_passage_may_hold_what_the_model_was_trained_on(embedder):
    assert embedder.max_tokens == 254
    assert embedder.model.context_length == 512
    assert embedder.model.kind == "embedding"


def test_counting_leaves_out_what_the_model_adds(embedder):
    assert embedder.count("") == 0
    assert embedder.count("hello world") == 2


def test_a_query_longer_than_the_model_can_read_is_cut(embedder):
    long, longer = embed(embedder, [LONG * 2, LONG * 3], urgent=True)

    assert long @ longer == pytest.approx(1.0, abs=1e-5)


def test_a_passage_longer_than_the_model_can_read_is_refused(embedder):
    with pytest.raises(ContextOverflowError) as refused:
        embed(embedder, ["fine", LONG * 2])

    assert refused.value.available == 512
    assert embed(embedder, ["fine"]).shape == (1, 384)


def test_a_question_goes_before_a_document_that_is_being_embedded(embedder):
    async def race():
        bulk = asyncio.ensure_future(embedder.embed([LONG] * 12))
        while not embedder.waiting:
            await asyncio.sleep(0.001)
        question = await embedder.embed(["Who signed it?"], urgent=True)
        overtaken = not bulk.done()
        return overtaken, question, await bulk

    overtaken, question, bulk = asyncio.run(race())

    assert overtaken
    assert question.shape == (1, 384)
    assert bulk.shape == (12, 384)


def test_giving_up_a_document_leaves_the_rest_of_it_uncomputed(embedder):
    async def give_up():
        bulk = asyncio.ensure_future(embedder.embed([LONG] * 500))
        await embedder.embed(["Who signed it?"], urgent=True)
        bulk.cancel()
        await asyncio.wait([bulk])
        return await embedder.embed(["next"])

    assert asyncio.run(give_up()).shape == (1, 384)
    assert embedder.waiting == 0


def test_one_job_more_than_may_wait_is_refused(models):
    embedder = Embedder(models.embedding.path, queue_limit=2, sha256="-")
    embedder.load()

    async def crowd():
        waiting = [asyncio.ensure_future(embedder.embed([LONG] * 20)) for _ in range(2)]
        while embedder.waiting < 2:
            await asyncio.sleep(0.001)
        with pytest.raises(BusyError):
            await embedder.embed(["one more"])
        embedder.close()
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert all(isinstance(error, ModelError) for error in asyncio.run(crowd()))


def test_a_closed_embedder_refuses_and_can_be_closed_again(models):
    embedder = Embedder(models.embedding.path, sha256="-")
    embedder.load()
    embedder.close()
    embedder.close()

    with pytest.raises(ModelError, match="closed"):
        embed(embedder, ["text"])
    with pytest.raises(ModelError, match="closed"):
        embedder.count("text")


def test_an_embedder_that_is_not_loaded_says_so(models):
    with pytest.raises(ModelError, match="not loaded"):
        embed(Embedder(models.embedding.path), ["text"])


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"not a model")

    with pytest.raises(ModelFileError, match="not a GGUF"):
        Embedder(path).load()
