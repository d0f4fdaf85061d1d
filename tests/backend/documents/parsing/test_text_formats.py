"""Files of text with a form: tables, data, notebooks, manuscripts, code."""

import json

import pytest

from app.errors import DamagedFileError


@pytest.fixture
def write(tmp_path):
    def put(name: str, written: str | bytes):
        path = tmp_path / name
        path.write_bytes(written if isinstance(written, bytes) else written.encode())
        return path

    return put


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_table_is_read_whatever_separates_its_columns(read, write, separator):
    rows = [["Item", "Cost"], ["Heating", "90"], ['"Water\nand more"', "1"]]
    path = write("a.csv", "\r\n".join(separator.join(row) for row in rows))

    assert read(path).text == "| Item | Cost |\n| --- | --- |\n| Heating | 90 |\n| Water and more | 1 |"


def test_a_decimal_comma_does_not_separate_columns(read, write):
    assert "| Heating | 90,5 |" in read(write("a.csv", "Item;Cost\nHeating;90,5\nWater;1,25\n")).text


def test_a_table_of_one_row_or_one_column_is_read(read, write):
    assert read(write("a.csv", "only,a,header\n")).text == "| only | a | header |\n| --- | --- | --- |"
    assert read(write("b.csv", "Name\nElena\nPaul\n")).text == "| Name |\n| --- |\n| Elena |\n| Paul |"


def test_every_part_of_a_long_table_has_its_header(read, write):
    rows = "".join(f"{number},The quick brown fox jumps over the lazy dog\n" for number in range(9_000))

    found = read(write("a.csv", "Number,Sentence\n" + rows))

    assert all(page.text.startswith("| Number | Sentence |\n| --- | --- |\n| ") for page in found.pages)
    assert found.text.count("The quick brown fox") == 9_000


def test_a_table_with_a_broken_quote_or_null_characters_is_read(read, write):
    assert "Heating" in read(write("a.csv", 'Item,Cost\n"Heating,90\nWater,1\n')).text
    assert "Heating" in read(write("b.csv", "Item,Cost\nHeating\x00,90\n" + "Water,1\n" * 90)).text


def test_json_is_laid_out_and_its_first_keys_are_headings(read, write):
    found = read(write("a.json", '{"name":"Größe","lease":{"rent":[850,90]},"pets":[{"kind":"cat"}]}'))

    assert found.titles == [(1, "lease"), (1, "pets")]
    assert json.loads(found.text) == {
        "name": "Größe",
        "lease": {"rent": [850, 90]},
        "pets": [{"kind": "cat"}],
    }
    assert '\n  "lease": {\n    "rent": [\n      850,' in found.text


@pytest.mark.parametrize(
    "written", ['{"a": 1}\n{"a": 2}\n', '{"a": 1, // why\n}', "[" * 100_000, '{"a": "cut o']
)
def test_what_is_not_quite_json_is_read_as_it_stands(read, write, written):
    assert "".join(page.text for page in read(write("a.json", written)).pages).strip() == written.strip()


def test_xml_becomes_an_outline_of_names_and_words(read, write):
    found = read(
        write(
            "a.xml",
            '<?xml version="1.0"?><l:lease xmlns:l="urn:x" id="7"><tenant>Elena <b>Park</b></tenant>'
            "<rent><cold unit='euro'>850</cold><warm/></rent></l:lease>",
        )
    )

    assert found.titles == [(1, "lease"), (2, "rent")]
    assert found.text == ("# lease\n\nid=7\n\n- tenant: Elena Park\n\n## rent\n\n- cold: unit=euro — 850")


@pytest.mark.parametrize("written", ["<a>", "<a></b>", "no markup", '<a b="1" b="2"/>', "<a>&unknown;</a>"])
def test_xml_that_is_not_well_formed_is_damaged(read, write, written):
    with pytest.raises(DamagedFileError):
        read(write("a.xml", written))


def test_a_notebook_is_read_cell_by_cell(read, write):
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "language": "python"}},
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# The data\n", "\n", "It is *small*."]},
            {
                "cell_type": "code",
                "metadata": {},
                "execution_count": 1,
                "source": "# not a heading\nprint(len(rows))",
                "outputs": [
                    {"output_type": "stream", "name": "stdout", "text": ["42\n"]},
                    {"output_type": "execute_result", "data": {"text/plain": "84", "image/png": "xx"}},
                    {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["..."]},
                ],
            },
            {"cell_type": "markdown", "metadata": {}, "source": "## The end"},
        ],
    }

    found = read(write("a.ipynb", json.dumps(notebook)))

    assert found.titles == [(1, "The data"), (2, "The end")]
    assert found.text == (
        "# The data\n\nIt is *small*.\n\n```python\n# not a heading\nprint(len(rows))\n```\n\n"
        "```output\n42\n```\n\n```output\n84\n```\n\n```output\nValueError: no\n```\n\n## The end"
    )


def test_a_notebook_of_the_format_before_is_read(read, write):
    cells = [{"cell_type": "heading", "level": 2, "source": "Old"}, {"cell_type": "code", "input": "1 + 1"}]

    assert (
        read(write("a.ipynb", json.dumps({"worksheets": [{"cells": cells}]}))).text
        == "## Old\n\n```\n1 + 1\n```"
    )


@pytest.mark.parametrize("written", ["{", "[]", '{"a": 1}', '{"cells"'])
def test_a_notebook_that_is_none_is_damaged(read, write, written):
    with pytest.raises(DamagedFileError):
        read(write("a.ipynb", written))


def test_latex_is_read_as_prose_with_its_sections(read, write):
    found = read(
        write(
            "a.tex",
            r"""
\documentclass[a4paper]{article}
\usepackage{graphicx} % \section{Not one}
\title{On \emph{Leases}}
\begin{document}
\maketitle
\section{Rent}\label{sec:rent}
The rent is \textbf{850}~euros --- 5\% more; see \cite{park}. % a comment
It rises by $r_{t} \cdot 2$ each y\"ear for G\'erard \& S{\o}n.

\subsection*{Rooms}
\begin{itemize}
  \item Kitchen
  \item[Bath] with \texttt{tub}
    \begin{enumerate}\item one \item two\end{enumerate}
\end{itemize}
\begin{table}
\begin{tabular}{l|r}
\hline Room & Size \\ \hline
Kitchen & 12\,m \\
\end{tabular}
\caption{All rooms}
\end{table}
\begin{verbatim}
\section{verbatim}
\end{verbatim}
\begin{equation}\label{eq:a} a = b \end{equation}
% \section{Nor this}
\end{document}
\section{After the end}
""",
        )
    )

    assert found.titles == [(1, "On Leases"), (2, "Rent"), (3, "Rooms")]
    assert found.text == (
        "# On Leases\n\n## Rent\n\nThe rent is 850 euros — 5% more; see [park]. "
        "It rises by $r_{t} \\cdot 2$ each yëar for Gérard & Søn.\n\n### Rooms\n\n"
        "- Kitchen\n- Bath: with tub\n  1. one\n  2. two\n\n"
        "| Room | Size |\n| --- | --- |\n| Kitchen | 12 m |\n\nAll rooms\n\n"
        "```\n\\section{verbatim}\n```\n\na = b"
    )


@pytest.mark.parametrize(
    "written", ["\\section{", "\\begin{tabular}", "{" * 5_000, "\\item\\item", "\\%\\\\", "$" * 999]
)
def test_latex_of_any_kind_is_read_somehow(read, write, written):
    read(write("a.tex", written))


def test_restructured_text_is_read_with_its_structure(read, write):
    found = read(
        write(
            "a.rst",
            "=====\nLease\n=====\n\nThe *rent* is ``850`` euros.\n\nRooms\n-----\n\n- Kitchen\n- Bath\n\n"
            "+------+------+\n| Room | Size |\n+======+======+\n| Bath | 4    |\n+------+------+\n\n"
            ".. code-block:: python\n\n   print(1)\n\nDeeper\n~~~~~~\n\nThe end [1]_.\n\n.. [1] A note.\n",
        )
    )

    assert found.titles == [(1, "Lease"), (2, "Rooms"), (3, "Deeper")]
    assert found.text.startswith(
        "# Lease\n\nThe rent is 850 euros.\n\n## Rooms\n\n- Kitchen\n- Bath\n\n| Room | Size |"
    )
    assert "```\nprint(1)\n```" in found.text
    assert "A note." in found.text


def test_restructured_text_reaches_no_other_file(read, write):
    secret = write("secret.txt", "SECRET")
    path = write(
        "a.rst",
        f"Text.\n\n.. include:: {secret}\n\n.. raw:: html\n   :file: {secret}\n\n"
        f".. csv-table::\n   :file: {secret}\n\nEnd.\n",
    )

    found = read(path)

    assert "SECRET" not in found.text
    assert "Text." in found.text
    assert "End." in found.text


PYTHON = '''"""A module. class Nothing: is only mentioned."""

import os


class Lease:
    """What was signed."""

    def rent(self) -> int:
        return 850

    async def pay(self) -> None: ...


def main() -> None:
    print(Lease().rent())
'''
JAVASCRIPT = (
    "export class Lease {\n}\nexport async function pay(a) {\n}\nconst rent = (x) => 850;\nif (rent) {\n}\n"
)
C = "struct lease { int rent; };\nstatic int rent(int a) {\n  if (a) {\n  }\n  return 1;\n}\n"
RUST = "pub struct Lease;\nimpl Lease {\n    pub fn rent(&self) -> u32 { 850 }\n}\n"
GO = "package lease\n\nfunc (l *Lease) Rent() int {\n\treturn 850\n}\n"


@pytest.mark.parametrize(
    ("name", "written", "titles"),
    [
        ("a.py", PYTHON, [(1, "Lease"), (2, "rent"), (2, "pay"), (1, "main")]),
        ("a.js", JAVASCRIPT, [(1, "Lease"), (1, "pay"), (1, "rent")]),
        ("a.c", C, [(1, "lease"), (1, "rent")]),
        ("a.rs", RUST, [(1, "Lease"), (1, "Lease"), (2, "rent")]),
        ("a.go", GO, [(1, "Rent")]),
    ],
)
def test_code_is_kept_as_it_stands_and_its_definitions_are_headings(write, name, written, titles):
    from app.backend.documents.parsing import source_code

    (page,) = source_code.pages(write(name, written))

    assert page.text == written
    assert [(heading.level, heading.title) for heading in page.headings] == titles


def test_minified_code_is_read_in_good_time(read, write):
    found = read(write("a.js", "function a(b){return b}" * 40_000))

    assert found.titles == []
    assert len(found.pages) > 1
