"""Broken model files through the probe: this process survives all, and each gets a verdict in time."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from app.errors import ModelTooLargeError
from app.serving.admission.probe import Probe
from app.serving.admission.verdicts import Verdict

AT_ONCE = 2
SECONDS = 30.0  # within which there is a verdict
KINDS = (("llama", {}), ("gemma2", {"window": 32}), ("mamba", {}))


@dataclass(frozen=True)
class Tried:
    seed: int
    verdict: Verdict
    seconds: float


@pytest.fixture(scope="session")
def wholes(tiny):
    return [tiny(architecture, **options).read_bytes() for architecture, options in KINDS]


@pytest.fixture
def try_out(wholes, mutated, tmp_path):
    """Try out the mutations of some seeds, some at once. Every fifth is taken for an embedding model.

    One thread each: the limit is about the file, not about how busy the machine is.
    """

    def worker(seeds, warm):
        path, tried = tmp_path / f"mutated-{seeds[0]}.gguf", []
        probe = Probe(threads=1, warm=warm)
        try:
            for seed in seeds:
                path.write_bytes(mutated(wholes[seed % len(wholes)], seed))
                begun = time.monotonic()
                try:
                    verdict = probe.try_out(path, "chat" if seed % 5 else "embedding")
                except ModelTooLargeError:  # refused for what is free now
                    verdict = Verdict("refused", "too large")
                tried.append(Tried(seed, verdict, time.monotonic() - begun))
        finally:
            probe.close()
        return tried

    def try_out(seeds, *, warm):
        shares = [seeds[place::AT_ONCE] for place in range(AT_ONCE)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [one for share in pool.map(lambda share: worker(share, warm), shares) for one in share]

    return try_out


def check(tried, count):
    outcomes = Counter(one.verdict.outcome for one in tried)
    slowest = max(tried, key=lambda one: one.seconds)
    late = [one.seed for one in tried if one.verdict.outcome == "timed_out"]
    signals = Counter(one.verdict.reason for one in tried if one.verdict.outcome == "crashed")
    print(f"{count} files: {dict(outcomes)}, {dict(signals)}, timed out: seeds {late}")
    print(f"slowest: seed {slowest.seed}, {slowest.seconds:.1f} s")
    assert len(tried) == count
    assert slowest.seconds <= SECONDS
    assert min(outcomes[outcome] for outcome in ("proven", "refused", "crashed")) > 0


@pytest.mark.slow
def test_200_broken_models_get_a_verdict_and_this_process_survives(try_out):
    check(try_out(range(200), warm=True), 200)


@pytest.mark.slow
def test_a_verdict_of_a_warm_child_is_that_of_a_child_of_its_own(try_out):
    seeds = range(12)  # with a crash among them

    cold, warm = try_out(seeds, warm=False), try_out(seeds, warm=True)

    assert {one.seed: one.verdict for one in cold} == {one.seed: one.verdict for one in warm}


@pytest.mark.long
@pytest.mark.timeout(5_400)
def test_10000_broken_models_get_a_verdict_and_this_process_survives(try_out):
    check(try_out(range(10_000), warm=True), 10_000)


def test_a_mutation_is_another_file_and_the_same_for_the_same_seed(wholes, mutated):
    made = [mutated(wholes[0], seed) for seed in range(300)]

    assert made == [mutated(wholes[0], seed) for seed in range(300)]
    assert sum(data != wholes[0] for data in made) > 280
    assert len(set(made)) > 250
