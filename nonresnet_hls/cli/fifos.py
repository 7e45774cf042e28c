"""Size the FIFOs of a design: depths, deadlock, timing and memory, without a vendor tool.

The design is a project directory that hls4ml 1.x wrote (io_stream, Vivado or Vitis). Cycles and LUTs are
modelled; BRAM follows the rule of the tools' own reports; `--prove` runs the generated C++ itself.
"""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nonresnet_hls.dataflow import FifoReport, Proof

NAME = "fifos"
HELP = "size the FIFOs of a design and prove that they cannot deadlock"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("design", help="a project directory that hls4ml wrote")
    parser.add_argument(
        "--prove", action="store_true", help="run the generated C++ on FIFOs of these depths (needs g++)"
    )
    parser.add_argument("--write", action="store_true", help="write the sized depths into the project")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print rows and totals; exit status 1 if a proof fails."""
    from nonresnet_hls import dataflow

    project = Path(args.design)
    flow = dataflow.analyse_project(project)
    depths = dataflow.size_fifos(flow)
    report = dataflow.fifo_report(flow, depths)
    proof = None
    if args.prove:
        with tempfile.TemporaryDirectory(prefix="nonresnet-fifos-") as work:
            proof = dataflow.prove(project, flow, depths, Path(work))
    if args.write:
        dataflow.write_depths(project, flow, depths.sized)
    if args.json:
        print(json.dumps(asdict(report) | {"proof": None if proof is None else _proof_dict(proof)}, indent=2))
    else:
        _print(report)
        if proof is not None:
            _print_proof(proof)
    return 0 if proof is None or proof.holds else 1


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
        "Depths in words: before = hls4ml, least = the C++ itself, margin and sized = modelled, for stalling pipelines;"
    )
    print("sized also keeps full throughput. BRAM18 as each tool builds it; LUT = sized as shift registers, modelled.")
    print()
    totals = (("before", report.before), ("least", report.least), ("margin", report.margin), ("sized", report.after))
    print(f"{'all FIFOs':<14}{'bits':>12}{'Vivado BRAM18':>15}{'Vitis BRAM18':>14}{'bound to SRL':>14}{'+ LUT':>9}")
    for name, total in (*totals, ("skips before", report.skips_before), ("skips sized", report.skips_after)):
        print(
            f"{name:<14}{total.bits:>12,}{total.vivado_bram_18k:>15,}{total.vitis_bram_18k:>14,}"
            f"{total.vitis_bound_bram_18k:>14,}{total.vitis_bound_lut:>9,}"
        )
    print()
    print(f"{report.interval_cycles:,} cycles per image (modelled), set by {report.bottleneck}")
    for layer in report.unknown_layers:
        print(f"no model of {layer}: its streams keep their depth")


def _print_proof(proof: "Proof") -> None:
    print()
    for name, ran in (("sized", proof.sized), ("least", proof.least)):
        state = "finished" if ran.finished else f"stuck: {ran.deadlock}"
        print(f"proof: {name} depths {state}, {ran.equal_values} of {ran.values} outputs equal the C simulation")
    for one in proof.shorter:
        print(f"proof: {one.stream} at {one.depth}: {one.deadlock or 'FINISHED, so the least depth is not least'}")
    verdict = "holds" if proof.holds else "FAILS"
    seconds = f"built in {proof.build_seconds:.1f} s, run in {proof.run_seconds:.1f} s"
    print(f"proof {verdict} ({proof.images} images; {seconds})")
