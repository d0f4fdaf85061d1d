from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app.events import Progress, Retrieved
from app.records import Conversation, Problem, Timings
from app.ui.chat.turn import Turn

TEXT = "Notice is three months. Nobody knows why."


@pytest.fixture
def turn(qtbot, theme) -> Turn:
    made = Turn(theme, "How long is the notice?")
    qtbot.addWidget(made)
    made.resize(640, 500)
    made.show()
    return made


@pytest.fixture
def sources(fakes):
    lease = fakes.a_document("Lease.pdf")
    return (
        fakes.a_source(1, lease, 4, "§ 7"),
        fakes.a_source(2, lease, 5),
        fakes.a_source(3, lease, 9, read=False),
    )


@pytest.fixture
def question(fakes):
    return fakes.Message("q", "c", None, "user", "complete", "How long is the notice?", 0.0)


def an_answer(fakes, question, sources, **changed):
    marks = fakes.cited(TEXT, ("Notice is three months.", 2), ("Nobody knows why.", None))
    return fakes.an_answer(question, TEXT, sources=sources, citations=marks, found=14, **changed)


def test_the_sources_show_before_the_first_word(turn, sources, question):
    turn.retrieved(Retrieved(Conversation("c", "c", 0, 0), question, "a", sources, 14))
    assert [card.number for card in turn.cards.cards] == [1, 2, None]
    assert turn.waiting.text == "Reading 2 passages…"
    assert turn.meta.passages.text == "2 of 14 passages read"
    assert not turn.answer.isVisibleTo(turn)


def test_while_whole_documents_are_read_it_says_how_far_that_is(turn, sources, question):
    conversation = Conversation("c", "c", 0, 0)
    turn.retrieved(Retrieved(conversation, question, "a", (), 212, whole=True))
    assert turn.answer_id == "a"
    assert turn.waiting.text == "Thinking…"
    assert not turn.meta.isVisibleTo(turn)
    turn.show_progress(Progress(2, 14, "Lease.pdf"))
    assert turn.waiting.text == "Reading part 3 of 14: Lease.pdf…"
    turn.show_progress(Progress(0, 1, "Lease.pdf"))
    assert turn.waiting.text == "Reading Lease.pdf…"
    turn.show_progress(Progress(14, 14, ""))
    assert turn.waiting.text == "Choosing what to say…"
    turn.retrieved(Retrieved(conversation, question, "a", sources, 212, whole=True))
    assert turn.meta.passages.text == "212 passages read"
    turn.append("Notice")
    assert not turn.waiting.isVisibleTo(turn)


def test_where_nothing_of_whole_documents_fits_it_is_told_like_any_other_question(turn, sources, question):
    conversation = Conversation("c", "c", 0, 0)
    turn.retrieved(Retrieved(conversation, question, "a", (), 212, whole=True))
    turn.show_progress(Progress(0, 1, "Lease.pdf"))
    turn.retrieved(Retrieved(conversation, question, "a", sources, 14))
    assert turn.waiting.text == "Reading 2 passages…"
    assert turn.meta.passages.text == "2 of 14 passages read"


def test_stopped_while_whole_documents_were_read_there_are_no_passages_to_show(turn, fakes, question):
    turn.show_message(fakes.an_answer(question, "", sources=(), state="stopped", found=212))
    assert not turn.cards.cards
    assert not turn.meta.isVisibleTo(turn)
    assert turn.ending.words == "Stopped before the answer began."


def test_an_answer_about_whole_documents_says_that_all_was_read(turn, fakes, sources, question):
    turn.show_message(an_answer(fakes, question, sources, timings=Timings(sections_ms=900.0)))
    assert turn.meta.passages.text == "14 passages read"
    assert "documents read: 900 ms" in turn.meta.bar.toolTip()


def test_a_very_long_question_is_folded_until_it_is_wanted(qtbot, theme, turn):
    assert not turn.heading.more.isVisibleTo(turn)
    long = Turn(theme, "word " * 9_000 + "what?")
    qtbot.addWidget(long)
    long.show()
    assert len(long.heading.text.words) < 400
    with qtbot.waitSignal(long.grown):
        long.heading.more.click()
    assert long.heading.text.words.endswith("… (45,005 characters)")
    assert not long.heading.more.isVisible()


def test_a_question_of_many_lines_is_folded_too(qtbot, theme):
    turn = Turn(theme, "\n".join(f"line {number}" for number in range(30)))
    qtbot.addWidget(turn)
    assert turn.heading.text.words.splitlines()[-1] == "line 5 …"
    turn.heading.more.click()
    assert turn.heading.text.words.splitlines()[-1] == "line 29"


def test_words_stream_in_and_the_checks_follow(turn, sources, question, fakes):
    turn.retrieved(Retrieved(Conversation("c", "c", 0, 0), question, "a", sources, 14))
    turn.append("Notice is three ")
    turn.append("months. Nobody")
    assert not turn.waiting.isVisibleTo(turn)
    turn.check(fakes.cited(TEXT, ("Notice is three months.", 2)))
    turn.append(" knows why.")
    turn.check(fakes.cited(TEXT, ("Nobody knows why.", None)))
    assert turn.answer.plain_text() == "Notice is three months. [2] Nobody knows why. (not in your documents)"


def test_the_numbers_under_an_answer(turn, sources, question, fakes):
    times = Timings(10.0, 5.0, 1.0, 600.0, 700.0, 900.0, 1_316.0)
    turn.show_message(an_answer(fakes, question, sources, timings=times))
    assert turn.meta.passages.text == "2 of 14 passages read"
    assert turn.meta.first.text == "first word 0.9 s"
    assert turn.meta.speed.text == "10 words/s"
    assert "passages read by the model: 600 ms" in turn.meta.bar.toolTip()
    assert "in all: 1,316 ms" in turn.meta.bar.toolTip()


def test_a_narrow_turn_leaves_numbers_out_whole(turn, sources, question, fakes):
    turn.show_message(an_answer(fakes, question, sources))
    turn.resize(230, 500)
    QApplication.processEvents()
    assert turn.meta.passages.isVisible()
    assert not turn.meta.bar.isVisible()
    for part in (turn.meta.first, turn.meta.speed):
        assert not part.isVisible() or part.width() >= part.sizeHint().width()


def test_a_card_opens_the_place_its_sentence_quotes(qtbot, turn, sources, question, fakes):
    turn.show_message(an_answer(fakes, question, sources))
    with qtbot.waitSignal(turn.place_opened) as opened:
        qtbot.mouseClick(turn.cards.cards[1], Qt.MouseButton.LeftButton)
    place = opened.args[0]
    assert (place.number, place.page, place.citation) == (2, 5, 0)
    assert (place.start, place.end) == (120, 140)


def test_the_card_and_the_chip_of_the_open_place_are_marked(turn, sources, question, fakes):
    turn.show_message(an_answer(fakes, question, sources))
    turn.show_open(turn.places[0])
    assert [card.is_open for card in turn.cards.cards] == [False, True, False]
    turn.show_open(None)
    assert not any(card.is_open for card in turn.cards.cards)


def test_a_stop_before_the_first_word_does_not_speak_of_words_that_are_kept(turn, sources, question, fakes):
    turn.show_message(fakes.an_answer(question, "", sources=sources, state="stopped", found=14))
    assert turn.ending.words == "Stopped before the answer began."
    assert turn.cards.isVisibleTo(turn)


def test_a_glance_at_a_card_shows_its_passage_and_reads_no_markup_in_it(turn, question, fakes):
    page, note = fakes.a_document("Lease.pdf"), fakes.a_document("<b>Note</b>.txt")
    sources = (fakes.a_source(1, page, 4, "§ 7"), fakes.a_source(2, note, 1, text="Keys:  <img src=x>"))
    turn.show_message(fakes.an_answer(question, TEXT, sources=sources, found=2))
    first, second = turn.cards.cards
    assert first.below == "page 4 · § 7"
    assert sources[0].passage.text in first.toolTip()
    assert second.below == "Keys: <img src=x>"
    assert second.toolTip() == "<p>&lt;b&gt;Note&lt;/b&gt;.txt<br>Keys: &lt;img src=x&gt;</p>"


def test_a_card_names_the_other_files_that_hold_its_text(turn, question, fakes):
    source = replace(fakes.a_source(1, fakes.a_document("Lease.pdf"), 4, "§ 7"), also=("Copy.pdf",))
    turn.show_message(fakes.an_answer(question, TEXT, sources=(source,), found=1))

    assert turn.cards.cards[0].below == "page 4 · § 7 · also in Copy.pdf"


def test_what_was_found_and_not_read_waits_behind_the_last_card(qtbot, turn, sources, question, fakes):
    turn.show_message(an_answer(fakes, question, sources))
    last = turn.cards.cards[-1]
    assert last.title == "12 more passages"
    last.click()
    assert [card.number for card in turn.cards.cards] == [1, 2, 3, None]
    with qtbot.waitSignal(turn.place_opened) as opened:
        turn.cards.cards[2].click()
    assert opened.args[0].page == 9


def test_of_all_that_a_conversation_has_read_the_first_are_shown(turn, question, fakes):
    page = fakes.a_document("Lease.pdf")
    sources = tuple(fakes.a_source(number, page, number, "§ 7") for number in range(1, 12))
    turn.show_message(fakes.an_answer(question, TEXT, sources=sources, found=11))
    *shown, last = turn.cards.cards
    assert [card.number for card in shown] == list(range(1, 9))
    assert (last.title, last.below) == ("3 more passages", "read or found, too · show")
    last.click()
    assert [card.number for card in turn.cards.cards] == list(range(1, 12))


def test_copy_takes_the_answer_with_its_sources(turn, sources, question, fakes):
    turn.show_message(an_answer(fakes, question, sources))
    turn.copy.click()
    assert QApplication.clipboard().text() == (
        "Notice is three months. [2] Nobody knows why. (not in your documents)\n\n[2] Lease.pdf, page 5"
    )


@pytest.mark.parametrize(
    ("state", "words"),
    [("stopped", "Stopped. What was written"), ("interrupted", "Interrupted: Carrel was closed")],
)
def test_an_answer_that_was_cut_short_says_so(turn, sources, question, fakes, state, words):
    turn.show_message(an_answer(fakes, question, sources, state=state))
    assert turn.ending.words.startswith(words)
    assert turn.answer.isVisibleTo(turn)


def test_a_failure_says_why_with_its_code_and_offers_to_try_again(qtbot, turn):
    turn.fail(Problem("decode_failed", "The model broke off."), "0af7651916cd43dd8448eb211c80319c")
    assert turn.failure.message.words == "The model broke off."
    assert turn.failure.code.text == "decode_failed · trace 0af7651916cd43dd"
    assert not turn.failure.model.isVisibleTo(turn)
    with qtbot.waitSignal(turn.retry_asked) as retry:
        turn.failure.retry.click()
    assert retry.args == ["How long is the notice?"]


def test_a_missing_model_offers_to_choose_one(qtbot, turn):
    turn.fail(Problem("model_unavailable", "There is no model."), "")
    with qtbot.waitSignal(turn.model_asked):
        turn.failure.model.click()


def test_a_failed_answer_that_is_read_again_still_says_why(turn, sources, question, fakes):
    problem = Problem("decode_failed", "The model broke off.")
    turn.show_message(an_answer(fakes, question, sources, state="failed", error=problem))
    assert turn.failure.isVisibleTo(turn)
    assert turn.answer.markdown == TEXT


def test_a_question_is_words_and_not_markup(qtbot, theme):
    made = Turn(theme, "<b>bold</b> & <img src='file:///etc/passwd'>")
    qtbot.addWidget(made)
    assert made.heading.text.words == "<b>bold</b> & <img src='file:///etc/passwd'>"
    assert "&lt;img" in made.heading.text.text()


def test_every_part_grows_with_the_text_size(turn, sources, question, fakes, theme):
    turn.show_message(an_answer(fakes, question, sources))
    before = turn.answer.height(), turn.cards.cards[0].sizeHint().height()
    theme.set_scale(2.0)
    QApplication.processEvents()
    assert turn.answer.height() >= 2 * before[0]
    assert turn.cards.cards[0].sizeHint().height() > 1.5 * before[1]
