"""The peer at work: llama-server on loopback, asked over HTTP."""

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import processes
import wire
from answers import Answer
from places import CACHE

from app.serving import llama
from app.serving.generation import Prompt

CLIENTS = 8
_POSITIONS = 2_560  # of each client's prompt and answer
_READY_WITHIN_S = 120


class Peer:
    """A llama-server that answers."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def ask(self, prompt: Prompt, tokens: int) -> Answer:
        """Let it write exactly `tokens` of them, always the likeliest."""
        body = {
            "prompt": list(prompt.tokens),
            "n_predict": tokens,
            "stream": True,
            "ignore_eos": True,
            # Greedy. With its other samplers left in, which then choose nothing, it would do more work.
            "temperature": 0,
            "top_k": 1,
            "samplers": ["top_k"],
        }
        asked, events = await wire.stream(self._port, "/completion", body, {})
        *pieces, last = events
        if not last.data.get("stop"):
            raise wire.WireError(f"llama-server broke off: {last.data}")
        return Answer(
            asked=asked,
            arrivals=tuple(event.at for event in pieces if event.data.get("tokens")),
            ended=last.at,
            prompt_tokens=last.data["tokens_evaluated"],
            tokens=last.data["tokens_predicted"],
        )


@contextlib.contextmanager
def start(server: Path, model: Path, *, threads: int) -> Iterator[Peer]:
    """Run llama-server for 8 clients, on as many threads as ours; all else as it comes.

    Raises:
        WireError: it does not start.
    """
    port = _free_port()
    command = [str(server), "--model", str(model), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--parallel", str(CLIENTS), "--ctx-size", str(CLIENTS * _POSITIONS)]
    command += ["--threads", str(threads), "--gpu-layers", "0", "--no-ui"]
    if llama.has_tiles():
        command.append("--no-repack")  # as ours; and a build by GCC before 14 would end at the first tile
    log = CACHE / "llama-server.log"
    with processes.running(command, log=log, talks=False) as process:
        waited = time.monotonic()
        while not _healthy(port):
            if process.poll() is not None or time.monotonic() - waited > _READY_WITHIN_S:
                raise wire.WireError(f"llama-server did not start; its log is {log}.")
            time.sleep(0.1)
        yield Peer(port)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
