"""Answers as examples that a model can be trained on: one JSON object with `messages` a line.

This is the chat form that OpenAI's fine-tuning, TRL and axolotl read. The prompt is that of a capable
model, whatever model answered: rules, numbered passages, question. The marks behind the sentences are
those of the check, not the model's, so what is learned is to cite right.
"""

import msgspec

from app.audit import PromptMessage
from app.backend.ask import prompt
from app.backend.ask.followup import leans_on
from app.backend.ask.prompt import Turn
from app.backend.export.selection import Exchange
from app.records import Message

_WITHOUT_PASSAGES = "You answer questions about the user's documents. Be brief and direct."


class _Example(msgspec.Struct):
    messages: tuple[PromptMessage, ...]


def example(exchange: Exchange, *, passages: bool) -> str | None:
    """The line of an exchange; None where there is nothing to learn from it.

    That is: an answer that is not whole, or, with `passages`, one for which nothing was read.
    """
    asked, answer = exchange.question.message, exchange.answer.message
    if answer.state != "complete" or not answer.text.strip():
        return None
    read = [source for source in answer.sources if source.read]
    if passages and not read:
        return None
    if passages:
        turns = prompt.full(asked.text, read, _earlier(exchange))
        said = marked(answer)
    else:
        turns = prompt.full(asked.text, (), _earlier(exchange))
        said = answer.text
    messages = [PromptMessage(turn.role, turn.content) for turn in turns]
    if not passages:
        messages[0] = PromptMessage("system", _WITHOUT_PASSAGES)
        messages[-1] = PromptMessage("user", asked.text)
    messages.append(PromptMessage("assistant", said))
    return msgspec.json.encode(_Example(tuple(messages))).decode() + "\n"


def marked(message: Message, unsupported: str = "") -> str:
    """The text of an answer with [1] behind each sentence that rests on source 1.

    Args:
        unsupported: what is put behind sentences that rest on none.
    """
    behind: dict[int, str] = {}
    for citation in message.citations:
        mark = f"[{citation.source}]" if citation.source is not None else unsupported
        if mark and mark not in behind.get(citation.end, ""):
            behind[citation.end] = behind.get(citation.end, "") + mark
    text = ""
    at = 0
    for end, marks in sorted(behind.items()):
        said = message.text[at:end]
        bare = said.rstrip()
        text += f"{bare} {marks}{said[len(bare) :]}"
        at = end
    return text + message.text[at:]


def _earlier(exchange: Exchange) -> tuple[Turn, ...]:
    """The exchange before, where the question cannot be understood without it."""
    if exchange.before is None:
        return ()
    question, answer = exchange.before.question.message.text, exchange.before.answer.message.text
    if leans_on(exchange.question.message.text, [question]) is None:
        return ()
    return (Turn(question, answer),)
