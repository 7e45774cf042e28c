"""A design as a page shows it, by the models of its streams and costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nonresnet_hls import dataflow
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
    Part,
    Source,
    Step,
    Timeline,
    View,
)
from nonresnet_hls.pipeline import runner

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
        return self.key(engine, runner.own_version(), stage, Basis.MODELLED)


# The dataflow model


def hls_view(project: Path, sized: bool, sources: Sources, types: Mapping[str, str] | None = None) -> View:
    """A project that hls4ml wrote, by the models of its streams and costs; seconds.

    Args:
        project: its directory.
        sized: whether we sized its FIFOs, so that what hls4ml gave them is to be found out again.
        sources: to name those of the figures.
        types: of what layers leave, where they are known.

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
        parts = tuple(_part(one, flow, timed, costed, (types or {}).get(one.name, "")) for one in flow.processes)
        fifos = tuple(_fifo(flow, name, depths, timed, order) for name in (s.name for s in flow.internal))
        courses = _timelines(flow, depths, timed)
        available = available_of(flow.part)
        totals = _totals(flow, depths, parts, courses, timed, costed)
        return View(
            key="hls",
            title=tool,
            target=flow.part,
            clock_ns=flow.clock_ns or 0.0,
            parts=parts,
            fifos=fifos,
            totals=totals | derived(totals, available, flow.clock_ns, timed),
            available=available,
            timelines=courses,
            deadlocks=_deadlocks(flow, depths, order),
            notes=tuple(f"no model of {layer}: its cycles are in no figure" for layer in flow.unknown_layers),
        )


def available_of(part: str) -> dict[str, int]:
    """What a part has; nothing where that is not known."""
    found = memory.part_resources(part) if part else None
    return {} if found is None else {name: getattr(found, name) for name in RESOURCES}


def derived(
    totals: Mapping[str, Figure], available: Mapping[str, int], clock_ns: float | None, clocked: str
) -> dict[str, Figure]:
    """What follows from the totals: shares of the part, and images a second at a clock that is not reached yet."""
    found = {}
    for name, has in available.items():
        if has and (figure := totals.get(name)) is not None:
            found[f"{name}_percent"] = Figure(round(100 * figure.value / has, 2), figure.source, at_most=figure.at_most)
    interval = totals.get("interval_cycles")
    if clock_ns and interval is not None and interval.value:
        found["images_per_s"] = Figure(round(1e9 / clock_ns / interval.value), clocked)
    return found


def _part(process: Process, flow: Dataflow, timed: str, costed: str, kind: str) -> Part:
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
        type=kind,
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
        size = f"{height}x{width}" if "_2d" in kernel else str(width)
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
        skips = [stream for stream in flow.internal if stream.on_skip]
        totals[f"skip_bits_{key}"] = Figure(sum(stream.bits * words[stream.name] for stream in skips), timed)
        own = memory.fifo_memory(skips, words, flow.toolchain, bound=vitis and key == "sized")
        totals[f"skip_lut_{key}"] = Figure(own.lut, costed)
        totals[f"skip_bram_18k_{key}"] = Figure(own.bram_18k, costed)
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
