"""Requests of the OpenAI API. Unknown fields are passed over, as its clients send ever new ones.

What would change the answer and is not supported is refused by name rather than ignored.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.gateway.routes.bodies import Documents

_LONGEST_CONTENT = 2_000_000

Text = Annotated[str, StringConstraints(max_length=_LONGEST_CONTENT)]


class _Tolerant(BaseModel):
    model_config = ConfigDict(extra="ignore")


class TextPart(_Tolerant):
    """A piece of a message's content. Only text is understood."""

    type: Literal["text", "input_text"]
    text: Text


class Turn(_Tolerant):
    """One message of the conversation so far."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """The content as one text."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(_Tolerant):
    """Options of a streamed answer."""

    include_usage: bool = False


class ResponseFormat(_Tolerant):
    """The form of the answer."""

    type: str = "text"


class ChatCompletion(_Tolerant):
    """POST /v1/chat/completions. `document_ids` is Carrel's own: which documents to read."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    messages: Annotated[list[Turn], Field(min_length=1, max_length=10_000)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: (
        Annotated[str, StringConstraints(max_length=500)]
        | Annotated[list[Annotated[str, StringConstraints(max_length=500)]], Field(max_length=16)]
        | None
    ) = None
    n: int | None = 1
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    logprobs: bool | None = False
    response_format: ResponseFormat | None = None
    document_ids: Documents | None = None

    @model_validator(mode="after")
    def _supported(self) -> Self:
        if self.n not in (None, 1):
            raise ValueError("n: only one answer at a time is made (n=1)")
        if self.tools or self.functions:
            raise ValueError("tools: this model cannot call tools")
        if self.logprobs:
            raise ValueError("logprobs: probabilities are not given")
        if self.response_format is not None and self.response_format.type != "text":
            raise ValueError("response_format: only text is supported")
        if not any(turn.role == "user" for turn in self.messages):
            raise ValueError("messages: a message of the user is needed")
        return self

    @property
    def longest(self) -> int | None:
        """The most tokens of the answer; None where nothing was said."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end the answer; they are not in it."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(text for text in given if text)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the count of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage


class Embeddings(_Tolerant):
    """POST /v1/embeddings."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    input: Text | Annotated[list[Text], Field(min_length=1, max_length=2_048)]
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: int | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, in order."""
        return (self.input,) if isinstance(self.input, str) else tuple(self.input)
