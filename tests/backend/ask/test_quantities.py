import pytest

from app.backend.ask.quantities import Date, plain, take_dates, unit_at


@pytest.mark.parametrize(
    "text",
    [
        "3 March 2024",
        "March 3rd, 2024",
        "the 3rd of March 2024",
        "2024-03-03",
        "03.03.2024",
        "3/3/2024",
        "3. März 2024",
    ],
)
def test_a_date_is_the_same_however_it_is_written(text):
    _, dates = take_dates(f"It was signed on {text} in Leeds.")
    assert dates == (Date(frozenset({(3, 3)}), 2024),)


@pytest.mark.parametrize(("one", "other"), [("4 March", "March 4th, 2024"), ("4 March 2024", "4/3/2024")])
def test_dates_agree_where_one_says_less(one, other):
    assert take_dates(one)[1][0].agrees(take_dates(other)[1][0])


@pytest.mark.parametrize("other", ["5 March 2024", "4 May 2024", "4 March 2023"])
def test_another_day_month_or_year_is_another_date(other):
    assert not take_dates("4 March 2024")[1][0].agrees(take_dates(other)[1][0])


@pytest.mark.parametrize("text", ["may 3 people come?", "on 41 March", "section 7.2.1", "2024-17-45"])
def test_what_is_no_date_stays(text):
    assert take_dates(text) == (text, ())


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("7 pm", "19:00"),
        ("6:30 p.m.", "18:30"),
        ("12 am", "0:00"),
        ("twice", "two times"),
        ("5 °C", "5  degrees "),
    ],
)
def test_times_of_day_and_degrees_have_one_form(said, meant):
    assert plain(said) == meant


@pytest.mark.parametrize(
    ("tokens", "unit"),
    [
        (["l"], "litre"),
        (["liters"], "litre"),
        (["square", "meters"], "square metre"),
        (["m²"], "square metre"),
        (["€"], "euro"),
        (["€", "184"], None),
        (["members"], None),
        ([], None),
    ],
)
def test_a_unit_has_one_name(tokens, unit):
    assert unit_at(tokens, 0) == unit
