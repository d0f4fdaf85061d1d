"""Answers of an exact length: the model's ends of turn are forbidden, as by llama-server's `ignore_eos`.

Both sides then do the same work a token: the scores of those tokens are made minus infinity before
one is chosen. The program has no such option and needs none, so this is done to it from outside.

    python tests/benchmarks/endless.py serve --json --port 0      (any command line of Carrel)
"""

import functools
import sys

from app.main import main
from app.serving.native_model import NativeModel


def never_end() -> None:
    """From now on no model of this process ends its turn."""
    before = NativeModel.suppressed

    @functools.cache  # the vocabulary is asked once a model, not once an answer
    def suppressed(model: NativeModel) -> tuple[int, ...]:
        return (*before(model), *(token for token in range(model.vocabulary_size) if model.ends(token)))

    NativeModel.suppressed = suppressed


if __name__ == "__main__":
    never_end()
    sys.exit(main())
