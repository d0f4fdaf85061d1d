"""Every error has one shape, a trace ID, and gives nothing away."""

import logging

import pytest

from app.backend.ask.service import AskService
from app.errors import BusyError, DecodeError, DocumentError, ModelFileError, StorageError

JSON = {"content-type": "application/json"}


class Raising(AskService):
    """A search that fails as a test wants it."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def start(self):
        return 0

    async def close(self):
        pass

    async def search(self, *_args, **_kwargs):
        raise self.error


def check(answer, status: int, code: str) -> dict:
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "type", "trace_id"}
    assert error["code"] == code
    assert error["message"]
    assert error["trace_id"] == answer.headers["x-trace-id"]
    assert answer.headers["content-type"] == "application/json"
    return error


def test_an_unknown_address_and_a_wrong_method_are_said(site):
    check(site.tcp.get("/nothing"), 404, "not_found")
    check(site.tcp.get("/documents/"), 404, "not_found")
    check(site.tcp.put("/documents"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("/search", b"", "required"),
        ("/search", b"{", "JSON"),
        ("/search", b"[]", ""),
        ("/search", b"null", ""),
        ("/search", b'"text"', ""),
        ("/search", b"{}", "query"),
        ("/search", b'{"query": ""}', "query"),
        ("/search", b'{"query": "   "}', "query"),
        ("/search", b'{"query": 5}', "query"),
        ("/search", b'{"query": "x", "k": 0}', "k"),
        ("/search", b'{"query": "x", "k": 1e99}', "k"),
        ("/search", b'{"query": "x", "unknown": 1}', "unknown"),
        ("/search", b'{"query": "\\ud800"}', "query"),
        ("/search", b'{"query": "\xff"}', ""),
        ("/search", b"[" * 100_000, ""),
        ("/search", b'{"query": "x", "document_ids": "d"}', "document_ids"),
        ("/ask", b'{"question": null}', "question"),
        ("/documents", b'{"paths": []}', "paths"),
        ("/documents", b'{"paths": ["\\u0000"]}', ""),
        ("/documents", b'{"path": "/x"}', "path"),
        ("/documents", b"nonsense", ""),
    ],
)
def test_a_body_that_cannot_be_understood_names_the_field(site, path, content, said):
    answer = site.tcp.post(path, content=content, headers=JSON)

    if path == "/documents" and b"u0000" in content:
        assert answer.json()["additions"][0]["problem"]["code"]
        return
    error = check(answer, 400, "invalid_request")
    assert said in error["message"]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"types": ["film"]}, "spreadsheet"),
        ({"since": "yesterday"}, "2024-03-31"),
        ({"until": "2023-02-30"}, "calendar"),
        ({"since": 1e300}, "calendar"),
        ({"since": -200e9, "until": -199e9}, "calendar"),
        ({"since": "2024", "until": "2023"}, "ends before it begins"),
    ],
)
def test_a_filter_that_cannot_be_understood_is_refused_with_a_code(site, limits, said):
    for path, body in (("/search", {"query": "x"}), ("/ask", {"question": "x"})):
        error = check(site.tcp.post(path, json=body | limits), 400, "filter_invalid")
        assert said in error["message"]
    error = check(site.tcp.get("/search", params={"query": "x"} | limits), 400, "filter_invalid")
    assert said in error["message"]


def test_the_value_that_was_wrong_is_not_repeated(site, caplog):
    secret = "my secret question"
    with caplog.at_level(logging.DEBUG):
        answer = site.tcp.post("/search", json={"query": [secret], secret: secret})
    check(answer, 400, "invalid_request")

    assert secret not in answer.json()["error"]["message"].replace(f"{secret}:", "")
    assert not any(
        secret in record.getMessage() for record in caplog.records if record.name.startswith("app")
    )


def test_a_body_of_another_type_is_told_to_be_json(site):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = site.tcp.post("/search", content=b'{"query": "x"}', headers={"content-type": kind})
        error = check(answer, 400, "invalid_request")
        assert "application/json" in error["message"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StorageError("The disk is full."), 500, "storage_failed"),
        (ModelFileError("No model."), 503, "model_file_invalid"),
        (DecodeError("Broken."), 500, "decode_failed"),
        (DocumentError("Not read."), 422, "document_failed"),
        (BusyError(7), 503, "busy"),
    ],
)
def test_what_the_backend_refuses_has_its_own_status_and_code(open_site, error, status, code):
    site = open_site(ask=Raising(error))

    answer = site.tcp.post("/search", json={"query": "x"})

    assert check(answer, status, code)["message"] == error.message
    assert answer.headers.get("retry-after") == (str(error.retry_after) if code == "busy" else None)


def test_a_bug_is_logged_with_its_trace_and_says_nothing_of_itself(open_site, caplog):
    site = open_site(ask=Raising(KeyError("the password")))

    answer = site.tcp.post("/search", json={"query": "x"})

    error = check(answer, 500, "internal")
    assert "password" not in answer.text
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.name.startswith("app.gateway")
    assert isinstance(record.exc_info[1], KeyError)
    assert site.tcp.post("/search", json={"query": "x"}).json()["error"]["trace_id"] != error["trace_id"]


def test_answers_are_not_kept_by_anything_in_between(site):
    answer = site.tcp.get("/documents")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers
