"""The right page is found in long documents: floors under the figures that `run` prints."""

import asyncio
from statistics import mean

import pypdfium2 as pdfium
import pytest

from tests.evaluation import library
from tests.evaluation.measures import hit
from tests.evaluation.pages.asked import by_volume, questions
from tests.evaluation.pages.press import printed
from tests.evaluation.pages.run import asked
from tests.evaluation.pages.shelf import fill
from tests.evaluation.pages.volumes import VOLUMES

FEW = [volume for volume in VOLUMES if volume.title in ("Files and folders", "Threads and processes")]


def found(folder, volumes, *, within=False):
    """What is found for the questions about these volumes, over all of them or within each."""
    titles = {volume.title for volume in volumes}
    wanted = [question for question in questions() if question.volume in titles]

    async def work(shelf):
        read = await fill(shelf, volumes)
        return await asked(shelf, read, wanted, within=within)

    with library.opened(folder) as shelf:
        return wanted, asyncio.run(work(shelf))


def test_the_shelf_is_long_and_every_volume_is_asked_about(tmp_path):
    lengths = {volume.title: len(pdfium.PdfDocument(printed(volume, tmp_path))) for volume in VOLUMES}

    assert len(lengths) >= 20
    assert min(lengths.values()) >= 20
    assert by_volume(questions()).keys() == lengths.keys()
    assert len(questions()) >= 120


def test_a_volume_is_the_same_file_each_time(tmp_path):
    (tmp_path / "again").mkdir()
    first = printed(FEW[0], tmp_path)

    assert printed(FEW[0], tmp_path / "again").read_bytes() == first.read_bytes()


@pytest.mark.model
@pytest.mark.slow
def test_in_a_few_long_documents_the_right_page_is_among_the_first_five(bundled_models, tmp_path):
    wanted, results = found(tmp_path, FEW)

    assert len(results) == len(wanted) >= 12
    assert mean(hit(one.pages, one.right, 5) for one in results) >= 0.75


@pytest.mark.model
@pytest.mark.long
def test_over_the_whole_shelf_the_right_page_is_among_the_first_five(bundled_models, tmp_path):
    wanted, results = found(tmp_path, VOLUMES)

    assert len(results) >= 0.95 * len(wanted)
    assert mean(hit(one.pages, one.right, 5) for one in results) >= 0.78
    assert mean(hit(one.pages, one.right, 1) for one in results) >= 0.52
