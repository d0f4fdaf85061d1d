"""One start of a whole Carrel, for talk.py: asks in a conversation, and tells how long it took.

The bundled model stands for one that writes from passages: a model of its size is given single
sentences otherwise. How long it takes is told, not what it says.
"""

import asyncio
import json
import pydoc
import sys
from pathlib import Path

from app.backend.ask import budget
from app.backend.services import Backend
from app.events import Finished
from app.main.composition import Composition
from app.paths import Profile
from app.records import Manner, Message
from app.settings import Settings

_MODULES = ("threading", "argparse", "logging", "sqlite3", "zipfile")
# Of each: a question, the next, and the one after a restart; the later ones lean on those before.
_QUESTIONS = (
    ("What does a bounded semaphore check?", "And what does its release method do?", "When does it block?"),
    ("What does add_subparsers do?", "And what does its parser take?", "What does it raise?"),
    ("What does a rotating file handler do?", "And when is its file closed?", "What does it return?"),
    ("What does a connection's backup method do?", "And what are its arguments?", "What does it raise?"),
    ("What does extracting a member of an archive do?", "And what of its path?", "What does it raise?"),
)


async def main(number: int, what: str, folder: Path) -> dict[str, float]:
    profile = Profile(folder / "profile")
    profile.create()
    composition = Composition(profile, Settings(profile.settings), None)
    backend = composition.build()
    try:
        await backend.start()
        user = await backend.accounts.local_user()
        first, then, later = _QUESTIONS[number % len(_QUESTIONS)]
        if what == "go on":
            (conversation,) = await backend.conversations.list(user)
            return _told("first", await _ask(backend, user, later, conversation.id))
        await _shelve(backend, user, folder)
        # Loaded, tried out, and its kernels warm: the first question is not to pay for the start.
        while not profile.aptitudes.exists():
            await asyncio.sleep(0.1)
        await _ask(backend, user, "Is anything loaded?", None, without_documents=True)
        for conversation in await backend.conversations.list(user):
            await backend.conversations.delete(user, conversation.id)
        begun = await _ask(backend, user, first, None)
        following = await _ask(backend, user, then, begun.conversation_id)
        return _told("first", begun) | _told("next", following)
    finally:
        await backend.close()
        composition.close()


async def _shelve(backend: Backend, user: str, folder: Path) -> None:
    """The documentation of some modules of the standard library, a text file each."""
    texts = folder / "texts"
    texts.mkdir()
    for name in _MODULES:
        text = pydoc.plaintext.document(pydoc.locate(name))
        (texts / f"{name}.txt").write_text(text, "utf-8")
    async with backend.feed.subscribe() as changes:
        await backend.documents.add_paths(user, [texts])
        while any(
            document.status not in ("ready", "failed") for document in await backend.documents.list(user)
        ):
            await anext(changes)


async def _ask(
    backend: Backend, user: str, question: str, conversation_id: str | None, **manner: bool
) -> Message:
    answers = [
        event.message
        async for event in backend.ask.ask(
            user,
            question,
            conversation_id=conversation_id,
            trace_id="0" * 32,
            max_tokens=60,
            urgent=True,
            manner=Manner("write", **manner),
        )
        if isinstance(event, Finished)
    ]
    return answers[0]


def _told(name: str, answer: Message) -> dict[str, float]:
    assert answer.timings is not None
    assert answer.usage is not None
    computed = answer.usage.prompt_tokens - answer.usage.cached_tokens
    return {f"{name}_ms": answer.timings.first_token_ms, f"{name}_tokens": computed}


if __name__ == "__main__":
    budget.TINY_BELOW = 0
    asked = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(main(asked["round"], asked["what"], Path(asked["folder"])))))
