"""A program that writes without end until it is killed; says on stdout what was acknowledged.

Run as: python writer_to_kill.py DATABASE. Lines: "ready ID", "deleted ID", "said ID LENGTH".
"""

import hashlib
import itertools
import sys
from pathlib import Path

import numpy as np

from app.database.connection import Database
from app.database.documents import Documents, NewPassage, PageText
from app.database.jobs import Jobs
from app.database.messages import Conversations, Messages
from app.database.users import Users


def main(path: Path) -> None:
    database = Database(path)
    database.open()
    user = Users(database).local()
    documents, jobs, messages = Documents(database), Jobs(database), Messages(database)
    jobs.recover()
    messages.interrupt_running()
    conversation = Conversations(database).create(user, "Questions")
    question = messages.add_question(user, conversation.id, "?")
    answer = messages.start_answer(user, conversation.id, parent_id=question.id)
    length = 0
    begun = len(documents.list(user))
    for number in itertools.count():
        name = f"{begun} {number} {answer.id}"
        document, _ = documents.add(
            user,
            name=name,
            path=f"/somewhere/{name}",
            stored=None,
            content_hash=hashlib.sha256(name.encode()).hexdigest(),
            media_type="text/plain",
            size=1,
            paged=False,
        )
        texts = [f"Paragraph {part} of {name} about rent and deposit." for part in range(40)]
        passages = []
        start = 0
        for text in texts:
            digest = hashlib.sha256(text.encode()).hexdigest()
            passages.append(NewPassage(1, start, start + len(text), None, text, digest))
            start += len(text) + 1
        vectors = np.random.default_rng(number).standard_normal((40, 64)).astype(np.float32)
        jobs.claim()
        documents.progress(document.id, status="reading", pages=1, pages_read=1)
        documents.complete(document.id, [PageText(1, "\n".join(texts))], passages, vectors, "e" * 64)
        print("ready", document.id, flush=True)
        messages.append_text(answer.id, "word ")
        length += 5
        print("said", answer.id, length, flush=True)
        if number % 3 == 2:
            documents.delete(user, document.id)
            print("deleted", document.id, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
