import pytest

from app.errors import DamagedFileError

HEAD = (
    r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Times;}{\f1\fcharset204 Times Cyr;}}"
    r"{\stylesheet{\s0 Normal;}{\s1\sb240 heading 1;}{\s2 heading 2;}}{\info{\title Not the text}}"
)


@pytest.fixture
def rtf(tmp_path):
    def make(body: str):
        path = tmp_path / "a.rtf"
        path.write_bytes((HEAD + body + "}").encode("latin-1"))
        return path

    return make


def test_headings_come_from_the_styles(read, rtf):
    found = read(rtf(r"\pard\s1 The lease\par\pard Text.\par\pard\s2 Rent\par\pard\outlinelevel2 Deeper\par"))

    assert found.titles == [(1, "The lease"), (2, "Rent"), (3, "Deeper")]
    assert found.text == "# The lease\n\nText.\n\n## Rent\n\n### Deeper"


def test_letters_come_from_code_pages_and_from_unicode(read, rtf):
    found = read(
        rtf(r"Gr\'f6\'dfe {\f1 \'c4\'ee\'ec} \u8364? \u-10179?\u-8704? {\uc0\u945}x \emdash\~\{ok\}\par")
    )

    assert found.text == "Größe Дом € 😀 αx —\u00a0{ok}"


def test_tables_and_lists_are_kept(read, rtf):
    found = read(
        rtf(
            r"\trowd\cellx1000\cellx2000\pard\intbl Item\cell Cost\cell\row"
            r"\trowd\cellx1000\cellx2000\pard\intbl Heating\par and water\cell 90\cell\row"
            r"\pard{\listtext\'b7\tab}Kitchen\par{\listtext 2.\tab}Bath\par\pard After.\par"
        )
    )

    assert found.text == (
        "| Item | Cost |\n| --- | --- |\n| Heating and water | 90 |\n\n- Kitchen\n2. Bath\n\nAfter."
    )


def test_what_is_not_the_text_stays_out(read, rtf):
    found = read(
        rtf(
            r"{\header Running head\par}{\*\generator Made by;}{\pict\pngblip 89504e47}Shown {\v hidden}"
            r"{\field{\*\fldinst HYPERLINK x}{\fldrslt here}}.\par{\object\objdata 00}"
        )
    )

    assert found.text == "Shown here."


def test_a_file_cut_off_anywhere_is_read_as_far_as_it_goes(read, rtf, tmp_path):
    whole = rtf(r"\pard\s1 The lease\par\pard Gr\'f6\'dfe\par").read_bytes()
    path = tmp_path / "cut.rtf"
    for length in range(6, len(whole)):
        path.write_bytes(whole[:length])
        assert read(path).text in {"", "# The lease"} or read(path).text.startswith(("# ", "The", "T"))


def test_groups_without_end_are_refused(read, tmp_path):
    path = tmp_path / "deep.rtf"
    path.write_bytes(b"{\\rtf1" + b"{" * 100_000)

    with pytest.raises(DamagedFileError, match="nested"):
        read(path)
