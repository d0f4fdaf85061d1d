"""Messages and boxes of them, written by Python's own mail library."""

import email.utils
import json
import mailbox
from email.message import EmailMessage

import pytest

from app.errors import DamagedFileError


def letter(subject: str = "Größe der Wohnung", body: str = "Dear Elena,\n\nit is 78 m².\n") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Paul Ödström <paul@example.org>"
    message["To"] = "elena@example.org"
    message["Subject"] = subject
    message["Date"] = email.utils.format_datetime(
        email.utils.parsedate_to_datetime("Mon, 2 Feb 2026 10:00:00 +0100")
    )
    message.set_content(body)
    return message


@pytest.fixture
def save(tmp_path):
    def put(message: EmailMessage, name: str = "a.eml"):
        path = tmp_path / name
        path.write_bytes(message.as_bytes())
        return path

    return put


def test_a_message_is_read_with_who_wrote_to_whom(read, save):
    found = read(save(letter()))

    assert found.titles == [(1, "Größe der Wohnung")]
    assert found.text == (
        "# Größe der Wohnung\n\nFrom: Paul Ödström <paul@example.org>\nTo: elena@example.org\n"
        "Date: Mon, 02 Feb 2026 10:00:00 +0100\n\nDear Elena,\n\nit is 78 m²."
    )


def test_of_two_forms_of_a_message_only_one_is_read(read, save):
    message = letter()
    message.add_alternative("<p>Dear <b>Elena</b>, it is 78 m².</p>", subtype="html")

    assert read(save(message)).text.count("78 m²") == 1


def test_a_message_that_is_a_web_page_is_read_as_one(read, save):
    message = letter()
    message.set_content("<h1>News</h1><p>It is <b>cold</b>.</p><script>HIDDEN</script>", subtype="html")

    found = read(save(message))

    assert found.titles == [(1, "Größe der Wohnung"), (2, "News")]
    assert found.text.endswith("## News\n\nIt is cold.")


def test_attachments_are_named_and_read_where_they_can_be(read, save, make_pdf):
    message = letter()
    message.add_attachment("Item,Cost\nHeating,90\n", subtype="csv", filename="costs.csv")
    message.add_attachment(
        make_pdf(pages=1).read_bytes(), maintype="application", subtype="pdf", filename="a.pdf"
    )
    message.add_attachment(b"MZ\x00\x01\x02\x03", maintype="application", subtype="x", filename="setup.exe")
    message.add_attachment(b"\x89PNG\r\n\x1a\ncut off", maintype="image", subtype="png", filename="photo.png")

    found = read(save(message))

    assert [title for title in found.titles if title[1].startswith("Attachment")] == [
        (2, "Attachment: costs.csv"),
        (2, "Attachment: a.pdf"),
        (2, "Attachment: setup.exe"),
        (2, "Attachment: photo.png"),
    ]
    assert "| Heating | 90 |" in found.text
    assert "Section 1" in found.text
    assert "(Not read: This is a binary file." in found.text
    assert "(Not read: The image is broken" in found.text


def test_a_message_in_a_message_is_read_and_one_further_in_is_only_named(read, save):
    innermost, inner, middle, outer = (
        letter(name, f"{name} says so.") for name in ("Fourth", "Third", "Second", "First")
    )
    inner.add_attachment(innermost)
    middle.add_attachment(inner)
    outer.add_attachment(middle)

    found = read(save(outer))

    assert (2, "Attachment: Second.eml") in found.titles
    assert (4, "Attachment: Third.eml") in found.titles
    assert "Third says so." in found.text
    assert "Fourth says so." not in found.text
    assert "Attachment: Fourth.eml\n\n(Not read: it is nested too deeply.)" in found.text


def test_a_box_is_read_message_by_message(read, tmp_path):
    path = tmp_path / "box.mbox"
    box = mailbox.mbox(path)
    for number in range(3):
        box.add(letter(f"Letter {number}", f"From here on:\n\nFrom me, number {number}.\n"))
    box.close()

    found = read(path)

    assert [title for _, title in found.titles] == ["Letter 0", "Letter 1", "Letter 2"]
    assert len(found.pages) == 3
    assert "From me, number 2." in found.pages[2].text


def test_text_that_is_no_message_says_so(read, tmp_path):
    path = tmp_path / "a.eml"
    path.write_text("\n\nJust some words\n")

    with pytest.raises(DamagedFileError, match="not a message"):
        read(path)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: text/plain; charset=no-such-thing",
        b"Content-Type: multipart/mixed; boundary=x",
        b"Content-Transfer-Encoding: base64",
        b"Content-Type: =?x?=?;;;",
        b"From: <<<@@,;:\nDate: never\nSubject: =?utf-8?b?!!?=",
    ],
)
def test_heads_that_break_the_rules_do_not_stop_the_reading(read, tmp_path, head):
    path = tmp_path / "a.eml"
    path.write_bytes(head + b"\nTo: elena@example.org\n\nThe body.\n")

    assert "elena@example.org" in read(path).text


def test_attachments_of_structured_text_keep_their_headings(read, save):
    message = letter()
    message.add_attachment(
        json.dumps({"lease": {"rent": 850}}).encode(),
        maintype="application",
        subtype="json",
        filename="a.json",
    )

    assert (3, "lease") in read(save(message)).titles
