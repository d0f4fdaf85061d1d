"""Answers of the bundled model in the form of a grammar or a schema."""

import json
import re

import pytest

from app.errors import InvalidRequestError
from app.serving.constraints import gbnf
from app.serving.constraints.grammar_walk import Walk

pytestmark = pytest.mark.model

ASKED = "Make up a record about Anna Berger, 41, who lives in Graz with two cats. Answer in JSON."
SHORT = {"type": "string", "maxLength": 24}


def is_text(value, longest=24):
    return isinstance(value, str) and len(value) <= longest


def keys(value, required, optional=()):
    return isinstance(value, dict) and set(required) <= set(value) <= {*required, *optional}


PERSON = {
    "type": "object",
    "properties": {"name": SHORT, "age": {"type": "integer", "minimum": 0, "maximum": 130}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def is_person(value):
    return keys(value, ["name", "age"]) and is_text(value["name"]) and 0 <= value["age"] <= 130


SCHEMAS = {
    "flat object": (PERSON, is_person),
    "nested objects": (
        {
            "type": "object",
            "properties": {
                "owner": PERSON,
                "address": {
                    "type": "object",
                    "properties": {"street": SHORT, "zip": {"type": "string", "pattern": "^[0-9]{4}$"}},
                    "required": ["street", "zip"],
                },
            },
            "required": ["owner", "address"],
        },
        lambda it: (
            is_person(it["owner"])
            and is_text(it["address"]["street"])
            and re.fullmatch("[0-9]{4}", it["address"]["zip"])
        ),
    ),
    "array with bounds": (
        {"type": "array", "items": SHORT, "minItems": 2, "maxItems": 4},
        lambda it: 2 <= len(it) <= 4 and all(map(is_text, it)),
    ),
    "enum": (
        {
            "type": "object",
            "properties": {"mood": {"enum": ["good", 'so "so"', None, 7]}},
            "required": ["mood"],
        },
        lambda it: it["mood"] in ("good", 'so "so"', None, 7),
    ),
    "one of": (
        {
            "oneOf": [
                {"type": "object", "properties": {"cat": SHORT}, "required": ["cat"]},
                {"type": "boolean"},
            ]
        },
        lambda it: isinstance(it, bool) or (keys(it, ["cat"]) and is_text(it["cat"])),
    ),
    "numbers": (
        {
            "type": "object",
            "properties": {
                "weight": {"type": "number"},
                "share": {"type": "number", "minimum": 0, "maximum": 1},
                "debt": {"type": "integer", "maximum": -1},
            },
            "required": ["weight", "share", "debt"],
        },
        lambda it: (
            isinstance(it["weight"], int | float)
            and 0 <= it["share"] <= 1
            and isinstance(it["debt"], int)
            and it["debt"] < 0
        ),
    ),
    "patterns and formats": (
        {
            "type": "object",
            "properties": {
                "plate": {"type": "string", "pattern": r"^[A-Z]{1,3} \d{2,4}$"},
                "born": {"type": "string", "format": "date"},
            },
            "required": ["plate", "born"],
        },
        lambda it: (
            re.fullmatch(r"[A-Z]{1,3} \d{2,4}", it["plate"])
            and re.fullmatch(r"\d{4}-[01]\d-[0-3]\d", it["born"])
        ),
    ),
    "optional properties": (
        {"type": "object", "properties": {"a": SHORT, "b": {"type": "boolean"}, "c": {"type": "null"}}},
        lambda it: (
            keys(it, [], ["a", "b", "c"])
            and is_text(it.get("a", ""))
            and it.get("b", True) in (True, False)
            and it.get("c") is None
        ),
    ),
    "reference": (
        {
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {"value": {"type": "integer"}, "next": {"enum": [None]}},
                    "required": ["value", "next"],
                }
            },
            "type": "array",
            "items": {"$ref": "#/$defs/node"},
            "minItems": 1,
            "maxItems": 2,
        },
        lambda it: 1 <= len(it) <= 2 and all(isinstance(node["value"], int) for node in it),
    ),
    "nullable": (
        {"type": "object", "properties": {"n": {"type": ["integer", "null"]}}, "required": ["n"]},
        lambda it: it["n"] is None or isinstance(it["n"], int),
    ),
    "tuple": (
        {
            "type": "array",
            "prefixItems": [SHORT, {"type": "integer", "minimum": 1, "maximum": 99}],
            "items": False,
        },
        lambda it: len(it) == 2 and is_text(it[0]) and 1 <= it[1] <= 99,
    ),
    "all of": (
        {
            "allOf": [
                PERSON | {"additionalProperties": True},
                {"properties": {"city": SHORT}, "required": ["city"]},
            ]
        },
        lambda it: keys(it, ["name", "age", "city"]) and is_text(it["city"]),
    ),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_answer_is_json_of_its_schema(engine, ask, name):
    schema, holds = SCHEMAS[name]

    for seed in (1, 2, 3):
        text, _, end = ask(engine, ASKED, 300, temperature=1.0, seed=seed, json_schema=json.dumps(schema))

        assert end.reason == "stop"
        assert holds(json.loads(text)), text


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_answer_is_a_text_of_its_grammar(engine, ask, temperature):
    grammar = 'root ::= ("yes" | "no") ", because " [a-z ]{5,30} "."'

    text, _, end = ask(engine, "Is the sky blue?", 60, temperature=temperature, seed=2, grammar=grammar)

    assert re.fullmatch(r"(yes|no), because [a-z ]{5,30}\.", text)
    assert end.reason == "stop"


def test_an_answer_ends_at_once_where_nothing_can_follow(engine, ask):
    text, _, end = ask(engine, "Hi", 50, grammar='root ::= "yes"')

    assert (text, end.reason) == ("yes", "stop")
    assert end.usage.completion_tokens <= 3


def test_where_the_text_may_end_or_go_on_the_model_decides(engine, ask):
    text, _, end = ask(engine, "Answer with one word: is the sky blue?", 200, grammar="root ::= .*")

    assert (text, end.reason) == (ask(engine, "Answer with one word: is the sky blue?", 200)[0], "stop")


def test_characters_of_several_tokens_keep_to_the_grammar(engine, ask):
    text, _, _ = ask(
        engine, "Emoji!", 40, temperature=1.0, seed=4, grammar="root ::= [\U0001f300-\U0001f5ff]{3}"
    )

    assert re.fullmatch("[\U0001f300-\U0001f5ff]{3}", text)


def test_a_constrained_answer_stops_at_its_last_allowed_token(engine, ask):
    text, _, end = ask(engine, ASKED, 5, json_schema=json.dumps(PERSON))

    walk = Walk(gbnf.parse('root ::= "{" [^}]*'))
    assert end.reason == "length"
    assert walk.along(walk.start, text.encode()) is not None


def test_a_grammar_that_grows_without_bound_ends_its_answer_and_no_other(engine, ask):
    doubling = 'root ::= "a" root "b" | "a" root "c" | "a"'
    prefer = engine._loaded.native.tokenize(b"a")[0]

    with pytest.raises(InvalidRequestError, match="too many ways"):
        ask(engine, "Hi", 100, grammar=doubling, logit_bias=((prefer, 100.0),))
    assert (
        "Paris" in ask(engine, "Paris is the capital of France. Which city is the capital of France?", 20)[0]
    )


@pytest.mark.slow
def test_many_seeds_never_leave_a_schema(engine, ask):
    for name, (schema, holds) in SCHEMAS.items():
        for seed in range(10, 18):
            text, _, end = ask(engine, ASKED, 400, temperature=1.5, seed=seed, json_schema=json.dumps(schema))
            assert end.reason == "stop", name
            assert holds(json.loads(text)), text
