"""kill -9 at the worst moment, then start again: nothing acknowledged is lost, and work resumes."""

import json
import sqlite3

import httpx2
import pytest

pytestmark = [pytest.mark.model, pytest.mark.slow]

_STREAM = httpx2.Timeout(60.0)


def _changes(served):
    """The feed of a served Carrel, as (name, data)."""
    with httpx2.stream("GET", f"{served.address}/events", headers=served.headers, timeout=_STREAM) as stream:
        assert stream.status_code == 200
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))
            elif line.startswith(":"):
                yield "comment", None


@pytest.fixture
def serve(start, carrel, serving):
    """Serve the profile again, after the first was killed."""

    def again():
        running = start("serve", "--json", "--port", 0)
        address = json.loads(running.wait_for(lambda line: "address" in line))["address"]
        return type(serving)(running, address, carrel("token").stdout.strip())

    return again


@pytest.fixture
def long_text(tmp_path):
    """A text of some hundred passages: reading it takes seconds."""
    file = tmp_path / "long.txt"
    file.write_text(
        "\n\n".join(
            f"Paragraph {n}. The bolt numbered {n} holds plate {n * 7 % 101} and was tightened to {n % 90}"
            f" newton metres by the mechanic on shift {n % 3}, who signed for it in ledger {n * 13 % 997}."
            " It is inspected every spring, before the machine is started for the first time."
            for n in range(300)
        )
    )
    return file


def _whole(profile):
    with sqlite3.connect(f"file:{profile.database}?mode=ro", uri=True) as database:
        return database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_indexing_resumes_by_itself_after_a_kill(serving, serve, long_text, profile):
    changes = _changes(serving)
    assert next(changes)[0] == "comment"  # following from here on
    added = httpx2.post(
        f"{serving.address}/documents", headers=serving.headers, json={"paths": [str(long_text)]}
    )
    assert added.status_code == 202
    document = added.json()["additions"][0]["document"]
    next(
        data
        for name, data in changes
        if name == "document_changed"
        and data["document"]["status"] == "embedding"
        and 0 < data["document"]["passages_embedded"] < data["document"]["passages"]
    )
    serving.running.kill()
    assert _whole(profile)

    second = serve()
    changes = _changes(second)
    assert next(changes)[0] == "comment"  # following from here on
    address = f"{second.address}/documents/{document['id']}"
    state = httpx2.get(address, headers=second.headers).json()
    while state["status"] != "ready":
        name, data = next(changes)
        if name == "document_changed":
            state = data["document"]
        assert state["status"] != "failed", state
    assert state["passages"] == state["passages_embedded"] > 50
    found = httpx2.post(
        f"{second.address}/search", headers=second.headers, json={"query": "bolt numbered 123", "k": 3}
    ).json()
    assert found["sources"]
    assert second.running.stop() == 0
    assert _whole(profile)


def test_the_partial_answer_is_there_and_marked_after_a_kill(serving, serve, carrel, sample, profile):
    assert carrel("add", sample.document).returncode == 0
    with httpx2.stream(
        "POST",
        f"{serving.address}/ask",
        headers=serving.headers,
        json={
            "question": "Describe all that this lease says about everything, at great length.",
            "style": "write",
        },
        timeout=_STREAM,
    ) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        answer_id = next(
            json.loads(line.removeprefix("data: "))["answer_id"]
            for line in lines
            if line.startswith("data: ")
        )
        serving.running.process.send_signal(19)  # SIGSTOP: it cannot finish before it is killed
        serving.running.kill()
    assert _whole(profile)

    second = serve()
    get = httpx2.Client(base_url=second.address, headers=second.headers, timeout=_STREAM)
    conversation = get.get("/conversations").json()["conversations"][0]
    messages = get.get(f"/conversations/{conversation['id']}").json()["messages"]
    question, answer = messages
    assert question["state"] == "complete"
    assert answer["id"] == answer_id
    assert answer["state"] == "interrupted"

    again = carrel("ask", sample.question)
    assert again.returncode == 0, again.stderr
    assert sample.answered_by(again.stdout)
