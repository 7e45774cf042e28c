"""What hls4ml generates, as text from anybody: read with bounds, in time that grows as the text does.

Patterns over such text must not try in vain what others have tried: quantifiers are possessive or bounded, and what
is opened and never closed ends with the text.
"""

import re
from collections.abc import Mapping
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
# #ifndef __SYNTHESIS__
_CONDITION = re.compile(r"^[ \t]*+#[ \t]*+(?P<kind>if\w*+|el\w*+|endif)\b[ \t]*+(?P<what>[^\n]*+)", re.MULTILINE)
_GUARD = re.compile(r"\w{1,200}_H_*\s*")
_LAYER = re.compile(r"\bnnet::(?!load_|save_layer_output\b)\w")
_LAYER_NAME = re.compile(r"//[ \t]*+[^\s();]++\s*+")
_TYPEDEF = re.compile(r"\btypedef\s++([^;{}]{1,1000}+);")


def without_comments(text: str) -> str:
    """C++ without its comments."""
    return _COMMENT.sub("", text)


def header(text: str, file: str) -> str:
    """A header without its comments.

    Raises:
        ConversionError: some of it counts only under a condition, which we would read all the same.
    """
    text = without_comments(text)
    for condition in _CONDITION.finditer(text):
        if condition["kind"] != "endif" and not (condition["kind"] == "ifndef" and _GUARD.fullmatch(condition["what"])):
            raise ConversionError(f"{file}: no conditions in its C++ wanted, not {shown(condition[0].strip())}")
    return text


def body(text: str, file: str) -> str:
    """C++ with blanks for its comments, but for names behind statements: everything stays where it is.

    Raises:
        ConversionError: a layer is called under a condition only.
    """
    text = _COMMENT.sub(_blank, text)
    opened = 0
    inside = False
    for condition in _CONDITION.finditer(text):
        if not inside and (condition["kind"], condition["what"].strip()) == ("ifndef", "__SYNTHESIS__"):
            inside, opened = True, condition.end()
        elif not inside or condition["kind"] != "endif":
            raise ConversionError(f"{file}: no conditions in its C++ wanted, not {shown(condition[0].strip())}")
        else:
            inside = False
            if _LAYER.search(text, opened, condition.start()):
                raise ConversionError(f"{file}: layers wanted under no condition, not under #ifndef __SYNTHESIS__")
    return text


def _blank(comment: re.Match[str]) -> str:
    before = comment.string[max(0, comment.start() - 80) : comment.start()].rstrip(" \t")
    if before.endswith(";") and _LAYER_NAME.fullmatch(comment[0]):
        return comment[0]
    return re.sub(r"[^\n]", " ", comment[0])


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


_DEFINE = re.compile(r"#define[ \t]++(?P<name>\w++)[ \t]++(?P<value>[\w \t*]++)$", re.MULTILINE)
_NAME = re.compile(r"\b[A-Za-z_]\w*+")


def sizes(defines: str) -> dict[str, int]:
    """The macros that stand for numbers, or for products of such, in C++ without comments: sizes of tensors."""
    found: dict[str, int] = {}
    for match in _DEFINE.finditer(defines):
        product: int | None = 1
        for factor in (part.strip() for part in match["value"].split("*")):
            number = found.get(factor)
            if factor.isdecimal() and factor.isascii() and len(factor) <= len(str(MOST)):
                number = int(factor)
            product = None if product is None or number is None or product * number > MOST else product * number
        if product is not None:
            found[match["name"]] = product
    return found


def with_sizes(text: str, known: dict[str, int]) -> str:
    """C++ with the numbers in place of the macros that stand for them."""
    return _NAME.sub(lambda match: str(known.get(match[0], match[0])), text) if known else text


def resolved(name: str, types: Mapping[str, str]) -> str:
    """What a name stands for that stands for another one, and so on."""
    seen = set()
    while name in types and name not in seen:
        seen.add(name)
        name = types[name]
    return name


_TCL = re.compile(
    r"^[ \t]*+(?:set[ \t]++(?P<key>project_name|backend|part|clock_period)[ \t]++|(?P<command>set_part|set_top"
    r"|create_clock[ \t]++-period)[ \t]++)[\"{]?+(?P<value>[\w.\-]++)",
    re.MULTILINE,
)
_OTHER_TYPES = re.compile(r"\bac_(?:fixed|int)\s*+<|\bac_channel\b")


def settings_of(project: Path) -> tuple[dict[str, Any], Path]:
    """The settings of a project, and the file that has them; where there is no YAML, what the Tcl scripts say.

    Raises:
        ConversionError: as `read_settings`; or there is neither, and not one C++ file to be the top function's.
    """
    path = project / SETTINGS
    if path.is_file() or not (project / "firmware").is_dir():
        return read_settings(project), path
    found: dict[str, Any] = {}
    keys = {"project_name": "ProjectName", "set_top": "ProjectName", "part": "Part", "set_part": "Part"}
    for name in ("project.tcl", "build_prj.tcl"):
        tcl = project / name
        for match in _TCL.finditer(read(tcl)) if tcl.is_file() else ():
            key, value = match["key"] or match["command"].split()[0], match["value"]
            if key in keys:
                found.setdefault(keys[key], value)
            elif key == "backend":
                found.setdefault("Backend", value)
            elif re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", value):
                found.setdefault("ClockPeriod", float(value))
    tops = sorted(path.stem for path in (project / "firmware").glob("*.cpp"))
    if found.get("ProjectName") not in tops:
        if len(tops) != 1:
            raise ConversionError(f"{project}: {SETTINGS}, or one C++ file in firmware, wanted")
        found["ProjectName"] = tops[0]
    defines = project / "firmware" / "defines.h"
    if defines.is_file() and _OTHER_TYPES.search(read(defines)):
        kinds = "ac_fixed, the types of Quartus, oneAPI and Catapult"
        raise ConversionError(f"{defines}: a project of hls4ml's Vivado or Vitis back end wanted, not one with {kinds}")
    return found, project / "firmware"


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
