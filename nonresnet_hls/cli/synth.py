"""Synthesise a recipe's design: with the vendor's tool on PATH, or with the open RTL engine, which needs none."""

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls.cli import common

if TYPE_CHECKING:
    from nonresnet_hls.recipe import Recipe
    from nonresnet_hls.reports import Report

NAME = "synth"
HELP = "synthesise a recipe's project"

_TARGETS = ("xc7", "xcup", "ecp5")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_recipes(parser, files=True)
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
    from nonresnet_hls import api
    from nonresnet_hls.api.results import RtlFigures

    results: list[dict[str, Any]] = []
    vendors: list[Report] = []
    for recipe in _designs(args):
        found = api.synth(
            recipe,
            args.workspace,
            args.cosim,
            args.vsynth,
            engine=args.engine,
            target=args.target,
            simulate=args.simulate,
            place_and_route=args.place_and_route,
            flat=args.flat,
            least_depths=args.least_depths,
            fifos=args.fifos,
        )
        if isinstance(found, RtlFigures):
            results.append(dict(found.figures))
            if not args.json:
                _show(results[-1])
        else:
            gathered = api.gather(found.directory)
            for error in (*gathered.refused, *gathered.broken):
                raise error
            vendors += gathered.merged
    results += _vendors(vendors, args.json)
    if args.json:
        common.print_json(results)
    return 0


def _designs(args: argparse.Namespace) -> "list[str | Recipe]":
    """Recipes, and files of models, which only the open engine takes."""
    from nonresnet_hls.pipeline import taken

    if any(taken.is_file(Path(name)) for name in args.recipes):
        return list(args.recipes)
    return [*common.recipes(args)]


def _vendors(found: "list[Report]", as_json: bool) -> list[dict[str, Any]]:
    """Show the reports of the vendor's tool; their rows."""
    from nonresnet_hls.reports.render import Format, render
    from nonresnet_hls.reports.rows import report_rows
    from nonresnet_hls.reports.views import report_table

    if found and not as_json:
        print(render(report_table(found), (), Format.TABLE), end="")
    return report_rows(found)


def _show(result: dict[str, Any]) -> None:
    from nonresnet_hls.reports.render import Format, Table, render
    from nonresnet_hls.yosys_cells import CARRY, SRL

    print(f"{result['name']}: {result['verilog']}" if "verilog" in result else f"{result['name']}:")
    simulation = result.get("simulation")
    expected = result.get("predicted") or (simulation or {}).get("predicted") or {"high_water": {}}
    if simulation:
        images, values = simulation["images"], simulation.get("values") or simulation["values_compared"]
        sets = f"{images} images"
        if isinstance(images, dict):
            sets = " + ".join(f"{count} {name}" for name, count in images.items())
        print(f"  simulated: {values} values equal to the C simulation ({sets}), with and without stalls")
        keys = ("interval_cycles", "first_output_cycles", "latency_cycles")
        predicted = ", ".join(str(expected[key]) for key in keys)
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
    sized = result.get("fifos")
    if sized is None:
        sized = {use["stream"]: use["depth"] for use in simulation["fifos"]} if simulation else {}
    rows = []
    every = sum((Counter(part["cells"]) for part in synthesis["parts"]), Counter())
    for part in [
        *synthesis["parts"],
        {"name": "total", "layers": (), "is_fifo": False, "resources": synthesis["total"], "cells": every},
    ]:
        use, cells = part["resources"], part["cells"]
        beside = tuple(str(sum(cells.get(cell, 0) for cell in kind)) for kind in (SRL, CARRY))
        stream = part["layers"][0] if part["is_fifo"] else ""
        marks = tuple(str(told.get(stream, "")) for told in (sized, high, expected["high_water"]))
        what = "" if part["is_fifo"] else " ".join(part["layers"])
        counts = tuple(str(use[key]) for key in ("lut", "ff", "bram_18k", "dsp"))
        rows.append((part["name"], what, *counts, *beside, *marks))
    headings = ("part", "layers", "LUT", "FF", "BRAM18", "DSP", "SRL", "carries", "depth", "high water", "predicted")
    print(render(Table(headings, tuple(rows), (False, False) + (True,) * 9), (), Format.TABLE), end="")
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
