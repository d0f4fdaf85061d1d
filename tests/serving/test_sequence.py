"""One request on its way: which tokens a piece of text is made of."""

from app.logprobs import TokenLogprob
from app.serving.generation import End, Generation, Prompt
from app.serving.sequence import Sequence
from tests.serving.recorder import Recorder


def told(piece):
    return TokenLogprob(piece.decode("utf-8", "replace"), -1.0, tuple(piece), ())


def written(*pieces, ends):
    """What is sent for the tokens of `pieces`, each with a logprob; then the end of turn if `ends`."""
    outbox = Recorder()
    one = Sequence(Generation(Prompt("", (1,)), 10, logprobs=0), outbox)
    for number, piece in enumerate(pieces):
        assert one.append(number, piece, ends=False, room=100, logprob=told(piece)) is None
    if ends:
        assert one.append(99, b"", ends=True, room=100, logprob=told(b"")) == "stop"
    one.end("stop")
    *sent, end = outbox.items
    assert isinstance(end, End)
    return sent, end


def test_the_end_of_turn_is_no_token_of_a_character_that_was_cut_off():
    sent, end = written(b"a", b"\xc3", ends=True)

    assert [(piece.text, piece.tokens, len(piece.logprobs)) for piece in sent] == [
        ("a", 1, 1),
        ("\ufffd", 1, 1),
    ]
    assert end.usage.completion_tokens == 3


def test_a_character_of_two_tokens_is_a_piece_of_two():
    sent, _ = written(b"\xc3", b"\xa9", ends=False)

    assert [(piece.text, piece.tokens, len(piece.logprobs)) for piece in sent] == [("\u00e9", 2, 2)]
