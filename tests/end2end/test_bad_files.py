"""Files that cannot be read fail by themselves, with a reason; the rest go on."""

import json

import pytest
from reportlab.lib import pdfencrypt
from reportlab.pdfgen.canvas import Canvas

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.fixture
def folder(tmp_path, sample):
    folder = tmp_path / "mixed"
    folder.mkdir()
    whole = sample.document.read_bytes()
    (folder / "a lease.pdf").write_bytes(whole)
    (folder / "broken.pdf").write_bytes(whole[: len(whole) // 3].replace(b"obj", b"jbo"))
    (folder / "nothing.pdf").write_bytes(b"")
    (folder / "spaces.txt").write_text(" \n\n  \n")
    locked = Canvas(str(folder / "locked.pdf"), encrypt=pdfencrypt.StandardEncryption("secret", canPrint=0))
    locked.drawString(100, 700, "Nobody may read this.")
    locked.save()
    blank = Canvas(str(folder / "blank.pdf"))
    blank.showPage()
    blank.save()
    (folder / "note.md").write_text("# The note\n\nThe spare key hangs behind the blue door.\n")
    return folder


def test_bad_files_fail_with_reasons_and_the_rest_become_ready(carrel, folder, sample):
    done = carrel("add", folder, "--json")

    assert done.returncode == 1, done.stderr
    ended = {addition["name"]: addition for addition in json.loads(done.stdout)["additions"]}
    problems = {name: a["problem"]["code"] for name, a in ended.items() if a["problem"]}
    assert problems == {
        "broken.pdf": "file_damaged",
        "locked.pdf": "file_encrypted",
        "blank.pdf": "no_text",
        "nothing.pdf": "file_empty",
        "spaces.txt": "no_text",
    }
    for addition in ended.values():
        if addition["problem"]:
            assert addition["problem"]["message"].endswith(".")
    assert ended["a lease.pdf"]["document"]["status"] == "ready"
    assert ended["note.md"]["document"]["status"] == "ready"
    assert "blue door" in carrel("ask", "Where does the spare key hang?").stdout


def test_a_failed_file_can_be_tried_again(carrel, tmp_path, sample):
    file = tmp_path / "later.pdf"
    file.write_bytes(b"%PDF-1.7 not yet")
    assert carrel("add", file).returncode == 1
    document = json.loads(carrel("documents", "--json").stdout)["documents"][0]
    assert document["status"] == "failed"

    done = carrel("documents", "retry", document["id"])

    assert done.returncode == 1
    assert "file_damaged" in done.stderr
