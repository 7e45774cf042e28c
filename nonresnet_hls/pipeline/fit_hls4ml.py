"""Fitting a design of hls4ml's, by the cost model."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nonresnet_hls import dataflow
from nonresnet_hls.fit import boards
from nonresnet_hls.fit.boards import Board
from nonresnet_hls.fit.fitting import Fitted, Fitter, Shortage, budget_of
from nonresnet_hls.pipeline import designs, runner
from nonresnet_hls.pipeline.fit_values import Asked, Fit, Limits, NothingFitsError, nothing_fits, told_over, too_slow
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Hls

_ONLY_VITIS = ("xck26",)


def fit(design: Any, workspace: Workspace, hls: Hls, asked: Asked, limits: Limits, scratch: Path) -> Fit:
    """The reuse factors with which a design fits, or would be fast enough; arguments as of `pipeline.fit.run`.

    Raises:
        NothingFitsError: no design is within the budget.
        ConversionError: the design cannot be analysed.
    """
    board, budget, clock_ns, cycles = limits.board, limits.budget, limits.clock_ns, limits.cycles
    found = designs.find(design, workspace, hls, scratch / "project")
    started = time.monotonic()
    toolchain = None if asked.backend is None else dataflow.Toolchain(asked.backend.title())
    template = dataflow.Template.of_project(found.directory, toolchain)
    with dataflow.as_hls4ml_writes(found.directory):
        fitter = Fitter(template, board.part, clock_ns, _open_layers(found, template))
        if asked.reuse_factor is not None:
            fitted = _at(fitter, asked.reuse_factor, limits)
        else:
            found_one = fitter.fastest(budget) if cycles is None else fitter.least(budget, cycles)
            if found_one is None:
                raise _nothing_fits(fitter, asked, limits)
            fitted = found_one
        faster = fitter.next_step(fitted, budget)
        uniform = fitter.uniform(budget, cycles)
    notes = list(found.notes)
    if template.given.toolchain is dataflow.Toolchain.VIVADO_HLS and board.part.lower().startswith(_ONLY_VITIS):
        notes.append(f"Vivado HLS knows no {board.part}: build the design with Vitis HLS, or fit with --backend vitis")
    return Fit(
        design=found.recipe.name if found.recipe is not None else template.given.name,
        board=board,
        backend=template.given.toolchain.value,
        clock_ns=clock_ns,
        budget=budget,
        found=fitted,
        faster=faster,
        uniform=uniform,
        unknown_layers=fitter.unknown,
        recipe=None,
        notes=tuple(notes),
        seconds=time.monotonic() - started,
    )


def _open_layers(found: designs.Design, template: dataflow.Template) -> list[str]:
    """The layers whose reuse factor can be chosen: of a recipe those that it names, else all with weights."""
    if found.recipe is None:
        return list(template.layers)
    project = runner.load(found.directory)
    if project is None:
        return list(template.layers)
    with runner.reading(project):
        return [factor["layer"] for factor in project.figures["reuse_factors"]]


def _at(fitter: Fitter, factor: int, limits: Limits) -> Fitted:
    """The design with one reuse factor.

    Raises:
        NothingFitsError: it takes more than the budget; says of what, and which factor would do.
    """
    found = fitter.at(factor)
    over = Shortage(found.used, limits.budget, found.interval_cycles)
    if over.over:
        best = fitter.uniform(limits.budget)
        fits = "no factor for all layers would do" if best is None else f"what would fit: reuse factor {best[0]}"
        raise NothingFitsError(
            f"{limits.board.name}: reuse factor {factor} does not fit {limits.told}: too many {told_over(over)}"
            f" (modelled); {fits}"
        )
    return found


def _nothing_fits(fitter: Fitter, asked: Asked, limits: Limits) -> NothingFitsError:
    board, budget, cycles = limits.board, limits.budget, limits.cycles
    if cycles is not None and cycles < fitter.fastest_interval:
        return too_slow(limits, fitter.fastest_interval)
    slower = None if cycles is None else fitter.fastest(budget)
    others = [boards.board(name) for name in boards.board_names() if name != board.name]
    return nothing_fits(
        limits,
        fitter.shortage(budget, cycles),
        None if slower is None else slower.interval_cycles,
        [one for one in others if _fits(fitter, one, asked.use, cycles)],
        "modelled",
        "none of the boards that are known would do",
    )


def _fits(fitter: Fitter, board: Board, use: float, cycles: int | None) -> bool:
    if board.is_lattice:
        return False
    budget = budget_of(asdict(board.resources), use)
    return not fitter.shortage(budget, cycles).over
