"""Size the FIFOs of a design: depths, deadlock, timing and memory, without a vendor tool.

The design is a recipe, a model file (Keras, ONNX, PyTorch; converted as hls4ml does by itself), or a project directory
that hls4ml 1.x wrote (io_stream, Vivado or Vitis). Cycles and LUTs are modelled; BRAM follows the rule of the
tools' own reports; `--prove` runs the generated C++ itself.
"""

import argparse
import sys
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


_DESIGN = "a recipe, a .keras, .h5, .onnx or .pt2 file, or a project directory that hls4ml wrote"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("design", help=_DESIGN)
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
    from nonresnet_hls import api

    trust = args.trust or (args.prove and _confirmed(Path(args.design)))
    found = api.fifos(
        args.design,
        args.workspace,
        prove=args.prove,
        trust=trust,
        write=args.write,
        backend=args.backend,
        strategy=args.strategy,
        reuse_factor=args.reuse_factor,
    )
    report, proof = found.report, found.proof
    if args.json:
        figures = asdict(report) | {"seconds": found.seconds, "proof": None if proof is None else _proof_dict(proof)}
        figures["notes"] = list(found.notes)
        common.print_json(figures)
    else:
        _print(report)
        for note in found.notes:
            print(note)
        if proof is not None:
            _print_proof(proof)
    return 0 if proof is None or proof.holds else 1


def _confirmed(design: Path) -> bool:
    """Whether the user says that a project may run its code which we did not write, or which was changed.

    Raises:
        ConversionError: he says that it may not.
    """
    from nonresnet_hls.pipeline import fifos

    if not sys.stdin.isatty() or not fifos.is_foreign(design):
        return False
    print(f"{progress.printable(str(design))}: {fifos.RUNS}. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConversionError(f"{design}: not run")
    return True


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
