from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidRequestError
from app.serving.constraints import gbnf
from app.serving.constraints.gbnf import LONGEST
from app.serving.constraints.grammar_walk import Walk


def allows(grammar, text):
    walk = Walk(gbnf.parse(grammar))
    state = walk.along(walk.start, text.encode())
    return state is not None and state.complete


@pytest.mark.parametrize(
    ("grammar", "right", "wrong"),
    [
        ('root ::= "yes" | "no"', ("yes", "no"), ("", "maybe", "yesno")),
        ('root ::= "a"*', ("", "a", "aaaa"), ("b", "ab")),
        ('root ::= "ab"+', ("ab", "abab"), ("", "aba")),
        ('root ::= "a"? "b"', ("b", "ab"), ("a", "aab")),
        ('root ::= "a"{2}', ("aa",), ("a", "aaa")),
        ('root ::= "a"{2,}', ("aa", "aaaaa"), ("a",)),
        ('root ::= "a"{1,3}', ("a", "aaa"), ("", "aaaa")),
        ('root ::= "a"{0,0} "b"', ("b",), ("ab",)),
        ("root ::= [a-c0-]+", ("abc", "0-"), ("d", "")),
        (r"root ::= [^\]x]", ("a", "é", "🌈"), ("]", "x")),
        ("root ::= .", ("a", "\n", "🌈"), ("", "ab")),
        (r'root ::= "\x41\u00e9\U0001F308\n\"\\"', ('Aé🌈\n"\\',), ("A",)),
        ("root ::= (\n  [ab] # a comment\n  | [cd]\n)\n\n", ("a", "d"), ("e",)),
        ('root ::= first | "z"\nfirst ::=\n  "x" |\n  "y"', ("x", "y", "z"), ("w",)),
        ('root ::= pair\npair ::= "(" pair ")" |', ("", "()", "((()))"), ("(", "())")),
        ('root ::= "a"\r\n', ("a",), ("a\r",)),
        ('root ::= ("a"*)*', ("", "aaa"), ("b",)),
        ('root ::= "a" | []', ("a",), ("",)),
    ],
)
def test_a_grammar_allows_its_texts_and_no_others(grammar, right, wrong):
    assert all(allows(grammar, text) for text in right)
    assert not any(allows(grammar, text) for text in wrong)


@pytest.mark.parametrize(
    ("grammar", "said"),
    [
        ("", "no rule called root"),
        ("  \n# nothing\n", "no rule called root"),
        ('a ::= "x"', "no rule called root"),
        ("root ::= other", "'other' and does not define it"),
        ('root ::= "a"\nroot ::= "b"', "line 2, column 5: the rule 'root' is defined twice"),
        ('root = "a"', "line 1, column 6: ::= is missing"),
        ('root ::= "a', "ends inside quotation marks"),
        ("root ::= [a", "ends inside"),
        ('root ::= ("a"', "closing parenthesis is missing"),
        ('root ::= "a")', "')' does not belong here"),
        ("root ::= *", "nothing before the repetition"),
        ('root ::= "a"{3,1}', "from 3 to 1 is none"),
        ('root ::= "a"{x}', "needs a number"),
        ('root ::= "a"{1', "ends in }"),
        ('root ::= "a"{99999999999999999999999}', "at most nine digits"),
        ('root ::= "a"{999999999}', "too large"),
        ('root ::= (("a"{0,900}){0,900}){0,900} "b"{99000}', "too large"),
        ("root ::= [z-a]", "runs backwards"),
        (r'root ::= "\q"', "means nothing"),
        (r'root ::= "\xZZ"', "hexadecimal"),
        (r'root ::= "\UFFFFFFFF"', "no such character"),
        ("root ::= <[5]>", "not supported"),
        ('root ::= !<|im_end|> "a"', "not supported"),
        ("root ::= " + "(" * 70 + '"a"' + ")" * 70, "nested more than 64"),
        ('root ::= "a"' + " " * LONGEST, "at most 65,536 characters"),
        ('root ::= root "a" | "b"', "'root' of the grammar is recursive on its left"),
        ('root ::= a\na ::= b "x"\nb ::= a "y" | "z"', "recursive on its left"),
        ('root ::= e root "y" | "z"\ne ::= f\nf ::= "" | "x"', "recursive on its left"),
        ('root ::= "a" []', "allows no text"),
        ("root ::= root", "allows no text"),
        ('root ::= "a" root', "allows no text"),
    ],
)
def test_what_is_no_grammar_is_refused_with_a_sentence(grammar, said):
    with pytest.raises(InvalidRequestError, match="grammar") as refused:
        gbnf.parse(grammar)

    assert said in refused.value.message
    assert refused.value.code == "invalid_request"
    assert len(refused.value.message) < 200


@pytest.mark.parametrize(
    "grammar",
    [
        # Each of these ends llama.cpp's process, or keeps it for ever.
        "root ::= r0\n" + "".join(f"r{n} ::= r{n + 1} | r{n + 1}\n" for n in range(40)) + 'r40 ::= "a"',
        "root ::= r0\n" + "".join(f"r{n} ::= r{n + 1}\n" for n in range(4_000)) + 'r4000 ::= "a"',
    ],
)
def test_long_chains_of_rules_are_walked_at_once(grammar):
    assert allows(grammar, "a")


def test_a_grammar_that_begins_in_too_many_ways_is_refused():
    doubling = "root ::= r0\n" + "".join(f'r{n} ::= r{n + 1} "a" | r{n + 1} "b"\n' for n in range(26))

    with pytest.raises(InvalidRequestError, match="too many ways"):
        Walk(gbnf.parse(doubling + 'r26 ::= "a"'))


@given(st.text(alphabet='ab[]()|*+?{},0123456789"\\-^.#<!: \nrot', max_size=60))
def test_any_text_is_a_grammar_or_is_refused(text):
    for grammar in (text, f"root ::= {text}"):
        with suppress(InvalidRequestError):  # any other error fails
            assert Walk(gbnf.parse(grammar)).start is not None
