import pytest

from app.backend.ask.wording import content_words, stem, wording


def numbers(text: str) -> list[set[float]]:
    return [set(number.values) for number in wording(text).numbers]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("three months' notice", [{3}]),
        ("EUR 1,250.00 a month", [{1250}]),
        ("1.250,00 Euro", [{1250}]),
        ("1.250 Euro", [{1250, 1.25}]),
        ("1’250 francs", [{1250}]),
        ("12.5 %", [{12.5}]),
        ("one hundred and twenty-five", [{125}]),
        ("twenty five", [{25}]),
        ("two thousand three hundred", [{2300}]),
        ("three million", [{3_000_000}]),
        ("September 1st, 2025", [{1}, {2025}]),
        ("the third working day", [{3}]),
        ("one month", [{1}]),
        ("one of the parties", []),
        ("a month", []),
        ("nobody", []),
        ("18,204 kWh and 312.4 m³", [{18204, 18.204}, {312.4}]),
    ],
)
def test_numbers_are_read_in_digits_and_in_words(text, expected):
    assert numbers(text) == expected


def test_a_full_hour_is_the_same_with_and_without_minutes():
    assert numbers("22:00")[0] & numbers("22")[0]
    assert not numbers("22:30")[0] & numbers("22")[0]


def test_a_number_knows_what_it_counts():
    assert wording("three months").numbers[0].unit == stem("months")
    assert wording("three of them").numbers[0].unit is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("months", "monthly"),
        ("terminate", "termination"),
        ("rent", "rental"),
        ("pays", "paid"),
        ("payment", "payable"),
        ("deposits", "deposit"),
        ("party", "parties"),
        ("euros", "€"),
        ("metres", "meters"),
        ("running", "runs"),
    ],
)
def test_forms_of_a_word_share_a_stem(one, other):
    assert stem(one) == stem(other)


@pytest.mark.parametrize(("one", "other"), [("rent", "rest"), ("notice", "note"), ("lease", "least")])
def test_different_words_keep_different_stems(one, other):
    assert stem(one) != stem(other)


def test_stop_words_are_no_content():
    assert content_words("What is the rent of the flat?") == [stem("rent"), stem("flat")]
