"""JSON values as GBNF: the rules that every schema's grammar shares."""

CHARACTER = r'([^"\\\x00-\x1F\x7F] | "\\" ["\\/bfnrt])'
"""One character of a JSON string, escaped where it must be (\\u is left out: never needed)."""


_DAYS = (
    '(("0" [13578] | "1" [02]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])'
    ' | ("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30")'
    ' | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8]))'
)
_DATE = f'[0-9]{{3}} [1-9] "-" {_DAYS}'
_TIME = (
    '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})?'
    ' ("Z" | [+-] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9])'
)
_HEX = "[0-9a-f]"
FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f'{_DATE} "T" {_TIME}',
    "uuid": f'{_HEX}{{8}} "-" {_HEX}{{4}} "-" {_HEX}{{4}} "-" {_HEX}{{4}} "-" {_HEX}{{12}}',
}
FRACTION = '"." [0-9]{1,15}'
_NUMBER = f'"-"? ("0" | [1-9] [0-9]{{0,15}}) ({FRACTION})? ([eE] [-+]? [0-9]{{1,2}})?'
RULES = {
    "space": '(" " | "\\n" " "{0,20})?',
    "string": f'"\\"" {CHARACTER}* "\\""',
    "number": _NUMBER,
    "integer": '"-"? ("0" | [1-9] [0-9]{0,15})',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "value": "object | array | string | number | boolean | null",
    "member": 'string ":" space value',
    "object": '"{" space (member ("," space member)* space)? "}"',
    "array": '"[" space (value ("," space value)* space)? "]"',
}
