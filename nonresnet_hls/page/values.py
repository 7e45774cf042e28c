"""What a page shows, as plain values; `as_json` is what the page itself carries, format 1.

Every figure names its source, a key of `Page.sources`: which engine, in which version, at which stage of a design, and
whether it measured or modelled. What nobody found out is not there: never a 0 for want of a figure.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

FORMAT = 1


class Basis(StrEnum):
    """How a figure was come by."""

    MEASURED = "measured"
    """Run, simulated, synthesised, or counted on a data set."""
    MODELLED = "modelled"


@dataclass(frozen=True)
class Source:
    """Where figures come from."""

    engine: str
    version: str
    stage: str
    basis: Basis

    def __str__(self) -> str:
        return " · ".join(filter(None, (self.basis, self.engine, self.version, self.stage)))


@dataclass(frozen=True)
class Figure:
    """A number and where it comes from."""

    value: int | float
    source: str
    low: int | None = None
    """With `high`: 8 of 10 modules of real reports lie within."""
    high: int | None = None
    at_most: bool = False
    """Whether it is an upper bound."""


@dataclass(frozen=True)
class Missing:
    """A figure that is not there, and what to do to have it."""

    what: str
    command: str


@dataclass(frozen=True)
class Part:
    """A layer of a design, or a unit of its hardware that computes several."""

    name: str
    kind: str
    """What it does, as "convolution 3x3, 16 to 32"."""
    layers: tuple[str, ...] = ()
    """That a unit computes."""
    reuse_factor: int | None = None
    type: str = ""
    """Of the numbers that it leaves, where it is known."""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """`interval_cycles`, `lut`, `ff`, `dsp`, `bram_18k`."""
    bottleneck: bool = False


@dataclass(frozen=True)
class Fifo:
    """A stream between two parts."""

    name: str
    source: str
    target: str
    words: int
    """That go through it for an image."""
    bits: int
    """Of a word."""
    on_skip: bool
    depths: Mapping[str, Figure]
    """`tensor`, `sized`, `margin`, `least`; what hardware was built with (`built`), and held at most (`high_water`)."""


@dataclass(frozen=True)
class Activity:
    """Of each stretch of time, in per mille: how long a part waited for a word, and for room. In the rest it worked."""

    starved: tuple[int, ...]
    blocked: tuple[int, ...]


@dataclass(frozen=True)
class Timeline:
    """What happens in the course of some images with FIFOs of given depths.

    `edges` are the cycles in which its stretches begin, and the one in which the last ends; `levels` the most words
    that each FIFO held in each.
    """

    key: str
    """Of the depths, as in `Fifo.depths`."""
    source: str
    edges: tuple[int, ...]
    images: int
    image_ends: tuple[int, ...]
    levels: Mapping[str, tuple[int, ...]]
    activity: Mapping[str, Activity]
    checked: str = ""
    """What confirms it."""
    stuck: str = ""
    """Why it does not finish; empty where it does."""


@dataclass(frozen=True)
class Step:
    """One of those that wait for each other: what for, and how far it had come."""

    part: str
    fifo: str
    state: str
    """"full" (it would write) or "empty" (it would read)."""
    other: str
    """Who would have to act."""
    level: int
    depth: int
    passed: int
    tokens: int


@dataclass(frozen=True)
class Deadlock:
    """What happens when one FIFO is one word shorter than it must be, all others at their least depths."""

    fifo: str
    depth: int
    least: int
    source: str
    steps: tuple[Step, ...]
    """From the full FIFO on, who waits for whom, until it comes round."""
    told: str = ""
    """What else is to be said."""


@dataclass(frozen=True)
class View:
    """A design as one engine has it: its parts, the FIFOs between them, and what happens in there."""

    key: str
    title: str
    target: str
    """The part that it is for."""
    clock_ns: float
    parts: tuple[Part, ...]
    fifos: tuple[Fifo, ...]
    totals: Mapping[str, Figure]
    """`interval_cycles`, `latency_cycles`, `lut`, `ff`, `dsp`, `bram_18k`, those of FIFOs (`fifo_bram_18k`), ..."""
    available: Mapping[str, int]
    """What the target has."""
    timelines: tuple[Timeline, ...] = ()
    deadlocks: tuple[Deadlock, ...] = ()
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerRange:
    """The numbers of one layer in Keras against the range of its type in hardware."""

    layer: str
    type: str
    top: int
    """The greatest power of two that a first bit of the type stands for."""
    bottom: int
    """The power of two of its last bit."""
    powers: Mapping[str, int]
    """Numbers by power of two: 2**n <= |x| < 2**(n+1)."""
    zeros: int
    least: float
    greatest: float
    above: int
    """Numbers beyond the type's greatest."""
    below: int
    """Numbers, not 0, of less than its last bit."""
    made_here: int
    """Numbers that this layer makes other than Keras would."""
    reason: str


@dataclass(frozen=True)
class Ranges:
    """What `explain` found of the values of a design."""

    source: str
    data: str
    samples: int
    first_layer: str
    layers: tuple[LayerRange, ...]


@dataclass(frozen=True)
class Design:
    """One network or block."""

    name: str
    title: str
    facts: tuple[tuple[str, str], ...]
    """What is to be said of it first: skips, data set, bits, ..."""
    views: tuple[View, ...]
    ranges: Ranges | None = None
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    key: str
    title: str
    told: str = ""
    is_text: bool = False


@dataclass(frozen=True)
class Table:
    """A table of figures and texts; a cell that nobody knows is None."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Figure | str | None], ...]
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One point of a study."""

    name: str
    status: str
    reason: str
    on_front: bool
    axes: Mapping[str, str]
    figures: Mapping[str, Figure]
    recipe: str
    """Its path, relative to the study's folder."""
    recipe_text: str
    """What is in it."""
    notes: str = ""


@dataclass(frozen=True)
class Objective:
    """A figure of a study and which way is better."""

    name: str
    title: str
    unit: str
    better: str


@dataclass(frozen=True)
class Study:
    """The trade-offs of one study."""

    name: str
    title: str
    network: str
    counts: Mapping[str, int]
    objectives: tuple[Objective, ...]
    figures: tuple[Objective, ...]
    """All that trials have."""
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Page:
    """All of a page."""

    title: str
    made_by: str
    sources: Mapping[str, Source]
    designs: tuple[Design, ...] = ()
    tables: tuple[Table, ...] = ()
    studies: tuple[Study, ...] = ()


def as_json(page: Page) -> dict[str, Any]:
    """The page as plain values, as it carries them."""
    return {"format": FORMAT, **_plain(page)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        if isinstance(value, Figure):  # there are thousands
            found = {name: one for name, one in found.items() if name in ("value", "source") or one}
        return {name: _plain(one) for name, one in found.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
