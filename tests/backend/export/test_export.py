import json
import time
import tracemalloc

import pytest

from app.backend.export.selection import Selection
from app.errors import NotFoundError
from app.records import Citation

pytestmark = pytest.mark.anyio


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


async def test_an_example_holds_the_rules_the_passages_that_were_read_and_the_marked_answer(desk):
    desk.answer(desk.conversation())

    (example,) = lines(await desk.export("jsonl"))

    assert set(example) == {"messages"}
    system, user, assistant = example["messages"]
    assert [system["role"], user["role"], assistant["role"]] == ["system", "user", "assistant"]
    assert "Use only what the passages say" in system["content"]
    assert "[1] Lease.pdf, page 3" in user["content"]
    assert "900 euros" in user["content"]
    assert "Mist" not in user["content"]
    assert user["content"].endswith("Question: How long is the notice?")
    assert assistant["content"] == "The notice is three months. [1] Dogs are welcome."


async def test_examples_without_passages_are_the_plain_question_and_answer(desk):
    desk.answer(desk.conversation())

    (example,) = lines(await desk.export("jsonl", passages=False))

    assert [turn["content"] for turn in example["messages"][1:]] == [
        "How long is the notice?",
        "The notice is three months. Dogs are welcome.",
    ]
    assert "passage" not in example["messages"][0]["content"]


async def test_a_question_that_leans_on_the_one_before_takes_it_along(desk):
    talk = desk.conversation()
    desk.answer(talk)
    desk.answer(talk, "When is it due?")
    desk.answer(talk, "How high is the rent of the flat?")

    asked = [[turn["role"] for turn in example["messages"]] for example in lines(await desk.export("jsonl"))]

    assert asked == [
        ["system", "user", "assistant"],
        ["system", "user", "assistant", "user", "assistant"],
        ["system", "user", "assistant"],
    ]


async def test_what_cannot_be_learned_from_is_no_example(desk):
    talk = desk.conversation()
    desk.answer(talk, text="The not", state="stopped", checks=[])
    desk.answer(talk, text="", state="failed", checks=[])
    asked = desk.messages.add_question(desk.user, talk.id, "Who knows?")
    started = desk.messages.start_answer(desk.user, talk.id, parent_id=asked.id, style="fixed")
    desk.messages.finish(started.id, state="complete", text="Nothing was found.")

    assert await desk.export("jsonl") == ""


async def test_answers_are_chosen_by_rating_checks_and_time(desk, supported):
    talk = desk.conversation()
    good = desk.answer(talk, "A?", "The rent is 900 euros.", checks=supported("The rent is 900 euros."))
    bad = desk.answer(talk, "B?")
    plain = desk.answer(talk, "C?")
    desk.ratings.put(desk.user, good.id, "up")
    desk.ratings.put(desk.user, bad.id, "down", reasons=["incorrect"])

    async def asked(**conditions):
        found = lines(await desk.export("jsonl", Selection(**conditions)))
        return [example["messages"][-2]["content"][-2:] for example in found]

    assert await asked(rated="up") == ["A?"]
    assert await asked(rated="down") == ["B?"]
    assert await asked(rated="any") == ["A?", "B?"]
    assert await asked(supported_only=True) == ["A?"]
    assert await asked(since=plain.created_at) == ["C?"]
    assert await asked(rated="down", supported_only=True) == []
    assert await asked(since=time.time() + 60) == []


async def test_partly_supported_is_not_supported(desk):
    text = "The rent is about 900 euros."
    desk.answer(desk.conversation(), text=text, checks=[Citation(0, len(text), "partly", 2, 0, 5)])

    assert await desk.export("jsonl", Selection(supported_only=True)) == ""


async def test_markdown_reads_as_a_page_with_sources_and_verdicts(desk):
    answer = desk.answer(desk.conversation("The\nlease"))
    desk.ratings.put(desk.user, answer.id, "down", reasons=["incomplete"], comment="And\nthe garage?")

    page = await desk.export("markdown")

    assert page.startswith("# The lease\n\n20")
    assert "\n## How long is the notice?\n\n" in page
    assert "The notice is three months. [1] Dogs are welcome. *(not in your documents)*\n" in page
    assert "**Sources**\n\n- [1] Lease.pdf, page 3 · § 7\n  > Either party may end the lease" in page
    assert "[2]" not in page
    assert "SmolLM2 · 2 of 9 passages read · first word 0.8 s" in page
    assert "rated bad: something is missing, “And the garage?”" in page


async def test_an_answer_that_broke_off_says_so_in_markdown(desk):
    desk.answer(desk.conversation(), text="The not", state="interrupted", checks=[])

    assert "The not\n\n*Interrupted: Carrel was closed" in await desk.export("markdown")


async def test_json_loses_nothing(desk):
    first, second = desk.conversation("First"), desk.conversation("Second")
    answer = desk.answer(first)
    desk.ratings.put(desk.user, answer.id, "up")
    alone = desk.messages.add_question(desk.user, second.id, "Is anybody there?")

    whole = json.loads(await desk.export("json"))

    assert (whole["format"], whole["version"]) == ("carrel-export", 1)
    assert [entry["conversation"]["title"] for entry in whole["conversations"]] == ["First", "Second"]
    question, kept = whole["conversations"][0]["messages"]
    assert question["message"]["text"] == "How long is the notice?"
    assert kept["message"]["rating"]["thumb"] == "up"
    assert kept["message"]["sources"][2]["passage"]["text"] == "Mist"
    assert (kept["style"], kept["model_sha256"], kept["raw_response"]) == ("write", "5" * 64, answer.text)
    assert kept["sampling"] == {"temperature": 0.0}
    assert [entry["message"]["id"] for entry in whole["conversations"][1]["messages"]] == [alone.id]


async def test_json_with_conditions_holds_the_questions_of_the_answers_it_holds(desk):
    talk = desk.conversation()
    chosen = desk.answer(talk, "A?")
    desk.answer(talk, "B?")
    desk.answer(desk.conversation("Another"))
    desk.ratings.put(desk.user, chosen.id, "up")

    whole = json.loads(await desk.export("json", Selection(rated="up")))

    (only,) = whole["conversations"]
    assert [entry["message"]["text"] for entry in only["messages"]] == ["A?", chosen.text]


async def test_nothing_at_all_is_still_json(desk):
    assert json.loads(await desk.export("json"))["conversations"] == []


async def test_one_conversation_alone(desk):
    desk.answer(desk.conversation("First"))
    second = desk.conversation("Second")
    desk.answer(second, "B?")

    page = await desk.export("markdown", Selection(conversation_id=second.id))

    assert "# Second" in page
    assert "# First" not in page
    with pytest.raises(NotFoundError):
        await desk.export("markdown", Selection(conversation_id="nothing"))


async def test_a_long_history_is_never_in_memory_as_a_whole(desk):
    for number in range(3):
        talk = desk.conversation(f"Talk {number}")
        for _ in range(60):
            desk.answer(talk, text="A sentence of some length. " * 400, checks=[])

    total = longest = 0
    tracemalloc.start()
    async for chunk in desk.service.stream(desk.user, "json", Selection()):
        total += len(chunk)
        longest = max(longest, len(chunk))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert total > 3_000_000
    assert longest < 200_000
    assert peak < total / 2
