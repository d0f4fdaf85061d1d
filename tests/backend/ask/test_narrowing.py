"""What a question limits itself to, and what it does not."""

from datetime import date

import pytest

from app.backend.ask.narrowing import both, narrowing
from app.filters import EVERYTHING, Filter, moments, period

TODAY = date(2026, 3, 15)
COLLECTIONS = {
    "t": "Taxes",
    "t23": "Taxes 2023",
    "h": "Haus und Garten",
    "c1": "Contracts",
    "c2": "contracts",
}


def limits(question):
    """Type, time in words and collections of a question, and what is left of it."""
    found = narrowing(question, COLLECTIONS, TODAY)
    whole = EVERYTHING
    for limit in found.limits:
        whole = both(whole, limit.limited)
    time = period(whole.since, whole.until) if whole.since or whole.until else None
    return whole.types, time, whole.collections, found.text


@pytest.mark.parametrize(
    ("question", "types", "time", "text"),
    [
        (
            "What does the rent come to in the spreadsheets?",
            ("spreadsheet",),
            None,
            "What does the rent come to?",
        ),
        ("Who wrote about the leak in my emails?", ("mail",), None, "Who wrote about the leak?"),
        ("What was billed in the PDFs from 2023?", ("pdf",), "2023", "What was billed?"),
        ("In my e-mails, who asked for a refund?", ("mail",), None, ", who asked for a refund?"),
        ("Find the warranty only in PDF files", ("pdf",), None, "Find the warranty"),
        (
            "What is said in all presentations since March 2024?",
            ("presentation",),
            "March 2024 or later",
            "What is said?",
        ),
        ("Which PDFs mention the boiler?", ("pdf",), None, "Which mention the boiler?"),
        (
            "What changed in the documents from 2020 to 2022?",
            (),
            "2020 to 2022",
            "What changed?",
        ),
        ("What is due in documents before 2020?", (), "before 2020", "What is due?"),
        ("What is due in the files after 2020?", (), "2021 or later", "What is due?"),
        ("Is there a total in the spreadsheet?", ("spreadsheet",), None, "Is there a total?"),
        ("Who is named in the emails from last year?", ("mail",), "2025", "Who is named?"),
        ("Who is named in the files from last month?", (), "February 2026", "Who is named?"),
        ("Was steht in den Tabellen?", (), None, "Was steht in den Tabellen?"),
        ("Was steht in meinen E-Mails zur Miete?", ("mail",), None, "Was steht zur Miete?"),
        (
            "Wie hoch ist die Miete in den PDFs aus dem Jahr 2023?",
            ("pdf",),
            "2023",
            "Wie hoch ist die Miete?",
        ),
        (
            "Was wurde in den Präsentationen seit 2022 gesagt?",
            ("presentation",),
            "2022 or later",
            "Was wurde gesagt?",
        ),
        ("Welche E-Mails nennen den Vermieter?", ("mail",), None, "Welche nennen den Vermieter?"),
        ("Was steht in Dokumenten vor 2020?", (), "before 2020", "Was steht?"),
        ("Wer schrieb im Posteingang von der Heizung?", ("mail",), None, "Wer schrieb von der Heizung?"),
        ("Was steht in den Dateien vom letzten Jahr?", (), "2025", "Was steht?"),
    ],
)
def test_a_type_and_a_time_of_documents_are_limits(question, types, time, text):
    assert limits(question) == (types, time, (), text)


@pytest.mark.parametrize(
    "question",
    [
        "What was the revenue in 2023?",
        "What does the policy say about phishing in emails?",
        "How many columns are in the table?",
        "What did she say in the presentation?",
        "What is in the PDF format specification?",
        "Which file formats are supported?",
        "How do I send an email from the program?",
        "What happened before 2020?",
        "Who signed the contracts from 2023?",
        "What is a spreadsheet?",
        "What is shown in the picture on page 3?",
        "How is text in images recognised?",
        "How many documents are needed?",
        "What is written in the documents?",
        "Which documents are needed for the visa?",
        "Which e-books does the library lend?",
        "Which scans did the doctor order?",
        "Which spreadsheets can the program open?",
        "Welche Präsentationen hat sie gehalten?",
        "Is the total in the spreadsheet application rounded?",
        "How long are emails kept from 2023?",
        "Welche Unterlagen brauche ich für den Antrag?",
        "Was kostete es im Jahr 2023?",
        "Was steht in der Tabelle auf Seite 3?",
        "Wie werden E-Mails in dem Programm gespeichert?",
        "Was sagt die Richtlinie über Anhänge in E-Mails?",
        "Wer ist in der Sammlung?",
    ],
)
def test_what_is_not_plainly_said_of_documents_limits_nothing(question):
    assert limits(question) == ((), None, (), question)


@pytest.mark.parametrize(
    ("question", "ids", "text"),
    [
        ('What is owed in the collection "Taxes"?', ("t",), "What is owed?"),
        ("What is owed in the collection taxes 2023?", ("t23",), "What is owed?"),
        ("What is owed in my Taxes collection?", ("t",), "What is owed?"),
        ("What is owed in “Taxes”?", ("t",), "What is owed?"),
        ("What does it say in the folder Contracts?", ("c1", "c2"), "What does it say?"),
        ("Was blüht in der Sammlung „Haus und Garten“?", ("h",), "Was blüht?"),
        ("Was blüht im Ordner Haus und Garten?", ("h",), "Was blüht?"),
    ],
)
def test_a_collection_is_named_in_quotation_marks_or_as_one(question, ids, text):
    assert limits(question) == ((), None, ids, text)


@pytest.mark.parametrize(
    "question",
    [
        "What are the taxes in 2023?",
        "How much do I owe in taxes?",
        'Where does it say "in taxes we trust"?',
        "What is in the collection of stamps?",
        "Which contracts are there?",
    ],
)
def test_words_that_are_also_names_of_collections_limit_nothing(question):
    assert limits(question) == ((), None, (), question)


def test_a_collection_that_is_not_there_is_said():
    found = narrowing("What is owed in the collection “Travel”?", COLLECTIONS)

    assert (found.unknown, found.limits, found.text) == (("collection Travel",), (), "What is owed?")


def test_limits_of_the_question_meet_those_of_whoever_asks():
    year, later = moments("2023"), moments("2024")
    asked = Filter(("d",), types=("pdf", "mail"), since=year[0], until=year[1])

    assert both(asked, Filter(types=("pdf",))) == Filter(("d",), (), ("pdf",), *year)
    assert both(asked, Filter(types=("word",))) is None
    assert both(asked, Filter(since=later[0])) is None
    assert both(Filter(collections=("a",)), Filter(collections=("b",))) is None
    assert both(EVERYTHING, asked) == Filter((), types=("pdf", "mail"), since=year[0], until=year[1])


def test_a_long_question_is_looked_through_quickly():
    import time

    begun = time.perf_counter()
    for question in (
        "in the " * 20_000,
        "“" * 50_000,
        "from 2023 to " * 10_000,
        "in the collection " * 5_000,
    ):
        narrowing(question, COLLECTIONS)
    assert time.perf_counter() - begun < 5
