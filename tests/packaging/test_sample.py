import json
import re

import pypdfium2
import pytest
import sample_document


@pytest.fixture
def sample(root) -> dict:
    return json.loads((root / "resources" / "sample" / "sample.json").read_text("utf-8"))


@pytest.fixture
def pages(root, sample) -> list[str]:
    return _pages(root / "resources" / "sample" / sample["document"])


def test_the_answer_stands_on_its_page_and_on_no_other(sample, pages):
    holding = [
        number for number, text in enumerate(pages, 1) if any(words in text for words in sample["expected"])
    ]

    assert holding == [sample["page"]]
    assert sample["page"] != 1


def test_no_other_number_of_months_is_in_the_lease(pages):
    counted = re.findall(r"(\w+)[ -]months?\b", " ".join(" ".join(pages).split()))

    assert set(counted) <= {"three", "a", "each"}


def test_the_committed_lease_is_what_its_maker_makes(sample, pages, tmp_path):
    made = tmp_path / "made.pdf"

    sample_document.make(made)

    assert len(pages) == sample_document.PAGES == 4
    assert _pages(made) == pages


def _pages(path) -> list[str]:
    document = pypdfium2.PdfDocument(path)
    try:
        return [page.get_textpage().get_text_range() for page in document]
    finally:
        document.close()
