"""A study: what is varied, what is wanted, and the points of its grid; read from a TOML file.

network = "resnet8"
objectives = ["top1", "fps", "lut", "bram_18k"]
[axes]
skips = ["residual", "short", "plain", "merged"]
bits = [16, 8, [4, 6]]
board = ["pynq-z2", "zcu104"]
[networks]
plain = "nonresnet8"
"""

import difflib
import itertools
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from nonresnet_hls import bounds
from nonresnet_hls.errors import NonResNetError, shown
from nonresnet_hls.explore.figures import KINDS
from nonresnet_hls.recipe import Backend, SkipStyle

# Ends up in names of recipes, folders and C++.
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_MOST_BYTES = 1 << 20
_MOST_POINTS = 10_000
_MOST_COUNT = 1 << 31
_LONGEST_NAME = 100


class StudyError(NonResNetError):
    """A study cannot be read, understood or gone on with; names file and key."""


class Engine(StrEnum):
    """What a trial's hardware is told by."""

    HLS4ML = "hls4ml"
    """The cost model of `fit`: a design of hls4ml's, built by Vivado HLS or Vitis HLS."""
    RTL = "rtl"
    """The open engine, synthesised by Yosys."""


@dataclass(frozen=True)
class Point:
    """One choice on all axes; None: as the network's recipe says, or nothing is asked for."""

    skips: SkipStyle | None = None
    weight_bits: int | None = None
    activation_bits: int | None = None
    board: str = ""
    engine: Engine = Engine.HLS4ML
    fps: float | None = None
    """Images a second that are enough; None: as many as fit."""
    reuse_factor: int | None = None
    """The target of all layers, in place of those that are fitted."""


@dataclass(frozen=True)
class Axis:
    """What is varied: the name of a key in `[axes]`, and its values as the file has them."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Study:
    """What a study's file says.

    Attributes:
        name: that of the file.
        file: its path.
        network: a recipe by name or path, or a model file.
        axes: what is varied, in the order of the file.
        data: of a model file, an .npz file.
        title: as people call it.
        networks: by skip style the recipe that has it, where it is another than `network` with other skips.
        objectives: figures; their Pareto front is looked for.
        epochs: of fine-tuning; None: as the network's recipe says.
        use: the share of a board's resources that may be taken.
        clock_ns: None: the board's usual.
        backend: None: the recipe's.
        simulate: whether cycles of the open engine's designs are simulated, not predicted.
        trials: how many points are tried; None: all.
        batch: so many are chosen at a time where not all are tried, whatever the number of workers.
        seed: of that choice.
        threads: of each training: its last bits depend on it.
    """

    name: str
    file: Path
    network: str
    axes: tuple[Axis, ...]
    data: str | None = None
    title: str = ""
    networks: Mapping[SkipStyle, str] = field(default_factory=dict)
    objectives: tuple[str, ...] = ("top1", "fps", "lut", "bram_18k")
    epochs: int | None = None
    use: float = 0.8
    clock_ns: float | None = None
    backend: Backend | None = None
    simulate: bool = False
    trials: int | None = None
    batch: int = 8
    seed: int = 0
    threads: int = 1

    @property
    def folder(self) -> Path:
        """Where its results lie: beside the file, called like it."""
        return self.file.parent / self.name

    @property
    def points(self) -> list[Point]:
        """All points of the grid, the last axis varying fastest."""
        every = itertools.product(*(axis.values for axis in self.axes))
        return [self.point(values) for values in every]

    @property
    def size(self) -> int:
        """How many points the grid has."""
        return math.prod(len(axis.values) for axis in self.axes)

    @property
    def planned(self) -> int:
        """How many points are tried."""
        return self.size if self.trials is None else min(self.size, self.trials)

    def point(self, values: tuple[Any, ...]) -> Point:
        """The point of a value for each axis."""
        chosen: dict[str, Any] = {}
        for axis, value in zip(self.axes, values, strict=True):
            if axis.name == "bits":
                chosen["weight_bits"], chosen["activation_bits"] = value if isinstance(value, tuple) else (value, value)
            elif axis.name == "fps":
                chosen["fps"] = None if value == MOST else value
            else:
                chosen[axis.name] = value
        return Point(**chosen)


MOST = "most"
"""In `axes.fps`: as many images a second as fit."""


def load(path: Path) -> Study:
    """Read a study.

    Raises:
        StudyError: there is none, a key is unknown, a value is not as it must be; names file and key.
    """
    if path.suffix != ".toml" or not _NAME.fullmatch(path.stem) or len(path.stem) > _LONGEST_NAME:
        wanted = "a .toml file called by lower-case letters and digits, parts joined by '-' or '_'"
        raise StudyError(f"study {shown(str(path))}: {wanted} wanted")
    try:
        table = tomllib.loads(bounds.read_text(path, _MOST_BYTES))
    except OSError as error:
        raise StudyError(f"{path}: a study wanted ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{path}: cannot be read as TOML: {' '.join(str(error).split())[:200]}") from None
    try:
        return _study(path, table)
    except _UnfitError as error:
        raise StudyError(f"{path}: {error}") from None


class _UnfitError(ValueError):
    """A value is not as it must be; names the key."""


def _study(path: Path, table: Mapping[str, Any]) -> Study:
    for key in table:
        _known(key, _KEYS, "")
    for key in ("network", "axes"):
        if key not in table:
            raise _UnfitError(f"key {key!r} is missing")
    said = {key: read(table[key], key) for key, read in _KEYS.items() if key in table}
    study = Study(path.stem, path, **said)
    names = {axis.name for axis in study.axes}
    for one, other in (("fps", "reuse_factor"), ("bits", "weight_bits"), ("bits", "activation_bits")):
        if {one, other} <= names:
            raise _UnfitError(f"axes: {one} or {other} wanted, not both")
    engines = next((axis.values for axis in study.axes if axis.name == "engine"), (Engine.HLS4ML,))
    if Engine.RTL in engines and "fps" in names:
        raise _UnfitError("axes.fps: reuse_factor wanted with engine rtl, whose factors `fit` alone chooses")
    if "board" not in names:
        raise _UnfitError("axes.board: one or more boards wanted, none is there")
    if study.size > _MOST_POINTS:
        raise _UnfitError(f"axes: at most {_MOST_POINTS} points wanted, not {study.size}")
    return study


def _known(key: str, known: Mapping[str, Any], prefix: str) -> None:
    if key not in known:
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"one of {', '.join(known)} wanted"
        raise _UnfitError(f"unknown key {shown(prefix + key)}; {hint}")


def _unfit(key: str, wanted: str, value: object) -> _UnfitError:
    return _UnfitError(f"{key}: {wanted} wanted, not {shown(value)}")


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value or len(value) > 1000:
        raise _unfit(key, "a text", value)
    return value


def _whole(least: int, most: int = _MOST_COUNT) -> Callable[[Any, str], int]:
    def read(value: Any, key: str) -> int:
        if type(value) is not int or not least <= value <= most:
            wanted = f"an integer from {least} to {most}" if most < _MOST_COUNT else f"an integer from {least} on"
            raise _unfit(key, wanted, value)
        return value

    return read


def _number(most: float) -> Callable[[Any, str], float]:
    def read(value: Any, key: str) -> float:
        if type(value) not in (int, float) or not 0 < value <= most:  # so written, NaN is refused too
            raise _unfit(key, f"a number above 0 and up to {most:g}", value)
        return float(value)

    return read


def _one_of(kind: type[StrEnum]) -> Callable[[Any, str], Any]:
    def read(value: Any, key: str) -> Any:
        if not isinstance(value, str) or value not in list(kind):
            raise _unfit(key, " or ".join(repr(str(one)) for one in kind), value)
        return kind(value)

    return read


def _truth(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise _unfit(key, "true or false", value)
    return value


def _list(read: Callable[[Any, str], Any]) -> Callable[[Any, str], tuple[Any, ...]]:
    def several(value: Any, key: str) -> tuple[Any, ...]:
        if not isinstance(value, list) or not 0 < len(value) <= _MOST_POINTS:
            raise _unfit(key, "a list of one or more", value)
        found = tuple(read(item, key) for item in value)
        seen: set[Any] = set()
        for one in found:
            if one in seen:
                raise _unfit(key, "each once", one)
            seen.add(one)
        return found

    return several


def _weight_bits(value: Any, key: str) -> int:
    if type(value) is not int or not (value == 1 or 3 <= value <= 16):
        raise _unfit(key, "1 or 3..16 bits for weights", value)
    return value


_activation_bits = _whole(1, 16)


def _bits(value: Any, key: str) -> tuple[int, int]:
    pair = [value, value] if not isinstance(value, list) else value
    if len(pair) != 2:
        raise _unfit(key, "bits, or [bits of weights, bits of activations]", value)
    return _weight_bits(pair[0], key), _activation_bits(pair[1], key)


def _fps(value: Any, key: str) -> float | str:
    return MOST if value == MOST else _number(1e12)(value, key)


def _objective(value: Any, key: str) -> str:
    if not isinstance(value, str) or value not in KINDS:
        raise _unfit(key, f"{', '.join(KINDS)}", value)
    return value


_AXES: Mapping[str, Callable[[Any, str], Any]] = {
    "skips": _list(_one_of(SkipStyle)),
    "bits": _list(_bits),
    "weight_bits": _list(_weight_bits),
    "activation_bits": _list(_activation_bits),
    "board": _list(_text),
    "engine": _list(_one_of(Engine)),
    "fps": _list(_fps),
    "reuse_factor": _list(_whole(1)),
}


def _axes(value: Any, key: str) -> tuple[Axis, ...]:
    if not isinstance(value, dict):
        raise _unfit(key, "a table", value)
    for name in value:
        _known(name, _AXES, f"{key}.")
    return tuple(Axis(name, _AXES[name](values, f"{key}.{name}")) for name, values in value.items())


def _networks(value: Any, key: str) -> dict[SkipStyle, str]:
    if not isinstance(value, dict):
        raise _unfit(key, "a table", value)
    for name in value:
        _known(name, dict.fromkeys(map(str, SkipStyle)), f"{key}.")
    return {SkipStyle(name): _text(recipe, f"{key}.{name}") for name, recipe in value.items()}


_KEYS: Mapping[str, Callable[[Any, str], Any]] = {
    "network": _text,
    "data": _text,
    "title": _text,
    "axes": _axes,
    "networks": _networks,
    "objectives": _list(_objective),
    "epochs": _whole(0, 100_000),
    "use": _number(1),
    "clock_ns": _number(1000),
    "backend": _one_of(Backend),
    "simulate": _truth,
    "trials": _whole(1, _MOST_POINTS),
    "batch": _whole(1, _MOST_POINTS),
    "seed": _whole(0, (1 << 32) - 1),
    "threads": _whole(1, 1024),
}
assert set(_KEYS) < {one.name for one in fields(Study)}
