"""From chat messages to the text a model was trained on, by the template its file carries.

What a person or a document wrote must never become a control token: a passage that spells out
"<|im_end|>" would end its own turn and speak as someone else. So control tokens spelled out in a
message are marked before the template sees them, and the marked parts are tokenised as letters.
Everything else is tokenised in one run with the template's own text, as in training.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jinja2 import TemplateError

from app.errors import InvalidRequestError, ModelError
from app.serving.generation import ChatMessage
from app.serving.template_sandbox import Sandbox, TemplateRefusalError

_log = logging.getLogger(__name__)

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""For files without a template of their own: the form most models have at least seen."""

# Noncharacters: Unicode promises that no text to be exchanged holds them.
_OPEN, _CLOSE = "\U0010fffe", "\U0010ffff"
_UNSAFE = re.compile(f"[\ud800-\udfff{_OPEN}{_CLOSE}]")
_PARTS = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}?|{_CLOSE}")
_PROBE = "carrel-probe"


@dataclass(frozen=True, slots=True)
class Segment:
    """Text of a rendered chat; control tokens in it count only if not `literal`."""

    text: str
    literal: bool


class ChatTemplate:
    """The template of one model. Thread-safe."""

    def __init__(self, source: str | None, *, bos: str, eos: str, control: Iterable[str]) -> None:
        """Compile and try `source`; where there is none or it does not work, ChatML takes its place.

        Args:
            bos: spelling of the token that begins a text, for the template to write; so `eos`.
            control: spellings of all tokens that must not come from a message.
        """
        self._sandbox = Sandbox()
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._guard = _Guard(control)
        self.is_fallback = False
        try:
            self._render = self._sandbox.compile(source or "")
            if _PROBE not in self._rendered((ChatMessage("user", _PROBE),)):
                raise TemplateError("it leaves the question out")  # noqa: TRY301
        except TemplateError as error:
            if source:
                _log.warning("The model's chat template cannot be used (%s): ChatML instead.", error)
            self.is_fallback = True
            self._render = self._sandbox.compile(CHATML)

    @property
    def stop(self) -> tuple[str, ...]:
        """Where a turn ends in text, for models to which ChatML's end is no token of its own."""
        return ("<|im_end|>",) if self.is_fallback else ()

    def render(self, messages: Sequence[ChatMessage]) -> tuple[Segment, ...]:
        """Render the chat up to where the assistant begins to speak.

        Templates that know no system message, or want strictly alternating turns, get the
        messages folded into that form.

        Raises:
            InvalidRequestError: no messages, or the template refuses them.
            ModelError: the template fails on them.
        """
        if not messages:
            raise InvalidRequestError("A chat needs at least one message.")
        guarded = [ChatMessage(message.role, self._guard.mark(message.content)) for message in messages]
        try:
            try:
                text = self._rendered(guarded)
            except TemplateError:
                folded = _folded(guarded)
                if folded == guarded:
                    raise
                text = self._rendered(folded)
        except TemplateRefusalError as error:
            raise InvalidRequestError(f"The model's chat template refuses these messages: {error}") from error
        except TemplateError as error:
            raise ModelError(f"The model's chat template fails on these messages: {error}") from error
        return tuple(_segments(text))

    def _rendered(self, messages: Sequence[ChatMessage]) -> str:
        return self._render(
            {
                "messages": [{"role": message.role, "content": message.content} for message in messages],
                "add_generation_prompt": True,
                "tools": None,
                "documents": None,
                # Models that can think aloud first would do so for minutes on a processor.
                "enable_thinking": False,
                **self._tokens,
            }
        )


class _Guard:
    """Marks in a message what must not be read as a control token."""

    def __init__(self, control: Iterable[str]) -> None:
        texts = sorted({text for text in control if text}, key=len, reverse=True)
        self._whole = re.compile("|".join(map(re.escape, texts))) if texts else None
        # A message that ends in "<|im_" could be completed by what the template writes after it.
        self._beginnings = {text[:cut] for text in texts for cut in range(1, len(text))}
        self._endings = {text[cut:] for text in texts for cut in range(1, len(text))}
        self._longest = len(texts[0]) if texts else 0

    def mark(self, content: str) -> str:
        content = _UNSAFE.sub("\ufffd", content)
        if self._whole is None:
            return content
        body = content.strip()  # as many templates do
        if not body:
            return content
        before, after = content[: content.index(body)], content[content.index(body) + len(body) :]
        tail = self._cut(body, self._beginnings, at_end=True)
        body, ending = body[: len(body) - tail], body[len(body) - tail :]
        head = self._cut(body, self._endings, at_end=False)
        beginning, body = body[:head], body[head:]
        body = self._whole.sub(lambda found: _literal(found.group()), body)
        return before + _literal(beginning) + body + _literal(ending) + after

    def _cut(self, body: str, parts: set[str], *, at_end: bool) -> int:
        for length in range(min(self._longest, len(body)), 0, -1):
            if (body[-length:] if at_end else body[:length]) in parts:
                return length
        return 0


def _literal(text: str) -> str:
    return f"{_OPEN}{text}{_CLOSE}" if text else ""


def _segments(text: str) -> Iterable[Segment]:
    position = 0
    for part in _PARTS.finditer(text):
        if part.start() > position:
            yield Segment(text[position : part.start()], literal=False)
        if part.group(1):
            yield Segment(part.group(1), literal=True)
        position = part.end()
    if position < len(text):
        yield Segment(text[position:], literal=False)


def _folded(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The system message becomes the beginning of the first question; equal turns become one."""
    folded: list[ChatMessage] = []
    for message in messages:
        role = "user" if message.role == "system" else message.role
        if folded and folded[-1].role == role:
            folded[-1] = ChatMessage(role, f"{folded[-1].content}\n\n{message.content}")
        else:
            folded.append(ChatMessage(role, message.content))
    return folded
