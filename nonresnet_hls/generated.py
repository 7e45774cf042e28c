"""What hls4ml generates, as text from anybody: read with bounds, in time that grows as the text does.

Patterns over such text must not try in vain what others have tried: quantifiers are possessive or bounded, and what
is opened and never closed ends with the text.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from nonresnet_hls import bounds
from nonresnet_hls.errors import ConversionError, shown

SETTINGS = "hls4ml_config.yml"
MAX_SETTINGS_BYTES = 2 << 20
"""Of a ResNet20 they are 30 kB; YAML is read at 100 kB a second."""
MAX_SOURCE_BYTES = 16 << 20
"""Of a file of C++ without its weights; of a ResNet20 80 kB."""
MAX_CALLS = 10_000
"""Layers of a design, those among them that hls4ml inserts."""

MOST = 1 << 40
"""No constant, depth, width or size of a design is larger."""

_COMMENT = re.compile(r"//[^\n]*+|/\*.*?(?:\*/|\Z)", re.DOTALL)
# struct config2 : nnet::conv2d_config { ... };
_STRUCT = re.compile(r"\bstruct\s++(\w++)\s*+(?::\s*+[\w:]++\s*+)?\{(.*?)(\n\};|\Z)", re.DOTALL)
_TYPEDEF = re.compile(r"\btypedef\s++([^;{}]{1,1000}+);")


def without_comments(text: str) -> str:
    """C++ without its comments."""
    return _COMMENT.sub("", text)


def integer(text: str, what: str, most: int = MOST) -> int:
    """A number in C++.

    Raises:
        ConversionError: it is none from 1 to `most`.
    """
    digits = text.strip()
    value = int(digits) if digits.isdecimal() and digits.isascii() and len(digits) <= len(str(MOST)) else 0
    if not 1 <= value <= most:
        raise ConversionError(f"{what}: an integer from 1 to {most} wanted, not {shown(digits)}")
    return value


def structs(text: str) -> list[tuple[str, str]]:
    """Names and bodies of the structs in C++ without comments; one that does not end is none."""
    return [(match[1], match[2]) for match in _STRUCT.finditer(text) if match[3]]


def typedefs(text: str) -> dict[str, str]:
    """What names stand for in C++ without comments, white space as single blanks."""
    found = {}
    for match in _TYPEDEF.finditer(text):
        words = match[1].split()
        if len(words) > 1 and re.fullmatch(r"\w+", words[-1]):
            found[words[-1]] = " ".join(words[:-1])
    return found


def read(path: Path) -> str:
    """A file of generated C++.

    Raises:
        ConversionError: it cannot be read, or is larger than any that hls4ml writes.
    """
    try:
        return bounds.read_text(path, MAX_SOURCE_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        reason = str(error) if isinstance(error, bounds.TooLargeError) else reason
        raise ConversionError(f"{path}: generated C++ of hls4ml wanted, cannot be read ({reason})") from None


def plain_yaml(path: Path) -> Any:
    """What a YAML file of hls4ml's or for it holds: values that only hls4ml can rebuild are left out.

    Raises:
        ConversionError: the file is missing, or no YAML.
    """
    try:
        text = bounds.read_text(path, MAX_SETTINGS_BYTES)
    except (OSError, ValueError) as error:
        raise ConversionError(f"{path}: settings of hls4ml as YAML wanted, cannot be read ({error})") from None
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except RecursionError:
        raise ConversionError(f"{path}: YAML wanted, nested too deeply") from None
    # What looks like a date or a number and is none raises more than errors of YAML.
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ConversionError(f"{path}: YAML wanted, cannot be parsed ({reason})") from None


def read_settings(project: Path) -> dict[str, Any]:
    """The scalar settings of `hls4ml_config.yml`; values that only hls4ml can rebuild are left out.

    Raises:
        ConversionError: the file is missing, is no YAML or names no project.
    """
    path = project / SETTINGS
    data = plain_yaml(path)
    if not isinstance(data, dict) or not isinstance(data.get("ProjectName"), str):
        raise ConversionError(f"{path}: key 'ProjectName' wanted, none found")
    for key in ("Backend", "IOType"):
        if not isinstance(data.get(key, ""), str):
            raise ConversionError(f"{path}: {key}: a name wanted, not {shown(data[key])}")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", data["ProjectName"]):
        # It names files, which are written, too.
        raise ConversionError(f"{path}: ProjectName: a C++ identifier wanted, not {shown(data['ProjectName'])}")
    return data


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]  # no type information
    """Reads hls4ml's YAML without running anything: every object of its own (`!keras_model`) becomes None."""

    def flatten_mapping(self, node: Any) -> None:
        """Merges (`<<`) can make gigabytes of a few lines; hls4ml writes none."""
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.constructor.ConstructorError(None, None, "no merge key (<<) wanted", node.start_mark)
        super().flatten_mapping(node)


_PlainLoader.add_multi_constructor("", lambda _loader, _suffix, _node: None)
