from app.backend.ask import prompt
from app.backend.ask.prompt import Turn


def test_the_prompt_begins_the_same_whatever_is_asked(source):
    one = prompt.full("One?", [source("The rent is due.")])
    other = prompt.full("Other?", [source("The flat is big.")])
    assert one[0] == other[0]
    assert one[0].role == "system"


def test_only_passages_that_are_read_are_in_the_prompt_and_carry_their_number(source):
    read, left_out = source("The rent is due.", 2, page=7), source("The flat is big.", 3, read=False)
    asked = prompt.full("What is due?", [read, left_out])[-1].content
    assert "[2] Lease.pdf, page 7\n> The rent is due." in asked
    assert "The flat is big." not in asked
    assert asked.endswith("Question: What is due?")


def test_earlier_turns_stand_between_the_rules_and_the_question(source):
    messages = prompt.full("And now?", [source("x")], [Turn("Who?", "She.")])
    assert [message.role for message in messages] == ["system", "user", "assistant", "user"]
    assert [message.content for message in messages[1:3]] == ["Who?", "She."]


def test_a_document_without_pages_is_named_without_a_page(source):
    assert prompt.passage(source("x", paged=False, heading="Notes")).startswith("[1] Lease.pdf, Notes\n")


def test_for_a_tiny_model_the_sentence_stands_right_before_the_question():
    asked = prompt.tiny("What is due?", ["The rent is due."])[-1].content
    assert asked.startswith("Context: The rent is due.\n\nQuestion: What is due?")
