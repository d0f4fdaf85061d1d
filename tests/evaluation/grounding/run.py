"""Measures the check of answers on the cases: `python -m tests.evaluation.grounding.run [tuning|reporting]`.

Prints how well unsupported sentences are told from supported ones (AUROC of the score), the share
of each kind of false sentence that is not called supported, the share of true ones that is, and how
well the span that is marked covers the one that supports (intersection over union).
"""

import argparse
import asyncio
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from app import paths
from app.backend.ask import swaps
from app.backend.ask.evidence import Evidence, Support
from app.backend.evaluation.measures import auroc
from app.records import Passage, Source
from app.serving.catalogue import bundled
from app.serving.embedder import Embedder
from tests.evaluation.grounding.cases import TRUE, Case, made


def sources(case: Case) -> list[Source]:
    """The pages of a case as an answer's sources."""
    return [
        Source(
            number,
            Passage(number, "d", page.document, False, 1, 0, len(page.text), page.heading, page.text),
            1.0 / number,
            True,
        )
        for number, page in enumerate(case.pages, 1)
    ]


def checked(case: Case) -> Support:
    """The check of a case; what is no claim at all counts as not supported."""
    found = Evidence(sources(case), case.question).support(case.sentence)
    return found or Support(0, 0, 0, 0.0, "unsupported")


async def judged(cases: Sequence[Case]) -> list[tuple[Case, Support]]:
    """The check of every case, its doubts settled with the bundled embedding model."""
    found = [(case, checked(case)) for case in cases]
    with _embedder() as embedder:
        return [(case, await _settled(support, embedder.embed)) for case, support in found]


async def _settled(support: Support, embed: swaps.Embed) -> Support:
    if support.doubt is None:
        return support
    verdict = await swaps.settled(support.doubt, embed)
    return support if verdict == "supported" else replace(support, verdict=verdict, score=support.score - 0.5)


@contextmanager
def _embedder() -> Iterator[Embedder]:
    model = bundled(paths.resource("models")).embedding
    embedder = Embedder(model.path, sha256=model.sha256)
    embedder.load()
    try:
        yield embedder
    finally:
        embedder.close()


def overlap(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Intersection over union of two spans."""
    both = max(0, min(one[1], other[1]) - max(one[0], other[0]))
    return both / (max(one[1], other[1]) - min(one[0], other[0])) if both else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("half", nargs="?", default="reporting", choices=("tuning", "reporting"))
    parser.add_argument("--wrong", action="store_true", help="print each case that is judged wrong")
    options = parser.parse_args()
    cases = [case for case in made() if case.half == options.half]
    begun = time.perf_counter()
    results = asyncio.run(judged(cases))
    seconds = time.perf_counter() - begun
    if options.wrong:
        for case, found in results:
            if (found.verdict == "supported") != case.supported:
                print(f"{case.kind:10} {found.verdict:11} {found.score:.2f}  {case.sentence}")
    print(f"{options.half}: {len(cases)} cases, {seconds / len(cases) * 1000:.1f} ms each, evidence included")
    area = auroc(
        [found.score for case, found in results if case.supported],
        [found.score for case, found in results if not case.supported],
    )
    print(f"AUROC {area:.3f}")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for case, found in results:
        counts[case.kind][found.verdict] += 1
    for kind, verdicts in counts.items():
        total = verdicts.total()
        supported = verdicts["supported"] / total
        share = f"false alarms {1 - supported:.3f}" if kind in TRUE else f"caught {1 - supported:.3f}"
        print(f"{kind:10} {total:4}  {share}  {dict(verdicts)}")
    spans = [
        overlap((found.start, found.end), case.span) if found.source == (case.place or 0) + 1 else 0.0
        for case, found in results
        if case.span is not None
    ]
    print(
        f"spans: {len(spans)}, IoU median {statistics.median(spans):.2f}, mean {statistics.fmean(spans):.2f}"
    )


if __name__ == "__main__":
    main()
