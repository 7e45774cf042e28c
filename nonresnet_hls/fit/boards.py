"""Boards, and what they have: those of `boards.toml`, a file of the user's own, or a part by itself."""

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nonresnet_hls import bounds
from nonresnet_hls.dataflow.memory import PartResources, part_names, part_resources
from nonresnet_hls.errors import ConversionError, shown

_FILE = Path(__file__).parent / "boards.toml"
_FIGURES = tuple(field.name for field in fields(PartResources))
_KEYS = ("part", "clock_ns", *_FIGURES)
_MOST_BYTES = 1 << 20
_MOST = 1 << 31
_LONGEST_CLOCK_NS = 1000.0


@dataclass(frozen=True)
class Board:
    """A board, or a part alone.

    Attributes:
        name: as it was asked for.
        part: as the tools write it.
        clock_ns: its usual clock; None of a part alone.
        resources: what the part has.
    """

    name: str
    part: str
    clock_ns: float | None
    resources: PartResources

    @property
    def is_lattice(self) -> bool:
        """Whether no tool of AMD's builds for it."""
        return self.part.lower().startswith("lfe")


def board_names() -> list[str]:
    """The boards that are known."""
    return list(_table(_FILE))


def board(named: str) -> Board:
    """A board by name, from a TOML file of one board (or `FILE:NAME` of several), or a part.

    >>> board("pynq-z2").resources.dsp, board("xczu7ev-ffvc1156-2-e").resources.uram
    (220, 96)

    Raises:
        ConversionError: it is none of these, or the file does not say what a board has.
    """
    known = _table(_FILE)
    if named in known:
        return _board(named, known[named], str(_FILE))
    file, _, inside = named.partition(".toml:")
    if named.endswith(".toml") or inside:
        path = Path(named if not inside else f"{file}.toml")
        return _of_file(path, inside)
    resources = part_resources(named)
    if resources is not None:
        return Board(named, named, None, resources)
    close = difflib.get_close_matches(named.lower(), [*known, *part_names()], n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}? " if close else ""
    raise ConversionError(
        f"board {shown(named)}: {hint}one of {', '.join(known)}, a .toml file, or a part wanted that begins with"
        f" {', '.join(part_names())}"
    )


def _of_file(path: Path, inside: str) -> Board:
    tables = _table(path)
    if inside:
        if inside not in tables:
            raise ConversionError(f"{path}: a board {shown(inside)} wanted, one of {', '.join(tables)} is there")
        return _board(inside, tables[inside], str(path))
    if len(tables) != 1:
        raise ConversionError(f"{path}: one board wanted, not {len(tables)}; name it as {path}:NAME")
    ((name, table),) = tables.items()
    return _board(name, table, str(path))


def _table(path: Path) -> Mapping[str, Any]:
    try:
        table = tomllib.loads(bounds.read_text(path, _MOST_BYTES))
    except OSError as error:
        raise ConversionError(f"{path}: a file of boards wanted ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:
        raise ConversionError(f"{path}: cannot be read as TOML: {' '.join(str(error).split())[:200]}") from None
    for name, one in table.items():
        if not isinstance(one, dict):
            raise ConversionError(f"{path}: {shown(name)}: a table of a board wanted, not {shown(one)}")
    if not table:
        raise ConversionError(f"{path}: a board wanted, none is there")
    return table


def _board(name: str, table: Mapping[str, Any], file: str) -> Board:
    where = f"{file}: {name}"
    for key in table:
        if key not in _KEYS:
            raise ConversionError(f"{where}: unknown key {shown(key)}; one of {', '.join(_KEYS)} wanted")
    part = table.get("part")
    if not isinstance(part, str) or not part or not part.replace("-", "").replace(".", "").replace("_", "").isalnum():
        raise ConversionError(f"{where}: part: the name of a part wanted, not {shown(part)}")
    clock = table.get("clock_ns")
    if clock is not None:
        number = not isinstance(clock, bool) and isinstance(clock, int | float)
        if not number or not (math.isfinite(clock) and 0 < clock <= _LONGEST_CLOCK_NS):
            wanted = f"nanoseconds above 0 and up to {_LONGEST_CLOCK_NS:g}"
            raise ConversionError(f"{where}: clock_ns: {wanted} wanted, not {shown(clock)}")
    said = {key: table[key] for key in _FIGURES if key in table}
    for key, value in said.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
            raise ConversionError(f"{where}: {key}: a count wanted, not {shown(value)}")
    known = part_resources(part)
    missing = [key for key in ("lut", "ff", "dsp", "bram_18k") if key not in said]
    if known is None and missing:
        raise ConversionError(f"{where}: {missing[0]} wanted: what {part} has is not known")
    figures = {key: getattr(known, key) for key in _FIGURES} if known is not None else {}
    return Board(name, part, None if clock is None else float(clock), PartResources(**{**figures, **said}))
