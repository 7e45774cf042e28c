"""What `fit` returns: designs that fit a board, which show themselves in a notebook and as pandas tables."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nonresnet_hls.api import charts
from nonresnet_hls.api.shown import Shown

if TYPE_CHECKING:
    from nonresnet_hls.pipeline.fit_values import Fit, Found, MeasuredFit


@dataclass(frozen=True)
class Fitting(Shown):
    """A design that fits a board; a row for each layer."""

    fit: "Found"

    @property
    def reuse_factors(self) -> Mapping[str, int]:
        """By layer."""
        return self.fit.found.reuse_factors

    @property
    def fps(self) -> float:
        """Images per second at the clock."""
        return self.fit.fps

    @property
    def columns(self) -> tuple[str, ...]:
        """Factor, cycles and resources."""
        return ("layer", "reuse_factor", "interval_cycles", "bottleneck", "dsp", "lut", "ff", "bram_18k")

    @property
    def chart(self) -> str:
        """The shares of the board, and the budget as a line."""
        fit = self.fit
        names = [name for name in ("lut", "ff", "dsp", "bram_18k") if getattr(fit.board.resources, name)]
        rows = [charts.Bar("BRAM18" if name == "bram_18k" else name.upper(), (fit.percent(name),)) for name in names]
        budget = min(100 * fit.budget[name] / getattr(fit.board.resources, name) for name in names)
        return charts.bars(f"share of {fit.board.name} (line: what may be taken)", ("",), rows, " %", budget)

    @property
    def shares(self) -> str:
        """What is taken of the board."""
        named = (("LUT", "lut"), ("FF", "ff"), ("DSP", "dsp"), ("BRAM18", "bram_18k"))
        return ", ".join(f"{label} {self.fit.percent(name):.0f} %" for label, name in named)


@dataclass(frozen=True)
class ModelledFitting(Fitting):
    """A design of hls4ml's that fits a board."""

    fit: "Fit"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Factor, cycles, and what the layer takes after logic synthesis: modelled."""
        return [
            {
                "layer": layer.name,
                "kind": layer.kind,
                "reuse_factor": layer.reuse_factor,
                "interval_cycles": layer.interval_cycles,
                "bottleneck": layer.bottleneck,
                "dsp": layer.dsp,
                "dsp_is_bound": layer.dsp_is_bound,
                "lut": layer.lut.median,
                "lut_low": layer.lut.low,
                "lut_high": layer.lut.high,
                "ff": layer.ff.median,
                "bram_18k": layer.bram_18k,
                "csynth_lut": layer.csynth_lut,
                "csynth_ff": layer.csynth_ff,
                "calibrated": layer.calibrated,
            }
            for layer in self.fit.found.layers
        ]

    @property
    def caption(self) -> str:
        """Speed, shares of the board, and the speed of the best uniform reuse factor."""
        fit = self.fit
        least = "at most " if fit.unknown_layers else ""
        beside = "" if fit.speedup is None else f"; {fit.speedup:.1f} times the best uniform reuse factor"
        return (
            f"{fit.design} on {fit.board.name}: {least}{fit.fps:,.0f} images a second at {fit.clock_ns:g} ns,"
            f" {self.shares} (modelled){beside}"
        )


@dataclass(frozen=True)
class MeasuredFitting(Fitting):
    """A design of the open engine that fits a board."""

    fit: "MeasuredFit"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """How the layer is built, factor, cycles, and what it takes after synthesis."""
        return [
            {"layer": layer.name, **{key: value for key, value in dataclasses.asdict(layer).items() if key != "name"}}
            for layer in self.fit.found.layers
        ]

    @property
    def caption(self) -> str:
        """Speed and shares of the board."""
        fit = self.fit
        return (
            f"{fit.design} on {fit.board.name}: {fit.fps:,.0f} images a second at {fit.clock_ns:g} ns (assumed),"
            f" {self.shares} (measured by Yosys for {fit.target})"
        )
