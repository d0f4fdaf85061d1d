"""Stored prompts run again: of an answer in quotes, which has none, and with other ways to choose tokens."""

import asyncio
from dataclasses import asdict

import pytest

from app.backend.ask.replay import _sampling
from app.events import Finished, Retrieved
from app.serving.generation import Sampling

QUESTION = "How long is the notice period?"
PAGES = [
    "The flat has three rooms.",
    "§ 11 Notice\n\nEither party may end the lease with three months’ notice.",
]


@pytest.mark.model
@pytest.mark.slow
def test_an_answer_in_quotes_keeps_its_model_and_is_run_again_with_the_prompt_it_would_have_had(open_desk):
    async def main():
        async with open_desk(answer_style="quote") as desk:
            await desk.shelve("Lease.pdf", PAGES)
            quoted = (await desk.ask(QUESTION))[-1].message
            audit = await desk.backend.messages.get(desk.user, quoted.id)
            assert (audit.style, audit.prompt) == ("quote", None)
            assert audit.model_sha256 == (await desk.models.chat()).model.sha256
            assert audit.message.sources
            again = [
                event async for event in desk.backend.replay.replay(desk.user, quoted.id, trace_id="0" * 32)
            ]
            assert isinstance(again[0], Retrieved)
            assert isinstance(again[-1], Finished)
            assert again[-1].message.usage.completion_tokens > 0
            assert again[-1].message.sources == quoted.sources

    asyncio.run(main())


def test_how_tokens_were_chosen_comes_back_as_it_was_stored():
    chosen = Sampling(temperature=0.7, seed=3, logit_bias=((5, 1.0),), dry_sequence_breakers=("\n",))
    stored = {**asdict(chosen), "max_tokens": 60, "of_a_later_carrel": True}
    as_json = {**stored, "logit_bias": [[5, 1.0]], "dry_sequence_breakers": ["\n"]}

    assert _sampling(as_json) == chosen
