"""One line a request, with nothing of its content."""

import json
import logging
import threading

import pytest

from app.log import JsonLines


class Lines(logging.Handler):
    """Collects the lines of requests as they stand in the log file."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.found: list[dict] = []
        self.grown = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self.grown:
            self.found.append(json.loads(self.format(record)))
            self.grown.notify_all()

    def first(self, count: int) -> list[dict]:
        """The first lines; they are written after the answer went out."""
        with self.grown:
            assert self.grown.wait_for(lambda: len(self.found) >= count, timeout=30)
            return self.found[:count]


@pytest.fixture
def lines(site):
    _ = site.token, site.address
    handler = Lines()
    logger = logging.getLogger("app.gateway.request")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_a_request_is_one_line_with_its_route_status_time_size_and_trace(site, lines):
    answer = site.tcp.get("/documents")

    (line,) = lines.first(1)
    assert line["message"] == "GET /documents 200"
    assert line["trace_id"] == answer.headers["x-trace-id"]
    assert line["bytes"] == len(answer.content)
    assert line["door"] == "tcp"
    assert 0 < line["ms"] < 60_000


def test_ids_queries_and_contents_are_not_in_it(site, lines):
    site.tcp.get("/documents/top-secret-id?secret=1")
    site.tcp.get("/documents/x/pages/7?start=1234&end=5678")
    site.tcp.post("/search", json={"query": "top secret"})
    site.tcp.get("/top-secret-path")
    site.tcp.request("TOPSECRET", "/documents")

    found = lines.first(5)
    assert [line["message"] for line in found[:2]] == [
        "GET /documents/{document_id} 404",
        "GET /documents/{document_id}/pages/{number} 404",
    ]
    assert found[3]["message"] == "GET - 404"
    assert not [line for line in found[:4] if "secret" in json.dumps(line) or "1234" in json.dumps(line)]


def test_refusals_have_a_line_too(site, lines):
    site.stranger.get("/documents")
    site.tcp.get("/documents", headers={"host": "evil.example"})

    assert [line["message"] for line in lines.first(2)] == ["GET - 401", "GET - 403"]


def test_a_token_is_never_logged(site, lines, caplog):
    caplog.set_level(logging.DEBUG, "app")
    site.tcp.get("/documents")
    lines.first(1)

    assert site.token not in caplog.text
