"""What the tests of all formats share: reading as the child does, and books and boxes to read."""

import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.backend.documents import media_types
from app.backend.documents.parsing import formats
from app.backend.documents.parsing.messages import ReadPage

# `compound_file` is no test.
sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class Read:
    """What became of a file: its kind and pages, and the titles with their levels."""

    kind: str
    pages: list[ReadPage]

    @property
    def text(self) -> str:
        return "\n\n".join(page.text for page in self.pages)

    @property
    def titles(self) -> list[tuple[int, str]]:
        return [(heading.level, heading.title) for page in self.pages for heading in page.headings]


def read_file(path: Path) -> Read:
    """Read a file as the child would, and check what holds for every format."""
    with path.open("rb") as file:
        kind = media_types.media_type(path.name, file.read(media_types.HEAD_BYTES))
    pages = [message for message in formats.read(path, kind) if isinstance(message, ReadPage)]
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        page.text.encode("utf-8")
        assert "\x00" not in page.text
        starts = [heading.start for heading in page.headings]
        assert starts == sorted(starts)
        for heading in page.headings:
            line = page.text[heading.start :].lstrip('# "').split("\n")[0]
            assert "".join(line.split()).startswith("".join(heading.title.split())[:20]), heading
    return Read(kind, pages)


@pytest.fixture
def read() -> Callable[[Path], Read]:
    return read_file


@pytest.fixture
def make_zip(tmp_path) -> Callable[..., Path]:
    """Writes a ZIP archive of the members given, in their order."""

    def make(name: str, members: Iterable[tuple[str, str | bytes]]) -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members:
                archive.writestr(member, data)
        return path

    return make


@pytest.fixture
def make_book(make_zip) -> Callable[..., Path]:
    """Writes an electronic book whose chapters are the bodies given."""

    def make(*bodies: str, more: Iterable[tuple[str, str | bytes]] = ()) -> Path:
        numbers = range(1, len(bodies) + 1)
        items = "".join(
            f'<item id="c{n}" href="text/c%20{n}.xhtml" media-type="application/xhtml+xml"/>' for n in numbers
        )
        spine = "".join(f'<itemref idref="c{n}"/>' for n in numbers)
        return make_zip(
            "book.epub",
            [
                ("mimetype", "application/epub+zip"),
                (
                    "META-INF/container.xml",
                    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
                    '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
                ),
                (
                    "OEBPS/book.opf",
                    f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}'
                    '<item id="nav" properties="nav" href="nav.xhtml" media-type="application/xhtml+xml"/>'
                    f'</manifest><spine><itemref idref="nav"/>{spine}</spine></package>',
                ),
                ("OEBPS/nav.xhtml", "<html><body><nav>Contents</nav></body></html>"),
                *(
                    (
                        f"OEBPS/text/c {n}.xhtml",
                        f"<html><head><title>t</title></head><body>{body}</body></html>",
                    )
                    for n, body in zip(numbers, bodies, strict=True)
                ),
                *more,
            ],
        )

    return make
