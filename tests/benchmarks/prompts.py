"""Texts of an exact number of tokens: sentences of Carrel's own pages, in an order the seed decides.

Texts of different seeds differ from their first words on, so that no cache can mistake one for
another.
"""

import ast
import random
import re
from collections.abc import Callable, Sequence
from functools import cache

from places import ROOT

from app.serving.engine import Engine
from app.serving.generation import ChatMessage, Prompt

_FILLER = " and"  # one token of every vocabulary met so far
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def text(seed: int, tokens: int, count: Callable[[str], int]) -> str:
    """A text of exactly `tokens` of them, as `count` sees them.

    Raises:
        ValueError: `tokens` are too few to begin with, or no such text was found.
    """
    words = _words(seed)
    low, high = 0, min(tokens, len(words))  # a word is a token at least
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(" ".join(words[:middle])) <= tokens else (low, middle - 1)
    found = " ".join(words[:low])
    found += _FILLER * (tokens - count(found))
    if count(found) != tokens:
        raise ValueError(f"There is no text of {tokens} tokens here.")
    return found


def question(engine: Engine, seed: int, tokens: int) -> tuple[str, Prompt]:
    """One message, whose prompt has exactly `tokens` with all that the chat template adds."""
    message = text(seed, tokens, lambda written: len(_prompt(engine, written).tokens))
    return message, _prompt(engine, message)


def over_document(engine: Engine, seed: int, tokens: int, questions: int) -> list[Prompt]:
    """Prompts that share a document of `tokens`; each asks something else of it."""
    document = text(seed, tokens, engine.count)
    return [
        _prompt(engine, f"{document}\n\n{text(seed * 100 + at, 30, engine.count)}") for at in range(questions)
    ]


def conversation(engine: Engine, seed: int, tokens: int) -> tuple[Prompt, Prompt]:
    """A conversation of exactly `tokens`, and the same with its next question."""

    def turns(last: str) -> list[ChatMessage]:
        answer = text(seed + 1, tokens // 4, engine.count)
        return [ChatMessage("user", begin), ChatMessage("assistant", answer), ChatMessage("user", last)]

    begin = text(seed, tokens // 4, engine.count)
    second = text(seed + 2, tokens, lambda written: len(engine.encode(turns(written)).tokens))
    before = engine.encode(turns(second))
    answer, more = text(seed + 3, 16, engine.count), text(seed + 4, 12, engine.count)
    after = engine.encode([*turns(second), ChatMessage("assistant", answer), ChatMessage("user", more)])
    return before, after


def passages(seed: int, how_many: int, tokens: int, count: Callable[[str], int]) -> list[str]:
    return [text(seed * 1_000 + number, tokens, count) for number in range(how_many)]


def _prompt(engine: Engine, message: str) -> Prompt:
    return engine.encode([ChatMessage("user", message)])


def _words(seed: int) -> Sequence[str]:
    shuffled = list(_sentences())
    random.Random(seed).shuffle(shuffled)
    return f"Number {seed} of these reports. {' '.join(shuffled)}".split()


@cache
def _sentences() -> tuple[str, ...]:
    pages = [(ROOT / name).read_text("utf-8") for name in ("README.md", "app/README.md")]
    for path in sorted((ROOT / "app").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        pages += [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented)]
    sentences = (sentence for page in pages for sentence in _SENTENCE_END.split(page))
    return tuple(dict.fromkeys(s for s in sentences if s.isascii() and len(s.split()) > 5))
