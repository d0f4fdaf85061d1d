"""What requests carry, with bounds. Fields that are not known are refused: they are typing errors."""

from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.backend.evaluation.public_sets import SetName
from app.errors import FilterError
from app.filters import Filter, kind_named, moment
from app.records import RatingReason, Style, Thumb

# Longer questions are refused by the model's context window in any case.
Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200_000)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Documents = Annotated[list[Identifier], Field(max_length=10_000)]
Patterns = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=200)]], Field(max_length=100)
]
Values = Annotated[
    list[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_096)]],
    Field(max_length=100),
]
# What is wrong with it, is said with a code of its own.
Name = Annotated[str, StringConstraints(max_length=10_000)]
Moment = int | float | Annotated[str, StringConstraints(max_length=40)]
Deadline = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Body(BaseModel):
    """The common ground of all bodies."""

    model_config = ConfigDict(extra="forbid")


class Paths(Body):
    """Files and folders of this computer."""

    paths: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=4_096)]],
        Field(min_length=1, max_length=10_000),
    ]


class Watch(Body):
    """A folder of this computer to follow; patterns as in .gitignore.

    `include`: only files that match one of them (empty: every kind that is read). `exclude`: beside
    hidden and unfinished files, which never are taken.
    """

    path: Annotated[str, StringConstraints(min_length=1, max_length=4_096)]
    include: Patterns = []
    exclude: Patterns = []


class Limits(BaseModel):
    """What is searched: all documents, or those that meet every limit that is given.

    `document_ids`: these documents. `collections`: what is in these, by id or name; followed folders also
    by path. `types`: pdf, word, spreadsheet, presentation, web, mail, ebook, image,
    text, code, data. `since` and `until`: when their files were last changed, as a day, a month or a year
    (both included), or in seconds since the epoch (`until` not included).
    """

    document_ids: Documents | None = None
    collections: Values = []
    types: Values = []
    since: Moment | None = None
    until: Moment | None = None

    @property
    def limited(self) -> Filter:
        """As a filter.

        Raises:
            FilterError: there is no such type or date.
        """
        try:
            return Filter(
                documents=tuple(self.document_ids or ()),
                collections=tuple(self.collections),
                types=tuple(kind_named(name) for name in self.types),
                since=None if self.since is None else moment(self.since),
                until=None if self.until is None else moment(self.until, ends=True),
            )
        except ValueError as error:
            raise FilterError(str(error)) from error


class NewCollection(Body):
    """A collection's name, and documents to put into it."""

    name: Name
    document_ids: Documents | None = None


class ChangeCollection(Body):
    """A collection's new name, ids of documents to put into it, and of some to take out."""

    name: Name | None = None
    add: Documents | None = None
    remove: Documents | None = None


class Search(Limits, Body):
    """A query for passages."""

    query: Question
    k: Annotated[int, Field(ge=1, le=100)] = 10


class Ask(Limits, Body):
    """A question, in a conversation or a new one, about all documents or some.

    `deadline_s`: seconds the model may take, waiting for it included. `style`: in sentences of the
    documents, or in the model's own. `without_documents`: by the model alone. `read_all`: read every
    passage that fits, however long that takes.
    """

    question: Question
    conversation_id: Identifier | None = None
    deadline_s: Deadline | None = None
    style: Style | None = None
    without_documents: bool = False
    read_all: bool = False


class Rename(Body):
    """A conversation's new title."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Rate(Body):
    """What the user thinks of an answer, and why."""

    thumb: Thumb
    reasons: Annotated[list[RatingReason], Field(max_length=len(get_args(RatingReason)))] = []
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=4_000)] = ""


class Replay(Body):
    """The model that a stored prompt is run on; none: the one at work."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=4_096)] | None = None


class PublicSet(Body):
    """A set for judging retrieval, in a folder of this computer."""

    name: SetName
    folder: Annotated[str, StringConstraints(min_length=1, max_length=4_096)]


class Evaluate(Body):
    """What to measure: all documents, some, or a public set; `quick`: a minute or less."""

    quick: bool = False
    document_ids: Documents | None = None
    public_set: PublicSet | None = None


class ModelFile(Body):
    """A GGUF file of this computer."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=4_096)]


class Listening(Body):
    """Whether the API is open on 127.0.0.1, and at which port (0: any free one)."""

    on: bool
    port: Annotated[int, Field(ge=0, le=65_535)] = 11_711
