"""Which engine synthesises a design, and what the open one is asked to do with it."""

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ToolError
from nonresnet_hls.pipeline import rtl, taken
from nonresnet_hls.pipeline.vendor import run_vendor
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Hls, Recipe
from nonresnet_hls.rtl import flow
from nonresnet_hls.rtl.yosys import Target

__all__ = ["OWNERS", "Asked", "engine", "run_vendor", "synthesise", "synthesise_design"]

OWNERS = {
    **dict.fromkeys(("cosim", "vsynth"), "vendor"),
    **dict.fromkeys(("target", "simulate", "place-and-route", "flat", "least-depths", "fifos"), "rtl"),
}
"""The engine that an option is of."""


def engine(wanted: str, options: Mapping[str, object]) -> str:
    """The engine that is wanted, or whose options are given.

    Raises:
        ToolError: there is no such engine, or an option is one of the other.
    """
    if wanted not in ("auto", "vendor", "rtl"):
        raise ToolError(f"engine: auto, vendor or rtl wanted, not {wanted!r}")
    for option, owner in OWNERS.items():
        if options[option]:
            if wanted not in ("auto", owner):
                raise ToolError(f"--{option}: an option of the {owner} engine, not of the {wanted} engine")
            wanted = owner
    return wanted


@dataclass(frozen=True)
class Asked:
    """What the open engine is to do."""

    target: str
    fifos: str
    simulate: bool
    place_and_route: bool
    flat: bool
    least_depths: bool


def synthesise(recipe: Recipe, workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """What the open engine finds of a recipe's design, by stage.

    Raises:
        NonResNetError: as the stages of `pipeline.rtl`.
    """
    config = rtl.RtlConfig(_depths(asked), recipe.rtl)
    made = rtl.run_rtl(recipe, workspace, config)
    result: dict[str, Any] = {"name": recipe.name, "engine": "rtl", "verilog": str(made.directory), **made.figures}
    target = _target(asked)
    # Compilers of C++ and Verilog keep one core busy, Yosys the others.
    with ThreadPoolExecutor(1) as pool:
        synthesis = pool.submit(rtl.run_synthesis, recipe, workspace, config, target, asked.flat, made)
        if asked.simulate or asked.least_depths:
            result["simulation"] = dict(rtl.run_simulation(recipe, workspace, config, asked.least_depths).figures)
        result["synthesis"] = dict(synthesis.result().figures)
    if asked.place_and_route:
        routed = dict(rtl.run_route(recipe, workspace, config).figures)
        if "simulation" in result:
            routed["images_khz"] = routed["clock_mhz"] * 1e3 / result["simulation"]["interval_cycles"]
        result["place_and_route"] = routed
    return result


def synthesise_design(design: Any, asked: Asked, inputs: Any) -> dict[str, Any]:
    """The same of a model, its file, or a `ModelGraph`; nothing is kept.

    Args:
        design: as `designs.find` takes it, but for recipes and projects.
        asked: what to do.
        inputs: to simulate; None: extremes and random numbers.

    Raises:
        NonResNetError: as `rtl.flow.build`.
    """
    with tempfile.TemporaryDirectory(prefix="nonresnet-synth-") as folder:
        project = Path(folder) / "project"
        found = taken.take(design, Hls(), project)
        report = flow.build(
            found.graph,
            project,
            x=None if inputs is None else found.arranged(inputs),
            target=_target(asked),
            depths=_depths(asked),
            simulate=asked.simulate or asked.least_depths,
            place=asked.place_and_route,
            flat=asked.flat,
            least=asked.least_depths,
        )
        return report.as_dict()


def _target(asked: Asked) -> Target:
    if asked.target not in list(Target):
        raise ToolError(f"target: {', '.join(Target)} wanted, not {asked.target!r}")
    return Target(asked.target)


def _depths(asked: Asked) -> flow.Depths:
    if asked.fifos not in list(flow.Depths):
        raise ToolError(f"fifos: {', '.join(flow.Depths)} wanted, not {asked.fifos!r}")
    return flow.Depths(asked.fifos)
