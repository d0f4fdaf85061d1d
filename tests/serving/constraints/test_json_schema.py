"""What a schema's grammar allows, letter by letter; answers of a model: test_constrained.py."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidRequestError
from app.serving.constraints import digits, gbnf, json_schema
from app.serving.constraints.grammar_walk import Walk

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "mail": {"type": "string"}},
    "required": ["name"],
}


def walk_of(schema):
    return Walk(gbnf.parse(json_schema.to_gbnf(json_schema.text_of(schema))))


def allows(schema, text):
    walk = walk_of(schema)
    state = walk.along(walk.start, text.encode())
    return state is not None and state.complete


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (True, ('"x"', "1.5e3", '{"a": [null, {}]}', "[ ]"), ("", "x", "01", "[1,]", '{"a"}')),
        ({}, ("null", "-0.5"), ("+1",)),
        ({"type": "boolean"}, ("true", "false"), ("null", "True")),
        ({"type": "null"}, ("null",), ("0",)),
        ({"type": ["string", "null"]}, ('"a"', "null"), ("1",)),
        ({"type": "string"}, ('""', '"é🌈"', r'"a\"b\\\n"'), ('"a"b"', '"\n"', r'"\q"', r'"\ud800"')),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ('"ab"', r'"\n\"c"'), ('"a"', '"abcd"')),
        (
            {"type": "integer", "minimum": -3, "exclusiveMaximum": 12},
            ("-3", "0", "11"),
            ("-4", "12", "-0", "01"),
        ),
        ({"type": "integer", "exclusiveMinimum": 1.5}, ("2", "100"), ("1",)),
        ({"type": "number"}, ("0", "-1.25", "2E+10"), (".5", "1.", "1e999")),
        (
            {"type": "number", "minimum": -1, "maximum": 2},
            ("-1", "-0.75", "1.999", "2"),
            ("2.1", "-1.1", "3"),
        ),
        ({"enum": ["a", 'b"c', "d\\e", 3, None]}, ('"a"', r'"b\"c"', r'"d\\e"', "3", "null"), ('"b"', '"d"')),
        ({"type": "string", "enum": ["a", 3]}, ('"a"',), ("3",)),
        ({"const": {"k": ["v"]}}, ('{"k": ["v"]}',), ('{"k": ["w"]}',)),
        (
            PERSON,
            ('{"name":"A"}', '{ "name": "A", "mail": "m" }', '{"name":"A","age":3}'),
            ("{}", '{"age":3}'),
        ),
        ({"properties": {"a": {"type": "null"}, "b": {}}}, ("{}", '{"b": 1}', '{"a": null}'), ('{"c": 1}',)),
        ({"type": "object", "additionalProperties": {"type": "null"}}, ("{}", '{"x": null}'), ('{"x": 1}',)),
        ({"type": "object", "additionalProperties": False}, ("{}", "{ }"), ('{"x": 1}',)),
        ({"type": "object", "required": ["k"]}, ('{"k": [1]}',), ("{}",)),
        ({"type": "array", "items": {"type": "null"}}, ("[]", "[null, null]"), ("[1]", "[null,]")),
        ({"type": "array", "minItems": 1, "maxItems": 2}, ("[1]", "[1, 2]"), ("[]", "[1, 2, 3]")),
        ({"type": "array", "maxItems": 0}, ("[]",), ("[1]",)),
        (
            {"prefixItems": [{"const": 1}, {"type": "null"}]},
            ("[1, null]",),
            ("[1]", "[null, 1]", "[1, null, 2]"),
        ),
        (
            {"prefixItems": [{"const": 1}], "minItems": 2, "items": {"const": 2}},
            ("[1, 2]",),
            ("[1]", "[1, 1]"),
        ),
        ({"anyOf": [{"const": 1}, {"type": "null"}]}, ("1", "null"), ("2",)),
        ({"oneOf": [{"const": 1}, {"const": 2}], "title": "t"}, ("1", "2"), ("3",)),
        ({"allOf": [PERSON]}, ('{"name":"A"}',), ("{}",)),
        (
            {"allOf": [PERSON, {"properties": {"x": {"const": 1}}, "required": ["x"]}]},
            ('{"name": "A", "x": 1}', '{"name": "A", "age": 4, "x": 1}'),
            ('{"name": "A"}', '{"x": 1}'),
        ),
        (
            {"$ref": "#/$defs/node", "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}}}},
            ("{}", '{"next": {"next": {}}}'),
            ('{"next": 1}',),
        ),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 1}}}, ("1",), ("2",)),
        (
            {"type": "string", "format": "date"},
            ('"2024-02-28"', '"1999-12-31"'),
            ('"2024-02-31"', '"24-1-1"'),
        ),
        ({"type": "string", "format": "date-time"}, ('"2024-02-28T23:59:59Z"',), ('"2024-02-28"',)),
        ({"format": "uuid"}, ('"01234567-89ab-cdef-0123-456789abcdef"',), ('"0"',)),
        ({"type": "string", "format": "email"}, ('"anything"',), ("1",)),
    ],
)
def test_a_schema_allows_its_json_and_no_other(schema, right, wrong):
    for text in right:
        assert allows(schema, text), text
        json.loads(text)
    for text in wrong:
        assert not allows(schema, text), text


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (5, "is an object"),
        (False, "allows nothing"),
        ({"type": "text"}, "'text', which JSON has not"),
        ({"type": "integer", "multipleOf": 3}, "'multipleOf'"),
        ({"type": "array", "uniqueItems": True}, "'uniqueItems'"),
        ({"not": {"type": "null"}}, "'not'"),
        ({"type": "object", "patternProperties": {}}, "'patternProperties'"),
        ({"if": {}, "then": {}}, "'if'"),
        ({"type": "string", "minimum": 3}, "'minimum'"),
        ({"anyOf": [{}], "type": "object"}, "'type'"),
        ({"properties": {"a": {"not": {}}}}, "#/properties/a has 'not'"),
        ({"$ref": "https://example.org/schema.json"}, "outside of it"),
        ({"$ref": "other.json#/a"}, "outside of it"),
        ({"$ref": "#/$defs/none"}, "which it does not have"),
        ({"$ref": "#"}, "allows no text"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "allows no text"),
        ({"allOf": [{"$ref": "#/allOf/0"}, {}]}, "refers on and on"),
        (
            {"$ref": "#/$defs/d0", "$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(60)}},
            "refers on and on",
        ),
        ({"allOf": [{"type": "string"}, {"type": "string"}]}, "joins objects only"),
        ({"enum": []}, "allows nothing"),
        ({"enum": 5}, "no list"),
        ({"const": "\ud800"}, "no text can hold"),
        ({"const": float("nan")}, "no JSON"),
        ({"type": "number", "minimum": 0.5}, "not whole"),
        ({"type": "number", "exclusiveMinimum": 0}, "excludes a bound"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "allows no number"),
        ({"type": "integer", "minimum": "5"}, "minimum that is no number"),
        ({"type": "array", "minItems": -1}, "minItems"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "fewer items"),
        ({"type": "string", "minLength": 10**6}, "minLength"),
        ({"type": "string", "minLength": 2, "pattern": "^a$"}, "more than one"),
        ({"type": "string", "pattern": "(?=a)"}, "begin with"),
        ({"type": "string", "pattern": r"a\b"}, "not supported"),
        ({"type": "string", "pattern": "^a|b$"}, "in parentheses"),
        ({"type": "string", "pattern": "(a"}, "not closed"),
        ({"type": "string", "pattern": "a)"}, "closes nothing"),
        ({"type": "string", "pattern": "a{2"}, "needs one or two numbers"),
        ({"required": ["a"], "additionalProperties": False}, "requires 'a' and forbids it"),
        ({"properties": {f"p{n}": {} for n in range(501)}}, "more than 500"),
        ({"enum": [f"{n:0100}" for n in range(600)]}, "too large"),
        ({"enum": ["x" * 70_000]}, "at most 65,536"),
    ],
)
def test_what_cannot_be_expressed_is_refused_by_name(schema, said):
    with pytest.raises(InvalidRequestError) as refused:
        walk_of(schema)

    assert said in refused.value.message


def test_several_long_bounded_strings_fit():
    lengths = range(4_000, 4_005)
    schema = {"properties": {f"p{most}": {"type": "string", "maxLength": most} for most in lengths}}

    assert allows(schema, f'{{"p4000": "{"x" * 4_000}"}}')
    assert not allows(schema, f'{{"p4000": "{"x" * 4_001}"}}')


def test_a_schema_nested_without_end_is_refused():
    deep = {}
    for _ in range(5_000):
        deep = {"items": deep}

    with pytest.raises(InvalidRequestError, match="nested more than 40"):
        json_schema.text_of(deep)
    with pytest.raises(InvalidRequestError, match=r"no JSON|nested more"):
        json_schema.to_gbnf('{"items":' * 5_000 + "{}" + "}" * 5_000)


@given(st.integers(-1_200, 1_200), st.integers(-1_200, 1_200), st.integers(-1_500, 1_500))
def test_whole_numbers_are_bounded_exactly(one, other, number):
    low, high = sorted((one, other))
    walk = Walk(gbnf.parse(f"root ::= {digits.whole(low, high)}"))
    state = walk.along(walk.start, str(number).encode())

    assert (state is not None and state.complete) == (low <= number <= high)


PATTERNS = [
    r"^[A-Z]{2}-\d{3}$",
    r"a.c",
    r"^(yes|no)?$",
    r"^[^abc\"]+\.$",
    r"^\w+@\w+\.(org|net)$",
    r"^[\s\-x]*$",
    "b$",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(data=st.data())
def test_a_pattern_matches_inside_the_string_as_python_matches_it(pattern, data):
    text = data.draw(st.one_of(st.from_regex(pattern), st.text(alphabet='aAbc-1."\\ \n', max_size=5)))
    if any(ord(letter) < 0x20 and letter not in "\n\r\t" for letter in text) or "\x7f" in text:
        return  # never written: a control character
    if text.endswith("\n") or not text.isascii():
        return  # Python's $ and \w see more there

    assert allows({"type": "string", "pattern": pattern}, json.dumps(text)) == bool(re.search(pattern, text))
