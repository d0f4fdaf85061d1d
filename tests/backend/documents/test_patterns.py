import time

import pytest

from app.backend.documents.patterns import Patterns
from app.errors import InvalidRequestError


def taken(path, include=(), exclude=()):
    patterns = Patterns(include, exclude)
    names = path.split("/")
    return patterns.reaches(names[:-1]) and patterns.takes(names)


@pytest.mark.parametrize(
    "path",
    [
        ".hidden.txt",
        ".git/config.txt",
        "~$report.docx",
        "notes.txt~",
        "report.docx.tmp",
        "half.pdf.part",
        "half.pdf.crdownload",
        "web/node_modules/x/readme.md",
        "deep/er/__pycache__/a.txt",
        "song.mp3",
        "photo.jpg",
        "program.py",
    ],
)
def test_what_is_hidden_unfinished_or_no_document_is_passed_over(path):
    assert not taken(path)


@pytest.mark.parametrize("path", ["a.pdf", "A.PDF", "deep/er/b.txt", "scan.tiff", "node_modules.txt"])
def test_documents_are_taken_at_any_depth(path):
    assert taken(path)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.pdf", "deep/a.pdf", True),
        ("*.PDF", "a.pdf", True),
        ("draft*", "deep/Draft 2.txt", True),
        ("drafts/", "deep/drafts/a.txt", True),
        ("drafts/", "drafts.txt", False),
        ("/drafts/", "deep/drafts/a.txt", False),
        ("/drafts/", "drafts/deep/a.txt", True),
        ("old/*.txt", "old/a.txt", True),
        ("old/*.txt", "old/deep/a.txt", False),
        ("old/*.txt", "new/old/a.txt", False),
        ("old/**/*.txt", "old/very/deep/a.txt", True),
        ("old/**/*.txt", "old/a.txt", True),
        ("**/old/*.txt", "new/old/a.txt", True),
        ("report?.txt", "report1.txt", True),
        ("report?.txt", "report.txt", False),
        ("report[0-9].txt", "report7.txt", True),
        ("report[!0-9].txt", "report7.txt", False),
        ("a.txt", "abtxt", False),
        ("*a*b*.txt", "xxayybzz.txt", True),
        ("[", "[", True),
    ],
)
def test_a_pattern_excludes_as_gitignore_has_it(pattern, path, matches):
    names = path.split("/")
    patterns = Patterns(["*"], [pattern])

    assert (patterns.reaches(names[:-1]) and patterns.takes(names)) is not matches


def test_what_is_included_takes_the_place_of_what_is_usual():
    assert taken("src/app.py", include=["*.py"])
    assert not taken("src/app.txt", include=["*.py"])
    assert not taken("node_modules/app.py", include=["*.py"])
    assert not taken("src/old/app.py", include=["*.py"], exclude=["old/"])


@pytest.mark.parametrize("pattern", ["", "/", "!a.txt", "a\0b", "x" * 201, "[z-a]"])
def test_a_pattern_that_cannot_be_followed_is_refused(pattern):
    with pytest.raises(InvalidRequestError):
        Patterns([pattern])


def test_more_patterns_than_can_be_followed_are_refused():
    with pytest.raises(InvalidRequestError):
        Patterns(["*.txt"] * 60, ["*.pdf"] * 60)


def test_no_pattern_takes_long():
    patterns = Patterns(["*a" * 90 + "b"], ["**/*a*" * 20])
    names = ["a" * 120] * 30

    began = time.process_time()
    patterns.reaches(names)
    patterns.takes(names)

    assert time.process_time() - began < 2
