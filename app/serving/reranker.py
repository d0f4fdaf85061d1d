"""How well passages answer a question: a cross-encoder, which reads each passage together with it.

Slower than comparing vectors, as nothing can be computed before the question is known, and finer:
the few passages that search found are put in order by it.
"""

import functools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import ModelError, ModelFileError
from app.records import Model
from app.serving.chat_model import utf8
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel
from app.serving.pooled_model import PooledModel

_QUESTION_SHARE = 0.5  # of the positions; a longer question is cut
_QUESTION, _PASSAGE = "{query}", "{document}"  # in the template of a file
_PLACES = re.compile(r"(\{query\}|\{document\})")


class Reranker:
    """One reranking model, shared by its threads. All public methods are thread-safe."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 0,
        queue_limit: int = 32,
        sha256: str | None = None,
        name: str | None = None,
        polite: bool = False,
        tiles: bool = False,
    ) -> None:
        """Nothing is loaded yet. Arguments as for `PooledModel`."""
        self.path = path
        self._texts = PooledModel(
            path,
            "reranking",
            called="reranking model",
            threads=threads,
            queue_limit=queue_limit,
            sha256=sha256,
            name=name,
            polite=polite,
            tiles=tiles,
        )

    def load(self) -> Model:
        """Load the model and start the threads. Blocks for as long as that takes.

        Raises:
            ModelFileError: the file is no reranking model that can be loaded; the message says why.
            ModelError: not enough memory, or the reranker was closed.
        """
        return self._texts.load(self._try_out)

    @property
    def model(self) -> Model:
        """How the file is loaded.

        Raises:
            ModelError: it is not loaded.
        """
        return self._texts.record

    async def score(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """How well each passage answers the question: shape (len(passages),), higher is better.

        Scores of one question can be compared with each other and with nothing else. Texts that
        are too long are cut at their end, the passage before the question.

        Raises:
            BusyError: too many jobs wait.
            ModelError: the reranker is not loaded, closed, or failed.
        """
        self._texts.check()
        if not passages:
            return np.empty(0, np.float32)
        tasks = [functools.partial(self._score, question=question, passage=text) for text in passages]
        scores = await self._texts.compute(tasks, urgent=True)
        return scores[:, 0]

    def close(self) -> None:
        """Fail what waits, free the model. Idempotent; takes as long as the texts at hand."""
        self._texts.close()

    def _score(self, context: NativeContext, *, question: str, passage: str) -> NDArray[np.float32]:
        """On one of the model's threads."""
        score = context.embed([_together(self._texts.native, question, passage, context.length)])[:, :1]
        if not np.isfinite(score).all():
            raise ModelError("The reranking model gave no usable score.")
        return score

    def _try_out(self, native: NativeModel, context: NativeContext) -> None:
        if not context.ranks:
            raise ModelFileError(f"{self.path.name} does not rank passages.")
        try:
            context.embed([_together(native, "a", "a", context.length)])
        except ModelError as error:
            raise ModelFileError(f"{self.path.name} was loaded, but gives no scores.") from error


def _together(native: NativeModel, question: str, passage: str, room: int) -> list[int]:
    """Both texts as one, in at most `room` tokens, as the model was trained to read them.

    As llama.cpp's server does it (`format_prompt_rerank`): by the file's template of that name; where
    it has none, [BOS] question [EOS] [SEP] passage [EOS] with the marks that the file wants. Other
    than there, marks that are spelled out in a text stay letters.
    """
    texts = {
        _QUESTION: native.tokenize(utf8(question))[: int(room * _QUESTION_SHARE)],
        _PASSAGE: native.tokenize(utf8(passage)),
    }
    template = native.chat_template("rerank")
    if template is not None:
        parts = [
            texts.get(part, native.tokenize(utf8(part), control=True))
            for part in _PLACES.split(template)
            if part
        ]
    else:
        end = [native.eos if native.eos >= 0 else native.sep] if native.adds_eos else []
        between = [native.sep] if native.adds_sep else []
        begin = [native.bos] if native.adds_bos else []
        parts = [begin, texts[_QUESTION], end, between, texts[_PASSAGE], end]
    too_many = sum(len(part) for part in parts) - room
    if too_many > 0:
        del texts[_PASSAGE][-too_many:]
    return [token for part in parts for token in part][:room]
