"""What an engine says after given tokens: the likeliest, as text, and how it ended."""

from collections.abc import Iterable

from app.serving.engine import Engine
from app.serving.generation import End, Generation, Prompt, Sampling


async def answer(engine: Engine, tokens: Iterable[int], count: int = 12) -> tuple[str, End]:
    """At most `count` tokens of it."""
    generation = Generation(Prompt("", tuple(tokens)), count, sampling=Sampling(temperature=0))
    said = [item async for item in engine.generate(generation)]
    return "".join(piece.text for piece in said[:-1]), said[-1]
