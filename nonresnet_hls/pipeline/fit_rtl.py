"""Fitting a design of the open engine, by what Yosys makes of its units."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nonresnet_hls.fit import boards
from nonresnet_hls.fit.engine import Engine
from nonresnet_hls.fit.fitting import budget_of, within
from nonresnet_hls.fit.measured import MeasuredFitter
from nonresnet_hls.hls import model_graph
from nonresnet_hls.pipeline import quantize as quantization
from nonresnet_hls.pipeline import rtl, runner, taken
from nonresnet_hls.pipeline.fit_values import Limits, MeasuredFit, NothingFitsError, nothing_fits, too_slow
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Hls, Recipe, RtlOptions
from nonresnet_hls.rtl.yosys import Target


def fit(design: Any, workspace: Workspace, hls: Hls, limits: Limits, target: Target, scratch: Path) -> MeasuredFit:
    """The reuse factors with which a design fits, or would be fast enough; arguments as of `pipeline.fit.run_rtl`.

    Raises:
        NothingFitsError: no design is within the budget.
        ConversionError: the engine does not build a layer; names it.
        ToolError: Yosys is missing or fails.
    """
    notes: list[str] = []
    if isinstance(design, Recipe):
        model = quantization.run(design, workspace)
        network = rtl.network_of(design, model, scratch)
        name, options, strategy = design.name, design.rtl, design.hls.strategy
        with runner.reading(model):
            if str(model.figures["weights"]) == quantization.Weights.UNTRAINED:
                notes.append("weights: untrained; with others an adder graph takes other LUTs and FFs")
    else:
        found = taken.take(design, hls, scratch / "project")
        network, options, strategy = model_graph.read(found.graph), RtlOptions(), hls.strategy
        name, notes = network.name, list(found.notes)
    started = time.monotonic()
    engine = Engine(network, options, target, strategy, name)
    fitter, budget = engine.fitter, limits.budget
    best = fitter.fastest(budget) if limits.cycles is None else fitter.least(budget, limits.cycles)
    if best is None:
        raise _nothing_fits(fitter, limits, target)
    pairs, exceptions = fitter.exceptions
    if exceptions:
        notes.append(
            f"of {pairs} pairs of ways to build a layer, the faster takes less of something in {exceptions}: what was"
            " not synthesised is taken to cost no less than what is slower, and may not"
        )
    return MeasuredFit(
        design=name,
        board=limits.board,
        target=target,
        clock_ns=limits.clock_ns,
        budget=budget,
        found=best,
        faster=fitter.next_step(best, budget),
        measured=len(fitter.costs),
        ways=fitter.ways,
        recipe=None,
        notes=tuple(notes),
        seconds=time.monotonic() - started,
    )


def _nothing_fits(fitter: MeasuredFitter, limits: Limits, target: Target) -> NothingFitsError:
    board, budget, cycles = limits.board, limits.budget, limits.cycles
    if cycles is not None and cycles < fitter.fastest_interval:
        return too_slow(limits, fitter.fastest_interval)
    shortage = fitter.shortage(budget, cycles)
    slower = None if cycles is None else fitter.fastest(budget)
    # What it takes on a device of another family was not measured.
    others = [boards.board(name) for name in boards.board_names() if name != board.name]
    alike = [one for one in others if rtl.target_of(one.part) is target]
    return nothing_fits(
        limits,
        shortage,
        None if slower is None else slower.interval_cycles,
        [one for one in alike if within(shortage.used, budget_of(asdict(one.resources), limits.use))],
        "measured by Yosys",
        f"none of the boards of its family ({target.value}) would do",
    )
