"""The backend as one value: everything the gateway needs, built once by `main`.

Order matters at both ends: what a crash left is put right before anything is answered, and
answers are ended and stored before the worker and the models go.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from app.backend.accounts import Accounts
from app.backend.ask.aptitude import Aptitudes, Examiner
from app.backend.ask.brief import Preparation
from app.backend.ask.completion import CompletionService
from app.backend.ask.limits import Limits
from app.backend.ask.replay import ReplayService
from app.backend.ask.retrieval import Retriever
from app.backend.ask.service import AskService
from app.backend.ask.standing import Standings
from app.backend.ask.whole.reader import WholeReader
from app.backend.collections import CollectionService
from app.backend.conversations import ConversationService
from app.backend.documents.indexing import Indexer
from app.backend.documents.intake import Intake
from app.backend.documents.renewing import Renewer
from app.backend.documents.service import DocumentService
from app.backend.documents.viewing import PageViewer
from app.backend.evaluation.answers import Asking
from app.backend.evaluation.service import EvaluationService
from app.backend.export.service import ExportService
from app.backend.feed import Feed
from app.backend.messages import MessageService
from app.backend.models import ModelService
from app.backend.queue.service import QueueService
from app.backend.queue.worker import Worker
from app.backend.status import StatusService
from app.backend.watching.service import WatchService
from app.cache.embeddings import EmbeddingCache
from app.cache.notes import NoteCache
from app.cache.sessions import Sessions
from app.database.audits import Audits
from app.database.collections import Collections
from app.database.connection import Database
from app.database.documents import Documents
from app.database.jobs import Jobs
from app.database.journal import Journal
from app.database.messages import Conversations, Messages
from app.database.places import Places
from app.database.ratings import Ratings
from app.database.renewals import Renewals
from app.database.search import Search
from app.database.users import Users
from app.database.watched import WatchedFolders
from app.records import Style
from app.serving.generation import Sampling
from app.serving.models import Models

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backend:
    """All services of one profile. Used on the gateway's loop."""

    ask: AskService
    completions: CompletionService
    documents: DocumentService
    collections: CollectionService
    limits: Limits
    conversations: ConversationService
    messages: MessageService
    export: ExportService
    replay: ReplayService
    evaluation: EvaluationService
    accounts: Accounts
    models: ModelService
    status: StatusService
    feed: Feed
    worker: Worker
    watching: WatchService
    examiner: Examiner
    renewer: Renewer

    async def start(self) -> None:
        """Put right what a crash left and begin to work. Call once, on the gateway's loop.

        Raises:
            StorageError: the database cannot be read or written.
        """
        if interrupted := await self.ask.start():
            _log.info("answers interrupted", extra={"answers": interrupted})
        user_id = await self.accounts.local_user()
        await self.documents.sweep(user_id)
        await self.worker.start()
        await self.watching.start(user_id)
        self.examiner.start()
        self.renewer.start()

    async def close(self) -> None:
        """End answers, followers, the worker and the feed. What it was built from stays open. Idempotent."""
        closing: tuple[Callable[[], Awaitable[None]], ...] = (
            self.examiner.close,
            self.ask.close,
            self.watching.close,
            self.worker.close,
            self.renewer.close,
            self.documents.close,
        )
        for close in closing:
            try:
                await close()
            except Exception:
                _log.exception("a part of the backend did not close cleanly")
        self.feed.close()


def build(
    *,
    database: Database,
    embeddings: EmbeddingCache,
    notes: NoteCache | None = None,
    sessions: Sessions,
    models: Models,
    feed: Feed,
    uploads: Path,
    profile: Path,
    version: str,
    answer_tokens: int = 400,
    temperature: float = 0.0,
    answer_style: Style = "auto",
    aptitudes: Path | None = None,
    files_at_once: int = 2,
) -> Backend:
    """Build the backend from the open parts below it; who passes them closes them afterwards.

    Args:
        notes: what models noted about sections of documents; None: that is not kept.
        feed: the one that `models` already publishes to.
        uploads: the folder of files that came by upload.
        profile: the profile's folder, shown in /health.
        answer_tokens: the longest answer where a question does not say otherwise.
        temperature: of the sampling, likewise.
        answer_style: whether answers are quotes or written where a question does not say so.
        aptitudes: the file that keeps what models are fit for; None: that is not kept.
        files_at_once: how many are read at the same time.
    """
    documents = Documents(database)
    conversations = Conversations(database)
    jobs, journal, audits = Jobs(database), Journal(database), Audits(database)
    queue = QueueService(jobs)

    def forget() -> None:
        """What was read of documents is forgotten where something is deleted."""
        models.forget()
        if notes is not None:
            notes.clear()

    search = Search(database)
    retriever = Retriever(search, embeddings, models)
    measured = Aptitudes(aptitudes)
    preparation = Preparation(retriever, measured, answer_style)
    collections = Collections(database)
    limits = Limits(documents, collections)
    whole = WholeReader(
        search=search,
        documents=documents,
        retriever=retriever,
        preparation=preparation,
        models=models,
        notes=notes,
    )
    accounts = Accounts(Users(database), sessions)
    viewer = PageViewer()
    intake = Intake(
        Places(database),
        feed,
        wake=queue.wake,
        cancel=queue.cancel,
        forget=forget,
        viewer=viewer,
    )
    indexer = Indexer(documents, journal, embeddings, models.embedder, feed)
    renewer = Renewer(Renewals(database), journal, jobs, models, feed)
    return Backend(
        ask=AskService(
            retriever=retriever,
            preparation=preparation,
            whole=whole,
            models=models,
            limits=limits,
            conversations=conversations,
            messages=Messages(database),
            standings=Standings(audits, documents),
            feed=feed,
            answer_tokens=answer_tokens,
            temperature=temperature,
        ),
        completions=CompletionService(
            preparation=preparation,
            whole=whole,
            models=models,
            limits=limits,
            answer_tokens=answer_tokens,
            temperature=temperature,
        ),
        documents=DocumentService(
            documents,
            intake,
            feed,
            uploads=uploads,
            wake=queue.wake,
            cancel=queue.cancel,
            forget=forget,
            viewer=viewer,
        ),
        collections=CollectionService(collections, feed),
        limits=limits,
        conversations=ConversationService(conversations, feed, forget=forget),
        messages=MessageService(audits, Ratings(database), feed),
        export=ExportService(conversations, audits),
        replay=ReplayService(audits, conversations, models, answer_tokens=answer_tokens),
        evaluation=EvaluationService(
            documents=documents,
            retriever=retriever,
            models=models,
            asking=Asking(preparation, Sampling(temperature=temperature), answer_tokens),
            settings={
                "answer_style": answer_style,
                "answer_tokens": str(answer_tokens),
                "temperature": f"{temperature:g}",
            },
            version=version,
        ),
        accounts=accounts,
        models=ModelService(models),
        status=StatusService(
            accounts=accounts,
            database=database,
            documents=documents,
            models=models,
            profile=str(profile),
            version=version,
            renewal=renewer.state,
        ),
        feed=feed,
        worker=Worker(queue, indexer, documents, feed, lanes=files_at_once),
        watching=WatchService(WatchedFolders(database), intake, feed, profile=profile),
        examiner=Examiner(measured, models, feed),
        renewer=renewer,
    )
