"""Designs as a page shows them, of what the stages left: by the dataflow model, and by the open RTL engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nonresnet_hls import __version__, dataflow
from nonresnet_hls.dataflow import memory, timeline
from nonresnet_hls.dataflow.graph import Dataflow, IntArray, Process
from nonresnet_hls.dataflow.schedule import Network, Semantics
from nonresnet_hls.dataflow.sizing import FifoDepths
from nonresnet_hls.fit import costs
from nonresnet_hls.page.values import (
    Activity,
    Basis,
    Deadlock,
    Fifo,
    Figure,
    Missing,
    Part,
    Source,
    Step,
    Timeline,
    View,
)
from nonresnet_hls.pipeline import rtl, runner
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Recipe
from nonresnet_hls.rtl import stored
from nonresnet_hls.rtl.prediction import Trace, predict
from nonresnet_hls.rtl.yosys import Target

STRETCHES = 120
"""Of a timeline."""
IMAGES = 2
_MOST_EVENTS = 60_000
"""Of an image. Beyond, the words of tight FIFOs, which are followed one by one, are those of one image."""
RESOURCES = ("lut", "ff", "dsp", "bram_18k")


@dataclass
class Sources:
    """The sources that figures were found to have, by key."""

    found: dict[str, Source] = field(default_factory=dict)

    def key(self, engine: str, version: str, stage: str, basis: Basis) -> str:
        """The key of a source."""
        source = Source(engine, version, stage, basis)
        for key, known in self.found.items():
            if known == source:
                return key
        key = f"s{len(self.found) + 1}"
        self.found[key] = source
        return key

    def model(self, engine: str, stage: str) -> str:
        """The key of a model of this package's."""
        return self.key(engine, f"nonresnet_hls {__version__}", stage, Basis.MODELLED)


# The dataflow model


def hls_view(project: Path, sized: bool, sources: Sources) -> View:
    """A project that hls4ml wrote, by the models of its streams and costs; seconds.

    Args:
        project: its directory.
        sized: whether we sized its FIFOs, so that what hls4ml gave them is to be found out again.
        sources: to name those of the figures.

    Raises:
        ConversionError: the project is none that can be analysed.
    """
    flow = dataflow.analyse_project(project)
    with dataflow.as_hls4ml_writes(project):
        if sized:
            flow = dataflow.whole_tensors(flow)
        depths = dataflow.size_fifos(flow)
        tool = f"{flow.toolchain.value} HLS"
        timed = sources.model(f"timing model of {tool}", "before synthesis")
        costed = sources.model(f"cost model of {tool}", "as after logic synthesis")
        order = sources.model("order of the C++", "before synthesis")
        parts = tuple(_part(process, flow, timed, costed) for process in flow.processes)
        fifos = tuple(_fifo(flow, name, depths, timed, order) for name in (s.name for s in flow.internal))
        courses = _timelines(flow, depths, timed)
        return View(
            key="hls",
            title=tool,
            target=flow.part,
            clock_ns=flow.clock_ns or 0.0,
            parts=parts,
            fifos=fifos,
            totals=_totals(flow, depths, parts, courses, timed, costed),
            available=_available(flow.part),
            timelines=courses,
            deadlocks=_deadlocks(flow, depths, order),
            notes=tuple(f"no model of {layer}: its cycles are in no figure" for layer in flow.unknown_layers),
        )


def _available(part: str) -> dict[str, int]:
    found = memory.part_resources(part) if part else None
    return {} if found is None else {name: getattr(found, name) for name in RESOURCES}


def _part(process: Process, flow: Dataflow, timed: str, costed: str) -> Part:
    figures: dict[str, Figure] = {}
    if process.known:
        kernel = costs.kernel_of(process, flow)
        cost = costs.cost(kernel)
        figures["interval_cycles"] = Figure(process.program.interval_cycles, timed)
        for name, csynth in (("lut", cost.lut), ("ff", cost.ff)):
            one = costs.logic_synthesis(kernel.kind, name).of(csynth)
            figures[name] = Figure(one.median, costed, one.low, one.high)
        figures["dsp"] = Figure(cost.dsp, costed, at_most=cost.dsp_is_bound and cost.dsp > 0)
        figures["bram_18k"] = Figure(cost.bram_18k, costed)
    config = process.config
    factor = config.integer("reuse_factor", 0) if process.weight_bits else 0
    return Part(
        name=process.name,
        kind=_kind(process),
        layers=(process.name,),
        reuse_factor=factor or None,
        figures=figures,
        bottleneck=process.known and process.program.interval_cycles == flow.interval_cycles,
    )


_WORDS = {
    "clone_stream": "fork",
    "normalize": "batch norm",
    "linear": "cast",
    "dense": "dense",
    "global_pooling2d_cl": "global pooling",
    "global_pooling1d_cl": "global pooling",
    "pooling2d_cl": "pooling",
    "pooling1d_cl": "pooling",
    "zeropad2d_cl": "padding",
    "zeropad1d_cl": "padding",
    "resize_nearest": "up-sampling",
    "concatenate1d": "concatenation",
    "concatenate2d": "concatenation",
    "concatenate3d": "concatenation",
}


def _kind(process: Process) -> str:
    """What a layer does, in words."""
    config, kernel = process.config, process.kernel
    if kernel.startswith(("conv_", "depthwise_conv_", "pointwise_conv_")):
        height, width = config.integer("filt_height", 1), config.integer("filt_width", 1)
        size = f"{height}×{width}" if "_2d" in kernel else str(width)
        stride = config.integer("stride_width", 1)
        by = f", stride {stride}" if stride > 1 else ""
        if kernel.startswith("depthwise"):
            return f"depthwise {size}, {config.integer('n_chan')} channels{by}"
        return f"conv {size}, {config.integer('n_chan')} → {config.integer('n_filt')}{by}"
    if kernel == "dense":
        return f"dense, {config.integer('n_in')} → {config.integer('n_out')}"
    return _WORDS.get(kernel, kernel.replace("_", " "))


def _fifo(flow: Dataflow, name: str, depths: FifoDepths, timed: str, order: str) -> Fifo:
    stream = flow.streams[name]
    return Fifo(
        name=name,
        source=stream.source or "",
        target=stream.sink or "",
        words=stream.tokens,
        bits=stream.bits,
        on_skip=stream.on_skip,
        depths={
            "tensor": Figure(depths.tensor[name], order),
            "sized": Figure(depths.sized[name], timed),
            "margin": Figure(depths.margin[name], timed),
            "least": Figure(depths.least[name], order),
        },
    )


def _totals(
    flow: Dataflow,
    depths: FifoDepths,
    parts: Sequence[Part],
    courses: Sequence[Timeline],
    timed: str,
    costed: str,
) -> dict[str, Figure]:
    vitis = flow.toolchain is dataflow.Toolchain.VITIS_HLS
    totals = {"interval_cycles": Figure(flow.interval_cycles, timed)}
    first = next((one for one in courses if one.key == "sized" and one.image_ends), None)
    if first is not None:
        totals["latency_cycles"] = Figure(first.image_ends[0], timed)
    chosen = {"sized": memory.fifo_memory(flow.internal, depths.sized, flow.toolchain, bound=vitis)}
    chosen["tensor"] = memory.fifo_memory(flow.internal, depths.tensor, flow.toolchain)
    for name in RESOURCES:
        figures = [part.figures[name] for part in parts if name in part.figures]
        fifos = {"lut": chosen["sized"].lut, "bram_18k": chosen["sized"].bram_18k}.get(name, 0)
        ranged = all(one.low is not None for one in figures)
        totals[name] = Figure(
            sum(int(one.value) for one in figures) + fifos,
            costed,
            sum(one.low or 0 for one in figures) + fifos if ranged and figures else None,
            sum(one.high or 0 for one in figures) + fifos if ranged and figures else None,
            any(one.at_most for one in figures),
        )
    for key, one in chosen.items():
        totals[f"fifo_lut_{key}"] = Figure(one.lut, costed)
        totals[f"fifo_bram_18k_{key}"] = Figure(one.bram_18k, costed)
        words = getattr(depths, key)
        bits = sum(stream.bits * words[stream.name] for stream in flow.internal)
        totals[f"fifo_bits_{key}"] = Figure(bits, timed)
        skips = sum(stream.bits * words[stream.name] for stream in flow.internal if stream.on_skip)
        totals[f"skip_bits_{key}"] = Figure(skips, timed)
    return totals


def _timelines(flow: Dataflow, depths: FifoDepths, source: str) -> tuple[Timeline, ...]:
    network = Network(flow, Semantics.HARDWARE, IMAGES)
    few = network
    if network.total_events > IMAGES * _MOST_EVENTS:
        few = Network(flow, Semantics.HARDWARE, 1)
    found = []
    for key, chosen, words in (("sized", network, depths.sized), ("tensor", network, depths.tensor)):
        found.append(_timeline(flow, timeline.run(chosen, words), key, source))
    found.append(_timeline(flow, timeline.run(few, depths.margin), "margin", source))
    return tuple(found)


def edges_of(cycles: int) -> IntArray:
    """Where the stretches of a timeline begin, and where the last ends."""
    return np.unique(np.linspace(0, max(cycles, 1), STRETCHES + 1).round().astype(np.int64))


def _timeline(flow: Dataflow, run: timeline.Run, key: str, source: str) -> Timeline:
    edges = edges_of(run.end_cycle)
    activity = {}
    for process in flow.processes:
        starved, blocked = run.shares(process.name, edges)
        activity[process.name] = Activity(tuple(starved.tolist()), tuple(blocked.tolist()))
    return Timeline(
        key=key,
        source=source,
        edges=tuple(edges.tolist()),
        images=run.network.images,
        image_ends=run.image_ends,
        levels={stream.name: tuple(run.levels(stream.name, edges).tolist()) for stream in flow.internal},
        activity=activity,
        stuck="" if run.deadlock is None else str(run.deadlock),
    )


def _deadlocks(flow: Dataflow, depths: FifoDepths, source: str) -> tuple[Deadlock, ...]:
    network = Network(flow, Semantics.CPP)
    found = []
    for stream in flow.internal:
        least = depths.least[stream.name]
        if least < 2 or not stream.sizable:
            continue
        run = timeline.run(network, {**depths.least, stream.name: least - 1})
        steps = tuple(
            Step(one.process, one.stream, one.state, one.other, one.level, one.depth, one.passed, one.tokens)
            for one in run.waits
        )
        found.append(Deadlock(stream.name, least - 1, least, source, steps))
    return tuple(found)


# The open RTL engine


def rtl_view(recipe: Recipe, workspace: Workspace, sources: Sources) -> View | None:
    """A recipe's present project as SystemVerilog, with what was simulated and synthesised of it; None: there is none.

    Raises:
        ArtefactError: a file of the results was changed or is missing.
    """
    project = runner.load(workspace.projects / recipe.name)
    made = runner.load(workspace.projects / recipe.name / rtl.RTL)
    if project is None or made is None or made.inputs.get("project") != project.content:
        return None
    design = stored.load(made.directory)
    simulated = _current(recipe, workspace, rtl.SIMULATION, made)
    predicted = sources.model("OpenRTL", "predicted")
    target, synthesis = _synthesis(recipe, workspace, made)
    measured = "" if synthesis is None else _synthesised(synthesis, sources)
    resources: dict[tuple[str, bool], Mapping[str, int]] = {}
    with runner.reading(made, *filter(None, (simulated, synthesis))):
        if synthesis is not None:
            resources = {(p["name"], p["is_fifo"]): p["resources"] for p in synthesis.figures["parts"]}
        simulation, sim_source = _simulation(simulated, sources)
        slowest = max(unit.interval_cycles for unit in design.units)
        parts = tuple(
            Part(
                name=unit.name,
                kind=_RTL_KINDS.get(str(unit.contract.kind), str(unit.contract.kind)),
                layers=unit.layers,
                reuse_factor=unit.folds or None,
                figures={
                    "interval_cycles": Figure(unit.interval_cycles, predicted),
                    **{n: Figure(int(c), measured) for n, c in resources.get((unit.name, False), {}).items()},
                },
                bottleneck=unit.interval_cycles == slowest,
            )
            for unit in design.units
        )
        uses = {one["stream"]: one for one in simulation.get("fifos", ())}
        fifos = tuple(
            Fifo(
                name=fifo.stream.name,
                source=fifo.source,
                target=fifo.target,
                words=fifo.stream.words,
                bits=fifo.stream.bits,
                on_skip=fifo.joins,
                depths={
                    "built": Figure(fifo.depth, predicted),
                    **(
                        {"high_water": Figure(int(uses[fifo.stream.name]["high_water"]), sim_source)}
                        if fifo.stream.name in uses
                        else {}
                    ),
                },
            )
            for fifo in design.fifos
        )
        course, predicted_figures = _rtl_timeline(design, predicted, simulation)
        totals = {
            name: Figure(simulation[name], sim_source)
            if simulation
            else Figure(getattr(predicted_figures, name), predicted)
            for name in ("interval_cycles", "latency_cycles", "first_output_cycles")
        }
        if synthesis is not None:
            totals |= {name: Figure(int(count), measured) for name, count in synthesis.figures["total"].items()}
        least = tuple(
            Deadlock(one["stream"], one["depth"] - 1, one["depth"], sim_source, (), str(one["deadlock"]))
            for one in simulation.get("least_depths", ())
            if one["deadlock"]
        )
    missing = []
    if simulated is None:
        missing.append(Missing("simulated cycles", f"nonresnet-hls synth {recipe.name} --engine rtl --simulate"))
    if synthesis is None:
        missing.append(Missing("synthesised resources", f"nonresnet-hls synth {recipe.name} --engine rtl"))
    available = _available(recipe.hls.part) if target is None or rtl.is_of(recipe, target) else {}
    return View(
        key="rtl",
        title="OpenRTL",
        target=recipe.hls.part if available or target is None else f"family {target}",
        clock_ns=recipe.hls.clock_ns,
        parts=parts,
        fifos=fifos,
        totals=totals,
        available=available,
        timelines=(course,),
        deadlocks=least,
        missing=tuple(missing),
    )


_RTL_KINDS = {
    "pass": "word by word",
    "fork": "fork",
    "join": "join",
    "pad": "padding",
    "collect": "windows and sums",
    "mask": "masked windows and sums",
}


def _current(recipe: Recipe, workspace: Workspace, stage: str, made: runner.Artefact) -> runner.Artefact | None:
    found = runner.load(workspace.artefact(recipe.name, stage))
    return found if found is not None and found.inputs.get("rtl") == made.content else None


def _synthesis(
    recipe: Recipe, workspace: Workspace, made: runner.Artefact
) -> tuple[Target | None, runner.Artefact | None]:
    """The synthesis for the recipe's own family, or else for another."""
    found = {}
    for target in Target:
        one = _current(recipe, workspace, f"rtl-{target}", made)
        if one is not None:
            found[target] = one
    own = next((name for name in found if rtl.is_of(recipe, name)), next(iter(found), None))
    return own, None if own is None else found[own]


def _synthesised(synthesis: runner.Artefact, sources: Sources) -> str:
    with runner.reading(synthesis):
        version = f"Yosys {synthesis.figures['tools']['pyosys']}"
    return sources.key("OpenRTL", version, "synthesized", Basis.MEASURED)


def _simulation(simulated: runner.Artefact | None, sources: Sources) -> tuple[dict[str, Any], str]:
    if simulated is None:
        return {}, ""
    told = " ".join(filter(None, ("Verilator", rtl.version_of("verilator", simulated))))
    return dict(simulated.figures), sources.key("OpenRTL", told, "simulated", Basis.MEASURED)


def _rtl_timeline(design: Any, source: str, simulation: Mapping[str, Any]) -> tuple[Timeline, Any]:
    """Levels and work as the contracts predict them, which the simulation was found to equal."""
    trace = Trace()
    predicted = predict(design, IMAGES, trace=trace)
    edges = edges_of(predicted.total_cycles)
    length = np.diff(edges)
    activity = {}
    for unit in design.units:
        works, blocked = (_inside(found.get(unit.name, []), edges) for found in (trace.works, trace.blocked))
        full = np.rint(1000 * blocked / length).astype(int)
        activity[unit.name] = Activity(
            tuple((1000 - np.rint(1000 * works / length).astype(int) - full).clip(0).tolist()), tuple(full.tolist())
        )
    levels = {name: tuple(_highest(changes, edges)) for name, changes in trace.levels.items()}
    checked = ""
    if simulation:
        checked = "the simulation by Verilator had the same cycle for the end of every image, and the same highest level"
    course = Timeline(
        key="built",
        source=source,
        edges=tuple(edges.tolist()),
        images=IMAGES,
        image_ends=predicted.image_ends,
        levels=levels,
        activity=activity,
        checked=checked,
        stuck="" if predicted.finished else "it is predicted to deadlock",
    )
    return course, predicted


def _inside(stretches: Sequence[tuple[int, int]], edges: IntArray) -> IntArray:
    """Cycles within each stretch of a timeline that lie in some of what is given."""
    before = np.zeros(int(edges[-1]) + 1, np.int64)
    for begin, end in stretches:
        before[begin] += 1
        before[min(end, len(before) - 1)] -= 1
    counts = np.concatenate([[0], np.cumsum(np.cumsum(before[:-1]))])
    return np.asarray(np.diff(counts[edges]), np.int64)


def _highest(changes: Sequence[tuple[int, int]], edges: IntArray) -> list[int]:
    each = np.zeros(int(edges[-1]), np.int64)
    for number, (cycle, level) in enumerate(changes):
        end = changes[number + 1][0] if number + 1 < len(changes) else len(each)
        each[cycle:end] = level
    return [int(each[a:b].max(initial=0)) for a, b in zip(edges[:-1], edges[1:], strict=True)]


