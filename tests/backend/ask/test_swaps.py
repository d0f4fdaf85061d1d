import asyncio

import numpy as np
import pytest

from app.backend.ask.evidence import Evidence
from app.backend.ask.swaps import doubt, settled
from app.errors import ModelError

PAGE = "Its bearings are greased every 500 operating hours with lithium grease."
SWAPPED = "Its windows are greased every 500 operating hours with lithium grease."
WATER = "Damage by tap water is covered up to 25,000 euros."
NOTHING: frozenset[str] = frozenset()


def run(coroutine):
    async def bounded():
        async with asyncio.timeout(30):
            return await coroutine

    return asyncio.run(bounded())


@pytest.fixture
def meaning(models):
    """The bundled embedding model."""

    async def embed(texts):
        return list(await (await models.embedder()).embed(list(texts), urgent=True))

    return embed


def test_a_sentence_of_the_page_is_not_doubted():
    assert doubt(PAGE, PAGE, NOTHING) is None


def test_where_all_else_is_the_same_the_other_word_stands_in_a_slot():
    assert doubt(SWAPPED, PAGE, NOTHING).slot == ("windows", "bearings")


def test_words_of_the_question_and_of_headings_are_no_wonder():
    assert doubt(SWAPPED, PAGE, frozenset({"window"})) is None


@pytest.mark.parametrize(
    "said",
    [
        "It is lubricated every 500 operating hours: its bearings, with lithium grease.",
        "Its bearings are greased every five hundred operating hours with lithium grease.",
    ],
)
def test_what_is_done_and_numbers_are_no_things(said):
    assert doubt(said, PAGE, NOTHING) is None


@pytest.mark.model
@pytest.mark.parametrize(
    ("said", "there", "verdict"),
    [
        (SWAPPED, PAGE, "unsupported"),
        ("Tap smoke damage is insured up to €25,000.", WATER, "partly"),
        ("Tap water damage is insured up to €25,000.", WATER, "supported"),
        ("The phone has to stay in the locker.", "The telephone has to stay in the locker.", "supported"),
    ],
)
def test_the_meaning_of_both_settles_it(meaning, said, there, verdict):
    found = doubt(said, there, NOTHING)
    assert (run(settled(found, meaning)) if found else "supported") == verdict


def test_without_a_model_for_meaning_a_slot_counts_as_partly_and_the_rest_as_found():
    async def fails(texts):
        raise ModelError("There is no embedding model.")

    slot, loose = doubt(SWAPPED, PAGE, NOTHING), doubt("Tap smoke damage is insured.", WATER, NOTHING)
    for embed in (None, fails):
        assert run(settled(slot, embed)) == "partly"
        assert run(settled(loose, embed)) == "supported"


def test_a_model_that_takes_too_long_is_not_waited_for():
    async def hangs(texts):
        await asyncio.Event().wait()

    assert run(settled(doubt(SWAPPED, PAGE, NOTHING), hangs)) == "partly"


def test_only_what_was_found_supported_is_doubted(source):
    evidence = Evidence([source(PAGE)], "What is greased?")
    assert evidence.support(SWAPPED).doubt is not None
    assert evidence.support(PAGE).doubt is None
    assert evidence.support(SWAPPED.replace("500", "900")).doubt is None


def test_no_more_than_half_a_dozen_vectors_are_asked_for():
    seen = []

    async def counts(texts):
        seen.append(len(texts))
        return [np.ones(2) / 2**0.5 for _ in texts]

    said = "The red roof, the old gate, the long wall and the deep cellar of the barn are insured."
    there = "The blue tower, a new fence, a short path and the high attic of the house are insured."
    assert run(settled(doubt(said, there, NOTHING), counts)) == "supported"
    assert max(seen) <= 6
