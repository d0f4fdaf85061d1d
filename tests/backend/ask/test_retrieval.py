import asyncio

import numpy as np
import pytest

from app.errors import ModelError


@pytest.mark.model
@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("How long is the notice period?", 4),
        ("What does one pay every month?", 2),  # no word in common
        ("Uferstraße", 1),  # a name the model does not know
        ("Is a kitten allowed?", 3),
    ],
)
def test_passages_are_found_by_word_and_by_meaning(open_desk, question, page):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            found = await desk.backend.ask.search(desk.user, question, k=4)
            assert found.sources[0].passage.page == page

    asyncio.run(main())


@pytest.mark.model
def test_a_text_about_something_else_finds_nothing(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            found = await desk.backend.ask.search(
                desk.user, "Who won the chess tournament of Zürich 1953?", k=4
            )
            assert found.sources == ()
            assert found.found == 0

    asyncio.run(main())


@pytest.mark.model
def test_a_query_longer_than_the_embedder_reads_is_still_found_by_meaning(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            query = "kitten puppy pets animals " * 300
            found = await desk.backend.ask.search(desk.user, query, k=4)
            assert found.sources[0].passage.page == 3

    asyncio.run(main())


@pytest.mark.model
def test_a_question_asked_again_is_not_embedded_again(open_desk, lend, models):
    async def main():
        lent = lend()
        async with open_desk(lent) as desk:
            await desk.shelve()
            first = await desk.backend.ask.search(desk.user, "kitten", k=4)
            embedder = await models.embedder()

            class Silent:
                sha256 = embedder.sha256
                max_tokens = embedder.max_tokens
                count = staticmethod(embedder.count)

                async def embed(self, texts, *, urgent=False):
                    raise ModelError("It must not be asked.")

            async def silent():
                return Silent()

            lent.embedder = silent
            again = await desk.backend.ask.search(desk.user, "kitten", k=4)
            assert again.sources == first.sources

    asyncio.run(main())


@pytest.mark.model
def test_what_leans_on_the_question_before_is_found(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            retriever = desk.backend.ask._retriever
            found = await retriever.find(desk.user, "When is it due?", k=4, earlier="How much is the rent?")
            assert found.candidates[0].passage.page == 2
            found = await retriever.find(desk.user, "And a dog?", k=4, earlier="How much is the rent?")
            assert found.candidates[0].passage.page == 3

    asyncio.run(main())


class LongestFirst:
    """Stands in for a reranking model whose judgement a test can foresee."""

    async def score(self, question, passages):
        return np.array([len(passage) for passage in passages], np.float32)


class Failing:
    async def score(self, question, passages):
        raise ModelError("The reranking model was closed.")


@pytest.mark.model
def test_a_reranking_model_orders_what_was_found(open_desk, lend):
    async def main():
        async with open_desk(lend(reranker=LongestFirst())) as desk:
            await desk.shelve()
            found = await desk.backend.ask._retriever.find(desk.user, "rent deposit notice cat", k=4)
            lengths = [
                len(f"{one.passage.heading or ''}\n{one.passage.text}".strip()) for one in found.candidates
            ]
            assert len(lengths) > 1
            assert lengths == sorted(lengths, reverse=True)
            scores = [one.score for one in found.candidates]
            assert scores == sorted(scores, reverse=True)

    asyncio.run(main())


@pytest.mark.model
def test_where_the_reranking_model_fails_the_order_stays(open_desk, lend):
    async def main():
        async with open_desk(lend(reranker=Failing())) as desk, open_desk() as plain:
            await desk.shelve()
            found = await desk.backend.ask._retriever.find(desk.user, "kitten", k=4)
            same = await plain.backend.ask._retriever.find(desk.user, "kitten", k=4)
            assert [one.passage for one in found.candidates] == [one.passage for one in same.candidates] != []

    asyncio.run(main())


@pytest.mark.model
def test_one_text_in_two_files_is_one_source_that_names_the_other(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve("Lease.pdf")
            await desk.shelve("Copy.pdf")
            found = await desk.backend.ask.search(desk.user, "Is a cat allowed?", k=4)
            assert found.sources[0].passage.page == 3
            names = {found.sources[0].passage.document_name, *found.sources[0].also}
            assert names == {"Lease.pdf", "Copy.pdf"}
            assert len({source.passage.text for source in found.sources}) == len(found.sources)

    asyncio.run(main())


@pytest.mark.model
def test_a_page_that_is_named_is_the_only_one_that_is_searched(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            found = await desk.backend.ask.search(desk.user, "What does page 3 say of the rent?", k=4)
            assert [source.passage.page for source in found.sources] == [3]

    asyncio.run(main())


@pytest.mark.model
def test_a_page_that_is_not_there_is_said_and_not_answered(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            *_, last = [
                event
                async for event in desk.backend.ask.ask(
                    desk.user, "What does page 99 say of the rent?", trace_id="t" * 32
                )
            ]
            assert last.message.text.startswith("Nothing was found about “page 99”")
            assert last.message.sources

    asyncio.run(main())


@pytest.mark.model
def test_a_file_that_is_named_is_the_only_one_that_is_searched(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve("Lease.pdf")
            await desk.shelve("Copy.pdf")
            found = await desk.backend.ask.search(desk.user, "Is a cat allowed by Copy.pdf?", k=4)
            assert {source.passage.document_name for source in found.sources} == {"Copy.pdf"}

    asyncio.run(main())
