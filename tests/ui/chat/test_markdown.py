import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtGui import QFont, QTextCursor, QTextDocument

from app.records import Citation
from app.ui.chat.markdown import MarkdownWriter
from app.ui.chat.marks import CHIP_OBJECT, TAG_OBJECT, UNDERLINED, marks_of, unwoven, without_marks, woven


@pytest.fixture
def writer(theme) -> MarkdownWriter:
    document = QTextDocument()
    made = MarkdownWriter(document, theme, lambda number: f"source {number}")
    made.kept = document
    return made


def words(writer: MarkdownWriter) -> str:
    return writer.kept.toPlainText().replace("\u2060", "").replace("\ufffc", "▣")


def format_at(writer: MarkdownWriter, text: str):
    cursor = writer.kept.find(text)
    assert not cursor.isNull(), text
    return cursor.charFormat()


RICH = (
    "# Title\n\nSome **bold** and *slanted* and `code`.\n\n- one\n- two\n  1. deep\n\n> quoted\n\n"
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nx = 1\ny = 2\n```\n\n---\n\nThe end.\n"
)


def shape(document: QTextDocument) -> list:
    """Everything that can be seen of a document."""
    found = []
    block = document.begin()
    while block.isValid():
        pieces = []
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            style = fragment.charFormat()
            pieces.append((fragment.text(), style.fontWeight(), style.fontItalic(), style.anchorHref()))
            iterator += 1
        layout = block.blockFormat()
        found.append((layout.leftMargin(), layout.bottomMargin(), layout.headingLevel(), pieces))
        block = block.next()
    return found


def test_a_text_that_streams_ends_as_the_text_at_once(theme, writer):
    whole = QTextDocument()
    MarkdownWriter(whole, theme, str).append(RICH)
    for at in range(0, len(RICH), 3):
        writer.append(RICH[at : at + 3])
    assert shape(writer.kept) == shape(whole)


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(alphabet="ab *_`#->|\n1.[]()<!\U0001f600é", max_size=120),
    cuts=st.lists(st.integers(0, 120), max_size=6),
)
def test_any_text_ends_the_same_however_it_was_cut(text, cuts):
    # One theme for all examples: it needs the application, which hypothesis cannot give anew.
    theme = _theme()
    whole, streamed = QTextDocument(), QTextDocument()
    MarkdownWriter(whole, theme, str).append(text)
    writer = MarkdownWriter(streamed, theme, str)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in itertools.pairwise(places):
        writer.append(text[start:end])
    assert shape(streamed) == shape(whole)


_kept = []


def _theme():
    from PySide6.QtWidgets import QApplication

    from app.ui.theme import Theme

    if not _kept:
        _kept.append(Theme(QApplication.instance(), "light"))
    return _kept[0]


@pytest.fixture(autouse=True, scope="module")
def _application(qapp):
    yield
    import shiboken6

    while _kept:
        shiboken6.delete(_kept.pop())


def test_only_the_last_block_is_written_again(writer):
    writer.append("First paragraph.\n\nSecond")
    changes = []
    writer.kept.documentLayout()
    writer.kept.contentsChange.connect(lambda at, removed, added: changes.append((at, removed, added)))
    writer.append(" goes on")
    assert changes
    assert min(at for at, _, _ in changes) >= len("First paragraph.")


def test_emphasis_code_and_links_have_their_formats(writer):
    writer.append("A **bold** *slanted* `code` [link](https://example.org/a) end")
    assert format_at(writer, "bold").fontWeight() > QFont.Weight.Normal
    assert format_at(writer, "slanted").fontItalic()
    assert format_at(writer, "code").fontFamilies() == ["JetBrains Mono"]
    assert format_at(writer, "link").anchorHref() == "https://example.org/a"


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "/etc/passwd", "//host/share", "javascript:alert(1)", "ftp://x/y", "data:x"],
)
def test_only_web_links_are_links(writer, address):
    writer.append(f"[press]({address})")
    assert "press" in words(writer)
    block = writer.kept.begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            assert iterator.fragment().charFormat().anchorHref() == ""
            iterator += 1
        block = block.next()


def test_html_is_shown_and_not_read(writer):
    writer.append('<b>x</b> <img src="file:///etc/passwd"><script>y</script>\n\n<div>z</div>')
    assert words(writer) == '<b>x</b> <img src="file:///etc/passwd"><script>y</script>\n<div>z</div>'


def test_pictures_are_shown_as_their_description(writer):
    writer.append("![a cat](https://example.org/cat.png)")
    assert words(writer) == "a cat"
    cursor = QTextCursor(writer.kept)
    cursor.movePosition(QTextCursor.MoveOperation.NextCharacter)
    assert not cursor.charFormat().isImageFormat()


def test_chips_stand_at_the_ends_of_their_sentences(writer):
    text = "Notice is **three months.** It ends in May. Nobody knows."
    ends = [text.index("**", 12) + 2, text.index(" Nobody")]
    citations = (
        Citation(0, ends[0], "supported", 2, 0, 5),
        Citation(ends[0] + 1, ends[1], "supported", 12, 0, 5),
        Citation(ends[1] + 1, len(text), "unsupported", None, None, None),
    )
    writer.replace(text, marks_of(citations, text))
    assert words(writer) == "Notice is three months.▣ It ends in May.▣ Nobody knows.▣"
    assert format_at(writer, "Nobody").hasProperty(int(UNDERLINED))
    assert not format_at(writer, "It ends").hasProperty(int(UNDERLINED))
    assert format_at(writer, "three").fontWeight() > QFont.Weight.Normal
    kinds = [piece for block in shape(writer.kept) for piece in block[3] if "\ufffc" in piece[0]]
    assert [kind[3] for kind in kinds] == ["source:0:2", "source:1:12", ""]


@pytest.mark.parametrize(
    "text",
    [
        "- First item.\n- Second item.",
        "> Quoted words.",
        "| a |\n|---|\n| Cell. |",
        "_All slanted._",
        "# Heading.",
    ],
)
def test_marks_do_not_break_the_markup_they_stand_in(writer, text):
    first = QTextDocument()
    plain = MarkdownWriter(first, writer._theme, str)
    plain.append(text)
    sentences = [(0, len(text))]
    citations = [Citation(start, end, "unsupported", None, None, None) for start, end in sentences]
    writer.replace(text, marks_of(citations, text))
    assert words(writer).replace("▣", "") == first.toPlainText()


def test_a_check_that_comes_late_reaches_a_block_that_is_done(writer):
    text = "First sentence.\n\nSecond paragraph goes on and on."
    writer.append(text)
    writer.replace(text, marks_of([Citation(0, 15, "supported", 1, 0, 3)], text))
    assert words(writer).startswith("First sentence.▣")


def test_noncharacters_in_an_answer_cannot_forge_a_chip(writer):
    writer.append("a\ufdd2\ufdd5\ufdd4\ufdd5\ufdd3b \ufdd0c\ufdd1")
    assert "▣" not in words(writer)


@given(st.integers(0, 99_999), st.integers(1, 999))
def test_a_chip_comes_through_the_parser_as_it_went_in(index, number):
    from app.ui.chat.marks import Mark

    through = unwoven(woven("ab", [Mark(1, "chip", number, index)], 0))
    assert through[0] == "a"
    assert (through[1].number, through[1].index) == (number, index)
    assert without_marks(woven("ab", [Mark(1, "chip", number, index)], 0)) == "ab"


def test_objects_are_of_the_kinds_that_are_drawn(writer):
    writer.replace("A b.", marks_of([Citation(0, 4, "supported", 1, 0, 1)], "A b."))
    cursor = QTextCursor(writer.kept)
    cursor.movePosition(QTextCursor.MoveOperation.End)
    assert cursor.charFormat().objectType() == int(CHIP_OBJECT)
    writer.replace("A b.", marks_of([Citation(0, 4, "unsupported", None, None, None)], "A b."))
    cursor.movePosition(QTextCursor.MoveOperation.End)
    assert cursor.charFormat().objectType() == int(TAG_OBJECT)
