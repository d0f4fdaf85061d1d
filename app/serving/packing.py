"""Which texts are computed together, in one batch. Arithmetic only."""

from collections.abc import Sequence

FEW = 64
"""Tokens below which a batch does not use the processor well.

llama.cpp computes attention 64 rows at a time (`ggml_fa_tile_config::Q`), and a batch of fewer one by
one: 48 tokens took 31 ms where 64 took 24 (AVX-512, bf16), 19 ms and 9 ms with AMX.
"""

PACK = 128
"""Tokens of a batch in which each costs least: beyond it attention over all of them costs more again."""

Pack = tuple[int, ...]
"""The places of texts that make one batch, in ascending order."""


def packs(lengths: Sequence[int], *, positions: int, most: int, threads: int = 1) -> list[Pack]:
    """Put texts into batches, the longest batch first. Each text is in exactly one.

    Args:
        lengths: of the texts, in tokens.
        positions: tokens that one batch may have.
        most: texts that one batch may have.
        threads: that compute batches side by side: a few texts are spread over them.
    """
    room = min(PACK, positions, max(FEW, -(-sum(lengths) // threads)))
    made: list[list[int]] = []
    taken: list[int] = []  # tokens of each
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        length = lengths[place]
        fitting = [at for at, texts in enumerate(made) if taken[at] + length <= room and len(texts) < most]
        if fitting:
            fullest = max(fitting, key=taken.__getitem__)
            made[fullest].append(place)
            taken[fullest] += length
        else:
            made.append([place])
            taken.append(length)
    order = sorted(range(len(made)), key=lambda at: -taken[at])
    return [tuple(sorted(made[at])) for at in order]
