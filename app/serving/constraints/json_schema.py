"""JSON Schema to GBNF: a grammar all of whose texts the schema accepts.

The other way round it is not so: properties come in the order in which they are declared, those that
are not declared do not come at all, numbers have at most 16 digits, and space is one blank or one
indented line. What would have to be checked and cannot be is refused by name, never passed over;
`oneOf` is taken as `anyOf`. References lead into the schema itself, never anywhere else.

llama_cpp has a converter too. It was not used because it passes over `minimum` and the like, lets
a `.` of a pattern end the string, and writes a constant with quotation marks in it as other rules
than were meant (version 0.3.36).
"""

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from app.errors import InvalidRequestError
from app.serving.constraints import gbnf
from app.serving.constraints import schema_keywords as keyword
from app.serving.constraints.digits import decimal, whole
from app.serving.constraints.json_texts import CHARACTER, FORMATS, RULES
from app.serving.constraints.pattern import literal, matching
from app.serving.constraints.schema_keywords import ANNOTATIONS, Schema, refused

_DEEPEST = 40
_LONGEST = 65_536  # characters
_MOST_PROPERTIES = 500
_GREATEST = 10**16 - 1

_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
_TYPED = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "prefixItems", "minItems", "maxItems"},
    "string": {"minLength", "maxLength", "pattern", "format"},
    "integer": _BOUNDS | {"format"},
    "number": _BOUNDS | {"format"},
    "boolean": set[str](),
    "null": set[str](),
}
_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def text_of(schema: object) -> str:
    """A schema as text, for `Sampling`.

    Raises:
        InvalidRequestError: it is none, or nested too deeply.
    """
    if not isinstance(schema, dict | bool):
        raise InvalidRequestError("A JSON schema is an object.")
    _refuse_depth(schema)
    return json.dumps(schema)


@lru_cache(maxsize=16)
def to_gbnf(text: str) -> str:
    """The grammar of a schema (given as JSON text).

    Raises:
        InvalidRequestError: it is no schema, is too large, or cannot be expressed; says what and where.
    """
    if len(text) > _LONGEST:
        raise InvalidRequestError(f"A JSON schema has at most {_LONGEST:,} characters.")
    try:
        schema = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError("The JSON schema is no JSON.") from error
    if not isinstance(schema, dict | bool):
        raise InvalidRequestError("A JSON schema is an object.")
    _refuse_depth(schema)
    return _Conversion(schema).grammar()


class _Conversion:
    """One schema on its way to rules. Equal bodies share a rule."""

    def __init__(self, schema: object) -> None:
        self._schema = schema
        self._rules = dict(RULES)
        self._names: dict[str, str] = {}
        self._references: dict[str, str] = {}
        self._size = 0
        self._following = 0  # references within each other

    def grammar(self) -> str:
        root = self._visit(self._schema, "#")
        lines = [f"root ::= {root}", *(f"{name} ::= {body}" for name, body in self._rules.items())]
        return "\n".join(lines)

    def _rule(self, body: str) -> str:
        name = self._names.get(body)
        if name is None:
            name = self._names[body] = f"r{len(self._rules)}"
            self._define(name, body)
        return name

    def _define(self, name: str, body: str) -> None:
        self._rules[name] = body
        self._size += len(body) + 12
        if self._size > gbnf.LONGEST - 4_096:
            raise InvalidRequestError("The JSON schema is too large: its grammar would be too long.")

    def _visit(self, schema: object, where: str) -> str:
        if schema is True:
            return "value"
        if not isinstance(schema, dict):
            raise refused(where, "allows nothing" if schema is False else "is no schema")
        keywords = {name: value for name, value in schema.items() if name not in ANNOTATIONS}
        if "$ref" in keywords:
            return self._reference(keyword.alone(keywords, "$ref", where), where)
        for union in ("anyOf", "oneOf"):
            if union in keywords:
                return self._union(keyword.alone(keywords, union, where), f"{where}/{union}")
        if "allOf" in keywords:
            return self._all_of(keywords, where)
        if "const" in keywords or "enum" in keywords:
            return self._constants(keywords, where)
        kinds = keywords.pop("type", None) or _implied(keywords)
        if kinds is None:
            keyword.refuse_others(keywords, set(), where)
            return "value"
        if isinstance(kinds, list) and kinds:
            return self._rule(" | ".join(self._typed(kind, keywords, where, kinds) for kind in kinds))
        return self._typed(kinds, keywords, where, [kinds])

    def _typed(self, kind: object, keywords: Schema, where: str, kinds: Sequence[object]) -> str:
        if not isinstance(kind, str) or kind not in _TYPED:
            raise refused(where, f"has the type {kind!r}, which JSON has not")
        known = set[str]().union(*(_TYPED.get(cast(str, each), ()) for each in kinds))
        keyword.refuse_others(keywords, known, where)
        make = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
        }.get(kind)
        return make(keywords, where) if make else kind

    def _reference(self, target: object, where: str) -> str:
        if not isinstance(target, str) or not (target == "#" or target.startswith("#/")):
            raise refused(where, "refers to something outside of it; only #/… can be followed")
        if target not in self._references:
            name = self._references[target] = f"ref{len(self._references)}"
            self._following += 1
            if self._following > _DEEPEST:
                raise refused(where, "refers on and on")
            self._define(name, self._visit(self._resolved(target, where), target[:200]))
            self._following -= 1
        return self._references[target]

    def _dereferenced(self, part: object, where: str) -> object:
        for _ in range(_DEEPEST):
            if not (isinstance(part, dict) and isinstance(part.get("$ref"), str)):
                return part
            part = self._resolved(part["$ref"], where)
        raise refused(where, "refers on and on")

    def _resolved(self, target: str, where: str) -> object:
        found = self._schema
        for part in target.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isdecimal() and len(key) < 6 and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, dict) and key in found:
                found = found[key]
            else:
                raise refused(where, f"refers to {target[:200]!r}, which it does not have")
        return found

    def _union(self, options: object, where: str) -> str:
        if not isinstance(options, list) or not options:
            raise refused(where, "needs a list of schemas")
        return self._rule(" | ".join(self._visit(each, f"{where}/{n}") for n, each in enumerate(options)))

    def _all_of(self, keywords: dict[str, Any], where: str) -> str:
        """Objects that hold together are one object with the properties of all."""
        parts = keywords.pop("allOf")
        if not isinstance(parts, list) or not parts:
            raise refused(f"{where}/allOf", "needs a list of schemas")
        if len(parts) == 1 and not keywords:
            return self._visit(parts[0], f"{where}/allOf/0")
        properties: dict[str, Any] = {}
        required: list[str] = []
        for number, part in enumerate([*parts, keywords]):
            here = f"{where}/allOf/{number}"
            own = keyword.without_annotations(self._dereferenced(part, here))
            if own is None or own.pop("type", "object") != "object":
                raise refused(here, "is no object; allOf joins objects only")
            keyword.refuse_others(own, _TYPED["object"], here)
            if own.get("additionalProperties") is False and len(parts) > 1:
                raise refused(here, "forbids the properties of the others")
            for name, value in keyword.members(own, here).items():
                if properties.setdefault(name, value) != value:
                    raise refused(here, f"declares {name[:60]!r} another way than the others")
            required += keyword.required(own, here)
        return self._object({"properties": properties, "required": required}, where)

    def _constants(self, keywords: dict[str, Any], where: str) -> str:
        if "const" in keywords:
            values, name = [keywords["const"]], "const"
        else:
            values, name = keywords["enum"], "enum"
        keyword.refuse_others(keywords, {name, "type"}, where)
        if not isinstance(values, list):
            raise refused(where, "has an enum that is no list")
        kinds = keywords.get("type")
        if kinds is not None:
            wanted = [str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds])]
            values = [value for value in values if any(_is_a(value, kind) for kind in wanted)]
        if not values:
            raise refused(where, "allows nothing")
        return self._rule(" | ".join(literal(_spelled(value, where)) for value in values))

    def _object(self, keywords: Schema, where: str) -> str:
        properties, required = keyword.members(keywords, where), set(keyword.required(keywords, where))
        additional = keywords.get("additionalProperties", True)
        if not properties and not required:
            if additional is False:
                return self._rule('"{" space "}"')
            if additional is True:
                return "object"
            value = self._visit(additional, f"{where}/additionalProperties")
            member = self._rule(f'string ":" space {value}')
            return self._rule(f'"{{" space ({member} ("," space {member})* space)? "}}"')
        for name in required - set(properties):
            if additional is False:
                raise refused(where, f"requires {name[:60]!r} and forbids it")
        properties = {**properties, **dict.fromkeys(sorted(required - set(properties)), additional)}
        if len(properties) > _MOST_PROPERTIES:
            raise refused(where, f"has more than {_MOST_PROPERTIES} properties")
        # From the last to the first: what may follow, once nothing was written yet and once something was.
        first, later = "", "space"
        for name, schema in reversed(properties.items()):
            value = self._visit(schema, f"{where}/properties/{name[:60]}")
            key = literal(_spelled(name, where))
            member = self._rule(f'{key} ":" space {value}')
            if name in required:
                first = f"{member} {later}"
                later = self._rule(f'"," space {member} {later}')
            else:
                either = f"{member} {later} | {first}" if first else f"({member} {later})?"
                first = self._rule(either)
                later = self._rule(f'("," space {member})? {later}')
        return self._rule(f'"{{" space {first} "}}"')

    def _array(self, keywords: Schema, where: str) -> str:
        least = keyword.count(keywords, "minItems", where) or 0
        most = keyword.count(keywords, "maxItems", where)
        items = keywords.get("items", True)
        front = keywords.get("prefixItems", items if isinstance(items, list) else [])
        if not isinstance(front, list):
            raise refused(where, "has prefixItems that are no list")
        if most is not None and most < max(least, len(front)):
            raise refused(where, "allows fewer items than it needs")
        parts = [self._visit(each, f"{where}/prefixItems/{n}") for n, each in enumerate(front)]
        # What would come after the items in front is left out where it may be.
        more = max(least - len(parts), 0)
        if parts:
            most = len(parts) + more
        if isinstance(items, list) or items is False:
            if more:
                raise refused(where, "needs more items than it declares")
            most = len(parts)
        if most == 0:
            return self._rule('"[" space "]"')
        item = "value"
        if most is None or most > len(parts):
            item = self._visit(items, f"{where}/items")
        if parts:
            joined = ' "," space '.join([*parts, *[item] * more])
            return self._rule(f'"[" space {joined} space "]"')
        rest = "" if most is None else str(most - 1)
        listed = f'{item} ("," space {item}){{{max(least - 1, 0)},{rest}}} space'
        return self._rule(f'"[" space {listed} "]"' if least else f'"[" space ({listed})? "]"')

    def _string(self, keywords: Schema, where: str) -> str:
        least, most = keyword.count(keywords, "minLength", where), keyword.count(keywords, "maxLength", where)
        pattern, form = keywords.get("pattern"), FORMATS.get(str(keywords.get("format")))
        bounded = least is not None or most is not None
        if (pattern is not None) + (form is not None) + bounded > 1:
            raise refused(where, "has more than one of pattern, format and a length")
        if pattern is not None:
            if not isinstance(pattern, str) or len(pattern) > 1_000:
                raise refused(where, "has a pattern that is no short text")
            return self._rule(f'"\\"" {matching(pattern)} "\\""')
        if form is not None:
            return self._rule(f'"\\"" {form} "\\""')
        if not bounded:
            return "string"
        if most is not None and most < (least or 0):
            raise refused(where, "allows nothing")
        return self._rule(f'"\\"" {CHARACTER}{{{least or 0},{"" if most is None else most}}} "\\""')

    def _integer(self, keywords: Schema, where: str) -> str:
        if not set(keywords) & _BOUNDS:
            return "integer"
        low, high = keyword.bound(keywords, "minimum", where), keyword.bound(keywords, "maximum", where)
        above, below = (
            keyword.bound(keywords, "exclusiveMinimum", where),
            keyword.bound(keywords, "exclusiveMaximum", where),
        )
        lows = [-_GREATEST, *([math.ceil(low)] if low is not None else [])]
        highs = [_GREATEST, *([math.floor(high)] if high is not None else [])]
        lows += [math.floor(above) + 1] if above is not None else []
        highs += [math.ceil(below) - 1] if below is not None else []
        if max(lows) > min(highs):
            raise refused(where, "allows no number")
        return self._rule(whole(max(lows), min(highs)))

    def _number(self, keywords: Schema, where: str) -> str:
        if not set(keywords) & _BOUNDS:
            return "number"
        low, high = keyword.bound(keywords, "minimum", where), keyword.bound(keywords, "maximum", where)
        if "exclusiveMinimum" in keywords or "exclusiveMaximum" in keywords:
            raise refused(where, "excludes a bound of numbers that are not whole")
        if any(bound is not None and bound != math.floor(bound) for bound in (low, high)):
            raise refused(where, "has a bound that is not whole")
        lowest = -_GREATEST if low is None else max(int(low), -_GREATEST)
        highest = _GREATEST if high is None else min(int(high), _GREATEST)
        if lowest > highest:
            raise refused(where, "allows no number")
        return self._rule(decimal(lowest, highest))


def _refuse_depth(schema: object) -> None:
    level: list[object] = [schema]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return
    raise InvalidRequestError(f"The JSON schema is nested more than {_DEEPEST} deep.")


def _inside(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _implied(keywords: Schema) -> str | None:
    """The type whose keywords are there, where none is named."""
    return next((kind for kind, known in _TYPED.items() if known & set(keywords)), None)


def _is_a(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _PYTHON_TYPES.get(kind, ()))


def _spelled(value: object, where: str) -> str:
    """A value as a model would write it."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:
        raise refused(where, "has a number or a character that no text can hold") from None
    return text


def _no_number(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")
