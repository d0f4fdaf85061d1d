"""What crosses the wire: plain frozen values, JSON in and out.

The gateway turns them into JSON and the client turns JSON back into them, so the window, the
command line and other tools see the same shapes. Times are seconds since the epoch (UTC) unless
a name ends in `_ms`. Offsets count Unicode code points and are half-open: text[start:end].
"""

from dataclasses import dataclass
from typing import Literal

DocumentStatus = Literal["queued", "reading", "embedding", "ready", "failed"]
Role = Literal["user", "assistant"]
MessageState = Literal["running", "complete", "stopped", "failed", "interrupted"]
Verdict = Literal["supported", "partly", "unsupported"]
WatchState = Literal["watching", "polling", "missing"]
ModelKind = Literal["chat", "embedding", "reranking"]
Thumb = Literal["up", "down"]
RatingReason = Literal["incorrect", "not_asked", "incomplete", "wrong_source", "hard_to_read"]
AnswerStyle = Literal["quote", "write", "fixed"]
"""An answer is sentences of the passages, the model's own, or fixed words where nothing was found."""
Style = Literal["auto", "quote", "write"]
"""How it is answered: in sentences of the passages, or in the model's own; `auto`: as it is fit for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for a person (`message`) and for a program (`code`, stable)."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """One file of the library and how far its reading has come.

    `path` is set when the file was added by path; an upload keeps only its name. `paged` says
    whether its pages are pages of the original (PDF) or one stored text (plain text, Markdown).
    `pages` is unknown (None) until the file was opened.

    `changed`: its file is another one by now; what is found in it is of the earlier state until the
    new one is read. `missing`: its file is not at its place; it can be asked all the same. Of its
    pages, `pages_empty` had no text and `pages_by_ocr` were recognised in images. `read_s` and
    `embed_s` are the seconds that the last reading took; None before its end. `dated`: when its file was
    last changed (the oldest of its copies), or it was added where none lies anywhere.
    """

    id: str
    name: str
    path: str | None
    content_hash: str
    media_type: str
    size: int
    status: DocumentStatus
    paged: bool
    pages: int | None
    pages_read: int
    passages: int
    passages_embedded: int
    error: Problem | None
    added_at: float
    ready_at: float | None
    changed: bool = False
    missing: bool = False
    pages_empty: int = 0
    pages_by_ocr: int = 0
    read_s: float | None = None
    embed_s: float | None = None
    dated: float | None = None

    @property
    def askable(self) -> bool:
        """Whether there are passages of it: it was read, now or before its file changed."""
        return self.status == "ready" or self.changed


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document's text, small enough to embed and to cite.

    `start` and `end` are offsets into the stored text of page `page` (1-based).
    """

    id: int
    document_id: str
    document_name: str
    paged: bool
    page: int
    start: int
    end: int
    heading: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """A passage found for a question. `number` is its mark in the answer: [1], [2], ...

    `read` says whether the passage was in the model's prompt; `score` is the fused rank score
    (higher is better; comparable within one question only). `also` are the names of other documents
    that hold the same text.
    """

    number: int
    passage: Passage
    score: float
    read: bool
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """The check of one finished sentence: answer[start:end] rests on a source, or on none.

    One that rests on its source `partly` has words that do not stand there; nothing of it contradicts.

    `quote_start` and `quote_end` are offsets into the passage's text.
    """

    start: int
    end: int
    verdict: Verdict
    source: int | None
    quote_start: int | None
    quote_end: int | None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a question is to be answered, where it says so itself.

    `style` None: as the settings have it. `without_documents`: by the model alone, which the answer
    then is marked with. `read_all`: read every passage that fits the model, however long it takes.
    """

    style: Style | None = None
    without_documents: bool = False
    read_all: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; `cached_tokens` of the prompt were not computed again."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds of each hop of one question; `first_token_ms` to the first words that were shown.

    `unread_ms`: how long the model would take over the passages that were left out to save time.
    `sections_ms`: working through all of the documents, where the question was about them as a whole.
    """

    embed_ms: float = 0.0
    search_ms: float = 0.0
    prompt_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    first_token_ms: float = 0.0
    total_ms: float = 0.0
    unread_ms: float = 0.0
    sections_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Rating:
    """What the user thinks of an answer; `reasons` and `comment` only where they said why."""

    thumb: Thumb
    reasons: tuple[RatingReason, ...] = ()
    comment: str = ""
    rated_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. An answer's `parent_id` is its question."""

    id: str
    conversation_id: str
    parent_id: str | None
    role: Role
    state: MessageState
    text: str
    created_at: float
    sources: tuple[Source, ...] = ()
    citations: tuple[Citation, ...] = ()
    found: int = 0
    error: Problem | None = None
    model: str | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    trace_id: str | None = None
    rating: Rating | None = None

    @property
    def quoted(self) -> bool:
        """Whether an answer is made of sentences of the sources alone: no model wrote any of it."""
        return self.usage == Usage(0, 0) and bool(self.citations)

    @property
    def nearest(self) -> bool:
        """Whether an answer in quotes only shows the nearest passage, and says so in front of it."""
        return self.quoted and not self.worked_through and self.citations[0].start > 0

    @property
    def worked_through(self) -> bool:
        """Whether whole documents were worked through for it; `found` passages of them were read."""
        return self.timings is not None and self.timings.sections_ms > 0

    @property
    def unfounded(self) -> bool:
        """Whether an answer only says, in fixed words, that nothing was found."""
        return self.role == "assistant" and bool(self.text) and self.usage is None and not self.citations

    @property
    def undocumented(self) -> bool:
        """Whether an answer is the model's alone: it was asked without documents."""
        return self.usage is not None and self.usage.prompt_tokens > 0 and not self.sources


@dataclass(frozen=True, slots=True)
class Conversation:
    """The head of a conversation; its messages are fetched by id."""

    id: str
    title: str
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class ConversationDetail:
    """A conversation with its messages, oldest first."""

    conversation: Conversation
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, in fractions of its width and height; origin at the top left."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Page:
    """One page as text, with the boxes of the span that was asked for (paged documents)."""

    document_id: str
    number: int
    count: int
    text: str
    paged: bool
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A model file and how it is loaded. Sizes in bytes, `context_length` in tokens.

    `layers_offloaded` of `layers` run on `backend` ("CPU", "CUDA0", ...); `problem` says why it
    is not loaded when it should be. One that is `resting` was freed because nobody had asked for
    long; the next question loads it again. `placement` says in words how its memory was laid out.
    """

    name: str
    kind: ModelKind
    path: str
    size: int
    sha256: str
    loaded: bool
    context_length: int
    backend: str
    layers: int
    layers_offloaded: int
    problem: Problem | None = None
    resting: bool = False
    placement: str = ""


@dataclass(frozen=True, slots=True)
class Renewal:
    """The library is being read with another embedding model: so many of its documents are.

    Answers come from `answers_from`, the model before, until all are; None: that model is gone, and
    what is not read yet is found by its words only.
    """

    model: str
    documents: int
    documents_read: int
    answers_from: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the whole program. `memory` is its resident size in bytes."""

    status: Literal["ok", "starting", "degraded"]
    version: str
    versions: dict[str, str]
    profile: str
    uptime: float
    memory: int
    documents: int
    passages: int
    vectors: int
    queued: int
    models: tuple[Model, ...]
    listening: str | None
    renewal: Renewal | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A bearer token and when it ends unless used (each use renews it)."""

    token: str
    user_id: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Addition:
    """What became of one file of an add: a document, or the reason there is none.

    `known` says that the same content was in the library already.
    """

    name: str
    document: Document | None = None
    problem: Problem | None = None
    known: bool = False


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """A folder that is followed: its files are documents, and stay what the files are.

    `state`: `watching` (the system tells of changes), `polling` (they are looked for now and then;
    `problem` says why) or `missing` (it is not there; its documents are kept). `scanned_at` is None
    until all of it was looked at once. Of the files that cannot be taken in, `refused_count` in all,
    the first are named in `refused`.
    """

    id: str
    path: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    state: WatchState
    problem: Problem | None
    documents: int
    refused: tuple[Addition, ...]
    refused_count: int
    added_at: float
    scanned_at: float | None


@dataclass(frozen=True, slots=True)
class Collection:
    """So many `documents` under a name. A followed `folder` (its path) is one, too: what lies in it."""

    id: str
    name: str
    documents: int
    created_at: float
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Passages found for a query, best first, how many there were in all, and why there are none."""

    sources: tuple[Source, ...]
    found: int
    timings: Timings
    remark: str = ""
