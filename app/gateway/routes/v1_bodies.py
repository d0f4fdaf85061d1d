"""Requests of the OpenAI API. Unknown fields are passed over, as its clients send ever new ones.

What would change the answer and is not supported is refused by name rather than ignored.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StringConstraints,
    model_validator,
)

from app.gateway.routes.bodies import Deadline, Limits

_LONGEST_CONTENT = 2_000_000
_MOST_BIASES = 1_024

Bias = StrictBool | StrictFloat  # strict: 0 is a number here, and not false
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


class SchemaFormat(_Tolerant):
    """The schema of an answer in JSON."""

    form: Any = Field(None, alias="schema")  # a model has a method called schema


class ResponseFormat(_Tolerant):
    """The form of the answer. llama-server's `schema` stands beside `json_object`."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: SchemaFormat | None = None
    form: Any = Field(None, alias="schema")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.type == "json_schema" and (self.json_schema is None or self.json_schema.form is None):
            raise ValueError("json_schema.schema is missing")
        return self

    @property
    def schema_of_answer(self) -> object:
        """What the answer has to follow; None: any text."""
        if self.type == "json_schema" and self.json_schema is not None:
            return self.json_schema.form
        if self.type == "json_object":
            return self.form if self.form is not None else {"type": "object"}
        return None


class SamplingFields(_Tolerant):
    """How tokens are chosen: OpenAI's fields in its ranges, llama-server's by its names.

    The ranges of the latter are the engine's to check.
    """

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_penalty: float | None = None
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: int | None = None
    dry_penalty_last_n: int | None = None
    dry_sequence_breakers: Annotated[tuple[str, ...], Field(max_length=100)] | None = None
    xtc_probability: float | None = None
    xtc_threshold: float | None = None
    mirostat: int | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    logit_bias: (
        Annotated[dict[int, Bias], Field(max_length=_MOST_BIASES)]
        | Annotated[list[tuple[int, Bias]], Field(max_length=_MOST_BIASES)]
        | None
    ) = None
    grammar: Text | None = None  # empty where a tool sends all its fields: none

    @model_validator(mode="after")
    def _biased(self) -> Self:
        if any(bias is True for _, bias in self._biases):
            raise ValueError("logit_bias: a bias is a number, or false for a token that must not come")
        return self

    @property
    def sampling(self) -> dict[str, Any]:
        """What was said, by the engine's names. A bias of `false` (llama-server's) bans the token."""
        given = {name: getattr(self, name) for name in SamplingFields.model_fields}
        given["grammar"] = self.grammar or None
        given["logit_bias"] = (
            tuple((token, bias) for token, bias in self._biases if bias is not False) or None
        )
        given["banned"] = tuple(token for token, bias in self._biases if bias is False) or None
        return {name: value for name, value in given.items() if value is not None}

    @property
    def _biases(self) -> list[tuple[int, bool | float]]:
        given = self.logit_bias or {}
        return list(given.items() if isinstance(given, dict) else given)


class ChatCompletion(Limits, SamplingFields):
    """POST /v1/chat/completions. Its last two fields and those of `Limits` are Carrel's own."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    messages: Annotated[list[Turn], Field(min_length=1, max_length=10_000)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    stop: (
        Annotated[str, StringConstraints(max_length=500)]
        | Annotated[list[Annotated[str, StringConstraints(max_length=500)]], Field(max_length=16)]
        | None
    ) = None
    n: int | None = 1
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    logprobs: bool | None = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    json_schema: Any = None
    deadline_s: Deadline | None = None
    on_overflow: Literal["refuse", "drop_oldest"] = "refuse"

    @model_validator(mode="after")
    def _supported(self) -> Self:
        if self.n not in (None, 1):
            raise ValueError("n: only one answer at a time is made (n=1)")
        if self.tools or self.functions:
            raise ValueError("tools: this model cannot call tools")
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs: only together with logprobs")
        formed = self.response_format is not None and self.response_format.schema_of_answer is not None
        if formed + (self.json_schema is not None) + bool(self.grammar) > 1:
            raise ValueError("response_format: only one of response_format, json_schema and grammar")
        if not any(turn.role == "user" for turn in self.messages):
            raise ValueError("messages: a message of the user is needed")
        return self

    @property
    def schema_of_answer(self) -> object:
        """The JSON schema that the answer has to follow; None: any text."""
        if self.json_schema is not None or self.response_format is None:
            return self.json_schema
        return self.response_format.schema_of_answer

    @property
    def alternatives(self) -> int | None:
        """How many other tokens to tell beside each chosen one; None: tell no probabilities."""
        return (self.top_logprobs or 0) if self.logprobs else None

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
