"""One client: the speed of decode, and the wait for the first token, cold and repeated."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import ours
import peer
import peer_build
import prompts
from answers import Answer, must_be_same_work
from bench import Bench, in_turns
from results import Figures, Result

_PROMPT, _TOKENS = 1_000, 128
_Ask = Callable[[int], Awaitable[Answer]]


def measure(bench: Bench) -> list[Result]:
    """Each round: a prompt nobody has seen, and the same once more, from each of three sides."""
    figures = Figures()
    with (
        ours.engine(bench.models.chat.path, threads=bench.threads, slots=peer.CLIENTS) as engine,
        peer.start(peer_build.server(), bench.models.chat.path, threads=bench.threads) as llama_server,
        ours.served(threads=bench.threads, banned=ours.ends(engine)) as carrel,
    ):
        for number in bench.numbers(warm_up=True):
            text, prompt = prompts.question(engine, seed=1_000 + number, tokens=_PROMPT)
            sides: dict[str, _Ask] = {
                "single": partial(ours.ask, engine, prompt),
                "peer": partial(llama_server.ask, prompt),
                "gateway": partial(carrel.ask, text),
            }
            seen = {side: asyncio.run(_twice(sides[side])) for side in in_turns(tuple(sides), number)}
            if number >= 0:
                _note(figures, seen)
    return figures.results()


async def _twice(ask: _Ask) -> tuple[Answer, Answer]:
    return await ask(_TOKENS), await ask(8)


def _note(figures: Figures, seen: dict[str, tuple[Answer, Answer]]) -> None:
    theirs, theirs_again = seen["peer"]
    for side in ("single", "gateway"):
        cold, again = seen[side]
        must_be_same_work([cold, again], [theirs, theirs_again])
        figures.add(f"{side}.decode", cold.decode_rate, theirs.decode_rate)
        figures.add(f"{side}.first", cold.first_token_s * 1_000, theirs.first_token_s * 1_000)
        figures.add(f"{side}.again", again.first_token_s * 1_000, theirs_again.first_token_s * 1_000)
