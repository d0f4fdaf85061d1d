"""Jinja for templates that came out of a file nobody vouches for.

Jinja's own sandbox keeps a template away from Python's insides. It does not keep it from looping
for ever or from making text until memory is gone. Here every rendering has a meter: processor
time is checked at each line of compiled template code, and whatever makes text pays by its
length before it is made. What cannot be metered (padding, printf) is not there.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import FrameType
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST_TEMPLATE = 200_000
"""Characters. The longest in use have about 20,000."""

_COMPILED = "<template>"  # Jinja's name for the source of compiled templates
_SECONDS = 1.0  # processor time of the rendering thread, so that a busy machine does not count
_CHARACTERS = 64_000_000  # made by one rendering, intermediate texts included
_LARGEST_NUMBER_BITS = 4_096
_MOST_NODES = 100_000  # of a list or dictionary that is turned into text

_FILTERS = (
    "abs", "attr", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float",
    "int", "items", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr",
    "reverse", "round", "safe", "select", "selectattr", "sort", "title", "trim", "unique", "upper",
)  # fmt: skip
# Their cost is in their arguments, or they are Python's formatting language.
_REFUSED_METHODS = frozenset(
    ("center", "encode", "expandtabs", "format", "format_map", "ljust", "rjust", "translate", "zfill")
)


class TemplateLimitError(TemplateError):
    """The template took too long or made too much."""


class TemplateRefusalError(TemplateError):
    """The template itself said no, by `raise_exception`."""


class Sandbox:
    """Compiles and renders templates within limits. Thread-safe."""

    def __init__(self) -> None:
        self._environment = _Environment(
            trim_blocks=True,
            lstrip_blocks=True,
            # Folding constants would run filters while compiling, outside the meter.
            optimized=False,
            extensions=[loopcontrols, _GenerationTag],
        )

    def compile(self, source: str) -> Callable[[Mapping[str, object]], str]:
        """Return a function that renders `source` with variables.

        Raises (here and from the function):
            TemplateError: whatever is wrong with the template.
        """
        if len(source) > LONGEST_TEMPLATE:
            raise TemplateLimitError(f"it has {len(source):,} characters")
        try:
            template = self._environment.from_string(source)
        except TemplateError:
            raise
        except Exception as error:  # nesting too deep for the parser, and the like
            raise TemplateError(f"{type(error).__name__} while compiling") from error

        def render(variables: Mapping[str, object]) -> str:
            try:
                with self._environment.metered():
                    return self._environment.concat(template.generate(**variables))
            except TemplateError:
                raise
            except Exception as error:
                raise TemplateError(f"{type(error).__name__}: {error}"[:300]) from error

        return render


class _Meter(threading.local):
    """What the rendering on this thread may still spend."""

    characters = 0
    seconds = 0.0  # of this thread's processor time: when to stop

    def pay(self, characters: int) -> None:
        self.characters -= characters
        if self.characters < 0:
            raise TemplateLimitError("it makes too much text")

    def trace(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if time.thread_time() > self.seconds:
            raise TemplateLimitError(f"it takes longer than {_SECONDS:g} s")
        # Line by line only in the template's own code: the rest is Jinja's and ours.
        return self.trace if frame.f_code.co_filename == _COMPILED else None


class _ConcatThroughEnvironment(CodeGenerator):
    """`a ~ b` compiles to a call of the environment's `concat`, like every other join."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        self.write("environment.concat((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class _GenerationTag(Extension):
    """`{% generation %}` marks what a model wrote, for training: here it is only its contents."""

    tags = {"generation"}  # noqa: RUF012 - as declared by Jinja

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Environment(ImmutableSandboxedEnvironment):
    code_generator_class = _ConcatThroughEnvironment
    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self, **options: Any) -> None:
        super().__init__(finalize=self._as_text, **options)
        self._meter = _Meter()
        allowed = {"range", "namespace", "dict"}
        self.globals = {name: value for name, value in self.globals.items() if name in allowed}
        self.globals.update(raise_exception=_raise_exception, strftime_now=_strftime_now)
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.filters.update(
            indent=self._indent,
            join=self._join,
            replace=self._replace,
            string=self._as_text,
            tojson=self._tojson,
        )

    @contextmanager
    def metered(self) -> Iterator[None]:
        self._meter.characters = _CHARACTERS
        self._meter.seconds = time.thread_time() + _SECONDS
        before = sys.gettrace()
        sys.settrace(self._meter.trace)
        try:
            yield
        finally:
            sys.settrace(before)

    def concat(self, parts: Iterable[Any]) -> str:
        made = []
        for part in parts:
            text = self._as_text(part)
            self._meter.pay(len(text))
            made.append(text)
        return "".join(made)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, (int, float, bytes)) or (isinstance(obj, str) and attr in _REFUSED_METHODS):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Jinja would hand out a tamed `str.format`, which still pads without end."""

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if operator == "+":
            if not numbers:
                self._meter.pay(_size(left) + _size(right))
        elif not numbers and operator == "*":
            self._meter.pay(_size(left) * right if isinstance(right, int) else left * _size(right))
        elif not numbers or operator == "**" or _bits(left) + _bits(right) > _LARGEST_NUMBER_BITS:
            raise TemplateLimitError(f"{operator} is not allowed here")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
        if isinstance(owner, str) and name == "join":
            return self._join(args[0] if args else (), owner)
        if isinstance(owner, str) and name == "replace":
            return self._replace(owner, *args)
        return super().call(context, function, *args, **kwargs)

    def _as_text(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        _count_nodes(value)
        return str(value)

    def _join(self, parts: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
        if attribute is not None:
            parts = (self.getattr(part, attribute) for part in parts)
        texts = [self._as_text(part) for part in parts]
        self._meter.pay(sum(map(len, texts)) + len(separator) * len(texts))
        return separator.join(texts)

    def _replace(self, value: Any, old: str, new: str, count: int | None = None) -> str:
        text, limit = self._as_text(value), -1 if count is None else count
        self._meter.pay(len(text) + text.count(old) * len(new))
        return text.replace(old, new, limit)

    def _indent(self, value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
        lines = self._as_text(value).splitlines()
        space = width if isinstance(width, str) else " " * min(width, 64)
        begun = [
            (space if (number or first) and (line or blank) else "") + line
            for number, line in enumerate(lines)
        ]
        return self._join(begun, "\n")

    def _tojson(self, value: Any, indent: int | None = None, **_options: Any) -> str:
        _count_nodes(value)
        # As Hugging Face does: Jinja's own escapes HTML, which a model would read as it stands.
        return json.dumps(value, ensure_ascii=False, indent=None if indent is None else min(indent, 16))


def _raise_exception(message: object) -> None:
    raise TemplateRefusalError(str(message)[:300])


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form[:100])


def _bits(value: float) -> int:
    return value.bit_length() if isinstance(value, int) else 64


def _size(value: Any) -> int:
    return len(value) if isinstance(value, (str, list, tuple)) else 1


def _count_nodes(value: Any) -> None:
    """Refuse what is small in memory and endless as text: a list of twice the same list, nested."""
    left = _MOST_NODES
    pending = [value]
    while pending:
        node = pending.pop()
        left -= 1
        if left < 0 or (isinstance(node, int) and _bits(node) > _LARGEST_NUMBER_BITS):
            raise TemplateLimitError("it prints too large a value")
        if isinstance(node, Mapping):
            pending.extend(node.keys())
            pending.extend(node.values())
        elif isinstance(node, (list, tuple, set)):
            pending.extend(node)
