"""XML that nobody vouches for: no entities beyond those of XML itself, nothing fetched."""

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from app.errors import DamagedFileError, ParserLimitError

_DEEPEST = 400


def parse(data: bytes) -> Element:
    """The root element; names as "{namespace}name".

    Raises:
        DamagedFileError: it is not well formed, or declares entities.
        ParserLimitError: elements are nested hundreds deep.
    """
    builder = TreeBuilder()
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ParserLimitError("The file is nested too deeply.")
        builder.start(_named(name), {_named(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_named(name))

    parser = guarded_parser()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, LookupError, AssertionError, ValueError):
        raise DamagedFileError("The file is broken: its XML cannot be read.") from None


def guarded_parser() -> expat.XMLParserType:
    """An expat parser that refuses a document that declares entities of its own."""
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.EntityDeclHandler = _refuse_entity
    return parser


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def attribute(element: Element, name: str) -> str | None:
    """The value of the attribute called `name`, whatever its namespace."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return value
    return None


def _named(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def _refuse_entity(*_: object) -> None:
    raise DamagedFileError("The file declares XML entities, which Carrel does not read, to be safe.")
