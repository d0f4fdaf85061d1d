import pytest

from app.errors import DamagedFileError, EncryptedFileError


@pytest.fixture
def page(tmp_path):
    def make(body: str, head: str = "", encoding: str = "utf-8"):
        path = tmp_path / "a.html"
        path.write_bytes(
            f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode(encoding)
        )
        return path

    return make


def test_a_web_page_is_read_as_a_person_reads_it(read, page):
    found = read(
        page(
            "<nav><a href='/'>Home</a></nav><h1>Our <em>house</em></h1>"
            "<p>Two   floors &amp; a\n cellar.<br>H<sub>2</sub>O.</p>"
            "<ul><li>Kitchen<ul><li>Sink</li></ul></li><li><p>Bath</p></li></ul>"
            "<ol start=3><li>Third</li></ol>"
            "<table><tr><th>Room<th>Size<tr><td>Kit|chen<td>12<br>m²</table>"
            "<pre>def f():\n    return 1</pre><p style='display: none'>HIDDEN</p><p hidden>HIDDEN</p>"
            "<script>HIDDEN</script><style>HIDDEN</style><noscript>HIDDEN</noscript><!-- HIDDEN -->"
            "<div>Loose <span>words</span></div><h2>Garden</h2><img alt='A tree' src='file:///etc/passwd'>"
        )
    )

    assert found.titles == [(1, "Our house"), (2, "Garden")]
    assert found.text == (
        "# Our house\n\nTwo floors & a cellar.\nH2O.\n\n- Kitchen\n  - Sink\n- Bath\n3. Third\n\n"
        "| Room | Size |\n| --- | --- |\n| Kit\\|chen | 12 m² |\n\n```\ndef f():\n    return 1\n```\n\n"
        "Loose words\n\n## Garden\n\nA tree"
    )


def test_the_title_stands_first_where_a_page_has_no_heading(read, page):
    assert read(page("<p>Text.", "<title>The  page</title>")).text == "# The page\n\nText."


def test_a_table_that_lays_out_the_page_is_read_as_text(read, page):
    found = read(page("<table><tr><td><h2>Left</h2><p>One</p></td><td><p>Two</p></td></tr></table>"))

    assert found.text == "## Left\n\nOne\n\nTwo"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "cp1251", "shift_jis", "utf-16"])
def test_letters_are_those_of_the_encoding_it_declares(read, page, encoding):
    written = {"cp1251": "Залог", "shift_jis": "敷金", "cp1252": "Größe"}.get(encoding, "Größe Залог 敷金")

    assert read(page(written, f'<meta charset="{encoding}">', encoding)).text == written


@pytest.mark.parametrize(
    "markup",
    [
        "",
        "<",
        "<html",
        "<table><tr><td>a<table><tr><td>b",
        "</p></div><li>x",
        "<p>" * 20_000 + "deep",
        "&#0;&#xD800;x",
    ],
)
def test_markup_of_any_kind_is_read_somehow(read, tmp_path, markup):
    path = tmp_path / "a.html"
    path.write_text(markup)

    read(path)


def test_the_words_of_elements_nested_beyond_reason_are_not_lost(read, page):
    assert read(page("<div><span>" * 5_000 + "the deepest word")).text == "the deepest word"


def test_a_book_is_read_chapter_by_chapter_in_the_order_of_its_spine(read, make_book):
    found = read(make_book("<h1>One</h1><p>It begins.</p>", "<h1>Two</h1><p>Größe.</p><ul><li>x</li></ul>"))

    assert [page.text for page in found.pages] == ["# One\n\nIt begins.", "# Two\n\nGröße.\n\n- x"]


def test_a_book_that_its_seller_protects_is_told_as_such(read, make_book):
    book = make_book(
        "<p>x</p>",
        more=[
            (
                "META-INF/encryption.xml",
                '<encryption><CipherReference URI="OEBPS/text/c%201.xhtml"/></encryption>',
            )
        ],
    )

    with pytest.raises(EncryptedFileError):
        read(book)


def test_a_book_without_chapters_is_a_broken_one(read, make_book):
    with pytest.raises(DamagedFileError, match="chapters"):
        read(make_book())


def test_ligatures_and_accents_are_written_as_they_are_searched(read, page):
    found = read(
        page("<h1>The o\ufb03ce</h1><p>Cafe\u0301</p><table><tr><td>\ufb01</td><td>x</td></tr></table>")
    )

    assert found.titles == [(1, "The office")]
    assert "Café" in found.text
    assert "| fi | x |" in found.text
