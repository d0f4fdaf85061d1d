import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask.reception import ASIDE, reply
from app.events import Delta, Finished, Retrieved


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Hi!", "Hello"),
        ("Good morning, Carrel.", "Hello"),
        ("Hello there, how are you?", "Hello"),
        ("Grüß Gott", "Hello"),
        ("Thank you very much!", "welcome"),
        ("Ok, thanks", "welcome"),
        ("Bye", "Goodbye"),
        ("Who are you?", "from your own documents"),
        ("What can you do?", "from your own documents"),
        ("How does Carrel work?", "from your own documents"),
        ("Do you send my files anywhere?", "stay on this computer"),
        ("Is my data safe?", "stay on this computer"),
        ("How do I add a document?", "Drop files"),
        ("Which file formats can you read?", "Drop files"),
        ("Which model are you using?", "under Models"),
    ],
)
def test_a_greeting_or_a_question_about_the_program_has_a_fixed_answer(question, said):
    answer = reply(question)

    assert said in answer
    assert answer.endswith(ASIDE)


@pytest.mark.parametrize(
    "question",
    [
        "Hello Kitty sales in 2022?",
        "What can you do if the tenant does not pay?",
        "How do I add a tenant to the lease?",
        "Which model is the pump?",
        "How does it work?",
        "Who is it?",
        "Are files sent by registered mail?",
        "What does thank you mean in Finnish?",
        "",
    ],
)
def test_a_question_about_documents_has_none(question):
    assert reply(question) is None


@given(st.text(max_size=60), st.sampled_from(["rent", "page 3", "Lindqvist", "§ 5"]))
def test_no_question_that_names_something_of_a_document_has_one(text, thing):
    assert reply(f"{text} {thing}") is None


@pytest.mark.model
def test_a_greeting_is_answered_like_a_question_but_nothing_is_searched(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            events = [event async for event in desk.backend.ask.ask(desk.user, "Hello!", trace_id="t" * 32)]
            assert [type(event) for event in events] == [Retrieved, Delta, Finished]
            assert (events[0].sources, events[0].found) == ((), 0)
            message = events[-1].message
            assert message.text.startswith("Hello")
            assert (message.state, message.citations, message.model) == ("complete", (), None)

    asyncio.run(main())
