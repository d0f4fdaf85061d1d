from app.backend.documents.parsing import markdown


def read(tmp_path, source: str):
    path = tmp_path / "a.md"
    path.write_text(source, encoding="utf-8")
    return list(markdown.pages(path))


def test_headings_are_found_with_level_place_and_plain_title(tmp_path):
    source = "Intro\n\n# The *lease*\n\nText\n\nDeposit `2`\n---------\nMore\n\n## [Pets](http://a.b) & co\n"

    (page,) = read(tmp_path, source)

    assert page.text == source
    assert [(heading.level, heading.title) for heading in page.headings] == [
        (1, "The lease"),
        (2, "Deposit 2"),
        (2, "Pets & co"),
    ]
    assert [source[heading.start :].split("\n", maxsplit=1)[0] for heading in page.headings] == [
        "# The *lease*",
        "Deposit `2`",
        "## [Pets](http://a.b) & co",
    ]


def test_a_hash_in_code_is_no_heading(tmp_path):
    (page,) = read(tmp_path, "```sh\n# not a heading\n```\n\n    # nor this\n")

    assert page.headings == ()


def test_front_matter_is_no_heading_and_shifts_no_offsets(tmp_path):
    source = "---\ntitle: Lease\ndate: today\n---\n# First\ntext\n"

    (page,) = read(tmp_path, source)

    assert [(heading.title, heading.start) for heading in page.headings] == [
        ("First", source.index("# First"))
    ]


def test_headings_of_later_pages_have_offsets_into_their_own_page(tmp_path):
    source = "".join(f"# Part {number}\n\n{'It says more. ' * 300}\n\n" for number in range(40))

    pages = read(tmp_path, source)

    assert len(pages) > 2
    found = [(page, heading) for page in pages for heading in page.headings]
    assert [heading.title for _, heading in found] == [f"Part {number}" for number in range(40)]
    assert all(page.text[heading.start :].startswith(f"# {heading.title}\n") for page, heading in found)
