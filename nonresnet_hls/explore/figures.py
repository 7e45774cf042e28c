"""The figures of a trial, and the trial as a row: the columns of a study's tables (format 1, see `docs/explore.md`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Better(StrEnum):
    """Which of two values is wanted."""

    MORE = "max"
    LESS = "min"


class Basis(StrEnum):
    """What a figure rests on."""

    MEASURED = "measured"
    """Counted on all test samples, or what a tool found of this very design."""
    MODELLED = "modelled"


class Status(StrEnum):
    """How a trial ended."""

    DONE = "done"
    FAILED = "failed"
    """This point cannot be had: it would end in the same way again."""
    LOST = "lost"
    """The machine failed, not the point (a worker that died, a full disk): `--resume` tries it again."""


@dataclass(frozen=True)
class Kind:
    """A figure that a trial has."""

    title: str
    unit: str
    better: Better


KINDS: Mapping[str, Kind] = {
    "top1": Kind("top-1", "share of the test samples", Better.MORE),
    "fps": Kind("images a second", "1/s", Better.MORE),
    "interval_cycles": Kind("interval", "cycles", Better.LESS),
    "lut": Kind("LUT", "look-up tables", Better.LESS),
    "ff": Kind("FF", "flip-flops", Better.LESS),
    "dsp": Kind("DSP", "DSP blocks", Better.LESS),
    "bram_18k": Kind("BRAM18", "block RAMs of 18 Kbit", Better.LESS),
    "energy_proxy": Kind("energy proxy", "bit operations an image", Better.LESS),
}
"""Each can be an objective."""

RESOURCES = ("lut", "ff", "dsp", "bram_18k")

SETTINGS = ("skips", "weight_bits", "activation_bits", "board", "engine", "wanted_fps", "wanted_reuse_factor")
"""Columns of what was asked for: the axes."""


@dataclass(frozen=True)
class Figure:
    """A value, and where it comes from.

    Attributes:
        value: in the unit of its kind.
        basis: what it rests on.
        engine: what measured it, or what the model is of.
        stage: how far the design had come, or is thought to have.
    """

    value: float
    basis: Basis
    engine: str
    stage: str


@dataclass(frozen=True)
class Row:
    """A trial that has ended.

    Attributes:
        trial: its number, from 1, in the order in which it was asked for.
        name: of its settings.
        settings: by `SETTINGS`; None where the study has no such axis.
        status: how it ended.
        reason: why it failed or was lost, in one line.
        figures: by `KINDS`, as far as it came.
        facts: other columns, by `FACTS`.
        recipe: what every stage takes to come to this design, relative to the tables; "" where there is none.
    """

    trial: int
    name: str
    settings: Mapping[str, Any]
    status: Status
    reason: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    recipe: str = ""

    def columns(self, on_front: bool) -> dict[str, Any]:
        """As a row of the tables."""
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {"trial": self.trial, "name": self.name, "status": str(self.status), "reason": self.reason}
        row |= {"on_front": on_front, "recipe": self.recipe}
        row |= {name: self.settings.get(name) for name in SETTINGS} | {name: self.facts.get(name) for name in FACTS}
        for name, figure in self.figures.items():
            row |= {
                name: figure.value,
                f"{name}_basis": str(figure.basis),
                f"{name}_engine": figure.engine,
                f"{name}_stage": figure.stage,
            }
        return {column: None if value == "" else value for column, value in row.items()}


FACTS: Mapping[str, str] = {
    "part": "string",
    "backend": "string",
    "clock_ns": "Float64",
    "weights": "string",
    "test_samples": "Int64",
    "dsp_is_bound": "boolean",
    "lut_low": "Int64",
    "lut_high": "Int64",
    "ff_low": "Int64",
    "ff_high": "Int64",
    **{f"{name}_percent": "Float64" for name in RESOURCES},
    "notes": "string",
}
"""Further columns, and what they hold."""

_FLOATS = ("top1", "fps", "interval_cycles")

COLUMNS: Mapping[str, str] = {
    "trial": "Int64",
    "name": "string",
    "status": "string",
    "reason": "string",
    "on_front": "boolean",
    "skips": "string",
    "weight_bits": "Int64",
    "activation_bits": "Int64",
    "board": "string",
    "engine": "string",
    "wanted_fps": "Float64",
    "wanted_reuse_factor": "Int64",
    **{
        column: kind
        for name in KINDS
        for column, kind in (
            (name, "Float64" if name in _FLOATS else "Int64"),
            (f"{name}_basis", "string"),
            (f"{name}_engine", "string"),
            (f"{name}_stage", "string"),
        )
    },
    **FACTS,
    "recipe": "string",
}
"""All columns of the tables, in their order, and their pandas types."""


def frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as pandas table with all `COLUMNS`, whatever there is of them."""
    import pandas as pd

    data = {name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in COLUMNS.items()}
    return pd.DataFrame(data, columns=list(COLUMNS))
