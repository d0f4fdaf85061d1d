"""Trace IDs: accepted, made, returned, and in the log's context."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gateway.trace import Trace, accept
from app.log import trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
VALID = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "header", [VALID, f"cc-{TRACE}-00f067aa0ba902b7-01", f"cc-{TRACE}-00f067aa0ba902b7-01-new"]
)
def test_a_valid_traceparent_is_accepted(header):
    assert accept(header.encode()) == (TRACE, "01")


@pytest.mark.parametrize(
    "header",
    [
        "",
        TRACE,
        VALID + "-more",
        VALID + "\n",
        " " + VALID,
        VALID.upper(),
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-1",
    ],
)
def test_anything_else_is_not(header):
    assert accept(header.encode()) is None


@given(st.binary(max_size=100))
def test_no_header_breaks_it(header):
    found = accept(header)
    assert found is None or (len(found[0]) == 32 and len(found[1]) == 2)


def answer_to(*headers: tuple[bytes, bytes]) -> tuple[dict[str, str], str]:
    """The response's headers, and the trace ID that the application saw."""
    seen = ""
    sent = []

    async def application(scope, receive, send):
        nonlocal seen
        seen = trace_id.get()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})

    async def send(message):
        sent.append(message)

    asyncio.run(Trace(application)({"type": "http", "headers": list(headers)}, None, send))
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}, seen


def test_the_callers_trace_id_is_kept_with_a_span_of_our_own():
    headers, seen = answer_to((b"traceparent", VALID.encode()))

    assert seen == headers["x-trace-id"] == TRACE
    version, trace, span, flags = headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert span != "00f067aa0ba902b7"
    assert accept(headers["traceparent"].encode())


def test_without_a_valid_one_a_new_trace_id_is_made():
    for given_headers in ((), ((b"traceparent", b"nonsense"),), ((b"traceparent", VALID.encode()),) * 2):
        headers, seen = answer_to(*given_headers)

        assert accept(headers["traceparent"].encode())
        assert seen == headers["x-trace-id"] != TRACE
    assert trace_id.get() == ""
