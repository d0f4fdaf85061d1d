import asyncio

import pytest

from app.backend.ask.quoting import CLOSEST, MOST, Quoting
from app.backend.ask.reciting import Quote
from app.errors import DecodeError
from app.events import Checked, Delta
from app.serving.generation import Prompt


class Judge:
    """Finds likeliest the question after the sentences it is told; fails or never ends where asked."""

    def __init__(self, *liked: str, fails: bool = False, hangs: bool = False) -> None:
        self.liked = liked
        self.fails = fails
        self.hangs = hangs
        self.asked = 0

    def encode(self, messages):
        return Prompt("Context:", (1,))

    async def score(self, prefix, continuations):
        self.asked += 1
        if self.fails:
            raise DecodeError("No slot.")
        if self.hangs:
            await asyncio.Event().wait()
        return tuple(
            (-50.0 if "Question" in text else -30.0)
            + 10.0 * any(one in text and "Question" in text for one in self.liked)
            for text in continuations
        )


RENT = Quote(1, 0, 14, "The rent is 1.", 1.0)
FEE = Quote(2, 3, 16, "The fee is 20.", 0.95)
TAX = Quote(3, 0, 14, "The tax is 300.", 0.3)


def run(quoting: Quoting) -> list:
    async def collect():
        async with asyncio.timeout(30):
            return [event async for event in quoting.events()]

    return asyncio.run(collect())


def test_each_quote_is_shown_with_its_citation():
    quoting = Quoting(Judge(), "What is the rent?", [RENT, FEE], sure=True)
    events = run(quoting)
    assert [type(event) for event in events] == [Delta, Checked, Delta, Checked]
    assert quoting.text == "“The rent is 1.”\n\nAlso: “The fee is 20.”"
    for citation, quote in zip(quoting.citations, (RENT, FEE), strict=True):
        assert quoting.text[citation.start : citation.end] == f"“{quote.text}”"
        assert (citation.source, citation.quote_start, citation.quote_end) == (
            quote.source,
            quote.start,
            quote.end,
        )


def test_of_quotes_that_are_nearly_as_good_the_model_says_which():
    quoting = Quoting(Judge("The fee"), "What is the fee?", [RENT, FEE], sure=True)
    run(quoting)
    assert quoting.text.startswith("“The fee is 20.”")
    assert quoting.judged == (
        "Context: The rent is 1.\nQuestion: What is the fee?\n\n"
        "Context: The fee is 20.\nQuestion: What is the fee?"
    )


def test_where_the_evidence_is_clear_the_model_is_not_asked():
    judge = Judge("tax")
    quoting = Quoting(judge, "What is the rent?", [RENT, TAX], sure=True)
    run(quoting)
    assert (quoting.text, judge.asked) == ("“The rent is 1.”", 0)
    assert quoting.judged is None


@pytest.mark.parametrize("judge", [Judge("The fee", fails=True), Judge("fee", hangs=True)])
def test_a_model_that_fails_or_takes_too_long_is_not_waited_for(judge):
    quoting = Quoting(judge, "What is the fee?", [RENT, FEE], sure=True)
    run(quoting)
    assert quoting.text.startswith("“The rent is 1.”")


def test_the_same_words_are_quoted_once_and_no_more_than_five():
    many = [Quote(1, number, number + 1, f"It is {number // 2}.", 1.0) for number in range(20)]
    quoting = Quoting(Judge(), "What is it?", many, sure=True)
    run(quoting)
    assert len(quoting.citations) == MOST
    assert len({quoting.text[one.start : one.end] for one in quoting.citations}) == MOST


def test_a_quote_that_may_not_answer_is_shown_as_the_closest():
    quoting = Quoting(Judge(), "What is the pool?", [RENT, FEE], sure=False)
    run(quoting)
    assert quoting.text == f"{CLOSEST}“The rent is 1.”"


def test_stopped_before_the_first_quote_nothing_is_shown():
    quoting = Quoting(Judge(), "What is the rent?", [RENT], sure=True)
    quoting.stop()
    assert (run(quoting), quoting.text, quoting.reason) == ([], "", "cancelled")
