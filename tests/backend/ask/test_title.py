import pytest

from app.backend.ask.title import title


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How long is the notice period?", "How long is the notice period?"),
        ("  How\n long  is it? ", "How long is it?"),
        ("What is the rent? Please say it in full.", "What is the rent?"),
        ("", "Conversation"),
    ],
)
def test_a_title_is_the_first_question_on_one_line(question, expected):
    assert title(question) == expected


def test_a_long_title_is_cut_between_words_and_says_so():
    made = title("Which of the two parties has to pay for the repair of the heating when it breaks in winter")
    assert len(made) <= 60
    assert made.endswith("…")
    assert made[:-1].endswith(("the", "repair", "of", "heating"))


def test_a_title_without_spaces_is_cut_all_the_same():
    assert title("x" * 200) == "x" * 59 + "…"
