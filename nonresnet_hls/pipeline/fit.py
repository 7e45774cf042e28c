"""Fitting a design to a board: no artefact, since it takes seconds; a recipe is written, if one is asked for."""

import json
import math
import os
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls import dataflow, files
from nonresnet_hls.errors import ConversionError, RecipeError, shown
from nonresnet_hls.fit import boards
from nonresnet_hls.fit.boards import Board
from nonresnet_hls.fit.fitting import Fitted, Fitter, Shortage, budget_of
from nonresnet_hls.pipeline import designs, runner, taken
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Backend, Hls, Recipe

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_HEAD = "# Made by `nonresnet-hls fit {name} --board {board}`: reuse factors that fit, of a cost model.\n"
_USUAL_CLOCK_NS = 5.0


class NothingFitsError(ConversionError):
    """There is no design within the budget; says of what there is too little, and what would fit."""


@dataclass(frozen=True)
class Asked:
    """What a design is fitted to.

    Attributes:
        board: a name, a file of a board, or a part.
        fps: images per second that are enough; None: as many as there can be.
        use: the share of every resource that may be taken.
        clock_ns: None: the board's usual, or the recipe's.
        backend: None: the recipe's.
        reuse_factor: every layer takes the one nearest to it, and nothing is chosen; None: they are chosen.
    """

    board: str
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


@dataclass(frozen=True)
class Fit:
    """A design that fits a board; all but BRAM18 and the DSPs of the Resource strategy is modelled.

    Attributes:
        design: what was fitted.
        board: the board, and what it has.
        backend: the tool that builds it.
        clock_ns: that the figures are for.
        budget: of each resource what may be taken.
        found: the design.
        faster: what the next faster design would take at least; None: there is none.
        uniform: reuse factor and design of the best with one for all layers; None: none fits.
        unknown_layers: layers without a model, which no figure counts.
        recipe: where the recipe was written.
        notes: what there is to say beside.
        seconds: that it took, without the conversion.
    """

    design: str
    board: Board
    backend: str
    clock_ns: float
    budget: Mapping[str, int]
    found: Fitted
    faster: Shortage | None
    uniform: tuple[int, Fitted] | None
    unknown_layers: tuple[str, ...]
    recipe: Path | None
    notes: tuple[str, ...]
    seconds: float

    @property
    def fps(self) -> float:
        """Images per second at the clock."""
        return 1e9 / self.clock_ns / self.found.interval_cycles

    @property
    def speedup(self) -> float | None:
        """How many times as fast as the best uniform reuse factor."""
        return None if self.uniform is None else self.uniform[1].interval_cycles / self.found.interval_cycles

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
        told = ", ".join(f"{_LABELS[name]} by {count:,}" for name, count in over.items())
        return f"{self.faster.interval_cycles:,} cycles would exceed {told}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        uniform = None if self.uniform is None else {
            "reuse_factor": self.uniform[0],
            "interval_cycles": self.uniform[1].interval_cycles,
            "used": dict(self.uniform[1].used),
        }  # fmt: skip
        return {
            "design": self.design,
            "board": self.board.name,
            "part": self.board.part,
            "backend": self.backend,
            "clock_ns": self.clock_ns,
            "fps": self.fps,
            "interval_cycles": self.found.interval_cycles,
            "available": asdict(self.board.resources),
            "budget": dict(self.budget),
            "used": dict(self.found.used),
            "lut_range": asdict(self.found.lut_range),
            "ff_range": asdict(self.found.ff_range),
            "layers": [asdict(layer) for layer in self.found.layers],
            "reuse_factors": dict(self.found.reuse_factors),
            "fifo_depths": dict(self.found.fifo_depths),
            "fifos": asdict(self.found.fifos),
            "shares_above_least": self.found.above_least,
            "faster": None if self.faster is None else asdict(self.faster) | {"over": self.faster.over},
            "limits": self.limits,
            "uniform": uniform,
            "speedup": self.speedup,
            "unknown_layers": list(self.unknown_layers),
            "recipe": None if self.recipe is None else str(self.recipe),
            "notes": list(self.notes),
            "seconds": self.seconds,
            "modelled": True,
        }


_LABELS = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM18"}


def run(design: Any, workspace: Workspace, hls: Hls, asked: Asked, output: Path | None) -> Fit:
    """Fit a design to a board.

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
    board = boards.board(asked.board)
    if board.is_lattice:
        raise ConversionError(
            f"--board {asked.board}: a part of AMD's wanted, not {board.part}: Vivado and Vitis HLS build for no other"
        )
    recipe = _recipe(design, workspace)
    base = ""
    if output is not None:
        recipe = _check_output(output, recipe)
        base = _base(design, recipe, output, workspace)
    with tempfile.TemporaryDirectory(prefix="nonresnet-fit-") as scratch:
        found = designs.find(recipe or design, workspace, hls, Path(scratch) / "project")
        started = time.monotonic()
        given = recipe.hls if recipe is not None else hls
        toolchain = None if asked.backend is None else dataflow.Toolchain(asked.backend.title())
        template = dataflow.Template.of_project(found.directory, toolchain)
        clock_ns = asked.clock_ns or board.clock_ns or given.clock_ns or _USUAL_CLOCK_NS
        with dataflow.as_hls4ml_writes(found.directory):
            fitter = Fitter(template, board.part, clock_ns, _open_layers(found, template))
            budget = budget_of(asdict(board.resources), asked.use)
            cycles = None if asked.fps is None else math.floor(1e9 / clock_ns / asked.fps)
            if asked.reuse_factor is not None:
                fitted = _at(fitter, asked.reuse_factor, asked.use, board, budget)
            else:
                found_one = fitter.fastest(budget) if cycles is None else fitter.least(budget, cycles)
                if found_one is None:
                    raise _nothing_fits(fitter, asked, board, budget, clock_ns, cycles)
                fitted = found_one
            faster = fitter.next_step(fitted, budget)
            uniform = fitter.uniform(budget, cycles)
    notes = list(found.notes)
    if template.given.toolchain is dataflow.Toolchain.VIVADO_HLS and board.part.lower().startswith(_ONLY_VITIS):
        notes.append(f"Vivado HLS knows no {board.part}: build the design with Vitis HLS, or fit with --backend vitis")
    result = Fit(
        design=recipe.name if recipe is not None else template.given.name,
        board=board,
        backend=template.given.toolchain.value,
        clock_ns=clock_ns,
        budget=budget,
        found=fitted,
        faster=faster,
        uniform=uniform,
        unknown_layers=fitter.unknown,
        recipe=output,
        notes=tuple(notes),
        seconds=time.monotonic() - started,
    )
    if output is not None and recipe is not None:
        _write(output, base, recipe, result, asked, workspace)
    return result


_ONLY_VITIS = ("xck26",)


def _recipe(design: Any, workspace: Workspace) -> Recipe | None:
    """The recipe that is named; None for another design."""
    if isinstance(design, Recipe):
        return design
    if isinstance(design, str | Path) and not Path(design).is_dir() and not taken.is_file(Path(design)):
        return workspace.recipe(str(design))
    return None


def _open_layers(found: designs.Design, template: dataflow.Template) -> list[str]:
    """The layers whose reuse factor can be chosen: of a recipe those that it names, else all with weights."""
    if found.recipe is None:
        return list(template.layers)
    project = runner.load(found.directory)
    if project is None:
        return list(template.layers)
    with runner.reading(project):
        return [factor["layer"] for factor in project.figures["reuse_factors"]]


def _at(fitter: Fitter, factor: int, use: float, board: Board, budget: Mapping[str, int]) -> Fitted:
    """The design with one reuse factor.

    Raises:
        NothingFitsError: it takes more than the budget; says of what, and which factor would do.
    """
    found = fitter.at(factor)
    over = Shortage(found.used, budget, found.interval_cycles).over
    if over:
        told = ", ".join(f"{_LABELS[name]} by {count:,} of {budget[name]:,}" for name, count in over.items())
        best = fitter.uniform(budget)
        fits = "no factor for all layers would do" if best is None else f"what would fit: reuse factor {best[0]}"
        raise NothingFitsError(
            f"{board.name}: reuse factor {factor} does not fit {use:.0%} of it: too many {told} (modelled); {fits}"
        )
    return found


def _nothing_fits(
    fitter: Fitter, asked: Asked, board: Board, budget: Mapping[str, int], clock_ns: float, cycles: int | None
) -> NothingFitsError:
    if cycles is not None and cycles < fitter.fastest_interval:
        most = 1e9 / clock_ns / fitter.fastest_interval
        return NothingFitsError(
            f"{board.name}: --fps {asked.fps:g}: no reuse factors are so fast; at {clock_ns:g} ns at most"
            f" {most:,.0f} images a second"
        )
    shortage = fitter.shortage(budget, cycles)
    told = ", ".join(f"{_LABELS[name]} by {count:,} of {budget[name]:,}" for name, count in shortage.over.items())
    wanted = "" if asked.fps is None else f" for {asked.fps:g} images a second"
    advice = []
    if cycles is None:
        shares = [used / (getattr(board.resources, name) or 1e-9) for name, used in shortage.used.items()]
        if max(shares) <= 1:
            advice.append(f"--use {math.ceil(max(shares) * 100) / 100:g}")
    elif (slower := fitter.fastest(budget)) is not None:
        advice.append(f"--fps {math.floor(1e9 / clock_ns / slower.interval_cycles)}")
    others = [boards.board(name) for name in boards.board_names() if name != board.name]
    advice += [one.name for one in others if _fits(fitter, one, asked.use, cycles)]
    fits = f"; what would fit: {', '.join(advice)}" if advice else "; none of the boards that are known would do"
    return NothingFitsError(
        f"{board.name}: nothing fits {asked.use:.0%} of it{wanted}: too many {told or 'FIFOs'} (modelled){fits}"
    )


def _fits(fitter: Fitter, board: Board, use: float, cycles: int | None) -> bool:
    if board.is_lattice:
        return False
    budget = budget_of(asdict(board.resources), use)
    return not fitter.shortage(budget, cycles).over


def _check_output(output: Path, recipe: Recipe | None) -> Recipe:
    """The recipe that the new one extends.

    Raises:
        RecipeError: there is none, or the new one cannot be written there.
    """
    if recipe is None:
        raise RecipeError(f"{output}: a recipe is written for a recipe alone, not for a model or a project")
    if output.suffix != ".toml" or not _NAME.fullmatch(output.stem):
        wanted = "a .toml file called by lower-case letters and digits, parts joined by '-' or '_'"
        raise RecipeError(f"{output}: {wanted} wanted")
    if output.stem == recipe.name:
        raise RecipeError(f"{output}: another name than that of the recipe {recipe.name} wanted")
    if os.path.lexists(output) and not _is_ours(output):
        raise RecipeError(f"{output}: exists already, and `fit` did not make it; it is not overwritten")
    if not output.parent.is_dir():
        raise RecipeError(f"{output}: the folder {output.parent} is not there")
    return recipe


def _is_ours(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().startswith(_HEAD.split("{", maxsplit=1)[0])
    except (OSError, ValueError):
        return False


def _write(output: Path, base: str, recipe: Recipe, result: Fit, asked: Asked, workspace: Workspace) -> None:
    """The recipe: the one that was fitted, with other reuse factors.

    Raises:
        RecipeError: it would not be taken under this name.
    """
    backend = asked.backend or recipe.hls.backend
    lines = [
        _HEAD.format(name=recipe.name, board=asked.board),
        f"extends = {_text(base)}\n",
        f"title = {_text(f'{recipe.title or recipe.name} on {result.board.name}')}\n",
        "\n[hls]\n",
        f"backend = {_text(str(backend))}\n",
        f"part = {_text(result.board.part)}\n",
        f"clock_ns = {result.clock_ns!r}\n",
        'fifo_depths = "sized"\n',
        "\n[hls.reuse_factors]\n",
        *(f"{_text(layer)} = {factor}\n" for layer, factor in result.found.reuse_factors.items()),
    ]
    files.write_text(output, "".join(lines))
    try:
        workspace.recipe(str(output))
    except RecipeError:
        output.unlink()
        raise


def _text(value: str) -> str:
    # Of what JSON writes, TOML takes all but the halves of characters beyond 16 bits.
    return json.dumps(value, ensure_ascii=False)


def _base(design: Any, recipe: Recipe, output: Path, workspace: Workspace) -> str:
    """What `extends` must say of a recipe in a file.

    Raises:
        RecipeError: it is a value that no file holds.
    """
    if isinstance(design, str | Path) and str(design).endswith(".toml"):
        return os.path.relpath(design, output.parent)
    try:
        there = workspace.recipe(recipe.name) == recipe
    except RecipeError:
        there = False
    if not there:
        raise RecipeError(f"{output}: a recipe in a file wanted, which the new one extends, not {recipe.name}")
    return recipe.name
