"""POST /evaluate over a real gateway, with the bundled models."""

import asyncio

import pytest

from app.errors import ModelError, ReportedError
from app.events import Evaluated, EvaluationProgress, Failed
from app.paths import Profile
from tests.gateway.conftest import opened

TEXTS = {
    "lease.md": "# Lease\n\nThe rent of the flat is 1,180 euros a month, without heating. Either party may"
    " end the lease with three months of notice, in writing. The lease begins on 1 April 2024 for both.",
    "pump.md": "# Pump\n\nThe pump delivers 240 litres of water in a minute at full pressure. The impeller"
    " was replaced on 14 March 2023 after a crack had been found. It must not run dry.",
    "museum.md": "# Museum\n\nThe museum was founded by Harriet Lindqvist and two of her brothers. Admission"
    " for grown visitors is 14 euros on every day of the week. The busiest day was 18 May, of the fair.",
}


# Seconds; on a busy machine the last answer may begin late and take long.
LONG = 300.0


async def events_of(stream):
    return [event async for event in stream]


def measured(site, **given):
    """The events of an evaluation."""
    return site.server.submit(events_of(site.client.evaluate(**given))).result(LONG)


@pytest.fixture(scope="module")
def library(tmp_path_factory, bundled_models):
    """A gateway that has read three documents."""
    folder = tmp_path_factory.mktemp("texts")
    for name, text in TEXTS.items():
        (folder / name).write_text(text, "utf-8")

    async def read(site):
        async with site.backend.feed.subscribe() as changes:
            await site.client.add_paths([str(folder)])
            while not all(one.status == "ready" for one in await site.client.documents()):
                await anext(changes)

    with opened(Profile(tmp_path_factory.mktemp("profile")), bundled_models) as site:
        site.do(read(site))
        # Whatever the model was measured to be fit for: quotes are there at once.
        site.backend.evaluation._asking.preparation._style = "quote"
        yield site


@pytest.fixture(scope="module")
def evaluated(library):
    return measured(library, quick=True)


@pytest.mark.model
@pytest.mark.slow
def test_a_library_is_measured_with_progress_and_one_end(library, evaluated):
    *steps, end = evaluated

    assert all(isinstance(step, EvaluationProgress) for step in steps)
    assert len({step.stage for step in steps}) >= 3
    assert isinstance(end, Evaluated)
    found = end.evaluation
    assert (found.of, found.quick, found.documents) == ("your documents", True, 3)
    assert [model.sha256 for model in found.models] == [
        model.sha256 for model in library.do(library.client.models())
    ]
    assert set(found.settings) == {"answer_style", "answer_tokens", "temperature", "answered_in"}
    assert found.settings["answered_in"] == "quote"
    assert found.seconds > 0
    rent = next(case for case in found.cases if case.fact == "1,180 euros")
    assert (rent.place, rent.rank) == ("lease.md, page 1", 1)
    values = {measure.name: measure for measure in found.measures}
    assert values["hit@5"].count >= 6
    assert values["hit@5"].value > 0.8
    assert values["nDCG@10"].value > 0.7
    assert values["changed sentences caught"].value > 0.9
    assert values["true sentences doubted"].value < 0.1


@pytest.mark.model
@pytest.mark.slow
def test_nothing_of_it_goes_into_the_conversations(library, evaluated):
    assert library.do(library.client.conversations()) == ()
    assert len(library.do(library.client.documents())) == 3


@pytest.mark.model
@pytest.mark.slow
def test_some_documents_alone_can_be_measured(library):
    pump = next(one for one in library.do(library.client.documents()) if one.name == "pump.md")

    (*_, end) = measured(library, quick=True, document_ids=[pump.id])

    assert end.evaluation.documents == 1
    values = {measure.name: measure for measure in end.evaluation.measures}
    # There is no other document that could not answer.
    assert values["unanswerable: refused or marked"].value is None


@pytest.mark.model
@pytest.mark.slow
def test_a_public_set_is_measured_and_leaves_nothing(library, tmp_path):
    files = {
        "cran.all.1400": "".join(
            f".I {n}\n.T\nt\n.A\na\n.B\nb\n.W\n{text}\n"
            for n, text in enumerate(("slender wings at high speed .", "heat of a boundary layer ."), 1)
        ),
        "cran.qry": ".I 1\n.W\nwhat of slender wings .\n.I 2\n.W\nhow hot is the boundary layer .\n",
        "cranqrel": "1 1 1\n2 2 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    (*_, end) = measured(library, public_set=("cranfield", str(tmp_path)))

    assert (end.evaluation.of, end.evaluation.documents) == ("cranfield", 2)
    assert {measure.name: measure.value for measure in end.evaluation.measures}["hit@1"] == 1.0
    assert len(library.do(library.client.documents())) == 3


@pytest.mark.model
@pytest.mark.slow
def test_without_a_chat_model_the_finding_and_the_checks_are_measured_all_the_same(library, monkeypatch):
    class Without:
        """The real models, but for the one that answers."""

        def __init__(self, models):
            self.describe = models.describe

        async def chat(self):
            raise ModelError("There is no chat model.")

    service = library.backend.evaluation
    monkeypatch.setattr(service, "_models", Without(service._models))

    (*_, end) = measured(library, quick=True)

    values = {measure.name: measure for measure in end.evaluation.measures}
    assert end.evaluation.note == "There is no chat model."
    assert values["hit@5"].value is not None
    assert values["true sentences doubted"].count > 0
    assert values["asked fact in the answer"].value is None


@pytest.mark.model
@pytest.mark.slow
def test_who_goes_away_stops_it(library):
    async def leave():
        stream = library.client.evaluate()
        async for step in stream:
            if step.stage == "asking for answers":
                break
        await stream.aclose()
        # The engine is free again.
        return await asyncio.wait_for(library.client.search("the rent"), 30)

    assert library.do(leave()).sources


def test_without_a_document_there_is_nothing_to_measure(site):
    with pytest.raises(ReportedError) as raised:
        measured(site)
    assert (raised.value.status, raised.value.code) == (400, "invalid_request")


def test_a_folder_without_the_set_and_an_unknown_document_are_refused(site, tmp_path):
    with pytest.raises(ReportedError) as raised:
        measured(site, public_set=("cranfield", str(tmp_path)))
    assert raised.value.status == 400
    with pytest.raises(ReportedError) as raised:
        measured(site, document_ids=["nothing"])
    assert raised.value.status == 404
    assert site.tcp.post("/evaluate", json={"public_set": {"name": "trec", "folder": "x"}}).status_code == 400


def test_a_set_without_an_embedding_model_fails_with_the_reason(site, tmp_path):
    for name, text in {
        "cran.all.1400": ".I 1\n.T\nt\n.A\na\n.B\nb\n.W\nwings .\n",
        "cran.qry": ".I 1\n.W\nwings .\n",
        "cranqrel": "1 1 1\n",
    }.items():
        (tmp_path / name).write_text(text)

    (*_, end) = measured(site, public_set=("cranfield", str(tmp_path)))

    assert isinstance(end, Failed)
    assert end.problem.code == "model_file_invalid"
