import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidRequestError
from app.serving.constraints import gbnf
from app.serving.constraints.grammar_walk import Walk
from app.serving.constraints.vocabulary import Vocabulary

# GBNF and regular expressions that mean the same.
SAME = [
    ('root ::= ("a" | "b")* "c"', r"(a|b)*c"),
    ('root ::= ([ab]+ "c"?){2,3}', r"([ab]+c?){2,3}"),
    ('root ::= "ab" root "c" | "a"', None),
    ('root ::= (("a"? "b"?)* "c")*', r"((a?b?)*c)*"),
    ("root ::= [^b]{1,4} | [b-c]", r"[^b]{1,4}|[b-c]"),
]
PIECES = ["", "a", "b", "c", "ab", "abc", "bc", "ca", "aa", "ba", "é", "🌈", "🌈a", "cc", "ccc", "a"]
TOKENS = [
    *(text.encode() for text in PIECES),
    b"\xf0",
    b"\xf0\x9f",
    b"\x8c\x88",
    b"\xc3",
    b"\xa9",
    b"\xff",
    b"\x80",
]


def nested(text):
    """Whether `text` is of the third grammar of SAME, which no regular expression describes."""
    depth = 0
    while text.startswith("ab", 2 * depth):
        depth += 1
    return text == "ab" * depth + "a" + "c" * depth


@pytest.mark.parametrize(("grammar", "pattern"), SAME)
@given(text=st.text(alphabet="abcé", max_size=9))
def test_a_walk_agrees_with_a_regular_expression(grammar, pattern, text):
    walk = Walk(gbnf.parse(grammar))
    state = walk.along(walk.start, text.encode())

    expected = nested(text) if pattern is None else re.fullmatch(pattern, text) is not None
    assert (state is not None and state.complete) == expected


@pytest.mark.parametrize(("grammar", "_pattern"), SAME)
@given(text=st.text(alphabet="abcé", max_size=6))
def test_looking_at_all_tokens_finds_those_that_can_be_followed(grammar, _pattern, text):
    tokens = Vocabulary(TOKENS, ends=[0])
    walk = Walk(gbnf.parse(grammar))
    state = walk.along(walk.start, text.encode())
    if state is None:
        return

    allowed = tokens.allowed(walk, state)

    assert [tokens.follow(walk, state, token) is not None for token in range(len(TOKENS))] == allowed.tolist()
    assert allowed[0] == state.complete


def test_a_character_may_come_in_pieces_and_only_one_that_is_allowed():
    walk = Walk(gbnf.parse("root ::= [à-ÿ🌈]"))

    assert walk.along(walk.start, "é".encode()[:1]) is not None
    assert walk.along(walk.start, "🌈".encode()[:3]) is not None
    assert walk.along(walk.start, "🌈".encode()).over
    assert walk.along(walk.start, "🍈".encode()) is None
    assert walk.along(walk.start, "ő".encode()[:1]) is None
    assert walk.along(walk.start, "🌈".encode()[1:]) is None


@pytest.mark.parametrize(
    "data", [b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\xc3a"]
)
def test_what_is_no_utf8_is_no_character(data):
    walk = Walk(gbnf.parse("root ::= .*"))

    assert walk.along(walk.start, data) is None


def test_a_text_is_over_when_nothing_can_follow():
    walk = Walk(gbnf.parse('root ::= "a" "b"?'))
    first = walk.along(walk.start, b"a")
    second = walk.along(first, b"b")

    assert (first.complete, first.over) == (True, False)
    assert (second.complete, second.over) == (True, True)


def test_a_grammar_that_doubles_with_each_letter_ends_in_an_error_and_not_in_all_memory():
    walk = Walk(gbnf.parse('root ::= "a" root "b" | "a" root "c" | "a"'))

    with pytest.raises(InvalidRequestError, match="too many ways"):
        walk.along(walk.start, b"a" * 64)


def test_looking_at_all_tokens_of_such_a_grammar_ends_as_well():
    tokens = Vocabulary([b"a" * length + b"x" for length in range(1, 64)], ends=[])
    walk = Walk(gbnf.parse('root ::= "a" root "b" | "a" root "c" | "a"'))

    with pytest.raises(InvalidRequestError, match="too many ways"):
        tokens.allowed(walk, walk.start)


def test_what_was_walked_once_is_one_state():
    walk = Walk(gbnf.parse('root ::= "[" ([a-z] ","?)* "]"'))
    state = walk.along(walk.start, b"[a,b,c")

    assert walk.along(walk.start, b"[x,y,z") is state
    assert walk.along(state, b"d" * 100_000) is state
