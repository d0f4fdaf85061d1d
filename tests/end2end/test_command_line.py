"""The main job from the terminal: add a document, ask, read the cited answer."""

import json
import signal

import pytest

pytestmark = [pytest.mark.model, pytest.mark.slow]


def test_the_sample_question_is_answered_with_its_source(carrel, sample):
    done = carrel("ask", sample.question, sample.document)

    assert done.returncode == 0, done.stderr
    assert sample.answered_by(done.stdout)
    assert f"] {sample.document.name}, page {sample.page}\n    “" in done.stdout


def test_with_json_stdout_holds_events_and_nothing_else(carrel, sample, events):
    done = carrel("ask", sample.question, sample.document, "--json", "--verbose")

    assert done.returncode == 0, done.stderr
    found = events(done.stdout)
    names = [event["event"] for event in found]
    assert names[0] == "added"
    assert names[1] == "retrieved"
    assert names[-1] == "finished"
    assert set(names[2:-1]) <= {"delta", "checked"}
    message = found[-1]["message"]
    assert message["text"].startswith("".join(e["text"] for e in found if e["event"] == "delta")[:20])
    assert sample.answered_by(message["text"])
    cited = {citation["source"] for citation in message["citations"]}
    pages = [s["passage"]["page"] for s in message["sources"] if s["number"] in cited]
    assert sample.page in pages


def test_every_command_prints_one_json_value_with_json(serving, carrel, sample):
    assert carrel("add", sample.document).returncode == 0
    for line in (["documents"], ["search", "notice"], ["models"], ["token"], ["settings"]):
        done = carrel(*line, "--json")
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 1
        assert json.loads(done.stdout)


def test_a_document_is_added_searched_listed_and_removed(serving, carrel, sample):
    assert "1 document ready." in carrel("add", sample.document).stdout
    again = carrel("add", sample.document)
    assert "1 known before" in again.stdout

    searched = carrel("search", sample.question)
    assert f"{sample.document.name}, page {sample.page}" in searched.stdout

    document = json.loads(carrel("documents", "--json").stdout)["documents"][0]
    assert document["status"] == "ready"
    assert carrel("documents", "remove", document["id"]).returncode == 0
    assert json.loads(carrel("documents", "--json").stdout)["documents"] == []
    assert "Nothing in your documents" in carrel("search", sample.question).stdout
    assert sample.document.is_file()


def test_a_collection_is_made_searched_and_deleted(serving, carrel, sample):
    carrel("add", sample.document)
    assert "1 document in “Home”." in carrel("collections", "create", "Home", sample.document.name).stdout
    carrel("collections", "create", "Empty")
    table = carrel("collections").stdout
    assert "Home" in table
    assert "Empty" in table

    assert sample.document.name in carrel("search", sample.question, "--in", "home").stdout
    assert carrel("search", sample.question, "--in", "Empty").stdout == "No document is in “Empty”.\n"
    asked = carrel("ask", sample.question, "--in", "Home", "--type", "spreadsheet", "--until", "2019")
    assert "No document in “Home” is a spreadsheet from before 2020." in asked.stdout

    assert carrel("collections", "rename", "Home", "House").returncode == 0
    assert "0 documents" in carrel("collections", "remove", "House", sample.document.name).stdout
    assert "1 document" in carrel("collections", "add", "House", sample.document.name).stdout
    assert "collection_exists" in carrel("collections", "create", "HOUSE").stderr
    assert "collection_unknown" in carrel("search", "rent", "--in", "Nothing").stderr
    deleted = carrel("collections", "delete", "House", "Empty", "--json")
    assert len(json.loads(deleted.stdout)["deleted"]) == 2
    assert json.loads(carrel("collections", "--json").stdout) == {"collections": []}
    assert len(json.loads(carrel("documents", "--json").stdout)["documents"]) == 1


def test_a_question_to_an_empty_library_says_that_nothing_was_found(carrel, sample):
    done = carrel("ask", sample.question)

    assert done.returncode == 0, done.stderr
    assert "Nothing in your documents" in done.stdout


def test_the_second_carrel_talks_to_the_first(start, carrel, sample):
    first = start("serve", "--json", "--port", "0")
    first.wait_for(lambda line: "address" in line)

    done = carrel("ask", sample.question, sample.document)

    assert done.returncode == 0, done.stderr
    assert sample.answered_by(done.stdout)
    assert first.stop() == 0
    assert not any("Traceback" in line for line in first.errors)
    kept = json.loads(carrel("documents", "--json").stdout)["documents"]
    assert [document["status"] for document in kept] == ["ready"]


def test_two_that_start_together_share_the_profile(start, sample):
    both = [start("ask", sample.question, sample.document) for _ in range(2)]

    for running in both:
        assert running.process.wait(timeout=60) == 0, running.errors
        running.wait_for(lambda line: f"{sample.document.name}, page {sample.page}" in line)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_answer_leaves_cleanly_and_the_next_question_works(start, carrel, sample, number):
    assert carrel("add", sample.document).returncode == 0
    asked = start(
        "ask", "Describe everything that the whole lease says, at length.", "--style", "write", "--json"
    )
    asked.wait_for_event("retrieved")

    code = asked.stop(number)

    assert code in (130, 0), asked.errors  # 0: it had just finished
    assert not any("Traceback" in line for line in asked.errors)
    assert sample.answered_by(carrel("ask", sample.question).stdout)


def test_a_model_that_is_none_is_refused_in_one_sentence(carrel, tmp_path, sample):
    fake = tmp_path / "model.gguf"
    fake.write_bytes(b"this is not a model")

    done = carrel("ask", "Anything?", "--model", fake)

    assert done.returncode == 1
    assert done.stderr.strip().endswith("[model_file_invalid]")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_model_of_the_users_answers(carrel, bundled_models, tmp_path, sample, events):
    bundled = json.loads((bundled_models / "manifest.json").read_text())["chat"]["file"]
    mine = tmp_path / "mine.gguf"
    mine.symlink_to(bundled_models / bundled)

    done = carrel("models", "--json", "--model", mine)

    assert done.returncode == 0, done.stderr
    chat = next(m for m in json.loads(done.stdout)["models"] if m["kind"] == "chat")
    assert chat["path"] == str(mine)


def test_verify_passes_and_writes_its_record(carrel, tmp_path):
    done = carrel("verify", "--output", tmp_path / "record", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(done.stdout)
    assert record["passed"] is True
    assert record["health"]["vectors"] > 0
    assert {"open_ms", "document_ready_ms", "first_word_ms", "answer_ms"} <= set(record["times"])
    assert all(len(model["sha256"]) == 64 for model in record["health"]["models"])
    kept = sorted((tmp_path / "record").iterdir())
    assert [file.suffix for file in kept] == [".json", ".txt"]
    assert json.loads(kept[0].read_text())["passed"] is True
    assert "Carrel verification: passed" in kept[1].read_text()


def test_an_answer_is_exported_and_its_prompt_run_again(serving, carrel, sample, tmp_path):
    assert carrel("ask", sample.question, sample.document).returncode == 0

    page, everything = tmp_path / "answers.md", tmp_path / "answers.json"
    for file in (page, everything):
        done = carrel("export", file)
        assert done.returncode == 0, done.stderr
    assert f"## {sample.question}" in page.read_text("utf-8")
    assert f"{sample.document.name}, page {sample.page}" in page.read_text("utf-8")
    kept = json.loads(everything.read_text("utf-8"))["conversations"][0]["messages"][-1]
    examples = carrel("export", "--supported-only")
    assert sample.question in json.loads(examples.stdout)["messages"][-2]["content"]

    again = json.loads(carrel("replay", kept["message"]["id"], "--json").stdout)
    assert again["before"]["rendered_prompt"] == kept["rendered_prompt"]
    assert again["now"]["text"]
    assert carrel("export", page).returncode == 1
