"""The functions that look at designs, reports and this installation."""

import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nonresnet_hls.api.fittings import Fitting, MeasuredFitting, ModelledFitting
from nonresnet_hls.api.results import Emulation, Fifos, Gathered, Rows, RtlFigures, Skips
from nonresnet_hls.api.shown import Stage
from nonresnet_hls.api.stages import load_recipe, name_of, told
from nonresnet_hls.errors import ConversionError, ModelError, RecipeError, ReportError, ToolError
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Backend, Family, Hls, Recipe, Strategy

if TYPE_CHECKING:
    from nonresnet_hls.api.tables import Reports
    from nonresnet_hls.emulation import Emulator
    from nonresnet_hls.reports import Report, Scan
    from nonresnet_hls.skips import Skip

_MOST_NAMED = 3

Which = str | Iterable[int]
"""Skips: "all" (that can be), numbers as "1,3" or [1, 3], or a resolution group as "group:2"."""


@told
def models(workspace: str | Path = ".") -> Rows:
    """The recipes, those in `models/` and the built-in ones."""
    from nonresnet_hls import recipe

    place = Workspace(Path(workspace))
    rows = [
        {
            "name": one.name,
            "description": one.description,
            "dataset": str(one.dataset.name),
            "weight_bits": one.quantization.weight_bits,
            "activation_bits": one.quantization.activation_bits,
            "file": str(recipe.find(one.name, place.models)),
        }
        for one in place.load_recipes(recipe.names(place.models))
    ]
    return Rows(rows, f"{len(rows)} recipes")


@told
def skips(
    model: Any,
    remove: Which | None = None,
    shorten: Which | None = None,
    output: str | Path | None = None,
    allow: Collection[str] = (),
    merge: Which | None = None,
) -> Skips:
    """The skips of a functional Keras model; with `remove`, `shorten` or `merge` a new model without them, too.

    Args:
        model: a Keras model, or the path of a .keras or .h5 file.
        remove: take these skips out.
        shorten: let these go over their first convolution only.
        output: where the new model is written, a new .keras file; None: nowhere.
        allow: Lambda layers and classes in the file to accept.
        merge: let these go through the convolutions that they bypass, in channels of their own: the same function.

    Raises:
        ModelError: the model cannot be read, or a skip that was named cannot be changed.
    """
    from nonresnet_hls import skips as own
    from nonresnet_hls.networks import saved
    from nonresnet_hls.skips.graph import nested

    changes = {"remove": remove, "shorten": shorten, "merge": merge}
    if sum(one is not None for one in changes.values()) > 1:
        raise ModelError("one of --remove, --shorten and --merge wanted, not two")
    how, change = next(((name, one) for name, one in changes.items() if one is not None), ("", None))
    target = None if output is None else Path(output)
    if target is not None:
        if target.suffix != ".keras":
            raise ModelError(f"{target}: a name ending in .keras wanted")
        if os.path.lexists(target):
            raise ModelError(f"{target}: exists already; it is not overwritten")
    if isinstance(model, str | Path):
        model = saved.load(Path(model), allow)
    elif not saved.is_model(model):
        raise ModelError(f"a Keras model or the path of one wanted, not an object of {type(model).__name__}")
    found = tuple(own.find(model))
    inside = tuple(layer.name for layer in model.layers if nested(layer))
    if change is None:
        return Skips(found, model, models_inside=inside)
    chosen = _chosen(change, found)
    stay = {skip.number: skip.refusal for skip in found if skip.refusal}
    if how in ("shorten", "merge"):
        stay = own.not_shortened(model) if how == "shorten" else own.not_merged(model)
    asked = [skip.number for skip in found] if chosen is None else chosen
    possible = [number for number in asked if number not in stay]
    # Of a choice by number, some that can be and some that cannot: the latter are refused.
    done = asked if possible and chosen is not None else possible
    after = None
    if done:
        after = {"remove": own.remove, "shorten": own.shorten, "merge": own.merge}[how](model, done)
        if target is not None:
            saved.save(after, target)
    return Skips(found, model, tuple(asked), tuple(done), stay, after, inside)


def _chosen(which: Which, found: "Sequence[Skip]") -> list[int] | None:
    """The numbers that a choice stands for; None for all that can be changed.

    Raises:
        ModelError: it is none of the forms, or stands for nothing.
    """
    if which == "all":
        return None
    text = which if isinstance(which, str) else ",".join(map(str, which))
    kind, colon, numbers = text.rpartition(":")
    try:
        wanted = {int(number) for number in numbers.split(",")}
    except ValueError:
        wanted = set()
    if not wanted or kind not in ("", "group") or bool(kind) != bool(colon):
        raise ModelError(f"which skips: all, numbers as 1,3 or group:2 wanted, not {text!r}")
    if not kind:
        return sorted(wanted)
    chosen = [skip.number for skip in found if skip.group in wanted]
    if not chosen:
        groups = ", ".join(str(group) for group in sorted({skip.group for skip in found})) or "none"
        raise ModelError(f"which skips: resolution groups of the model ({groups}) wanted, not {text!r}")
    return chosen


def _hls(backend: str, strategy: str, reuse_factor: int) -> Hls:
    """How a model is converted that no recipe tells of."""
    if reuse_factor < 1:
        raise ConversionError(f"--reuse-factor: a positive integer wanted, not {reuse_factor}")
    try:
        return Hls(backend=Backend(backend), strategy=Strategy(strategy), reuse_factor=reuse_factor)
    except ValueError as error:
        raise ConversionError(f"conversion: vivado or vitis, latency or resource wanted: {error}") from None


@told
def fifos(
    design: Any,
    workspace: str | Path = ".",
    *,
    prove: bool = False,
    trust: bool = False,
    write: bool = False,
    backend: str = "vivado",
    strategy: str = "latency",
    reuse_factor: int = 1,
) -> Fifos:
    """How deep the FIFOs of a design must be: depths, deadlock, cycles and memory.

    Args:
        design: a recipe, a project directory, a model of Keras, ONNX or PyTorch or its file, or a `ModelGraph`.
        workspace: where recipes are.
        prove: run the generated C++ on these FIFOs (needs g++).
        trust: with `prove`: also that of a project directory which was not made here.
        write: write the sized depths into the project directory.
        backend: of a model that is converted: "vivado" or "vitis".
        strategy: of such a model: "latency" or "resource".
        reuse_factor: of such a model.

    Raises:
        ConversionError: the design cannot be analysed, run or written.
    """
    from nonresnet_hls.pipeline import fifos as stage

    hls = _hls(backend, strategy, reuse_factor)
    found = stage.size(design, Workspace(Path(workspace)), hls, prove, trust, write)
    return Fifos(found.report, found.proof, found.notes, found.seconds)


@told
def fit(
    design: Any,
    board: str | None = None,
    workspace: str | Path = ".",
    *,
    fps: float | None = None,
    use: float = 0.8,
    engine: Literal["hls4ml", "rtl"] = "hls4ml",
    output: str | Path | None = None,
    clock_ns: float | None = None,
    backend: str | None = None,
    strategy: str = "resource",
) -> Fitting:
    """The reuse factors with which a design fits a board and is fastest, or takes least at so many images a second.

    Args:
        design: a recipe, a model of Keras, ONNX or PyTorch or its file, or a `ModelGraph`; with "hls4ml" a project
            directory, too.
        board: a name ("pynq-z2", ...), the path of a .toml file of one, or a part; None: the part of a recipe with a
            `[budget]`.
        workspace: where recipes are.
        fps: images per second that are enough; None: as many as there can be.
        use: the share of every resource that may be taken, where no `[budget]` of the recipe's says so.
        engine: "hls4ml", built by Vivado HLS or Vitis HLS (modelled), or "rtl", synthesised by Yosys (measured).
        output: a .toml file for the recipe with these reuse factors; None: none.
        clock_ns: None: the board's usual.
        backend: "vivado" or "vitis"; None: the recipe's.
        strategy: of a model that is converted: "latency" or "resource".

    Raises:
        ConversionError: nothing fits (`pipeline.fit.NothingFitsError`), or the design cannot be analysed.
        ToolError: Yosys is missing or fails.
    """
    from nonresnet_hls.pipeline import fit as stage

    if engine not in ("hls4ml", "rtl"):
        raise ConversionError(f"--engine: hls4ml or rtl wanted, not {engine!r}")
    try:
        tool = None if backend is None else Backend(backend)
    except ValueError:
        raise ConversionError(f"--backend: vivado or vitis wanted, not {backend!r}") from None
    asked = stage.Asked(board, fps, use, clock_ns, tool)
    hls = _hls(backend or "vivado", strategy, 1)
    place, file = Workspace(Path(workspace)), None if output is None else Path(output)
    if engine == "rtl":
        return MeasuredFitting(stage.run_rtl(design, place, hls, asked, file))
    return ModelledFitting(stage.run(design, place, hls, asked, file))


@told
def emulate(
    design: Any,
    workspace: str | Path = ".",
    *,
    inputs: Any = None,
    samples: int | None = None,
    split: Literal["test"] | None = None,
    outputs: str | Path | None = None,
) -> Emulation | Stage:
    """The exact outputs of a design's hardware.

    Args:
        design: a recipe, a project directory, a model of Keras, ONNX or PyTorch or its file, or a `ModelGraph`.
        workspace: where recipes are.
        inputs: samples x input shape (for several inputs a list), or the path of a .npy file of them (for several
            inputs of a .npz file, with their names).
        samples: a recipe: the first so many test samples; any other design: so many random ones (default: 1000).
        split: the whole test set of a recipe, which is the default for a whole network.
        outputs: where to write the outputs, as .npy; of several as .npz, by name.

    Returns:
        Of a recipe's whole test set the artefact, whose `figures["top1"]` is the hardware's own top-1; else an
        `Emulation`, with the outputs where it was given inputs.

    Raises:
        ConversionError: a layer or type whose arithmetic is not known; names it.
        EmulationError: inputs that the design cannot take.
    """
    from nonresnet_hls.pipeline import emulate as stage
    from nonresnet_hls.pipeline import taken

    if samples is not None and samples < 1:
        raise RecipeError(f"--samples: at least 1 wanted, not {samples}")
    place = Workspace(Path(workspace))
    named = isinstance(design, str | Path)
    named = named and not Path(design).is_dir() and not taken.is_file(Path(design))
    if inputs is None and (named or isinstance(design, Recipe)):
        recipe = load_recipe(design, workspace)
        block = recipe.architecture.family is Family.BLOCK and split is None
        if samples is None and not block and outputs is None:
            return Stage.of(recipe.name, stage.run_emulate(recipe, place))
        count = samples or (recipe.csim.samples if block else None)
        target = None if outputs is None else Path(outputs)
        return Emulation(recipe.name, None, stage.emulate_samples(recipe, place, count, target))
    if split is not None:
        raise RecipeError(f"{design}: --split wants a recipe, whose data set is known; give --inputs or --samples")
    with tempfile.TemporaryDirectory(prefix="nonresnet-emulate-") as scratch:
        read, arranged = _network(design, place, Path(scratch) / "project")
        found, figures = stage.emulate_design(read, inputs, samples or 1000, arranged)
    if outputs is not None:
        stage.save_outputs(found, figures["output_names"], Path(outputs))
    return Emulation(name_of(design), found, figures)


@told
def emulator(design: Any, workspace: str | Path = ".") -> "Emulator":
    """What computes a design's exact outputs: `nr.emulator("resnet20")(x)`, x samples x input shape, channels last.

    Args:
        design: a recipe, a project directory, a model of Keras, ONNX or PyTorch or its file, or a `ModelGraph`.
        workspace: where recipes are.

    Raises:
        ConversionError: a layer or type whose arithmetic is not known; names it.
    """
    from nonresnet_hls.emulation import Emulator

    with tempfile.TemporaryDirectory(prefix="nonresnet-emulate-") as scratch:
        read, _ = _network(design, Workspace(Path(workspace)), Path(scratch) / "project")
        return Emulator(read())


def _network(design: Any, place: Workspace, scratch: Path) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """What gives the exact network of a design, and what arranges samples for it."""
    from nonresnet_hls.fixed.network import Network
    from nonresnet_hls.hls import network, plain
    from nonresnet_hls.pipeline import designs

    if isinstance(design, Network) or plain.is_graph(design):
        return lambda: design, lambda x: x
    found = designs.find(design, place, Hls(), scratch)
    return lambda: network.of_project(found.directory), found.arranged


@told
def synth(
    design: Any,
    workspace: str | Path = ".",
    cosim: bool = False,
    vsynth: bool = False,
    *,
    engine: Literal["auto", "vendor", "rtl"] = "auto",
    target: str | None = None,
    simulate: bool = False,
    place_and_route: bool = False,
    flat: bool = False,
    least_depths: bool = False,
    fifos: Literal["sized", "model"] | None = None,
    inputs: Any = None,
) -> Stage | RtlFigures:
    """Hardware figures of a design: by the vendor's tool, or by the open RTL engine.

    Args:
        design: a recipe; for the open engine also a model of Keras, ONNX or PyTorch or its file (converted as hls4ml
            does by itself), or a `ModelGraph` (io_stream).
        workspace: where everything is.
        cosim: C/RTL co-simulation too; vendor.
        vsynth: logic synthesis by Vivado too; vendor.
        engine: "vendor", "rtl", or "auto": that of the options given, else vendor where its tool is on PATH, else rtl.
        target: device family: "xc7" (default), "xcup" or "ecp5"; rtl.
        simulate: simulate beside the C simulation, and count cycles; rtl.
        place_and_route: place and route on Lattice ECP5; rtl.
        flat: synthesise in one piece too; rtl.
        least_depths: simulate, and find the least FIFO depths; rtl.
        fifos: "sized" (default: the least that are predicted to cost no cycle) or "model" (as in the project); rtl.
        inputs: what a design that is no recipe is simulated on; default: extremes and random numbers.

    Raises:
        ToolError: an option of the other engine, or a tool that is missing or fails.
        ConversionError: the design cannot be built.
    """
    from nonresnet_hls.hls import vendor
    from nonresnet_hls.pipeline import synth as stage

    options = {"cosim": cosim, "vsynth": vsynth, "target": target, "simulate": simulate}
    options |= {"place-and-route": place_and_route, "flat": flat, "least-depths": least_depths, "fifos": fifos}
    chosen = stage.engine(engine, options)
    asked = stage.Asked(target or "xc7", fifos or "sized", simulate, place_and_route, flat, least_depths)
    place = Workspace(Path(workspace))
    named = isinstance(design, Recipe) or (isinstance(design, str | Path) and not _is_design(Path(design)))
    if not named:
        if chosen == "vendor":
            raise ToolError(f"{name_of(design)}: a recipe wanted for the vendor engine")
        figures = stage.synthesise_design(design, asked, inputs)
        return RtlFigures(name_of(design), figures, None)
    recipe = load_recipe(design, workspace)
    if chosen == "vendor" or (chosen == "auto" and vendor.find(recipe.hls.backend) is not None):
        return Stage.of(recipe.name, stage.run_vendor(recipe, place, vendor.Steps(cosim, vsynth)))
    figures = stage.synthesise(recipe, place, asked)
    return RtlFigures(recipe.name, figures, Path(figures["verilog"]))


def _is_design(path: Path) -> bool:
    from nonresnet_hls.pipeline import taken

    if path.is_dir():
        raise RecipeError(f"{path}: a recipe, a Keras model or a ModelGraph wanted, not a project directory")
    return taken.is_file(path)


class NothingFoundError(ReportError):
    """A folder in which there is no report; says what was looked at."""


def gather(*paths: str | Path) -> Gathered:
    """All vendor reports in files or folders, and what else is to be said of these; raises nothing of it."""
    from nonresnet_hls import reports

    found: list[Report] = []
    broken: list[ReportError] = []
    refused: list[ReportError] = []
    remarks: list[str] = []
    for path in paths:
        try:
            scan = reports.scan(path)
        except ReportError as error:
            refused.append(error)
            continue
        found += scan.reports
        broken += scan.errors
        others = _others(scan)
        if not scan.reports and not scan.errors:
            looked = f"{path}: no report among {scan.files} {'file' if scan.files == 1 else 'files'}"
            refused.append(NothingFoundError("; ".join([looked, *others])))
        else:
            remarks += [f"{path}: {text}" for text in others]
    return Gathered(tuple(found), tuple(reports.merge(found)), tuple(broken), tuple(refused), tuple(remarks))


def _others(scan: "Scan") -> list[str]:
    """What lies there beside reports that are read."""
    paths: dict[str, list[str]] = defaultdict(list)
    for other in scan.others:
        if scan.reports and not other.of_another_vendor:
            continue
        paths[other.what].append(other.path)
    texts = []
    for what, named in paths.items():
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        texts.append(f"not read: {what} ({', '.join(named[:_MOST_NAMED])}{more})")
    texts += [
        f"{folder}: an hls4ml project in which no tool has left a log or a report; was it built?"
        for folder in scan.projects
    ]
    return texts


def report(*paths: str | Path) -> "Reports":
    """All vendor reports in files or folders, a pandas table with a row per design and stage.

    Raises:
        ReportError: a path is no report and no folder, or a report is broken; `gather` has the others nevertheless.
    """
    from nonresnet_hls import reports
    from nonresnet_hls.api.tables import Reports, with_details

    gathered = gather(*paths)
    for error in (*gathered.refused, *gathered.broken):
        if not isinstance(error, NothingFoundError):
            raise error
    table: Reports = with_details(Reports(reports.frame(gathered.merged)), reports=gathered.merged)
    return table


def doctor() -> Rows:
    """What is installed, in which version, what is missing for which command, and which extra brings it."""
    from nonresnet_hls import __version__
    from nonresnet_hls.pipeline import checkup

    return Rows([asdict(finding) for finding in checkup.findings(__version__)], "this installation")
