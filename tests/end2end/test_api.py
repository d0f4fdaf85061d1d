"""The API as other tools use it: curl, the openai client, plain HTTP."""

import json
import shutil
import subprocess

import httpx2
import openai
import pytest

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.fixture
def library(carrel, serving, sample):
    """A served Carrel that has read the sample document."""
    done = carrel("add", sample.document)
    assert done.returncode == 0, done.stderr
    return serving


def test_curl_streams_the_answer_from_ask(library, sample):
    curl = shutil.which("curl")
    if curl is None:
        pytest.fail("curl is not installed here")
    done = subprocess.run(
        [
            curl,
            "-sSN",
            f"{library.address}/ask",
            "-H",
            f"Authorization: Bearer {library.token}",
            "-H",
            "Content-Type: application/json",
            "-d",
            json.dumps({"question": sample.question}),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    blocks = [block for block in done.stdout.split("\n\n") if block.startswith("event: ")]
    names = [block.splitlines()[0].removeprefix("event: ") for block in blocks]
    assert names[0] == "retrieved"
    assert names[-1] == "finished"
    message = json.loads(blocks[-1].splitlines()[1].removeprefix("data: "))["message"]
    assert sample.answered_by(message["text"])
    cited = {citation["source"] for citation in message["citations"]}
    assert sample.page in [s["passage"]["page"] for s in message["sources"] if s["number"] in cited]


def test_the_openai_client_gets_the_cited_answer_streaming_and_whole(library, sample):
    client = openai.OpenAI(base_url=f"{library.address}/v1", api_key=library.token, max_retries=0)
    question = [{"role": "user", "content": sample.question}]

    whole = client.chat.completions.create(model="carrel", messages=question)
    streamed = client.chat.completions.create(model="carrel", messages=question, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices)

    for answer in (whole.choices[0].message.content, text):
        assert answer is not None
        assert sample.answered_by(answer)
        assert "[" in answer
        assert f"{sample.document.name}, page {sample.page}" in answer
    assert "carrel" in [model.id for model in client.models.list()]
    vectors = client.embeddings.create(model="carrel", input=["one", "two"], encoding_format="float")
    assert len(vectors.data[0].embedding) == 384


def test_a_question_longer_than_the_context_is_refused_before_anything_is_computed(library):
    refused = httpx2.post(
        f"{library.address}/ask",
        headers=library.headers,
        json={"question": "word " * 20_000},
        timeout=30,
    )

    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "context_overflow"
    kept = httpx2.get(f"{library.address}/conversations", headers=library.headers).json()
    assert kept["conversations"] == []


def test_without_a_token_nothing_is_answered(serving):
    refused = httpx2.get(f"{serving.address}/documents")

    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "unauthorized"


def test_serve_closes_while_somebody_reads_a_stream(library):
    headers = library.headers
    with httpx2.stream("GET", f"{library.address}/events", headers=headers, timeout=30) as stream:
        assert stream.status_code == 200
        assert library.running.stop() == 0
    assert not any("Traceback" in line for line in library.running.errors)
