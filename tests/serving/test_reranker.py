"""The machinery of reranking, with a tiny model whose weights are random: it ranks, if not well."""

import asyncio

import numpy as np
import pytest

from app.errors import BusyError, ModelError, ModelFileError
from app.serving.embedder import Embedder
from app.serving.reranker import Reranker

QUESTION = "who pays"
PASSAGES = ("the tenant pays", "a cat", "", "字🌈\0\ud800", "z " * 500)


@pytest.fixture
def reranker(tiny):
    reranker = Reranker(tiny("bert"), threads=2, sha256="-")
    reranker.load()
    yield reranker
    reranker.close()


def score(reranker, *asked):
    return asyncio.run(reranker.score(*asked))


def test_each_passage_gets_a_score_of_its_own(reranker):
    scores = score(reranker, QUESTION, PASSAGES)

    assert scores.shape == (len(PASSAGES),)
    assert scores.dtype == np.float32
    assert len(set(scores.tolist())) == len(PASSAGES)


def test_a_score_does_not_depend_on_the_other_passages(reranker):
    together = score(reranker, QUESTION, PASSAGES)
    alone = [score(reranker, QUESTION, [passage])[0] for passage in PASSAGES]

    assert together.tolist() == alone


def test_a_score_depends_on_the_question(reranker):
    one, other = (score(reranker, question, PASSAGES[:2]) for question in (QUESTION, "what sleeps"))

    assert not np.any(one == other)


def test_texts_that_are_too_long_are_cut_the_passage_first(reranker):
    long = "b " * 500

    cut = score(reranker, QUESTION, ["z " * 60, "z " * 500])
    both = score(reranker, long, ["a", "c"])

    assert cut[0] == cut[1]
    assert both[0] != both[1]


def test_the_template_of_the_file_puts_the_texts_together(tiny):
    plain, framed = Reranker(tiny("bert"), sha256="-"), None
    try:
        plain.load()
        framed = Reranker(tiny("bert", template="[CLS]{document}[SEP]{query}[SEP]"), sha256="-")
        framed.load()
        assert framed.model.kind == "reranking"
        # Their places are exchanged, and so is what the two models say.
        assert score(framed, "a b", ["c d"]) != score(plain, "a b", ["c d"])
        # A mark that is spelled out in a text is no mark.
        assert score(framed, "a [SEP] b", ["c"]) != score(framed, "a", ["c"])
    finally:
        plain.close()
        if framed is not None:
            framed.close()


def test_no_passages_get_no_scores(reranker):
    assert score(reranker, QUESTION, []).shape == (0,)


def test_one_question_more_than_may_wait_is_refused(tiny):
    reranker = Reranker(tiny("bert"), threads=1, queue_limit=1, sha256="-")
    reranker.load()

    async def crowd():
        waiting = asyncio.ensure_future(reranker.score(QUESTION, ["z " * 60] * 5_000))
        await asyncio.sleep(0)  # lets it submit
        with pytest.raises(BusyError):
            await reranker.score(QUESTION, ["one more"])
        reranker.close()
        return await asyncio.gather(waiting, return_exceptions=True)

    assert all(isinstance(error, ModelError) for error in asyncio.run(crowd()))
    with pytest.raises(ModelError, match="closed"):
        score(reranker, QUESTION, PASSAGES)


@pytest.mark.model
def test_a_model_of_another_kind_is_refused(models):
    for path in (models.embedding.path, models.chat.path):
        with pytest.raises(ModelFileError, match="does not rank"):
            Reranker(path, sha256="-").load()


def test_a_model_that_ranks_gives_no_vectors_to_search_with(tiny):
    with pytest.raises(ModelFileError, match="ranks passages"):
        Embedder(tiny("bert"), sha256="-").load()
