"""A design as a page shows it, as the open RTL engine built, simulated and synthesised it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from nonresnet_hls.dataflow.graph import IntArray
from nonresnet_hls.page import values
from nonresnet_hls.page.values import Activity, Basis, Deadlock, Figure, Missing, Part, Timeline, View
from nonresnet_hls.pipeline import rtl, runner
from nonresnet_hls.pipeline.views import IMAGES, Sources, available_of, derived, edges_of
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Recipe
from nonresnet_hls.rtl import stored
from nonresnet_hls.rtl.design import Fifo, RtlDesign
from nonresnet_hls.rtl.prediction import Prediction, Trace, predict
from nonresnet_hls.rtl.yosys import Target


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
        skips = _on_skips(design)
        fifos = tuple(
            values.Fifo(
                name=fifo.stream.name,
                source=fifo.source,
                target=fifo.target,
                words=fifo.stream.words,
                bits=fifo.stream.bits,
                on_skip=fifo.stream.name in skips,
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
    available = available_of(recipe.hls.part) if target is None or rtl.is_of(recipe, target) else {}
    clock_ns, clock_told = _clock(recipe, workspace, made)
    clocked = sources.model("OpenRTL", clock_told)
    return View(
        key="rtl",
        title="OpenRTL",
        target=recipe.hls.part if available or target is None else f"family {target}",
        clock_ns=clock_ns,
        parts=parts,
        fifos=fifos,
        totals=totals | derived(totals, available, clock_ns, clocked),
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


def _on_skips(design: RtlDesign) -> set[str]:
    """Streams on the shorter branches before a join, back to where the branches part."""
    inputs: dict[str, list[Fifo]] = {}
    outputs: dict[str, list[Fifo]] = {}
    for fifo in design.fifos:
        inputs.setdefault(fifo.target, []).append(fifo)
        outputs.setdefault(fifo.source, []).append(fifo)
    longest: dict[str, int] = {}  # units on the longest way to each, which stand in the order of the data
    for unit in design.units:
        longest[unit.name] = 1 + max((longest.get(fifo.source, 0) for fifo in inputs.get(unit.name, ())), default=0)
    found: set[str] = set()
    for into in inputs.values():
        main = max(into, key=lambda fifo: longest.get(fifo.source, 0))
        for fifo in into:
            while fifo is not main and fifo.stream.name not in found:
                found.add(fifo.stream.name)
                before = inputs.get(fifo.source, [])
                if len(before) != 1 or len(outputs[fifo.source]) != 1:
                    break
                fifo = before[0]
    return found


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


def _clock(recipe: Recipe, workspace: Workspace, made: runner.Artefact) -> tuple[float, str]:
    """A clock in ns, and who says so."""
    routed = _current(recipe, workspace, rtl.ROUTE, made)
    if routed is None:
        return recipe.hls.clock_ns, "clock assumed"
    with runner.reading(routed):
        return 1e3 / float(routed.figures["clock_mhz"]), "clock routed on ECP5"


def _synthesised(synthesis: runner.Artefact, sources: Sources) -> str:
    with runner.reading(synthesis):
        version = f"Yosys {synthesis.figures['tools']['pyosys']}"
    return sources.key("OpenRTL", version, "synthesized", Basis.MEASURED)


def _simulation(simulated: runner.Artefact | None, sources: Sources) -> tuple[dict[str, Any], str]:
    if simulated is None:
        return {}, ""
    told = " ".join(filter(None, ("Verilator", rtl.version_of("verilator", simulated))))
    return dict(simulated.figures), sources.key("OpenRTL", told, "simulated", Basis.MEASURED)


def _rtl_timeline(design: RtlDesign, source: str, simulation: Mapping[str, Any]) -> tuple[Timeline, Prediction]:
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
        checked = (
            "the simulation by Verilator had the same cycle for the end of every image, and the same highest level"
        )
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
    return [int(each[a:b].max(initial=0)) for a, b in pairwise(edges)]
