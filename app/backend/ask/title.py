"""The title of a conversation, made from its first question."""

import re

_LONGEST = 60


def title(question: str) -> str:
    """The question on one line, without its question mark's company, at most 60 characters."""
    text = " ".join(question.split())
    first = re.match(r".{12,}?[.?!](?=\s)", text)
    text = first.group() if first else text
    if len(text) <= _LONGEST:
        return text or "Conversation"
    cut = text[: _LONGEST - 1]
    if " " in cut[_LONGEST // 2 :]:
        cut = cut[: cut.rindex(" ")]
    return cut.rstrip(" ,;:.–-") + "…"
