"""One start of an engine, for restart.py: loads, answers once, closes, and tells how long it took."""

import asyncio
import json
import sys
import time
from pathlib import Path

import ours
import prompts

from app.serving import llama
from app.serving.engine import Engine

_CONVERSATION, _TOKENS = 2_000, 16


def main() -> None:
    told = json.loads(sys.argv[1])
    folder = Path(told["folder"]) if told["folder"] else None
    llama.prepare()
    begun = time.perf_counter()
    engine = Engine(
        Path(told["model"]), gpu_layers=0, threads=told["threads"], states=folder, sha256=told["sha256"]
    )
    ours.load(engine)
    loaded = time.perf_counter()
    try:
        before, after = prompts.conversation(engine, told["seed"], _CONVERSATION)
        answer = asyncio.run(ours.ask(engine, before if told["what"] == "begin" else after, _TOKENS))
    finally:
        engine.close()
    print(json.dumps({"load_ms": (loaded - begun) * 1_000, "first_ms": answer.first_token_s * 1_000}))


if __name__ == "__main__":
    main()
