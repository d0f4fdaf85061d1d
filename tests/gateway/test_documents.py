"""/documents and what belongs to them, over the port and by the typed client."""

import asyncio
import threading

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.client.client import Client
from app.errors import ReportedError


@pytest.fixture
def letter(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("The rent is 1,180 euros a month. It is due on the third working day.\n" * 3)
    return path


def test_files_added_by_path_are_listed(site, letter):
    (addition,) = site.do(site.client.add_paths([str(letter)]))

    assert addition.document is not None
    assert addition.document.name == "letter.txt"
    assert addition.document in site.do(site.client.documents()) or site.do(site.client.documents())
    assert site.do(site.client.document(addition.document.id)).path == str(letter)


def test_a_bad_path_is_an_addition_with_its_problem_and_stops_nothing(site, letter, tmp_path):
    answer = site.tcp.post(
        "/documents", json={"paths": [str(tmp_path / "missing.txt"), str(letter), "relative.txt"]}
    )

    assert answer.status_code == 202
    missing, found, relative = answer.json()["additions"]
    assert missing["problem"]["code"] == "file_missing"
    assert found["document"]["name"] == "letter.txt"
    assert relative["problem"]


def test_an_upload_is_added_by_its_content(site):
    addition = site.do(site.client.upload("notes/ünïcode “name”.md", b"# Title\n\nSome text."))

    assert addition.document is not None
    assert addition.document.name == "ünïcode “name”.md"
    assert addition.document.path is None


def test_several_files_come_in_one_form(site):
    files = [
        ("files", ("a.txt", b"first content")),
        ("files", ("b.txt", b"Rar!\x1a\x07")),
    ]
    answer = site.tcp.post("/documents", files=files)

    assert answer.status_code == 202
    first, archive = answer.json()["additions"]
    assert first["document"]["size"] == 13
    assert archive["problem"]["code"] == "unsupported_type"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\nv\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\nv\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (b"garbage" * 1_000, "multipart/form-data; boundary=" + "y" * 300),
    ],
)
def test_a_form_without_files_is_refused(site, content, kind):
    answer = site.tcp.post("/documents", content=content, headers={"content-type": kind})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"


@given(content=st.binary(max_size=400))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_form_breaks_the_gateway(site, content):
    body = b"--x\r\nContent-Disposition: form-data; " + content
    answer = site.tcp.post(
        "/documents", content=body, headers={"content-type": "multipart/form-data; boundary=x"}
    )

    assert answer.status_code in (202, 400)


def test_a_document_is_removed_and_then_not_found(site, letter):
    (addition,) = site.do(site.client.add_paths([str(letter)]))
    site.do(site.client.delete_document(addition.document.id))

    for use in (site.client.document, site.client.delete_document, site.client.retry_document):
        with pytest.raises(ReportedError) as raised:
            site.do(use(addition.document.id))
        assert (raised.value.code, raised.value.status) == ("not_found", 404)
    assert letter.exists()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/documents/none/pages/1", 404),
        ("/documents/none/pages/1/image", 404),
        ("/documents/none/pages/0", 400),
        ("/documents/none/pages/-1", 400),
        ("/documents/none/pages/x", 400),
        ("/documents/none/pages/99999999999", 400),
        ("/documents/none/pages/1?start=-1", 400),
        ("/documents/none/pages/1?end=1e5", 400),
        ("/documents/none/pages/1/image?width=0", 400),
        ("/documents/none/pages/1/image?width=1000000", 400),
    ],
)
def test_a_page_that_is_not_there_or_no_page_is_said(site, path, status):
    answer = site.tcp.get(path)

    assert answer.status_code == status
    assert answer.json()["error"]["code"] == ("not_found" if status == 404 else "invalid_request")


def test_a_broken_off_upload_leaves_nothing(site):
    before = site.do(site.client.documents())

    async def break_off():
        began = asyncio.Event()

        async def chunks():
            yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="cut.txt"\r\n\r\nsome text'
            began.set()
            await asyncio.Event().wait()

        async with httpx2.AsyncClient(base_url=address, trust_env=False) as client:
            headers = {
                "content-type": "multipart/form-data; boundary=x",
                "authorization": f"Bearer {token}",
            }
            sending = asyncio.create_task(client.post("/documents", content=chunks(), headers=headers))
            await began.wait()
            sending.cancel()
            await asyncio.wait({sending})

    address, token = site.address, site.token
    site.do(break_off())

    assert site.do(site.client.documents()) == before
    assert site.tcp.get("/health").status_code == 200


def test_many_clients_at_once_each_get_their_own_answer(site, tmp_path):
    paths = []
    for number in range(12):
        path = tmp_path / f"number {number}.txt"
        path.write_text(f"This is text number {number}.")
        paths.append(path)
    site.local, site.address  # noqa: B018 - opened before the threads begin
    found: dict[int, str] = {}

    def add(number: int) -> None:
        client: Client = (site.client, site.local)[number % 2]
        (addition,) = site.do(client.add_paths([str(paths[number])]))
        found[number] = site.do(client.document(addition.document.id)).name

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert found == {number: f"number {number}.txt" for number in range(12)}
