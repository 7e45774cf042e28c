"""Size the FIFOs of a design: depths, deadlock, timing and memory, without a vendor tool.

The design is a recipe, a Keras or QKeras model file (converted as hls4ml does by itself), or a project directory
that hls4ml 1.x wrote (io_stream, Vivado or Vitis). Cycles and LUTs are modelled; BRAM follows the rule of the
tools' own reports; `--prove` runs the generated C++ itself.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nonresnet_hls import progress
from nonresnet_hls.cli import common
from nonresnet_hls.errors import ConversionError

if TYPE_CHECKING:
    from nonresnet_hls.dataflow import FifoReport, Proof

NAME = "fifos"
HELP = "size the FIFOs of a design and prove that they cannot deadlock"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("design", help="a recipe, a .keras or .h5 file, or a project directory that hls4ml wrote")
    parser.add_argument("--prove", action="store_true", help="run the generated C++ on these FIFOs (needs g++)")
    parser.add_argument("--trust", action="store_true", help="with --prove: run a project directory that is not ours")
    parser.add_argument("--write", action="store_true", help="write the sized depths into the project directory")
    model = parser.add_argument_group("conversion of a model file")
    model.add_argument("--backend", choices=("vivado", "vitis"), default="vivado")
    model.add_argument("--strategy", choices=("latency", "resource"), default="latency")
    model.add_argument("--reuse-factor", type=int, default=1, metavar="N")
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print rows and totals; exit status 1 if a proof fails."""
    with tempfile.TemporaryDirectory(prefix="nonresnet-fifos-") as scratch:
        return _run(args, Path(scratch))


def _run(args: argparse.Namespace, scratch: Path) -> int:
    from nonresnet_hls import dataflow
    from nonresnet_hls.pipeline import runner

    design = Path(args.design)
    if args.write and (not design.is_dir() or (design / runner.RECORD).exists()):
        wanted = "--write wants a project directory that hls4ml wrote"
        raise ConversionError(f"{design}: {wanted}; for the project of a recipe use convert --fifos sized")
    if args.prove and design.is_dir() and not args.trust:
        _ask(design)
    started = time.monotonic()
    project, sized, notes = _project(args, scratch / "project")
    if args.prove and not args.trust and not design.is_dir() and not project.is_relative_to(scratch):
        _ask(project)  # of a recipe: it may have come with the workspace
    converted = time.monotonic()
    flow = dataflow.analyse_project(project)
    with dataflow.as_hls4ml_writes(project):
        if sized:
            flow = dataflow.whole_tensors(flow)
        depths = dataflow.size_fifos(flow)
        report = dataflow.fifo_report(flow, depths)
    seconds = {"conversion": converted - started, "sizing": time.monotonic() - converted}
    proof = None
    if args.prove:
        work = scratch / "proof"
        work.mkdir()
        proof = dataflow.prove(project, flow, depths, work)
    if args.write:
        dataflow.write_depths(project, flow, depths.sized)
    if args.json:
        figures = asdict(report) | {"seconds": seconds, "proof": None if proof is None else _proof_dict(proof)}
        figures["notes"] = list(notes)
        common.print_json(figures)
    else:
        _print(report)
        for note in notes:
            print(note)
        if proof is not None:
            _print_proof(proof)
    return 0 if proof is None or proof.holds else 1


def _ask(design: Path) -> None:
    """Have the user confirm that a project may run its code, unless we wrote it and it was not changed.

    Raises:
        ConversionError: he does not, or there is nobody to be asked.
    """
    from nonresnet_hls.pipeline import convert

    if convert.is_made_here(design):
        return
    runs = "--prove runs the C++ of this project with all your rights"
    if not sys.stdin.isatty():
        raise ConversionError(f"{design}: {runs}; --trust wanted")
    print(f"{progress.printable(str(design))}: {runs}. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConversionError(f"{design}: not run")


def _project(args: argparse.Namespace, scratch: Path) -> tuple[Path, bool, tuple[str, ...]]:
    """The project directory of a design, whether we sized its FIFOs when it was made, and what hls4ml dropped."""
    from nonresnet_hls.pipeline import designs
    from nonresnet_hls.recipe import Backend, Hls, Strategy

    if args.reuse_factor < 1:
        raise ConversionError(f"--reuse-factor: a positive integer wanted, not {args.reuse_factor}")
    hls = Hls(backend=Backend(args.backend), strategy=Strategy(args.strategy), reuse_factor=args.reuse_factor)
    design = designs.find(args.design, common.workspace(args), hls, scratch)
    return design.directory, design.sized, design.notes


def _proof_dict(proof: "Proof") -> dict[str, object]:
    return asdict(proof) | {"holds": proof.holds}


def _print(report: "FifoReport") -> None:
    columns = ("stream", "from", "to", "bits", "skip", "before", "least", "margin", "sized")
    memory = ("Vivado", "sized", "Vitis", "sized", "LUT")
    table = [
        (
            *(row.stream, row.source, row.sink, row.bits, "skip" if row.on_skip else ""),
            *(row.depth_before, row.depth_least, row.depth_margin, row.depth_after),
            *(row.vivado_bram_18k_before, row.vivado_bram_18k_after),
            *(row.vitis_bram_18k_before, row.vitis_bram_18k_after, row.lut_shift_register),
        )
        for row in report.rows
    ]
    header = (*columns, *memory)
    widths = [max(len(str(line[i])) for line in (header, *table)) for i in range(len(header))]
    for line in (header, *table):
        # Names to the left, figures to the right.
        cells = [
            str(x).ljust(w) if i < 3 else str(x).rjust(w) for i, (x, w) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    print()
    print(
        "Depths in words: before = hls4ml's (a directory: its own), least = the C++ itself, margin and sized ="
        " modelled, for"
    )
    print("stalling pipelines; sized also keeps full throughput. BRAM18 as each tool builds it; LUT = sized as shift")
    print("registers, modelled.")
    print()
    totals = (("before", report.before), ("least", report.least), ("margin", report.margin), ("sized", report.after))
    print(f"{'all FIFOs':<14}{'bits':>12}{'Vivado BRAM18':>15}{'Vitis BRAM18':>14}{'bound to SRL':>14}{'+ LUT':>9}")
    for name, total in (*totals, ("skips before", report.skips_before), ("skips sized", report.skips_after)):
        # hls4ml by itself binds nothing to shift registers.
        bound = (total.vitis_bound_bram_18k, total.vitis_bound_lut) if "before" not in name else ("", "")
        print(
            f"{name:<14}{total.bits:>12,}{total.vivado_bram_18k:>15,}{total.vitis_bram_18k:>14,}"
            f"{bound[0]:>14}{bound[1]:>9}"
        )
    print()
    has = f"; {report.part} has {report.part_bram_18k:,} and {report.part_lut:,} LUT" if report.part_bram_18k else ""
    print(
        f"weights and line buffers: {report.layers_vivado_bram_18k:,} BRAM18 by Vivado HLS,"
        f" {report.layers_vitis_bram_18k:,} by Vitis HLS, {report.layers_lut:,} LUT (modelled){has}"
    )
    least = "at least " if report.interval_is_lower_bound else ""
    print(f"{least}{report.interval_cycles:,} cycles per image (modelled), set by {report.bottleneck}")
    for layer in report.unknown_layers:
        print(f"no model of {layer}: its cycles are not counted, and its streams keep their depth")


def _print_proof(proof: "Proof") -> None:
    print()
    for name, ran in (("sized", proof.sized), ("least", proof.least)):
        left = ", ".join(f"{count} tokens left in {stream}" for stream, count in ran.leftovers.items())
        state = "finished" if ran.finished else left or f"stuck: {ran.deadlock}"
        print(f"proof: {name} depths {state}, {ran.equal_values} of {ran.values} outputs equal the C simulation")
    for one in proof.shorter:
        print(f"proof: {one.stream} at {one.depth}: {one.deadlock or 'FINISHED, so the least depth is not least'}")
    if proof.not_tried:
        print(f"proof: beside layers without a model, not made shorter: {', '.join(proof.not_tried)}")
    verdict = "holds" if proof.holds else "FAILS"
    seconds = f"built in {proof.build_seconds:.1f} s, run in {proof.run_seconds:.1f} s"
    print(f"proof {verdict} ({proof.images} images; {seconds})")
