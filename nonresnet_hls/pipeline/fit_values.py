"""What is asked of a fit, and what it finds."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ConversionError, shown
from nonresnet_hls.fit.boards import Board
from nonresnet_hls.fit.fitting import RESOURCES, Fitted, Shortage, budget_of
from nonresnet_hls.fit.measured import Measured
from nonresnet_hls.recipe import Backend, Budget
from nonresnet_hls.rtl.yosys import Target


class NothingFitsError(ConversionError):
    """There is no design within the budget; says of what there is too little, and what would fit."""


@dataclass(frozen=True)
class Asked:
    """What a design is fitted to.

    Attributes:
        board: a name, a file of a board, or a part; None: the recipe's part, whose `[budget]` says what may be taken.
        fps: images per second that are enough; None: as many as there can be.
        use: the share of every resource that may be taken, where no `[budget]` says so.
        clock_ns: None: the board's usual, or the recipe's.
        backend: None: the recipe's.
        reuse_factor: every layer takes the one nearest to it, and nothing is chosen; None: they are chosen.
    """

    board: str | None
    fps: float | None = None
    use: float = 0.8
    clock_ns: float | None = None
    backend: Backend | None = None
    reuse_factor: int | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and not (math.isfinite(self.fps) and self.fps > 0):
            raise ConversionError(f"--fps: images per second above 0 wanted, not {shown(self.fps)}")
        if not (math.isfinite(self.use) and 0 < self.use <= 1):
            raise ConversionError(f"--use: a share above 0 and up to 1 wanted, not {shown(self.use)}")
        if self.clock_ns is not None and not (math.isfinite(self.clock_ns) and 0 < self.clock_ns <= 1000):
            raise ConversionError(f"--clock: nanoseconds above 0 and up to 1000 wanted, not {shown(self.clock_ns)}")


LABELS = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM18"}
"""Of resources, as people call them."""


def budget_for(board: Board, use: float, own: Budget) -> dict[str, int]:
    """A share of what the board has, but for what the recipe says.

    Raises:
        ConversionError: the recipe says more than there is.
    """
    has: Mapping[str, int] = asdict(board.resources)
    budget = budget_of(has, use)
    for name in own.named:
        count = getattr(own, name)
        if count > has[name]:
            raise ConversionError(f"budget.{name}: at most the {has[name]} of {board.name} wanted, not {count}")
        budget[name] = count
    return budget


def told_budget(use: float, own: Budget) -> str:
    """What may be taken, in words.

    >>> told_budget(0.8, Budget()), told_budget(0.8, Budget(lut=100))
    ('80% of it', '80% of it and the [budget] of its recipe')
    """
    share = [] if own.named == set(RESOURCES) else [f"{use:.0%} of it"]
    return " and ".join([*share, *(["the [budget] of its recipe"] if own.named else [])])


@dataclass(frozen=True)
class Limits:
    """What a design must keep within.

    Attributes:
        board: what it is for.
        budget: of each resource what may be taken.
        told: the same in words, "80% of it".
        use: the share of the board where no `[budget]` says otherwise.
        clock_ns: that figures are for.
        fps: images per second that are enough; None: as many as there can be.
        cycles: an image may take for that.
    """

    board: Board
    budget: Mapping[str, int]
    told: str
    use: float
    clock_ns: float
    fps: float | None
    cycles: int | None

    def larger_use(self, shortage: Shortage) -> list[str]:
        """The share of the board that would do, if one does."""
        shares = [used / (getattr(self.board.resources, name) or 1e-9) for name, used in shortage.used.items()]
        return [f"--use {math.ceil(max(shares) * 100) / 100:g}"] if max(shares) <= 1 else []


def told_over(shortage: Shortage) -> str:
    """Of what there is too little, and by how much."""
    budget = shortage.budget
    told = (f"{LABELS[name]} by {count:,} of {budget[name]:,}" for name, count in shortage.over.items())
    return ", ".join(told) or "FIFOs"


def nothing_fits(
    limits: Limits, shortage: Shortage, slower_cycles: float | None, others: list[Board], how: str, otherwise: str
) -> NothingFitsError:
    """There is too little of something.

    Args:
        limits: what was kept within.
        shortage: what the smallest design takes that would be fast enough.
        slower_cycles: per image of the fastest design that fits, where a speed was asked for and one fits.
        others: boards that would do.
        how: figures are had: "modelled".
        otherwise: what is said where nothing would fit.
    """
    advice = limits.larger_use(shortage) if limits.cycles is None else []
    if slower_cycles is not None:
        advice.append(f"--fps {math.floor(1e9 / limits.clock_ns / slower_cycles)}")
    advice += [board.name for board in others]
    fits = f"what would fit: {', '.join(advice)}" if advice else otherwise
    wanted = "" if limits.fps is None else f" for {limits.fps:g} images a second"
    return NothingFitsError(
        f"{limits.board.name}: nothing fits {limits.told}{wanted}: too many {told_over(shortage)} ({how}); {fits}"
    )


def too_slow(limits: Limits, fastest_interval: int) -> NothingFitsError:
    """No choice is as fast as is wanted."""
    most = 1e9 / limits.clock_ns / fastest_interval
    return NothingFitsError(
        f"{limits.board.name}: --fps {limits.fps:g}: no reuse factors are so fast; at {limits.clock_ns:g} ns at most"
        f" {most:,.0f} images a second"
    )


@dataclass(frozen=True)
class Found:
    """A design that fits, by either engine.

    Attributes:
        design: what was fitted.
        board: the board, and what it has.
        clock_ns: that the figures are for.
        budget: of each resource what may be taken.
        found: the design.
        faster: what the next faster design would take at least; None: there is none.
        recipe: where the recipe was written.
        notes: what there is to say beside.
        seconds: that it took, without the conversion.
    """

    design: str
    board: Board
    clock_ns: float
    budget: Mapping[str, int]
    found: Fitted | Measured
    faster: Shortage | None
    recipe: Path | None
    notes: tuple[str, ...]
    seconds: float

    @property
    def fps(self) -> float:
        """Images per second at the clock."""
        return 1e9 / self.clock_ns / self.found.interval_cycles

    def percent(self, resource: str) -> float:
        """Of what the board has, how much is taken."""
        has = getattr(self.board.resources, resource)
        return 100 * self.found.used[resource] / has if has else 0.0

    @property
    def limits(self) -> str:
        """What stands in the way of more images per second."""
        if self.faster is None:
            slow = [layer.name for layer in self.found.layers if layer.bottleneck]
            return f"no layer can be made faster than {slow[0]}"
        over = self.faster.over
        if not over:
            return "nothing: faster designs fit, and were not asked for"
        told = ", ".join(f"{LABELS[name]} by {count:,}" for name, count in over.items())
        return f"{self.faster.interval_cycles:,} cycles would exceed {told}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "design": self.design,
            "board": self.board.name,
            "part": self.board.part,
            "clock_ns": self.clock_ns,
            "fps": self.fps,
            "interval_cycles": self.found.interval_cycles,
            "available": asdict(self.board.resources),
            "budget": dict(self.budget),
            "used": dict(self.found.used),
            "layers": [asdict(layer) for layer in self.found.layers],
            "reuse_factors": dict(self.found.reuse_factors),
            "fifo_depths": dict(self.found.fifo_depths),
            "shares_above_least": self.found.above_least,
            "faster": None if self.faster is None else asdict(self.faster) | {"over": self.faster.over},
            "limits": self.limits,
            "recipe": None if self.recipe is None else str(self.recipe),
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Fit(Found):
    """A design of hls4ml's; all but BRAM18 and the DSPs of the Resource strategy is modelled.

    Attributes:
        backend: the tool that builds it.
        uniform: reuse factor and design of the best with one for all layers; None: none fits.
        unknown_layers: layers without a model, which no figure counts.
    """

    found: Fitted
    backend: str
    uniform: tuple[int, Fitted] | None
    unknown_layers: tuple[str, ...]

    @property
    def speedup(self) -> float | None:
        """How many times as fast as the best uniform reuse factor."""
        return None if self.uniform is None else self.uniform[1].interval_cycles / self.found.interval_cycles

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        uniform = None if self.uniform is None else {
            "reuse_factor": self.uniform[0],
            "interval_cycles": self.uniform[1].interval_cycles,
            "used": dict(self.uniform[1].used),
        }  # fmt: skip
        return super().as_dict() | {
            "backend": self.backend,
            "lut_range": asdict(self.found.lut_range),
            "ff_range": asdict(self.found.ff_range),
            "fifos": asdict(self.found.fifos),
            "uniform": uniform,
            "speedup": self.speedup,
            "unknown_layers": list(self.unknown_layers),
            "modelled": True,
        }


@dataclass(frozen=True)
class MeasuredFit(Found):
    """A design of the open engine; resources are measured after synthesis, cycles predicted, the clock is assumed.

    Attributes:
        target: the device family that Yosys synthesised for.
        measured: so many ways to build a layer were synthesised.
        ways: of so many.
    """

    found: Measured
    target: Target
    measured: int
    ways: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return super().as_dict() | {
            "engine": "rtl",
            "target": str(self.target),
            "fifos": {name: self.found.fifos[name] for name in RESOURCES},
            "measured": self.measured,
            "ways": self.ways,
            "basis": {"resources": "measured", "interval_cycles": "predicted", "clock_ns": "assumed"},
        }
