"""`carrel verify`: the record of a run of the sample, whether it passes or not."""

import json
from dataclasses import replace

import pytest

from app.cli.commands import run
from app.cli.sample import Sample
from app.errors import ModelError
from app.events import Checked, Delta, Finished, Retrieved
from app.records import (
    Addition,
    Citation,
    Conversation,
    Health,
    Message,
    Model,
    Page,
    Passage,
    Source,
    Timings,
)

PAGE = "The notice period is three months. Else nothing."


@pytest.fixture
def passing(client, lease):
    """A client through which the sample comes out right."""
    sample = Sample.bundled()
    passage = Passage(7, lease.id, sample.document.name, True, sample.page, 0, 34, None, PAGE[:34])
    source = Source(1, passage, 0.5, True)
    citation = Citation(0, 34, "supported", 1, 0, 34)
    question = Message("m1", "c1", None, "user", "complete", sample.question, 1.0)
    answer = Message(
        "m2", "c1", "m1", "assistant", "complete", PAGE[:34], 2.0, (source,), (citation,), timings=Timings()
    )
    client.additions = (Addition(lease.name, lease),)
    client.answer = (
        Retrieved(Conversation("c1", "How long?", 1.0, 1.0), question, "m2", (source,), 1),
        Delta(answer.text),
        Checked((citation,)),
        Finished(answer),
    )
    client.page_found = Page(lease.id, sample.page, 4, PAGE, True)
    model = Model("A model", "chat", "/m.gguf", 3, "ab" * 32, True, 2_048, "CPU", 30, 0, placement="as told")
    client.state = Health("ok", "0.1.0", {"llama.cpp": "b1"}, "/p", 1.0, 5, 1, 9, 9, 0, (model,), None)
    return client


def test_a_right_answer_passes_and_is_written_as_text_and_json(program, passing, tmp_path, capsys):
    assert run(program, ["verify", "--profile", str(tmp_path)]) == 0

    captured = capsys.readouterr()
    assert "Carrel verification: passed" in captured.out
    assert "    chosen    as told\n" in captured.out
    text, record = sorted((tmp_path / "verify").iterdir(), key=lambda file: file.suffix, reverse=True)
    assert text.read_text() + "\n" == captured.out
    kept = json.loads(record.read_text())
    assert kept["passed"] is True
    assert kept["health"]["vectors"] == 9
    assert kept["runtime"]["llama-cpp-python"]


def test_the_users_own_profile_is_not_opened(program, passing, tmp_path):
    run(program, ["verify", "--profile", str(tmp_path)])

    assert [profile.root == tmp_path for profile, _, _ in program.opened] == [False]
    assert not program.opened[0][0].root.exists()


def test_an_answer_without_the_fact_fails(program, passing, tmp_path, capsys):
    finished = passing.answer[-1]
    wrong = replace(finished.message, text="The notice period is nine years.")
    passing.answer = (*passing.answer[:-1], Finished(wrong))

    assert run(program, ["verify", "--json", "--output", str(tmp_path)]) == 1

    record = json.loads(capsys.readouterr().out)
    assert record["passed"] is False
    assert [c["name"] for c in record["checks"] if not c["passed"]] == ["the fact is in the answer"]


def test_a_citation_of_another_page_fails(program, passing, tmp_path, capsys):
    message = passing.answer[-1].message
    (source,) = message.sources
    moved = replace(source, passage=replace(source.passage, page=1))
    passing.answer = (*passing.answer[:-1], Finished(replace(message, sources=(moved,))))

    assert run(program, ["verify", "--output", str(tmp_path)]) == 1

    assert "FAIL it cites the right page" in capsys.readouterr().out


def test_a_program_that_does_not_open_is_recorded_too(program, tmp_path, capsys):
    program.refusal = ModelError("The model could not be loaded.")

    assert run(program, ["verify", "--json", "--output", str(tmp_path)]) == 1

    record = json.loads(capsys.readouterr().out)
    assert record["error"]["code"] == "model_unavailable"
    assert record["passed"] is False
