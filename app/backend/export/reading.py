"""Conversations as Markdown, to be read: each answer with its sources and what the check said."""

import time

from app.audit import Audit
from app.backend.export.selection import Exchange
from app.backend.export.training import marked
from app.records import Citation, Conversation, Message, Source

_ENDINGS = {
    "running": "Still being written.",
    "stopped": "Stopped before its end.",
    "interrupted": "Interrupted: Carrel was closed while this was being written.",
}
_NOT_FOUND = "*(not in your documents)*"
_THUMBS = {"up": "rated good", "down": "rated bad"}
_REASONS = {
    "incorrect": "it is wrong",
    "not_asked": "not what was asked",
    "incomplete": "something is missing",
    "wrong_source": "wrong source",
    "hard_to_read": "hard to read",
}


def heading(conversation: Conversation) -> str:
    """The beginning of a conversation."""
    return f"# {_line(conversation.title)}\n\n{_when(conversation.created_at)}\n\n"


def section(exchange: Exchange) -> str:
    """A question, its answer, and where that stands."""
    answer = exchange.answer.message
    parts = [f"## {_line(exchange.question.message.text)}"]
    if answer.text:
        parts.append(marked(answer, _NOT_FOUND))
    if answer.error is not None:
        parts.append(f"*Failed: {_line(answer.error.message)}*")
    elif answer.state in _ENDINGS:
        parts.append(f"*{_ENDINGS[answer.state]}*")
    if sources := _sources(answer):
        parts.append(f"**Sources**\n\n{sources}")
    parts.append(f"<sub>{_numbers(exchange.answer)}</sub>")
    return "\n\n".join(parts) + "\n\n"


def _sources(answer: Message) -> str:
    cited: dict[int, list[Citation]] = {}
    for citation in answer.citations:
        if citation.source is not None:
            cited.setdefault(citation.source, []).append(citation)
    lines = []
    for source in answer.sources:
        if source.number in cited:
            lines.append(f"- [{source.number}] {_place(source)}")
            quotes = dict.fromkeys(_quote(citation, source) for citation in cited[source.number])
            lines += [f"  > {quote}" for quote in quotes]
    return "\n".join(lines)


def _place(source: Source) -> str:
    passage = source.passage
    page = f", page {passage.page}" if passage.paged else ""
    under = f" · {_line(passage.heading)}" if passage.heading else ""
    return f"{_line(passage.document_name)}{page}{under}"


def _quote(citation: Citation, source: Source) -> str:
    text = source.passage.text
    if citation.quote_start is not None and citation.quote_end is not None:
        text = text[citation.quote_start : citation.quote_end]
    partly = " (supports it only in part)" if citation.verdict == "partly" else ""
    return _line(text) + partly


def _numbers(audit: Audit) -> str:
    """When, by which model, out of how much, how fast, and what the user thought of it."""
    answer = audit.message
    parts = [_when(answer.created_at)]
    if answer.model:
        parts.append(_line(answer.model))
    if answer.sources:
        read = sum(source.read for source in answer.sources)
        parts.append(f"{read} of {max(answer.found, len(answer.sources))} passages read")
    if answer.timings is not None and answer.timings.first_token_ms > 0:
        parts.append(f"first word {answer.timings.first_token_ms / 1000:.1f} s")
    if answer.rating is not None:
        why = [_REASONS[reason] for reason in answer.rating.reasons]
        why += [f"“{_line(answer.rating.comment)}”"] if answer.rating.comment else []
        parts.append(_THUMBS[answer.rating.thumb] + (f": {', '.join(why)}" if why else ""))
    return " · ".join(parts)


def _line(text: str) -> str:
    """On one line: a line end would end the heading, the quotation or the list."""
    return " ".join(text.split())


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
