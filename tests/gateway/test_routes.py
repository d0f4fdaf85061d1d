"""The other resources: conversations, the feed, the window, the listener, models, health."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from app.errors import ConnectionLostError, ReportedError
from app.events import ConversationChanged, ConversationRemoved, DocumentChanged, WindowRequested
from app.filters import Filter


@pytest.fixture
def conversation(site):
    """A conversation in the store, as a question leaves it."""
    ask = site.backend.ask

    async def store():
        user = await site.backend.accounts.local_user()
        return await asyncio.to_thread(ask._conversations.create, user, "About the rent")

    return site.do(store())


def test_conversations_are_listed_read_renamed_and_removed(site, conversation):
    assert conversation in site.do(site.client.conversations())
    assert site.do(site.client.conversation(conversation.id)).messages == ()

    renamed = site.do(site.client.rename_conversation(conversation.id, "  The rent  "))
    assert renamed.title == "The rent"

    site.do(site.client.delete_conversation(conversation.id))
    for use in (site.client.conversation, site.client.delete_conversation):
        with pytest.raises(ReportedError) as raised:
            site.do(use(conversation.id))
        assert raised.value.status == 404


@pytest.mark.parametrize("title", ["", "   ", "x" * 501, None, 5])
def test_a_title_that_is_none_is_refused(site, conversation, title):
    answer = site.tcp.patch(f"/conversations/{conversation.id}", json={"title": title})

    assert answer.status_code == 400


def test_every_change_is_heard_on_the_feed_once_it_stands(site, conversation, tmp_path):
    path = tmp_path / "new.txt"
    path.write_text("Something new.")

    async def listen():
        standing = asyncio.Event()
        heard = []

        async def follow():
            async for event in site.client.feed(on_open=standing.set):
                heard.append(event)
                if isinstance(event, ConversationRemoved):
                    return

        following = asyncio.create_task(follow())
        await standing.wait()
        await site.client.add_paths([str(path)])
        await site.client.rename_conversation(conversation.id, "Other")
        await site.client.delete_conversation(conversation.id)
        await asyncio.wait_for(following, 30)
        return heard

    heard = site.do(listen())
    assert {DocumentChanged, ConversationRemoved} <= {type(event) for event in heard}
    assert heard[-1] == ConversationRemoved(conversation.id)
    assert not [
        event for event in heard if isinstance(event, ConversationChanged) and event.conversation.title == ""
    ]


def test_a_window_is_shown_only_where_one_follows_the_feed(site):
    async def show():
        before = await site.client.show_window()
        standing = asyncio.Event()
        window = site.client.feed(window=True, on_open=standing.set)
        tool = site.client.feed()

        async def until_asked_for():
            # The queue may still be at work on a file of another test, which is heard here, too.
            return await anext(event async for event in window if isinstance(event, WindowRequested))

        shown = asyncio.create_task(until_asked_for())
        await standing.wait()
        during = await site.client.show_window()
        event = await asyncio.wait_for(shown, 30)
        await window.aclose()
        await tool.aclose()
        return before, during, event, await site.client.show_window()

    assert site.do(show()) == (False, True, WindowRequested(), False)


def test_a_feed_that_is_left_is_unsubscribed(site):
    async def leave():
        before = site.backend.feed.readers
        standing = asyncio.Event()
        feed = site.client.feed(on_open=standing.set)
        waiting = asyncio.create_task(anext(feed))
        await standing.wait()
        during = site.backend.feed.readers
        waiting.cancel()
        await asyncio.wait({waiting})
        await feed.aclose()
        return during - before, site.backend.feed.readers - before

    assert site.do(leave()) == (1, 0)


def test_the_feed_ends_in_a_lost_connection_when_the_gateway_closes(open_site):
    site = open_site()
    client = site.local
    standing = asyncio.Event()

    async def follow():
        async for _ in client.feed(on_open=standing.set):
            pass

    following = site.server.submit(follow())
    site.do(asyncio.wait_for(standing.wait(), 30))
    site.server.close()

    with pytest.raises(ConnectionLostError):
        following.result(10)


def test_the_listener_is_switched_on_and_off_and_shown_in_health(open_site):
    site = open_site()

    address = site.do(site.client.listen(True, 0))
    assert address is not None
    assert site.do(site.client.health()).listening == address == site.server.address
    assert httpx2.get(f"{address}/health", trust_env=False).json()["version"] == "0.0.0"

    assert site.do(site.client.listen(False, 0)) is None
    assert site.do(site.client.health()).listening is None
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{address}/health", trust_env=False)


@pytest.mark.parametrize("body", [{"on": "x"}, {"on": True, "port": -1}, {"on": True, "port": 65_536}, {}])
def test_a_listener_that_cannot_be_is_refused(site, body):
    with pytest.raises(ReportedError) as raised:
        site.do(site.client._send("PUT", "/listener", body))
    assert raised.value.status == 400


def test_models_that_are_not_there_are_shown_with_their_problem(site):
    async def shown():
        async with site.backend.feed.subscribe() as changes:
            while not all(model.problem for model in await site.client.models()):
                await anext(changes)
        return await site.client.models()

    chat, embedding = site.do(shown())
    assert (chat.kind, embedding.kind) == ("chat", "embedding")
    assert not chat.loaded
    assert site.do(site.client.health()).status == "degraded"


def test_choosing_a_file_that_is_no_model_is_refused(site, tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"not a model")

    for place in (path, tmp_path / "missing.gguf", tmp_path):
        with pytest.raises(ReportedError) as raised:
            site.do(site.client.choose_chat_model(str(place)))
        assert raised.value.code == "model_file_invalid"


def test_health_is_the_whole_state(site):
    health = site.do(site.client.health())

    assert health.version == "0.0.0"
    assert health.profile == str(site.profile.root)
    assert health.memory > 1_000_000
    assert {"carrel", "python", "sqlite"} <= set(health.versions)


@pytest.mark.model
def test_passages_are_found_by_words_and_by_meaning(answering, sample):
    found = answering.do(answering.client.search(sample.question, k=3))

    assert 1 <= len(found.sources) <= 3
    assert found.sources[0].number == 1
    assert sample.page in [source.passage.page for source in found.sources]
    (document,) = answering.do(answering.client.documents())
    same = answering.do(
        answering.client.search(sample.question, k=3, limited=Filter(documents=(document.id,)))
    )
    assert [source.passage for source in same.sources] == [source.passage for source in found.sources]


@pytest.mark.model
def test_search_within_a_type_and_a_time_is_the_same_by_address_and_by_body(answering, sample):
    everything = answering.tcp.get("/search", params={"query": sample.question, "k": 3}).json()
    assert everything["sources"]
    (document,) = answering.do(answering.client.documents())
    assert document.dated == Path(document.path).stat().st_mtime

    for limits, remark in (
        ({"types": ["pdf"], "since": "2001"}, ""),
        ({"types": ["spreadsheet"], "until": "2019"}, "No document is a spreadsheet from before 2020."),
        ({"types": ["pdf"], "until": "2019-05"}, "No document is a PDF from before June 2019."),
        ({"types": ["mail", "word"]}, "No document is an email or a Word document."),
    ):
        body = {"query": sample.question, "k": 3} | limits
        posted = answering.tcp.post("/search", json=body).json()
        got = answering.tcp.get("/search", params=body).json()
        assert [source["passage"] for source in posted["sources"]] == (
            [] if remark else [source["passage"] for source in everything["sources"]]
        )
        assert posted["remark"] == got["remark"] == remark
        assert got["sources"] == posted["sources"]


@pytest.mark.model
def test_a_question_within_limits_that_leave_nothing_is_told_so(answering, sample):
    async def ask():
        limited = Filter(types=("presentation",))
        return [event async for event in answering.client.ask(sample.question, limited=limited)]

    retrieved, *_, finished = answering.do(ask())

    assert retrieved.sources == ()
    assert finished.message.text == "No document is a presentation."
    assert answering.do(answering.client.message(retrieved.question.id)).limited.types == ("presentation",)
    extra = {"types": ["presentation"]}
    answer = answering.tcp.post(
        "/v1/chat/completions",
        json={"model": "carrel", "messages": [{"role": "user", "content": sample.question}]} | extra,
    ).json()
    assert answer["choices"][0]["message"]["content"] == "No document is a presentation."


@pytest.mark.model
def test_a_page_comes_as_text_with_boxes_and_as_a_picture(answering, sample):
    (document,) = answering.do(answering.client.documents())
    page = answering.do(answering.client.page(document.id, sample.page, 0, 20))

    assert page.count == document.pages
    assert page.boxes
    assert all(0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1 for box in page.boxes)
    picture = answering.do(answering.client.page_image(document.id, sample.page, 300))
    assert picture.startswith(b"\x89PNG")
    with pytest.raises(ReportedError) as raised:
        answering.do(answering.client.page(document.id, 999))
    assert raised.value.status == 404


@pytest.mark.model
def test_the_chat_model_can_be_chosen_while_the_program_runs(answering, sample):
    chat, _ = answering.do(answering.client.models())

    chosen = answering.do(answering.client.choose_chat_model(chat.path))

    again, _ = answering.do(answering.client.models())
    assert chosen.loaded
    assert chosen.path == chat.path
    assert chosen == again


def test_the_api_describes_itself(site):
    described = site.tcp.get("/openapi.json").json()

    assert set(described["paths"]) == {
        "/health",
        "/sessions",
        "/sessions/current",
        "/documents",
        "/documents/{document_id}",
        "/documents/{document_id}/retry",
        "/documents/{document_id}/pages/{number}",
        "/documents/{document_id}/pages/{number}/image",
        "/watched",
        "/watched/{folder_id}",
        "/collections",
        "/collections/{collection_id}",
        "/search",
        "/ask",
        "/ask/{answer_id}/stop",
        "/conversations",
        "/conversations/{conversation_id}",
        "/evaluate",
        "/export",
        "/messages/{message_id}",
        "/messages/{message_id}/rating",
        "/messages/{message_id}/replay",
        "/events",
        "/window",
        "/models",
        "/models/chat",
        "/listener",
        "/v1/models",
        "/v1/models/{name}",
        "/v1/chat/completions",
        "/v1/embeddings",
    }
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert all(operation["responses"]["default"] for operation in operations)
    assert not any("422" in operation["responses"] for operation in operations)
    assert {"Document", "Message", "SearchResult", "Health", "Errors"} <= set(
        described["components"]["schemas"]
    )
    assert described["security"] == [{"session": []}]
