"""The official openai client over a real port: what it sends and understands."""

import asyncio
import json
import threading

import httpx2
import numpy as np
import openai
import pytest

from app.backend.ask.completion import Completed, CompletionService, Scored
from app.errors import ContextOverflowError, DecodeError
from app.events import Delta
from app.filters import EVERYTHING, Filter
from app.logprobs import Logprob, TokenLogprob
from app.records import Usage

HELLO = [{"role": "user", "content": "Hello"}]


class Scripted(CompletionService):
    """Plays a list of events; an exception in it is raised. Notes the request."""

    def __init__(self, *script: object) -> None:
        self.script = script
        self.request = None
        self.closed = False

    def names(self):
        return ("carrel", "some/model")

    async def complete(self, user_id, request, *, trace_id):
        self.request = request
        try:
            for item in self.script:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed = True


def client_of(site) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{site.address}/v1", api_key=site.token, max_retries=0, timeout=120)


WHOLE = (Delta("Hel"), Delta("lo"), Completed("stop", Usage(7, 2, 3)))


def test_a_whole_answer_is_what_the_client_expects(open_site):
    client = client_of(open_site(completions=Scripted(*WHOLE)))

    answer = client.chat.completions.create(model="some/model", messages=HELLO)

    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == (
        "assistant",
        "Hello",
        "stop",
    )
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        7,
        2,
        9,
    )
    assert answer.usage.prompt_tokens_details.cached_tokens == 3


@pytest.mark.parametrize("usage", [True, False])
def test_a_streamed_answer_is_what_the_client_expects(open_site, usage):
    client = client_of(
        open_site(completions=Scripted(Delta("Hel"), Delta("lo"), Completed("length", Usage(7, 2))))
    )
    options = {"stream_options": {"include_usage": True}} if usage else {}

    chunks = list(client.chat.completions.create(model="some/model", messages=HELLO, stream=True, **options))

    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello"
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert reasons[-1] == "length"
    assert set(reasons[:-1]) == {None}
    assert (chunks[-1].choices == []) == usage
    if usage:
        assert chunks[-1].usage.total_tokens == 9


def test_a_stream_ends_in_done(open_site):
    site = open_site(completions=Scripted(*WHOLE))

    answer = site.tcp.post("/v1/chat/completions", json={"model": "m", "messages": HELLO, "stream": True})

    assert answer.text.endswith("\n\ndata: [DONE]\n\n")
    assert all(block.startswith("data: ") for block in answer.text.split("\n\n") if block)


def test_every_option_reaches_the_model(open_site):
    scripted = Scripted(*WHOLE)
    client_of(open_site(completions=scripted)).chat.completions.create(
        model="some/model",
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
            {"role": "assistant", "content": None},
            {"role": "user", "content": "three"},
        ],
        max_completion_tokens=11,
        temperature=0.5,
        top_p=0.9,
        frequency_penalty=0.1,
        presence_penalty=-0.2,
        seed=42,
        stop=["a", "b"],
        user="me",
        extra_body={"document_ids": ["d"], "types": ["PDF"], "since": 5, "unknown_field": {"x": 1}},
    )

    request = scripted.request
    assert [(said.role, said.text) for said in request.messages] == [
        ("system", "Be brief."),
        ("user", "one\ntwo"),
        ("assistant", ""),
        ("user", "three"),
    ]
    assert request.max_tokens == 11
    assert request.sampling == {
        "temperature": 0.5,
        "top_p": 0.9,
        "frequency_penalty": 0.1,
        "presence_penalty": -0.2,
        "seed": 42,
    }
    assert (request.stop, request.limited) == (("a", "b"), Filter(("d",), types=("pdf",), since=5.0))


def test_the_options_of_llama_server_reach_the_model_by_its_names(open_site):
    scripted = Scripted(*WHOLE)
    options = {
        "top_k": 5,
        "min_p": 0.1,
        "typical_p": 0.9,
        "repeat_penalty": 1.1,
        "dry_multiplier": 0.8,
        "dry_base": 2.0,
        "dry_allowed_length": 3,
        "dry_penalty_last_n": 64,
        "dry_sequence_breakers": ["\n", "."],
        "xtc_probability": 0.5,
        "xtc_threshold": 0.2,
        "mirostat": 2,
        "mirostat_tau": 4.0,
        "mirostat_eta": 0.2,
        "grammar": 'root ::= "a"',
    }

    client_of(open_site(completions=scripted)).chat.completions.create(
        model="m", messages=HELLO, extra_body=options
    )

    assert scripted.request.sampling == {**options, "dry_sequence_breakers": ("\n", ".")}


@pytest.mark.parametrize(
    ("given", "sampling"),
    [
        ({"5": 1.5, "7": -100, "9": 0}, {"logit_bias": ((5, 1.5), (7, -100.0), (9, 0.0))}),
        ([[5, 1.5], [7, False]], {"logit_bias": ((5, 1.5),), "banned": (7,)}),
        ({}, {}),
    ],
)
def test_biases_are_taken_in_both_shapes(open_site, given, sampling):
    scripted = Scripted(*WHOLE)

    answer = open_site(completions=scripted).tcp.post(
        "/v1/chat/completions", json={"model": "m", "messages": HELLO, "logit_bias": given}
    )

    assert answer.status_code == 200
    assert scripted.request.sampling == sampling


@pytest.mark.parametrize(
    ("options", "schema"),
    [
        ({"response_format": {"type": "text"}, "grammar": "", "json_schema": None}, None),
        ({"response_format": {"type": "json_object"}}, {"type": "object"}),
        ({"response_format": {"type": "json_object", "schema": {"type": "array"}}}, {"type": "array"}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}}, {}),
        ({"json_schema": {"type": "null"}}, {"type": "null"}),
    ],
)
def test_the_form_of_the_answer_reaches_the_model_as_a_schema(open_site, options, schema):
    scripted = Scripted(*WHOLE)

    answer = open_site(completions=scripted).tcp.post(
        "/v1/chat/completions", json={"model": "m", "messages": HELLO, **options}
    )

    assert answer.status_code == 200
    assert scripted.request.schema == schema


SCORED = (
    Scored("Hé", (TokenLogprob("H", -0.5, (72,), (Logprob("H", -0.5, (72,)), Logprob("J", -1.5, (74,)))),)),
    Scored("!", (TokenLogprob("!", -0.25, (33,)),)),
    Completed("stop", Usage(7, 2)),
)


def test_likelihoods_come_with_a_whole_answer(open_site):
    scripted = Scripted(*SCORED)

    answer = client_of(open_site(completions=scripted)).chat.completions.create(
        model="m", messages=HELLO, logprobs=True, top_logprobs=2
    )

    first, second = answer.choices[0].logprobs.content
    assert (first.token, first.logprob, first.bytes) == ("H", -0.5, [72])
    assert [(other.token, other.logprob) for other in first.top_logprobs] == [("H", -0.5), ("J", -1.5)]
    assert (second.token, second.top_logprobs) == ("!", [])
    assert scripted.request.logprobs == 2


def test_likelihoods_stream_with_their_pieces(open_site):
    scripted = Scripted(*SCORED)

    chunks = client_of(open_site(completions=scripted)).chat.completions.create(
        model="m", messages=HELLO, logprobs=True, stream=True
    )

    told = [
        (chunk.choices[0].delta.content, [each.token for each in chunk.choices[0].logprobs.content])
        for chunk in chunks
        if chunk.choices[0].logprobs
    ]
    assert told == [("Hé", ["H"]), ("!", ["!"])]
    assert scripted.request.logprobs == 0


def test_what_is_not_said_is_left_to_the_settings(open_site):
    scripted = Scripted(*WHOLE)
    client_of(open_site(completions=scripted)).chat.completions.create(
        model="m", messages=HELLO, max_tokens=5, stop="end"
    )

    request = scripted.request
    assert (request.sampling, request.schema, request.logprobs, request.limited) == (
        {},
        None,
        None,
        EVERYTHING,
    )
    assert (request.max_tokens, request.stop) == (5, ("end",))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 2}, "n:"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "tools"),
        ({"functions": [{"name": "f", "parameters": {}}]}, "tools"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "json_schema"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"extra_body": {"grammar": 'root ::= "a"'}}, "response_format"),
        ({"extra_body": {"json_schema": {"type": "object"}}}, "response_format"),
        (
            {"response_format": {"type": "json_object"}, "extra_body": {"grammar": 'root ::= "a"'}},
            "only one of",
        ),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"5": True}}, "logit_bias"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": 2**70}, "seed"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "role"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}
                ]
            },
            "content",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(site, options, said):
    client = client_of(site)

    with pytest.raises(openai.BadRequestError, match=said) as raised:
        client.chat.completions.create(**{"model": "carrel", "messages": HELLO, **options})
    assert raised.value.code == "invalid_request"
    assert raised.value.type == "invalid_request_error"


def test_an_error_before_the_first_word_is_a_status(open_site):
    early = client_of(open_site(completions=Scripted(ContextOverflowError(9, 5))))
    for stream in (True, False):
        with pytest.raises(openai.BadRequestError) as raised:
            early.chat.completions.create(model="m", messages=HELLO, stream=stream)
        assert raised.value.code == "context_overflow"


def test_an_error_in_the_stream_is_raised_by_the_client(open_site):
    late = client_of(open_site(completions=Scripted(Delta("Hel"), DecodeError("The model failed."))))
    heard = []

    def read():
        for chunk in late.chat.completions.create(model="m", messages=HELLO, stream=True):
            heard.append(chunk.choices[0].delta.content)

    with pytest.raises(openai.APIError, match="The model failed"):
        read()
    assert heard == ["", "Hel"]


def test_an_error_in_a_whole_answer_is_a_status(open_site):
    late = client_of(open_site(completions=Scripted(Delta("Hel"), DecodeError("The model failed."))))

    with pytest.raises(openai.InternalServerError) as raised:
        late.chat.completions.create(model="m", messages=HELLO)
    assert raised.value.code == "decode_failed"


@pytest.mark.parametrize("stream", [True, False])
def test_when_the_client_goes_the_answer_is_stopped(open_site, stream):
    class Waiting(Scripted):
        async def complete(self, user_id, request, *, trace_id):
            try:
                yield Delta("Hel")
                reached.set()
                await asyncio.Event().wait()
            finally:
                closed.set()

    reached, closed = threading.Event(), threading.Event()
    site = open_site(completions=Waiting())
    body = {"model": "m", "messages": HELLO, "stream": stream}
    headers = {"authorization": f"Bearer {site.token}"}

    async def go_away():
        async with httpx2.AsyncClient(base_url=site.address, trust_env=False) as http:
            asking = asyncio.create_task(http.post("/v1/chat/completions", json=body, headers=headers))
            assert await asyncio.to_thread(reached.wait, 30)
            asking.cancel()
            await asyncio.wait({asking})

    asyncio.run(go_away())

    assert closed.wait(30)


def test_models_are_listed_and_looked_up_whatever_their_name(open_site):
    client = client_of(open_site(completions=Scripted()))

    assert [model.id for model in client.models.list()] == ["carrel", "some/model"]
    assert client.models.retrieve("some/model").owned_by == "carrel"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


def test_a_wrong_key_is_an_authentication_error(site):
    client = openai.OpenAI(base_url=f"{site.address}/v1", api_key="wrong", max_retries=0)

    with pytest.raises(openai.AuthenticationError):
        client.models.list()


@pytest.mark.parametrize(
    "body",
    [
        {"model": "carrel", "input": []},
        {"model": "carrel", "input": ""},
        {"model": "carrel", "input": ["a", "  "]},
        {"model": "carrel", "input": [[1, 2]]},
        {"model": "carrel", "input": ["x"] * 2_049},
        {"model": "carrel", "input": "x", "encoding_format": "hex"},
        {"model": "carrel"},
        {"input": "x"},
    ],
)
def test_an_embedding_request_that_cannot_be_done_is_refused(site, body):
    answer = site.tcp.post(
        "/v1/embeddings", content=json.dumps(body), headers={"content-type": "application/json"}
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"


@pytest.mark.model
def test_the_sample_question_is_answered_from_the_documents(answering, sample):
    client = client_of(answering)
    messages = [{"role": "user", "content": sample.question}]

    whole = client.chat.completions.create(model="carrel", messages=messages)
    chunks = client.chat.completions.create(model="carrel", messages=messages, stream=True)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    for text in (whole.choices[0].message.content, streamed):
        assert sample.answered_by(text)
        assert f"{sample.document.name}, page {sample.page}" in text
    assert whole.usage.completion_tokens > 0
    assert sample.page in [source["passage"]["page"] for source in whole.sources]


@pytest.mark.model
def test_the_plain_model_answers_without_documents_within_its_limits(answering):
    client = client_of(answering)
    (name,) = [model.id for model in client.models.list() if "SmolLM2" in model.id]

    answer = client.chat.completions.create(model=name, messages=HELLO, max_tokens=3)

    assert answer.usage.completion_tokens <= 3
    assert answer.choices[0].finish_reason in ("length", "stop")
    again = client.chat.completions.create(model=name, messages=HELLO, max_tokens=3)
    assert again.choices[0].message.content == answer.choices[0].message.content
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-4o", messages=HELLO)
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=name, messages=[{"role": "user", "content": "word " * 20_000}])
    assert raised.value.code == "context_overflow"


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "maximum": 99}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.mark.model
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_in_a_schema_is_json_of_it(answering, stream):
    client = client_of(answering)
    options = {
        "model": answering.backend.completions.names()[1],
        "messages": [{"role": "user", "content": "Who is Anna, 41? Answer in JSON."}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "person", "schema": PERSON, "strict": True},
        },
        "temperature": 1,
        "seed": 7,
        "max_tokens": 120,
    }

    if stream:
        chunks = list(client.chat.completions.create(**options, stream=True))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        reason = chunks[-1].choices[0].finish_reason
    else:
        (choice,) = client.chat.completions.create(**options).choices
        text, reason = choice.message.content, choice.finish_reason

    person = json.loads(text)
    assert reason == "stop"
    assert set(person) == {"name", "age"}
    assert isinstance(person["name"], str)
    assert person["age"] <= 99


@pytest.mark.model
def test_likelihoods_and_biases_of_the_real_model(answering):
    client = client_of(answering)
    name = answering.backend.completions.names()[1]
    question = [{"role": "user", "content": "Paris is the capital of France. Which city is that?"}]

    answer = client.chat.completions.create(
        model=name, messages=question, max_tokens=8, logprobs=True, top_logprobs=4
    )

    (choice,) = answer.choices
    told = choice.logprobs.content
    assert b"".join(bytes(each.bytes) for each in told).decode() == choice.message.content
    assert all(len(each.top_logprobs) == 4 and each.logprob <= 0 for each in told)
    first = told[0].top_logprobs[0]
    tokens = answering.do(answering.backend.completions._models.chat())._loaded.native.tokenize(
        first.token.encode()
    )
    other = client.chat.completions.create(
        model=name, messages=question, max_tokens=1, logit_bias={str(tokens[0]): -100}
    )
    assert other.choices[0].message.content != first.token


@pytest.mark.model
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"top_k": -1}, "top_k ranges from 0"),
        ({"mirostat": 7}, "mirostat ranges from 0 to 2"),
        ({"dry_base": 0}, "dry_base ranges"),
        ({"logit_bias": {"99999999": 1}}, "logit_bias names token 99999999"),
        ({"grammar": "root ::= ("}, "mistake in line 1"),
        ({"grammar": 'root ::= root "a" | "b"'}, "recursive on its left"),
        ({"json_schema": {"$ref": "https://example.org/schema"}}, "outside of it"),
        ({"json_schema": {"type": "integer", "multipleOf": 2}}, "multipleOf"),
        ({"json_schema": [1]}, "is an object"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_what_the_engine_cannot_do_is_a_status_before_the_first_word(answering, options, said, stream):
    client = client_of(answering)
    name = answering.backend.completions.names()[1]

    with pytest.raises(openai.BadRequestError, match=said) as raised:
        client.chat.completions.create(model=name, messages=HELLO, stream=stream, extra_body=options)
    assert raised.value.code == "invalid_request"


@pytest.mark.model
def test_a_client_that_leaves_a_stream_lets_the_next_question_through(answering):
    client = client_of(answering)
    (name,) = [model.id for model in client.models.list() if "SmolLM2" in model.id]
    story = [{"role": "user", "content": "Tell me a long story about the sea."}]
    with client.chat.completions.create(model=name, messages=story, stream=True, max_tokens=2_000) as stream:
        next(iter(stream))

    answer = client.chat.completions.create(model=name, messages=HELLO, max_tokens=2, timeout=30)

    assert answer.choices[0].message.content


@pytest.mark.model
def test_vectors_come_as_numbers_and_as_base64_and_are_the_same(answering):
    client = client_of(answering)
    texts = ["The rent is due on the third.", "A cat sat on the mat."]

    as_base64 = client.embeddings.create(model="carrel", input=texts)
    as_numbers = client.embeddings.create(model="carrel", input=texts, encoding_format="float")

    for one, other in zip(as_base64.data, as_numbers.data, strict=True):
        np.testing.assert_allclose(one.embedding, other.embedding, atol=1e-6)
        assert np.linalg.norm(one.embedding) == pytest.approx(1, abs=1e-4)
    assert [found.index for found in as_numbers.data] == [0, 1]
    assert len(as_numbers.data[0].embedding) == 384
    assert as_numbers.usage.prompt_tokens > 10
    same = client.embeddings.create(model="carrel", input=texts[0], dimensions=384, encoding_format="float")
    np.testing.assert_allclose(same.data[0].embedding, as_numbers.data[0].embedding, atol=1e-3)
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        client.embeddings.create(model="carrel", input="x", dimensions=100)
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="text-embedding-3-small", input="x")
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="carrel", input="word " * 5_000)
