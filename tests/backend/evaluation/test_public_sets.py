import json

import pytest

from app.backend.evaluation.public_sets import read
from app.errors import InvalidRequestError

CRANFIELD = {
    "cran.all.1400": ".I 1\n.T\nwings\n.A\nx\n.B\ny\n.W\nslender wings .\n.I 2\n.T\n\n.A\n\n.B\n\n.W\n",
    "cran.qry": ".I 001\n.W\nwhat of\nwings .\n.I 004\n.W\nwhat of tails .\n",
    "cranqrel": "1 1 2\n2 1 -1\n",
}


def written(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def beir():
    return {
        "corpus.jsonl": json.dumps({"_id": "t1", "title": "Wings", "text": "Slender wings."}) + "\n"
        + json.dumps({"_id": "t2", "title": "Only a title", "text": ""}) + "\n",
        "queries.jsonl": json.dumps({"_id": "q1", "text": "what of wings"}) + "\n"
        + json.dumps({"_id": "q2", "text": "not judged"}) + "\n",
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\tt1\t2\nq1\tt2\t0\n",
    }  # fmt: skip


def test_cranfield_as_it_is_distributed(tmp_path):
    found = read("cranfield", written(tmp_path, CRANFIELD))

    assert [(text.name, text.text) for text in found.texts] == [("1", "slender wings .")]
    # The second query is judged -1 alone: nothing can be said about it.
    assert [(query.place, query.text, query.relevant) for query in found.queries] == [
        (1, "what of wings .", {"1": 3.0})
    ]


def test_a_set_in_beir_s_form(tmp_path):
    found = read("beir", written(tmp_path, beir()))

    assert [(text.name, text.title, text.text) for text in found.texts] == [
        ("t1", "Wings", "Slender wings."),
        ("t2", None, "Only a title"),
    ]
    assert [(query.text, query.relevant) for query in found.queries] == [("what of wings", {"t1": 2.0})]


@pytest.mark.parametrize("name", ["cranfield", "beir"])
def test_a_folder_without_the_set_is_said(tmp_path, name):
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        read(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("cranfield", {"cranqrel": "one 1 2\n"}),
        ("cranfield", {"cranqrel": "1 1\n"}),
        ("cranfield", {"cran.qry": ".I 001\n.T\nno words\n"}),
        ("cranfield", {"cran.all.1400": ""}),
        ("beir", {"corpus.jsonl": "{not json\n"}),
        ("beir", {"queries.jsonl": json.dumps({"text": "no id"})}),
        ("beir", {"qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1 t1 2\n"}),
        ("beir", {"qrels/test.tsv": "query-id\tcorpus-id\tscore\n"}),
    ],
)
def test_a_broken_set_is_refused_and_not_half_measured(tmp_path, name, broken):
    files = CRANFIELD if name == "cranfield" else beir()

    with pytest.raises(InvalidRequestError):
        read(name, written(tmp_path, files | broken))
