"""Synthesise a recipe's design: with the vendor's tool on PATH, or with the open RTL engine, which needs none."""

import argparse
from typing import TYPE_CHECKING, Any

from nonresnet_hls.cli import common
from nonresnet_hls.errors import ToolError

if TYPE_CHECKING:
    from nonresnet_hls.pipeline.runner import Artefact
    from nonresnet_hls.pipeline.workspace import Workspace
    from nonresnet_hls.recipe import Recipe

NAME = "synth"
HELP = "synthesise a recipe's project"

_TARGETS = ("xc7", "xcup", "ecp5")
_OWNERS = {
    **dict.fromkeys(("cosim", "vsynth"), "vendor"),
    **dict.fromkeys(("target", "simulate", "place-and-route", "flat", "least-depths", "fifos"), "rtl"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_recipes(parser)
    what = (
        "vendor: Vivado or Vitis HLS; rtl: the open engine; auto (default): that of the options given, else vendor"
        " where its tool is on PATH, else rtl"
    )
    parser.add_argument("--engine", choices=("auto", "vendor", "rtl"), default="auto", help=what)
    vendor = parser.add_argument_group("vendor engine")
    vendor.add_argument("--cosim", action="store_true", help="C/RTL co-simulation too")
    vendor.add_argument("--vsynth", action="store_true", help="logic synthesis by Vivado too")
    rtl = parser.add_argument_group("rtl engine")
    rtl.add_argument("--target", choices=_TARGETS, help="device family (default: xc7)")
    rtl.add_argument("--simulate", action="store_true", help="simulate beside the C simulation, and count cycles")
    rtl.add_argument("--place-and-route", action="store_true", help="place and route on Lattice ECP5")
    rtl.add_argument("--flat", action="store_true", help="synthesise in one piece too")
    rtl.add_argument("--least-depths", action="store_true", help="simulate, and find the least FIFO depths")
    depths = "sized: the least that are predicted to cost no cycle (default); model: as in the project"
    rtl.add_argument("--fifos", choices=("sized", "model"), help=depths)


def run(args: argparse.Namespace) -> int:
    """Run the engine and print what it found."""
    from nonresnet_hls.hls import vendor

    engine = _engine(args)
    place, vendors = common.workspace(args), []
    results: list[dict[str, Any]] = []
    for recipe in common.recipes(args):
        has_tool = vendor.find(recipe.hls.backend) is not None
        if engine == "vendor" or (engine == "auto" and has_tool):
            vendors.append(recipe)
        else:
            results.append(_run_rtl(recipe, place, args))
    if vendors:
        results += _run_vendor(vendors, place, args)
    if args.json:
        common.print_json(results)
    return 0


def _engine(args: argparse.Namespace) -> str:
    """The engine that is wanted, or whose options are given.

    Raises:
        ToolError: an option of the other engine is given.
    """
    engine: str = args.engine
    for option, owner in _OWNERS.items():
        if getattr(args, option.replace("-", "_")):
            if engine not in ("auto", owner):
                raise ToolError(f"--{option}: an option of the {owner} engine, not of the {engine} engine")
            engine = owner
    return engine


def _run_vendor(recipes: "list[Recipe]", place: "Workspace", args: argparse.Namespace) -> list[dict[str, Any]]:
    from nonresnet_hls import reports
    from nonresnet_hls.hls import vendor
    from nonresnet_hls.pipeline import vendor as stage
    from nonresnet_hls.reports.render import Format, render
    from nonresnet_hls.reports.rows import report_rows
    from nonresnet_hls.reports.views import report_table

    rows = []
    for recipe in recipes:
        found = stage.run_vendor(recipe, place, vendor.Steps(args.cosim, args.vsynth))
        rows += reports.merge(reports.read(found.directory))
    if not args.json:
        print(render(report_table(rows), (), Format.TABLE), end="")
    return report_rows(rows)


def _run_rtl(recipe: "Recipe", place: "Workspace", args: argparse.Namespace) -> dict[str, Any]:
    from nonresnet_hls.pipeline import rtl as stage
    from nonresnet_hls.pipeline import runner
    from nonresnet_hls.rtl.flow import Depths
    from nonresnet_hls.rtl.yosys import Target

    config = stage.RtlConfig(Depths(args.fifos or "sized"), recipe.rtl)
    rtl = stage.run_rtl(recipe, place, config)
    artefacts = [rtl]

    def figures(artefact: "Artefact") -> dict[str, Any]:
        artefacts.append(artefact)
        return dict(artefact.figures)

    result: dict[str, Any] = {"name": recipe.name, "engine": "rtl", "verilog": str(rtl.directory), **rtl.figures}
    if args.simulate or args.least_depths:
        result["simulation"] = figures(stage.run_simulation(recipe, place, config, args.least_depths))
    target = Target(args.target or "xc7")
    result["synthesis"] = figures(stage.run_synthesis(recipe, place, config, target, args.flat))
    routed = figures(stage.run_route(recipe, place, config)) if args.place_and_route else None
    with runner.reading(*artefacts):
        if routed is not None:
            if "simulation" in result:
                routed["images_khz"] = routed["clock_mhz"] * 1e3 / result["simulation"]["interval_cycles"]
            result["place_and_route"] = routed
        if not args.json:
            _show(result)
    return result


def _show(result: dict[str, Any]) -> None:
    from nonresnet_hls.reports.render import Format, Table, render

    print(f"{result['name']}: {result['verilog']}")
    simulation = result.get("simulation")
    if simulation:
        images = " + ".join(f"{count} {name}" for name, count in simulation["images"].items())
        print(
            f"  simulated: {simulation['values']} values equal to the C simulation ({images}), with and without stalls"
        )
        keys = ("interval_cycles", "first_output_cycles", "latency_cycles")
        predicted = ", ".join(str(result["predicted"][key]) for key in keys)
        print(
            f"  {simulation['interval_cycles']} cycles an image, {simulation['first_output_cycles']} to the first"
            f" output, {simulation['latency_cycles']} to the last (predicted, modelled: {predicted})"
        )
    for least in simulation["least_depths"] if simulation else []:
        shorter = f"; with {least['depth'] - 1}: {least['deadlock']}" if least["deadlock"] else ""
        depths = f"{least['depth']} words (predicted: {least['predicted']})"
        print(f"  stream {least['stream']}: at least {depths}{shorter}")
    synthesis = result["synthesis"]
    versions = ", ".join(f"{tool} {version}" for tool, version in synthesis["tools"].items())
    print(f"  {synthesis['stage']} for {synthesis['target']}: {versions}")
    high = {use["stream"]: use["high_water"] for use in simulation["fifos"]} if simulation else {}
    rows = []
    for part in [
        *synthesis["parts"],
        {"name": "total", "layers": (), "is_fifo": False, "resources": synthesis["total"]},
    ]:
        use = part["resources"]
        stream = part["layers"][0] if part["is_fifo"] else ""
        marks = tuple(str(told.get(stream, "")) for told in (result["fifos"], high, result["predicted"]["high_water"]))
        what = "" if part["is_fifo"] else " ".join(part["layers"])
        rows.append((part["name"], what, *(str(use[key]) for key in ("lut", "ff", "bram_18k", "dsp")), *marks))
    headings = ("part", "layers", "LUT", "FF", "BRAM18", "DSP", "depth", "high water", "predicted")
    print(render(Table(headings, tuple(rows), (False, False) + (True,) * 7), (), Format.TABLE), end="")
    if synthesis["flat"]:
        use = synthesis["flat"]
        print(f"  in one piece: {use['lut']} LUT, {use['ff']} FF, {use['bram_18k']} BRAM18, {use['dsp']} DSP")
    routed = result.get("place_and_route")
    if routed:
        rate = f", {routed['images_khz']:.2f} kHz" if "images_khz" in routed else ""
        use = routed["resources"]
        print(
            f"  placed and routed on {routed['device']}: {routed['clock_mhz']:.1f} MHz{rate};"
            f" {use['lut']} LUT4, {use['ff']} FF, {use['bram_18k']} BRAM18, {use['dsp']} multipliers"
        )
