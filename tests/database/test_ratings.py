import pytest

from app.audit import PromptMessage
from app.database.audits import Audits
from app.database.messages import Conversations, Messages
from app.database.ratings import Ratings
from app.errors import InvalidRequestError, NotFoundError
from app.filters import Filter


@pytest.fixture
def messages(database):
    return Messages(database)


@pytest.fixture
def conversation(database, user):
    return Conversations(database).create(user, "The lease")


@pytest.fixture
def ratings(database):
    return Ratings(database)


@pytest.fixture
def question(messages, user, conversation):
    return messages.add_question(user, conversation.id, "How long is the notice?")


@pytest.fixture
def answer(messages, user, conversation, question):
    started = messages.start_answer(user, conversation.id, parent_id=question.id)
    return messages.finish(started.id, state="complete", text="Three months.")


def test_a_rating_is_kept_with_its_reasons_and_comes_with_the_conversation(
    database, ratings, answer, user, conversation
):
    rated = ratings.put(user, answer.id, "down", reasons=["incorrect", "incorrect"], comment="It is two.")

    assert rated.rating.thumb == "down"
    assert rated.rating.reasons == ("incorrect",)
    assert rated.rating.comment == "It is two."
    assert rated.rating.rated_at > answer.created_at
    assert Conversations(database).get(user, conversation.id).messages[-1] == rated


def test_a_second_rating_takes_the_place_of_the_first(database, ratings, answer, user):
    ratings.put(user, answer.id, "down", reasons=["incomplete"], comment="more")

    again = ratings.put(user, answer.id, "up")

    assert (again.rating.thumb, again.rating.reasons, again.rating.comment) == ("up", (), "")
    assert database.read(lambda db: db["ratings"].count) == 1


def test_a_rating_can_be_taken_back_and_that_again(ratings, answer, user):
    ratings.put(user, answer.id, "up")

    assert ratings.remove(user, answer.id).rating is None
    assert ratings.remove(user, answer.id).rating is None


def test_a_rating_goes_with_its_conversation(database, ratings, answer, user, conversation):
    ratings.put(user, answer.id, "up")

    Conversations(database).delete(user, conversation.id)

    assert database.read(lambda db: db["ratings"].count) == 0


def test_a_comment_that_utf8_cannot_hold_is_kept_as_far_as_it_can(ratings, answer, user):
    assert ratings.put(user, answer.id, "down", comment="no\ud800").rating.comment == "no�"


def test_only_ended_answers_of_the_user_are_rated(ratings, messages, conversation, question, answer, user):
    running = messages.start_answer(user, conversation.id, parent_id=question.id)

    for message_id in (question.id, running.id):
        with pytest.raises(InvalidRequestError):
            ratings.put(user, message_id, "up")
    for who, message_id in ((user, "nothing"), ("somebody else", answer.id)):
        with pytest.raises(NotFoundError):
            ratings.put(who, message_id, "up")
        with pytest.raises(NotFoundError):
            ratings.remove(who, message_id)


def test_what_stood_behind_an_answer_is_kept_whole(
    database, messages, conversation, question, shelf, search, user
):
    prompt = [PromptMessage("system", "Answer."), PromptMessage("user", "How long?\ud800")]
    started = messages.start_answer(
        user,
        conversation.id,
        parent_id=question.id,
        style="write",
        prompt=prompt,
        rendered_prompt="<s>Answer. How long?",
        model="m",
        model_sha256="5" * 64,
        sampling={"temperature": 0.5, "seed": None},
    )
    ended = messages.finish(started.id, state="complete", text="Three.", raw_response="Three [1].")

    audit = Audits(database).get(user, ended.id)

    assert audit.message == ended
    assert audit.prompt == (prompt[0], PromptMessage("user", "How long?�"))
    assert audit.rendered_prompt == "<s>Answer. How long?"
    assert (audit.style, audit.raw_response, audit.model_sha256) == ("write", "Three [1].", "5" * 64)
    assert audit.sampling == {"temperature": 0.5, "seed": None}
    assert audit.finished_at >= ended.created_at


def test_a_question_keeps_the_documents_it_was_limited_to(database, messages, conversation, shelf, user):
    document = shelf.ready("The rent is 900 euros.")

    asked = messages.add_question(
        user, conversation.id, "How much?", limited=Filter(documents=(document.id,))
    )

    assert Audits(database).get(user, asked.id).document_ids == (document.id,)


def test_a_long_conversation_is_read_in_pieces_and_in_order(database, messages, conversation, user):
    asked = [messages.add_question(user, conversation.id, f"Question {number}?") for number in range(45)]

    found = list(Audits(database).of_conversation(user, conversation.id))

    assert [audit.message for audit in found] == asked
    assert list(Audits(database).of_conversation("somebody else", conversation.id)) == []
