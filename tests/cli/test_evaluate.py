"""`carrel evaluate`: the page, and how it is compared with an earlier one."""

import json
from dataclasses import replace

import msgspec
import pytest

from app.cli.commands import run
from app.errors import InvalidRequestError
from app.evaluation import Case, Evaluation, Measure
from app.events import Evaluated, EvaluationProgress, Failed
from app.records import Addition, Model, Problem

MODEL = Model("small", "chat", "/m.gguf", 1, "5" * 64, True, 2_048, "CPU", 30, 0)
FOUND = Evaluation(
    made_at=1_795_000_000.0,
    version="0.1.0",
    of="your documents",
    quick=True,
    documents=3,
    passages=1_200,
    models=(MODEL,),
    settings={"answer_style": "quote", "temperature": "0"},
    measures=(
        Measure("finding", "hit@1", 0.9234, 60),
        Measure("answers", "citation recall", None, 0),
        Measure("speed", "first word, median", 1_412.4, 24, "ms"),
    ),
    seconds=41.6,
)


@pytest.fixture
def measuring(client):
    """Makes the scripted client answer `evaluate` with events, and remembers what it was asked."""
    asked = []

    def script(*events):
        async def evaluate(**given):
            asked.append(given)
            for event in events:
                if isinstance(event, Exception):
                    raise event
                yield event

        client.evaluate = evaluate
        return asked

    return script


def test_the_page_says_what_was_measured_with_what_and_the_numbers(program, measuring, capsys):
    asked = measuring(EvaluationProgress("asking for answers", 1, 24), Evaluated(FOUND))

    assert run(program, ["evaluate", "--quick"]) == 0

    out = capsys.readouterr().out
    assert asked == [{"quick": True, "document_ids": None, "public_set": None}]
    assert out.startswith("Carrel 0.1.0, quick evaluation of your documents, 20")
    assert "3 documents, 1,200 passages, 42 s\n" in out
    assert "chat: small (sha256 555555555555, CPU)\n" in out
    assert "settings: answer_style quote, temperature 0\n" in out
    assert "  hit@1                                  0.923       60\n" in out
    assert "  citation recall                            -        0\n" in out
    assert "  first word, median                  1,412 ms       24\n" in out


def test_with_json_the_evaluation_is_whole_and_can_be_compared_with_later(
    program, measuring, capsys, tmp_path
):
    measuring(Evaluated(FOUND))
    assert run(program, ["evaluate", "--json"]) == 0
    before = tmp_path / "before.json"
    before.write_text(capsys.readouterr().out)
    assert msgspec.json.decode(before.read_bytes(), type=Evaluation) == FOUND

    other = replace(MODEL, name="large", sha256="6" * 64)
    better = (Measure("finding", "hit@1", 0.95, 60), Measure("checks", "new here", 0.5, 2))
    measuring(Evaluated(replace(FOUND, models=(other,), measures=better, settings={"answer_style": "write"})))
    assert run(program, ["evaluate", "--compare", str(before)]) == 0

    out = capsys.readouterr().out
    assert "  hit@1                                  0.950       60       0.923\n" in out
    assert "  new here                               0.500        2           -\n" in out
    assert (
        "Not the same: chat model (small before); answer_style (quote before); temperature (0 before)." in out
    )


def test_files_are_added_first_and_measured_alone(program, client, measuring, lease, tmp_path):
    asked = measuring(Evaluated(FOUND))
    client.additions = (Addition(lease.name, lease),)

    assert run(program, ["evaluate", str(tmp_path / "Lease agreement.pdf")]) == 0

    assert client.added == [str(tmp_path / "Lease agreement.pdf")]
    assert asked[0]["document_ids"] == (lease.id,)


def test_nothing_is_measured_when_every_file_failed(program, client, measuring, failed_document):
    asked = measuring(Evaluated(FOUND))
    client.additions = (Addition(failed_document.name, failed_document, failed_document.error),)

    assert run(program, ["evaluate", "broken.pdf"]) == 1
    assert asked == []


def test_a_public_set_is_named_with_its_folder(program, measuring, tmp_path):
    asked = measuring(Evaluated(FOUND))

    assert run(program, ["evaluate", "--set", "cranfield", str(tmp_path)]) == 0

    assert asked[0]["public_set"] == ("cranfield", str(tmp_path))


def test_the_sample_is_measured_in_a_throwaway_profile(program, client, measuring, lease, sample):
    measuring(Evaluated(FOUND))
    client.additions = (Addition(lease.name, lease),)

    assert run(program, ["evaluate", "--sample"]) == 0

    ((profile, _, _),) = program.opened
    assert not profile.root.exists()
    assert client.added == [str(sample.document)]


@pytest.mark.parametrize(
    "line",
    [
        ["--sample", "a.pdf"],
        ["--sample", "--set", "cranfield", "."],
        ["--set", "trec", "."],
        ["--set", "cranfield", "/no/such/folder"],
        ["--compare", "/no/such/file"],
    ],
)
def test_what_cannot_be_measured_is_a_usage_error(program, measuring, line):
    asked = measuring(Evaluated(FOUND))

    assert run(program, ["evaluate", *line]) == 2
    assert asked == []


def test_a_file_that_is_no_evaluation_is_said_before_anything_is_measured(
    program, measuring, tmp_path, capsys
):
    asked = measuring(Evaluated(FOUND))
    (tmp_path / "x.json").write_text(json.dumps({"hit": 1}))

    assert run(program, ["evaluate", "--compare", str(tmp_path / "x.json")]) == 1

    assert asked == []
    assert "is not an evaluation" in capsys.readouterr().err


@pytest.mark.parametrize(
    "end",
    [
        Failed(Problem("invalid_request", "No document is ready."), "t"),
        InvalidRequestError("No document is ready."),
    ],
)
def test_why_nothing_could_be_measured_is_told(program, measuring, capsys, end):
    measuring(end)

    assert run(program, ["evaluate"]) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "No document is ready. [invalid_request]" in captured.err


def test_what_could_not_be_measured_to_the_end_is_noted(program, measuring, capsys):
    measuring(Evaluated(replace(FOUND, note="There is no chat model.")))

    assert run(program, ["evaluate"]) == 0
    assert "Answers were not measured to the end: There is no chat model.\n" in capsys.readouterr().out


def test_every_question_can_be_looked_at(program, measuring, capsys):
    cases = (
        Case("How much is the rent?", "900 euros", "Lease.pdf, page 3", 2, "It is\n900 euros."),
        Case("When?", "1 May", "Lease.pdf, page 1"),
        Case("Who?", "Ann", "Other.pdf, page 1", answer="", refused=True, answerable=False),
    )
    measuring(Evaluated(replace(FOUND, cases=cases)))

    assert run(program, ["evaluate", "--cases"]) == 0

    assert capsys.readouterr().out.endswith(
        "How much is the rent?\n    wanted: 900 euros (Lease.pdf, page 3)\n    found: as number 2\n"
        "    answer: It is 900 euros.\n\n"
        "When?\n    wanted: 1 May (Lease.pdf, page 1)\n    found: not\n\n"
        "Who?\n    wanted: Ann (Other.pdf, page 1)\n    its document was left out\n"
        "    answer: nothing (refused or marked)\n"
    )
