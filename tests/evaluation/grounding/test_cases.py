"""The check of answers is good enough: floors under the figures that `run` prints."""

import asyncio
from collections import Counter

import pytest

from tests.evaluation.grounding.cases import TRUE, made
from tests.evaluation.grounding.run import auroc, judged, overlap

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.fixture(scope="module")
def results(bundled_models):
    return asyncio.run(judged([case for case in made() if case.half == "reporting"]))


def test_the_cases_are_many_of_every_kind_and_the_same_each_time():
    cases = made()
    assert len(cases) >= 600
    assert min(Counter(case.kind for case in cases).values()) >= 15
    assert [case.sentence for case in cases] == [case.sentence for case in made()]


def test_no_page_stands_in_both_halves():
    halves = {
        half: {page.text for case in made() if case.half == half for page in case.pages}
        for half in ("tuning", "reporting")
    }
    assert not halves["tuning"] & halves["reporting"]


def test_unsupported_sentences_are_told_from_supported_ones(results):
    supported = [found.score for case, found in results if case.supported]
    assert auroc(supported, [found.score for case, found in results if not case.supported]) >= 0.93


def test_swapped_numbers_and_names_are_caught(results):
    swapped = [found for case, found in results if case.kind in ("number", "name", "date")]
    assert sum(not found.supported for found in swapped) >= 0.97 * len(swapped)


def test_true_paraphrases_are_rarely_called_false(results):
    true = [found for case, found in results if case.kind in TRUE]
    assert sum(not found.supported for found in true) <= 0.08 * len(true)


def test_the_marked_span_covers_the_words_that_support(results):
    spans = [
        overlap((found.start, found.end), case.span) if found.source == case.place + 1 else 0.0
        for case, found in results
        if case.kind == "paraphrase"
    ]
    assert sorted(spans)[len(spans) // 2] >= 0.7


def test_more_than_half_of_the_swapped_things_are_caught(results):
    swapped = [found for case, found in results if case.kind == "opposite"]
    assert sum(not found.supported for found in swapped) >= 0.55 * len(swapped)
