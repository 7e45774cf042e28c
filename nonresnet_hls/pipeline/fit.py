"""Fitting a design to a board: no artefact; a recipe is written, if one is asked for.

`run` fits designs of hls4ml's by a cost model, in seconds; `run_rtl` those of the open engine by what Yosys makes of
their units, which is kept.
"""

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fit import boards
from nonresnet_hls.pipeline import fit_hls4ml, fit_recipe, fit_rtl, taken
from nonresnet_hls.pipeline.fit_values import Asked, Fit, Limits, MeasuredFit, NothingFitsError, budget_for, told_budget
from nonresnet_hls.pipeline.rtl import target_of
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Budget, Hls, Recipe

__all__ = ["Asked", "Fit", "MeasuredFit", "NothingFitsError", "run", "run_rtl"]

_USUAL_CLOCK_NS = 5.0


def run(design: Any, workspace: Workspace, hls: Hls, asked: Asked, output: Path | None) -> Fit:
    """The reuse factors with which a design of hls4ml's fits, or would be fast enough.

    Args:
        design: as `designs.find` takes it.
        workspace: where recipes are.
        hls: how a model is converted.
        asked: what it is fitted to.
        output: where a recipe is written; None: nowhere.

    Raises:
        NothingFitsError: no design is within the budget.
        ConversionError: the board is none, or the design cannot be analysed.
        RecipeError: a recipe cannot be written there, or not of this design.
    """
    ground = _ground(design, workspace, hls, asked, output)
    board = ground.limits.board
    if board.is_lattice:
        raise ConversionError(
            f"--board {board.name}: a part of AMD's wanted, not {board.part}: Vivado and Vitis HLS build for no other;"
            " --engine rtl takes it"
        )
    with tempfile.TemporaryDirectory(prefix="nonresnet-fit-") as scratch:
        found = fit_hls4ml.fit(ground.recipe or design, workspace, hls, asked, ground.limits, Path(scratch))
    if output is None or ground.recipe is None:
        return found
    backend = asked.backend or ground.recipe.hls.backend
    lines = (f'backend = "{backend}"', 'fifo_depths = "sized"')
    command = f"{_command(ground.recipe, asked)}`: reuse factors that fit, of a cost model"
    fit_recipe.write(output, ground.base, ground.recipe, found, command, lines, workspace)
    return replace(found, recipe=output)


def run_rtl(design: Any, workspace: Workspace, hls: Hls, asked: Asked, output: Path | None) -> MeasuredFit:
    """The same of a design of the open engine; arguments and errors as of `run`, but for designs.

    Args:
        design: a recipe, a model or its file, or a `ModelGraph`.
        workspace: where recipes are.
        hls: how a model is converted.
        asked: what it is fitted to.
        output: where a recipe is written; None: nowhere.

    Raises:
        NothingFitsError: no design is within the budget.
        ConversionError: the board is none that Yosys synthesises for, or the engine does not build a layer.
        RecipeError: a recipe cannot be written there, or not of this design.
        ToolError: Yosys is missing or fails.
    """
    if asked.backend is not None:
        raise ConversionError(f"--backend {asked.backend}: none wanted with --engine rtl, which writes Verilog")
    if isinstance(design, str | Path) and Path(design).is_dir():
        raise ConversionError(f"{design}: a recipe or a model wanted with --engine rtl, not a project")
    ground = _ground(design, workspace, hls, asked, output)
    board = ground.limits.board
    target = target_of(board.part)
    if target is None:
        raise ConversionError(f"{board.name}: a part of 7 series, UltraScale(+) or ECP5 wanted, not {board.part}")
    with tempfile.TemporaryDirectory(prefix="nonresnet-fit-") as scratch:
        found = fit_rtl.fit(ground.recipe or design, workspace, hls, ground.limits, target, Path(scratch))
    if output is None or ground.recipe is None:
        return found
    command = f"{_command(ground.recipe, asked)} --engine rtl`: reuse factors that fit, as Yosys measures them"
    fit_recipe.write(output, ground.base, ground.recipe, found, command, (), workspace)
    return replace(found, recipe=output)


@dataclass(frozen=True)
class _Ground:
    """What both engines stand on: the recipe, if one is named, what one that is written extends, and the limits."""

    recipe: Recipe | None
    base: str
    limits: Limits


def _ground(design: Any, workspace: Workspace, hls: Hls, asked: Asked, output: Path | None) -> _Ground:
    recipe, base = _recipe(design, workspace), ""
    own = Budget() if recipe is None else recipe.budget
    if asked.board is not None:
        board = boards.board(asked.board)
    elif recipe is not None and own != Budget():
        board = boards.board(recipe.hls.part)
    else:
        raise ConversionError("--board: one wanted, or a recipe with a [budget]")
    if output is not None:
        recipe = fit_recipe.check_output(output, recipe)
        base = fit_recipe.base_of(design, recipe, output, workspace)
    given = hls if recipe is None else recipe.hls
    clock_ns = asked.clock_ns or board.clock_ns or given.clock_ns or _USUAL_CLOCK_NS
    cycles = None if asked.fps is None else math.floor(1e9 / clock_ns / asked.fps)
    limits = Limits(
        board, budget_for(board, asked.use, own), told_budget(asked.use, own), asked.use, clock_ns, asked.fps, cycles
    )
    return _Ground(recipe, base, limits)


def _command(recipe: Recipe, asked: Asked) -> str:
    return recipe.name if asked.board is None else f"{recipe.name} --board {asked.board}"


def _recipe(design: Any, workspace: Workspace) -> Recipe | None:
    """The recipe that is named; None for another design."""
    if isinstance(design, Recipe):
        return design
    if isinstance(design, str | Path) and not Path(design).is_dir() and not taken.is_file(Path(design)):
        return workspace.recipe(str(design))
    return None
