"""Messages of Outlook, as compound files with MAPI properties."""

import datetime
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from compound_file import Storage, compound_file

from app.errors import DamagedFileError

SENT = datetime.datetime(2026, 2, 2, 9, 0, tzinfo=datetime.UTC)


def properties(head: int, sent: datetime.datetime | None = None) -> bytes:
    """The stream of properties of fixed size, behind its head of `head` bytes."""
    if sent is None:
        return bytes(head)
    ticks = int((sent - datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)).total_seconds()) * 10_000_000
    return bytes(head) + struct.pack("<HHIQ", 0x0040, 0x0039, 6, ticks)


def text(number: str, written: str) -> tuple[str, bytes]:
    return f"__substg1.0_{number}001F", written.encode("utf-16-le")


def message(subject: str, body: str, *attached: Storage, head: int = 32) -> Storage:
    made = Storage({"__properties_version1.0": properties(head, SENT)})
    made.members |= dict([text("0037", subject), text("0C1A", "Paul Ödström"), text("0E04", "Elena Park")])
    made.members |= dict([text("5D01", "paul@example.org"), text("1000", body)])
    for number, attachment in enumerate(attached):
        made.members[f"__attach_version1.0_#{number:08X}"] = attachment
    return made


def attachment(name: str, data: bytes) -> Storage:
    return Storage(
        {"__properties_version1.0": properties(8), "__substg1.0_37010102": data, **dict([text("3707", name)])}
    )


@pytest.fixture
def save(tmp_path):
    def put(root: Storage) -> Path:
        path = tmp_path / "a.msg"
        path.write_bytes(compound_file(root))
        return path

    return put


def test_a_message_is_read_with_who_wrote_it_and_what_was_attached(read, save):
    costs = attachment("costs.csv", b"Item,Cost\nHeating,90\n")

    found = read(save(message("Größe der Wohnung", "Dear Elena,\r\n\r\nit is 78 m².\r\n", costs)))

    assert found.text == (
        "# Größe der Wohnung\n\nFrom: Paul Ödström <paul@example.org>\nTo: Elena Park\n"
        "Date: 2026-02-02 09:00+00:00\n\nDear Elena,\n\nit is 78 m².\n\n"
        "## Attachment: costs.csv\n\n| Item | Cost |\n| --- | --- |\n| Heating | 90 |"
    )


def test_a_message_that_is_only_a_web_page_is_read(read, save):
    made = message("News", "")
    made.members["__substg1.0_10130102"] = b"<h1>Today</h1><p>It is <b>cold</b>.</p>"

    assert read(save(made)).text.endswith("## Today\n\nIt is cold.")


def test_a_message_in_the_message_is_read_below_it(read, save):
    inner = message("Inner", "The inner one says so.", head=24)
    holder = Storage({"__properties_version1.0": properties(8), "__substg1.0_3701000D": inner})

    found = read(save(message("Outer", "The outer one.", holder)))

    assert found.titles == [(1, "Outer"), (3, "Inner")]
    assert "The inner one says so." in found.text


def test_a_compound_file_that_is_no_message_says_so(read, save):
    with pytest.raises(DamagedFileError, match="not a message"):
        read(save(Storage({"WordDocument": b"x"})))


def test_a_message_cut_off_or_changed_anywhere_is_read_or_refused(read, save, tmp_path):
    whole = save(message("Subject", "The body of it.")).read_bytes()
    path = tmp_path / "cut.msg"
    for length in range(8, len(whole), 499):
        for data in (whole[:length], whole[:length] + b"\xff\xff\xff\xff" + whole[length + 4 :]):
            path.write_bytes(data)
            with suppress(DamagedFileError):
                read(path)
