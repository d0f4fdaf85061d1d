"""The questions of an evaluation with what came of each, for whoever looks behind the numbers."""

from collections.abc import Mapping, Sequence

from app.backend.evaluation.answers import Answers
from app.backend.evaluation.finding import Finding
from app.backend.evaluation.public_sets import Query
from app.backend.evaluation.questions import Question
from app.evaluation import Case


def of_library(
    asked: Sequence[Question], finding: Finding, answers: Answers, names: Mapping[str, str]
) -> tuple[Case, ...]:
    """Every question with its rank, and its answer where one was asked for; then those that none answers.

    Args:
        asked: in the order in which `finding` was told of them.
        names: of the documents, by id.
    """
    given = {id(question): answered for question, answered in answers.answerable}
    found = []
    for question, rank in zip(asked, finding.ranks, strict=True):
        answered = given.get(id(question))
        found.append(
            Case(
                question.made.text,
                question.made.fact,
                _place(question, names),
                rank,
                answered.text if answered else None,
                answered.refused if answered else False,
            )
        )
    found += [
        Case(
            question.made.text,
            question.made.fact,
            _place(question, names),
            answer=answered.text,
            refused=answered.refused,
            answerable=False,
        )
        for question, answered in answers.unanswerable
    ]
    return tuple(found)


def of_set(queries: Sequence[Query], finding: Finding) -> tuple[Case, ...]:
    """Every query with its rank."""
    return tuple(Case(query.text, rank=rank) for query, rank in zip(queries, finding.ranks, strict=True))


def _place(question: Question, names: Mapping[str, str]) -> str:
    return f"{names.get(question.document_id, question.document_id)}, page {question.page}"
