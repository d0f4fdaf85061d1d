from datetime import datetime

import pytest

from app.backend.documents import media_types
from app.filters import (
    EVERYTHING,
    KIND_WORDS,
    KINDS,
    Filter,
    kind_named,
    kind_of,
    moment,
    moments,
    period,
)
from app.filters import media_types as media_types_of


def test_every_media_type_that_is_read_has_a_kind_of_its_own():
    read = {
        value for name, value in vars(media_types).items() if name.isupper() and isinstance(value, str)
    } & set(media_types_of(KINDS))

    assert {media_types.PDF, media_types.IMAGE, media_types.NOTEBOOK, media_types.MAILBOX} <= read
    assert set(media_types._BY_NAME.values()) == set(media_types_of(KINDS))
    assert all(kind_of(kind) in KINDS for kind in read)
    assert set(KIND_WORDS) == set(KINDS)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("pdf", "pdf"),
        ("PDFs", "pdf"),
        (".docx", "word"),
        ("Word documents", "word"),
        ("Spreadsheets", "spreadsheet"),
        ("xlsx", "spreadsheet"),
        ("slides", "presentation"),
        ("web page", "web"),
        ("E-Mails", "mail"),
        ("e-book", "ebook"),
        ("jpg", "image"),
        ("source code", "code"),
    ],
)
def test_a_kind_is_known_by_its_names(said, kind):
    assert kind_named(said) == kind


@pytest.mark.parametrize("said", ["", "s", "pdfx", "%%", "film"])
def test_what_is_no_kind_is_refused_with_those_there_are(said):
    with pytest.raises(ValueError, match="spreadsheet"):
        kind_named(said)


@pytest.mark.parametrize(
    ("said", "first", "after"),
    [
        ("2024", (2024, 1, 1), (2025, 1, 1)),
        ("2024-02", (2024, 2, 1), (2024, 3, 1)),
        ("2024-12", (2024, 12, 1), (2025, 1, 1)),
        (" 2024-02-29 ", (2024, 2, 29), (2024, 3, 1)),
    ],
)
def test_a_day_a_month_and_a_year_begin_and_end(said, first, after):
    assert moments(said) == (datetime(*first).timestamp(), datetime(*after).timestamp())


@pytest.mark.parametrize(
    "said", ["", "24", "2024-2", "2024-13", "2023-02-29", "yesterday", "2024-01-01x", "٢"]
)
def test_what_is_no_date_is_refused(said):
    with pytest.raises(ValueError, match="date"):
        moments(said)


def test_a_moment_is_a_date_or_seconds():
    assert moment("2024") == moment(2024) == datetime(2024, 1, 1).timestamp()
    assert moment("2024", ends=True) == datetime(2025, 1, 1).timestamp()
    assert moment(1_700_000_000.5) == moment("1700000000.5", ends=True) == 1_700_000_000.5
    for nonsense in ("nan", "inf", "1e300", "-200000000000", "then"):
        with pytest.raises(ValueError):
            moment(nonsense)


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ("2023", "2023", "2023"),
        ("2023-03", "2023-03", "March 2023"),
        ("2023-01-01", "2023-01-01", "1 January 2023"),
        ("2020", "2022", "2020 to 2022"),
        ("0999", "0999", "999"),
        ("0999-03", "0999-03", "March 999"),
        ("2023-03-02", "2023-05-04", "2 March 2023 to 4 May 2023"),
        ("2020", None, "2020 or later"),
        (None, "2019", "before 2020"),
        (None, "2020-05", "before June 2020"),
        (None, "2020-05-03", "before 4 May 2020"),
    ],
)
def test_a_time_is_said_as_shortly_as_can_be(since, until, words):
    begin = None if since is None else moment(since)
    end = None if until is None else moment(until, ends=True)

    assert period(begin, end) == words


def test_a_filter_without_limits_does_not_limit():
    assert not Filter()
    assert Filter() == EVERYTHING
    assert Filter(since=0.0)
