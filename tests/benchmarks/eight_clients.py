"""Eight clients at once: distinct prompts against llama-server, and one shared document."""

import asyncio
from collections.abc import Awaitable, Sequence

import ours
import peer
import peer_build
import prompts
from answers import Answer, must_be_same_work, throughput
from bench import Bench, in_turns
from results import Figures, Result, percentile

_PROMPT, _DOCUMENT, _TOKENS = 600, 1_500, 100


def measure(bench: Bench) -> list[Result]:
    """Each round: eight new prompts on each side, then eight questions on a new document on ours."""
    figures = Figures()
    with (
        ours.engine(bench.models.chat.path, threads=bench.threads, slots=peer.CLIENTS) as engine,
        peer.start(peer_build.server(), bench.models.chat.path, threads=bench.threads) as llama_server,
    ):
        _, warming = prompts.question(engine, seed=1, tokens=_PROMPT)
        asyncio.run(_together([ours.ask(engine, warming, 8), llama_server.ask(warming, 8)]))
        for number in bench.numbers():
            seeds = range(10_000 + number * 100, 10_000 + number * 100 + peer.CLIENTS)
            distinct = [prompts.question(engine, seed, _PROMPT)[1] for seed in seeds]
            seen = {}
            for side in in_turns(("ours", "theirs"), number):
                if side == "ours":
                    asking = [ours.ask(engine, prompt, _TOKENS) for prompt in distinct]
                else:
                    asking = [llama_server.ask(prompt, _TOKENS) for prompt in distinct]
                seen[side] = asyncio.run(_together(asking))
            _note(figures, seen["ours"], seen["theirs"])
            shared = prompts.over_document(engine, 20_000 + number, _DOCUMENT, peer.CLIENTS)
            over_one = asyncio.run(_together([ours.ask(engine, prompt, _TOKENS) for prompt in shared]))
            figures.add("eight.shared", throughput(over_one), throughput(seen["ours"]))
    return figures.results()


async def _together(asking: Sequence[Awaitable[Answer]]) -> list[Answer]:
    return list(await asyncio.gather(*asking))


def _note(figures: Figures, mine: list[Answer], theirs: list[Answer]) -> None:
    must_be_same_work(mine, theirs)
    figures.add("eight.throughput", throughput(mine), throughput(theirs))
    figures.add("eight.gap", _longest_gap_ms(mine), _longest_gap_ms(theirs))
    for name, share in (("eight.first_p50", 0.5), ("eight.first_p95", 0.95)):
        figures.add(name, _first_ms(mine, share), _first_ms(theirs, share))


def _longest_gap_ms(answers: list[Answer]) -> float:
    return max(answer.longest_gap_s for answer in answers) * 1_000


def _first_ms(answers: list[Answer], share: float) -> float:
    return percentile([answer.first_token_s for answer in answers], share) * 1_000
