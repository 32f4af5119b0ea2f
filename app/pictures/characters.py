"""Names of types are anybody's text; each format of files has characters that it cannot hold."""

import re
from typing import Any

# What XML does not allow (XML 1.0, 2.2).
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What ends a line, or looks like the end of one, for some program.
_LINE_BREAKS = re.compile("[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")


def xml_text(text: str) -> str:
    """The text with what XML does not allow replaced by U+FFFD; it is not escaped."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def xml_values(value: Any) -> Any:
    """Nested values with every text, names included, as `xml_text` has it."""
    match value:
        case str():
            return xml_text(value)
        case dict():
            return {xml_text(name): xml_values(one) for name, one in value.items()}
        case list():
            return [xml_values(one) for one in value]
    return value


def one_line(text: str) -> str:
    """The text with spaces for its line breaks."""
    return _LINE_BREAKS.sub(" ", text)
