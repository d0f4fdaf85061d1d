"""What streams: the events of one question, and the feed of changes.

On the wire an event is a server-sent event: its name is the class's `event`, its data the
fields as JSON. One question ends in exactly one Finished or Failed.
"""

from dataclasses import dataclass
from typing import ClassVar

from app.evaluation import Evaluation
from app.records import (
    Citation,
    Collection,
    Conversation,
    Document,
    Message,
    Model,
    Problem,
    Rating,
    Renewal,
    Source,
    WatchedFolder,
)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The sources, before the first word. `found` passages matched; those with `read` go in.

    Where whole documents are worked through (`whole`; `found` of their passages are to be read, or were),
    it comes a first time without sources, before that begins.
    """

    event: ClassVar[str] = "retrieved"
    conversation: Conversation
    question: Message
    answer_id: str
    sources: tuple[Source, ...]
    found: int
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Whole documents are worked through: `done` of `of` parts are, `what` is the document that is read now.

    A part is a section, or a whole document where no model writes. Behind the last one `what` is empty.
    """

    event: ClassVar[str] = "progress"
    done: int
    of: int
    what: str


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer's text, to append."""

    event: ClassVar[str] = "delta"
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Sentences that ended since the last check, with the passage each rests on."""

    event: ClassVar[str] = "checked"
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer as it was stored: complete, or stopped by the user."""

    event: ClassVar[str] = "finished"
    message: Message


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no complete answer. `message` holds what was kept of it, if anything."""

    event: ClassVar[str] = "failed"
    problem: Problem
    trace_id: str
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class DocumentChanged:
    """A document is new, or its status or progress changed."""

    event: ClassVar[str] = "document_changed"
    document: Document


@dataclass(frozen=True, slots=True)
class DocumentRemoved:
    """A document and everything made from it is gone."""

    event: ClassVar[str] = "document_removed"
    document_id: str


@dataclass(frozen=True, slots=True)
class FolderChanged:
    """A folder is followed from now on, or how it is followed or what is in it changed."""

    event: ClassVar[str] = "folder_changed"
    folder: WatchedFolder


@dataclass(frozen=True, slots=True)
class FolderRemoved:
    """A folder is followed no more."""

    event: ClassVar[str] = "folder_removed"
    folder_id: str


@dataclass(frozen=True, slots=True)
class CollectionChanged:
    """A collection is new, renamed, or has other documents. (Of folders, FolderChanged tells.)"""

    event: ClassVar[str] = "collection_changed"
    collection: Collection


@dataclass(frozen=True, slots=True)
class CollectionRemoved:
    """A collection is gone; its documents are not."""

    event: ClassVar[str] = "collection_removed"
    collection_id: str


@dataclass(frozen=True, slots=True)
class ConversationChanged:
    """A conversation is new, renamed, or has new messages."""

    event: ClassVar[str] = "conversation_changed"
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class ConversationRemoved:
    """A conversation and its messages are gone."""

    event: ClassVar[str] = "conversation_removed"
    conversation_id: str


@dataclass(frozen=True, slots=True)
class AnswerRated:
    """The user rated an answer, or took the rating back (None)."""

    event: ClassVar[str] = "answer_rated"
    conversation_id: str
    message_id: str
    rating: Rating | None


@dataclass(frozen=True, slots=True)
class ModelChanged:
    """A model was loaded, unloaded, or failed to load."""

    event: ClassVar[str] = "model_changed"
    model: Model


@dataclass(frozen=True, slots=True)
class RenewalChanged:
    """The library is read with another embedding model, one document more; None: that has ended."""

    event: ClassVar[str] = "renewal_changed"
    renewal: Renewal | None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should read once, such as a fall-back to the CPU."""

    event: ClassVar[str] = "notice"
    problem: Problem


@dataclass(frozen=True, slots=True)
class WindowRequested:
    """A second start asks the running window to come to the front."""

    event: ClassVar[str] = "window_requested"


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """What an evaluation is at: `done` of `total` steps of a stage."""

    event: ClassVar[str] = "evaluation_progress"
    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The end of an evaluation."""

    event: ClassVar[str] = "evaluated"
    evaluation: Evaluation


AskEvent = Retrieved | Progress | Delta | Checked | Finished | Failed
FeedEvent = (
    DocumentChanged
    | DocumentRemoved
    | FolderChanged
    | FolderRemoved
    | CollectionChanged
    | CollectionRemoved
    | ConversationChanged
    | ConversationRemoved
    | AnswerRated
    | ModelChanged
    | RenewalChanged
    | Notice
    | WindowRequested
)

EvaluationEvent = EvaluationProgress | Evaluated | Failed

ASK_EVENTS: dict[str, type[AskEvent]] = {
    kind.event: kind for kind in (Retrieved, Progress, Delta, Checked, Finished, Failed)
}
FEED_EVENTS: dict[str, type[FeedEvent]] = {
    kind.event: kind
    for kind in (
        DocumentChanged,
        DocumentRemoved,
        FolderChanged,
        FolderRemoved,
        CollectionChanged,
        CollectionRemoved,
        ConversationChanged,
        ConversationRemoved,
        AnswerRated,
        ModelChanged,
        RenewalChanged,
        Notice,
        WindowRequested,
    )
}
EVALUATION_EVENTS: dict[str, type[EvaluationEvent]] = {
    kind.event: kind for kind in (EvaluationProgress, Evaluated, Failed)
}
