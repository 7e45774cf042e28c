"""What a worker does for a study: bring a network up to date and count its top-1, and find the hardware of a point.

Both leave an artefact, `networks/NAME` and `trials/NAME` beside the study, so that neither is done twice, and what all
boards share is done once. Failures of a point are figures, too; what the machine is to be blamed for leaves nothing,
and is tried again.
"""

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls import made_here, one_keras
from nonresnet_hls.errors import ConversionError, ModelError, NonResNetError, ToolError, shown
from nonresnet_hls.explore.energy import bit_operations
from nonresnet_hls.explore.figures import FACTS, KINDS, RESOURCES, Basis, Figure, Status
from nonresnet_hls.explore.study import Engine, Point
from nonresnet_hls.fit.boards import Board
from nonresnet_hls.pipeline import runner
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Backend, Hls, Recipe

NETWORKS = "networks"
TRIALS = "trials"

_NETWORK_STAGE = "explore-network"
_TRIAL_STAGE = "explore-trial"
_ROOMS = (
    "fixed",
    "samples.py",
    "generated.py",
    "tools.py",
    "yosys_cells.py",
    "networks",
    "quantization",
    "hls",
    "dataflow",
    "emulation",
    "rtl",
    "fit",
    "explore",
    "pipeline/convert.py",
    "pipeline/emulate.py",
    "pipeline/finetune.py",
    "pipeline/fit.py",
    "pipeline/fit_hls4ml.py",
    "pipeline/fit_recipe.py",
    "pipeline/fit_values.py",
    "pipeline/quantize.py",
    "pipeline/rtl.py",
    "pipeline/trials.py",
)


class WrongPlaceError(ToolError):
    """A worker does not see the study's files, has another version, or cannot work as it must."""


@dataclass(frozen=True)
class Place:
    """Where a study is, and what its workers must be alike in."""

    folder: Path
    workspace: Path
    token: str
    """That a file in the folder holds."""
    tool: str
    """Digest of the code."""
    threads: int
    keep_notes: bool = False
    """Whether projects made here are noted as this user's."""


@dataclass(frozen=True)
class Hardware:
    """What a trial asks for."""

    point: Point
    board: Board
    use: float
    clock_ns: float | None
    backend: Backend | None
    simulate: bool


@dataclass(frozen=True)
class Ended:
    """How a job ended.

    Attributes:
        status: done, failed or lost.
        reason: in one line where it is not done.
        figures: what was found.
        facts: further columns.
        recipe: of the trial, relative to the folder.
        digest: of the artefact it left; "" where there is none.
        fresh: whether it ran just now, or was up to date.
    """

    status: Status
    reason: str = ""
    figures: Mapping[str, Figure] | None = None
    facts: Mapping[str, Any] | None = None
    recipe: str = ""
    digest: str = ""
    fresh: bool = False


TOKEN = ".token"


def tool() -> str:
    """Digest of the code that a study's figures depend on."""
    return runner.tool_digest(*_ROOMS)


def train(place: Place, recipe: Path, *_: Ended) -> Ended:
    """Bring the float network of a recipe up to date; what went before is waited for alone."""
    from nonresnet_hls.pipeline import train as training

    def work(workspace: Workspace) -> Ended:
        wanted = workspace.recipe(str(recipe))
        network = training.network(wanted, workspace)
        if network.how is training.How.UNTRAINED:
            raise ToolError(f"{wanted.trained_as} is not trained; run: nonresnet-hls train {wanted.trained_as}")
        return Ended(Status.DONE)

    return _guarded(place, work)


def network(place: Place, recipe: Path, trained: Ended) -> Ended:
    """Quantize the network of a recipe, fine-tune it where that says so, and count its top-1 on all test samples."""
    from nonresnet_hls.pipeline import train as training

    def work(workspace: Workspace) -> Ended:
        wanted = workspace.recipe(str(recipe))
        weights = training.network(wanted, workspace, may_train=False)
        inputs = {
            "network": weights.digest,
            "dataset": training.data_digest(wanted.dataset),
            "tool": place.tool,
        }
        config = {"quantization": wanted.quantization, "skips": wanted.architecture.skips, "hls": wanted.hls}
        where = place.folder / NETWORKS / recipe.stem
        artefact = runner.run(
            where, _NETWORK_STAGE, config, inputs, lambda _: _figures_of(lambda: _counted(wanted, workspace))
        )
        return _ended(artefact)

    return trained if trained.status is not Status.DONE else _guarded(place, work)


def trial(place: Place, name: str, recipe: Path, wanted: Hardware, found: Ended) -> Ended:
    """Find the hardware of a point, whose network was found to be so.

    Args:
        place: where.
        name: of the trial.
        recipe: whose project it is.
        wanted: what is asked for.
        found: of the network.
    """

    def work(workspace: Workspace) -> Ended:
        plain = workspace.recipe(str(recipe))
        inputs = {"network": found.digest, "tool": place.tool}
        config = {"wanted": wanted, "quantization": plain.quantization, "hls": plain.hls, "rtl": plain.rtl}
        where = place.folder / TRIALS / name

        def produce(folder: Path) -> dict[str, Any]:
            if found.status is not Status.DONE:
                return _as_figures(found)
            file = folder / f"{name}.toml"
            hardware = _synthesised if wanted.point.engine is Engine.RTL else _fitted
            figures = _figures_of(lambda: hardware(recipe, file, wanted, workspace))
            figures["figures"] = _as_figures(found)["figures"] | figures["figures"]
            figures["facts"] = {**(found.facts or {}), **figures["facts"]}
            return figures

        artefact = runner.run(where, _TRIAL_STAGE, config, inputs, produce)
        ended = _ended(artefact)
        own = where / f"{name}.toml"
        used = own if own.name in artefact.outputs else recipe
        said = os.path.relpath(used, place.folder) if ended.status is Status.DONE else ""
        return Ended(ended.status, ended.reason, ended.figures, ended.facts, said, ended.digest, ended.fresh)

    return found if found.status is Status.LOST else _guarded(place, work)


def _guarded(place: Place, work: Callable[[Workspace], Ended]) -> Ended:
    """Do something for a study, one thing at a time; whatever goes wrong is said in one line."""
    return _thread.submit(_done, place, work).result()


_thread = ThreadPoolExecutor(1)
"""Of a worker: the seeds of trainings are of their process."""


def _done(place: Place, work: Callable[[Workspace], Ended]) -> Ended:
    try:
        _check(place)
        one_keras.in_this_thread()
        return work(Workspace(place.workspace))
    except _POINTS_FAULT as error:
        return Ended(Status.FAILED, _line(error))
    except NonResNetError as error:
        return Ended(Status.LOST, _line(error))
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        return Ended(Status.LOST, _line(f"{where}{error.strerror or error}"))
    except MemoryError as error:
        return Ended(Status.LOST, _line(f"more memory wanted than there is: {error or 'no more to be had'}"))
    except Exception as error:  # a fault of ours costs a trial, not the study
        traceback.print_exc()
        return Ended(Status.LOST, _line(f"{type(error).__name__}: {error}"))


_POINTS_FAULT = (ModelError, ConversionError)
"""What is wrong with a point, wherever it is tried."""


def _line(error: object) -> str:
    return " ".join(str(error).split())[:1000]


def _figures_of(find: Callable[[], Ended]) -> dict[str, Any]:
    """What was found, or why it cannot be had, as figures of an artefact."""
    try:
        return _as_figures(find())
    except _POINTS_FAULT as error:
        return _as_figures(Ended(Status.FAILED, _line(error)))


def _as_figures(ended: Ended) -> dict[str, Any]:
    return {
        "status": str(ended.status),
        "reason": ended.reason,
        "figures": {name: asdict(figure) for name, figure in (ended.figures or {}).items()},
        "facts": dict(ended.facts or {}),
    }


def _ended(artefact: runner.Artefact) -> Ended:
    figures = artefact.figures
    with runner.reading(artefact):
        return Ended(
            Status(figures["status"]),
            str(figures["reason"]),
            {name: _figure(one) for name, one in figures["figures"].items() if name in KINDS},
            {name: _fact(FACTS[name], one) for name, one in figures["facts"].items() if name in FACTS},
            digest=artefact.digest,
            fresh=artefact.fresh,
        )


def _figure(said: Mapping[str, Any]) -> Figure:
    return Figure(_number(said["value"]), Basis(said["basis"]), str(said["engine"]), str(said["stage"]))


def _fact(kind: str, value: Any) -> Any:
    if value is None or kind == "string":
        return None if value is None else str(value)
    return bool(value) if kind == "boolean" else _number(value)


def _number(value: Any) -> int | float:
    """A number that the tables can hold.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_MOST < value < _MOST:
        raise ValueError(f"a number wanted, not {shown(value)}")
    return value


_MOST = 1 << 53  # what a float holds exactly


def _counted(recipe: Recipe, workspace: Workspace) -> Ended:
    from nonresnet_hls.hls import network as exact
    from nonresnet_hls.pipeline import convert, emulate
    from nonresnet_hls.pipeline import quantize as quantization

    quantized = quantization.run(recipe, workspace, fine_tune=True)
    emulated = emulate.run_emulate(recipe, workspace)
    project = convert.run_convert(recipe, workspace)
    with runner.reading(quantized, emulated):
        weights = str(quantized.figures["weights"])
        different, values = int(emulated.figures["different"]), int(emulated.figures["values"])
        samples = int(emulated.figures["samples"])
        top1 = emulated.figures.get("top1")
    if different:
        raise ConversionError(f"{recipe.name}: {different} of {values} values of the hardware are not Keras'")
    figures = {
        "energy_proxy": Figure(
            bit_operations(exact.of_project(project.directory)), Basis.MODELLED, "emulation", "quantized"
        )
    }
    if top1 is not None:
        figures["top1"] = Figure(float(top1), Basis.MEASURED, "emulation", "emulated")
    return Ended(Status.DONE, "", figures, {"weights": weights, "test_samples": samples})


def _fitted(recipe: Path, output: Path, wanted: Hardware, workspace: Workspace) -> Ended:
    from nonresnet_hls.pipeline import fit

    point = wanted.point
    asked = fit.Asked(
        point.board, point.fps, wanted.use, wanted.clock_ns, wanted.backend, reuse_factor=point.reuse_factor
    )
    found = fit.run(str(recipe), workspace, Hls(), asked, output)
    if found.unknown_layers:
        raise ConversionError(f"{recipe.stem}: no model of {', '.join(found.unknown_layers)}: no figure would be whole")
    engine = f"{found.backend.lower()}_hls"
    design = found.found
    figures = {
        "fps": Figure(found.fps, Basis.MODELLED, engine, "csynth"),
        "interval_cycles": Figure(design.interval_cycles, Basis.MODELLED, engine, "csynth"),
        **{name: Figure(design.used[name], Basis.MODELLED, engine, "synthesized") for name in RESOURCES},
    }
    facts = {
        "part": found.board.part,
        "backend": found.backend.lower(),
        "clock_ns": found.clock_ns,
        "dsp_is_bound": any(layer.dsp_is_bound for layer in design.layers),
        "lut_low": design.lut_range.low,
        "lut_high": design.lut_range.high,
        "ff_low": design.ff_range.low,
        "ff_high": design.ff_range.high,
        "notes": "; ".join(found.notes),
        **{f"{name}_percent": found.percent(name) for name in RESOURCES},
    }
    return Ended(Status.DONE, "", figures, facts)


def _synthesised(recipe: Path, _: Path, wanted: Hardware, workspace: Workspace) -> Ended:
    from nonresnet_hls.pipeline import rtl
    from nonresnet_hls.pipeline.fit_values import LABELS, budget_for, told_budget

    plain, board = workspace.recipe(str(recipe)), wanted.board
    target = rtl.target_of(board.part)
    if target is None:
        raise ConversionError(f"{board.name}: a part of 7 series, UltraScale(+) or ECP5 wanted, not {board.part}")
    config = rtl.RtlConfig(options=plain.rtl)
    made = rtl.run_rtl(plain, workspace, config)
    synthesis = rtl.run_synthesis(plain, workspace, config, target)
    simulated = rtl.run_simulation(plain, workspace, config) if wanted.simulate else None
    with runner.reading(*(one for one in (made, synthesis, simulated) if one is not None)):
        used = {name: int(synthesis.figures["total"][name]) for name in RESOURCES}
        predicted = made.figures["predicted"]
        if not predicted["finished"]:
            raise ConversionError(f"{recipe.stem}: the design deadlocks")
        interval = predicted["interval_cycles"] if simulated is None else simulated.figures["interval_cycles"]
    clock_ns = wanted.clock_ns or board.clock_ns or plain.hls.clock_ns
    has = asdict(board.resources)
    basis, stage = (Basis.MODELLED, "predicted") if simulated is None else (Basis.MEASURED, "simulated")
    figures = {
        # The clock is what the board usually has: nothing was placed.
        "fps": Figure(1e9 / clock_ns / interval, Basis.MODELLED, _OPEN_ENGINE, stage),
        "interval_cycles": Figure(interval, basis, _OPEN_ENGINE, stage),
        **{name: Figure(count, Basis.MEASURED, _OPEN_ENGINE, "synthesized") for name, count in used.items()},
    }
    facts = {
        "part": board.part,
        "backend": str(target),
        "clock_ns": clock_ns,
        "dsp_is_bound": False,
        "notes": f"clock: {clock_ns:g} ns are assumed, nothing was placed",
        **{f"{name}_percent": 100 * count / has[name] if has[name] else None for name, count in used.items()},
    }
    budget = budget_for(board, wanted.use, plain.budget)
    over = {name: count - budget[name] for name, count in used.items() if count > budget[name]}
    if over:
        told = ", ".join(f"{LABELS[name]} by {count:,} of {budget[name]:,}" for name, count in over.items())
        limit = told_budget(wanted.use, plain.budget)
        reason = f"{board.name}: the design does not fit {limit}: too many {told} (measured)"
        return Ended(Status.FAILED, reason, figures, facts)
    return Ended(Status.DONE, "", figures, facts)


_OPEN_ENGINE = "OpenRTL"

_threads: int | None = None


def _check(place: Place) -> None:
    """Whether this process can work for a study, and as it must.

    Raises:
        WrongPlaceError: it cannot.
    """
    try:
        token = (place.folder / TOKEN).read_text(encoding="utf-8")
    except OSError:
        token = ""
    here = f"the worker on {os.uname().nodename}"
    if token != place.token:
        raise WrongPlaceError(f"{here} does not see {place.folder} as it is: a file system that all share wanted")
    if place.tool != tool():
        raise WrongPlaceError(f"{here} has another version of nonresnet-hls or of what it uses")
    _have_threads(place.threads, here)
    if place.keep_notes:
        made_here.keep_notes()


def _have_threads(count: int, here: str) -> None:
    """Let TensorFlow compute with so many threads: the last bits of sums depend on it."""
    global _threads
    if _threads is None:
        if "tensorflow" in sys.modules:
            import tensorflow as tf

            try:
                tf.config.threading.set_intra_op_parallelism_threads(count)
            except RuntimeError:
                raise WrongPlaceError(f"{here} runs TensorFlow already: a fresh one wanted") from None
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(count)
        _threads = count
    if _threads != count:
        raise WrongPlaceError(f"{here} trains with {_threads} threads, not {count}: a fresh one wanted")
