"""The FIFO tables: what removing skips saves with hls4ml's depths, and what it still saves with sized ones.

    python -m benchmarks.fifos [--prove] [--json]

{ResNet, ShortResNet, NonResNet} of 8 and 20 layers on 32x32 images in 8 bits, reuse factor 72 (Resource), for both
back ends; MLPerf Tiny's ResNet-8; a MobileNetV2 and a U-Net. Weights are random: they do not matter to a FIFO.
BRAM18 follows the rule of the tools' reports, cycles are modelled. `--prove` runs the generated C++.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import networks
from nonresnet_hls import dataflow
from nonresnet_hls.dataflow import FifoReport, Toolchain
from nonresnet_hls.recipe import Backend, Hls, Quantization, SkipStyle, Strategy

_NAMES = {SkipStyle.RESIDUAL: "ResNet", SkipStyle.SHORT: "ShortResNet", SkipStyle.PLAIN: "NonResNet"}


@dataclass(frozen=True)
class Row:
    """One design; `bram_18k` is that of its back end, `sized` with shallow FIFOs of Vitis HLS as shift registers."""

    design: str
    backend: str
    bits: int
    bits_sized: int
    bram_18k: int
    bram_18k_sized: int
    lut_sized: int
    skips_bits: int
    skips_bits_sized: int
    skips_bram_18k: int
    skips_bram_18k_sized: int
    interval_cycles: int
    conversion_seconds: float
    sizing_seconds: float
    proof_holds: bool | None = None
    proof_seconds: float | None = None


def rows(prove: bool, scratch: Path) -> Iterator[Row]:
    """One row after the other."""
    for blocks in (1, 3):
        for style in (SkipStyle.RESIDUAL, SkipStyle.SHORT, SkipStyle.PLAIN):
            for backend in Backend:
                project = scratch / f"{style}{blocks}{backend}"
                seconds = _timed(lambda: _write_resnet(style, blocks, backend, project))  # noqa: B023
                yield _row(f"{_NAMES[style]}{6 * blocks + 2}", project, seconds, prove)
    project = scratch / "mlperf"
    seconds = _timed(lambda: networks.mlperf_resnet8(project))
    yield _row("MLPerf ResNet-8", project, seconds, prove)
    for name, build in (("MobileNetV2", networks.mobilenet), ("U-Net", networks.unet)):
        for backend in Backend:
            project = scratch / f"{name}{backend}"
            seconds = _timed(lambda: _write_plain(build(), backend, project))  # noqa: B023
            yield _row(name, project, seconds, prove)


def _timed(work: Any) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def _write_resnet(style: SkipStyle, blocks: int, backend: Backend, project: Path) -> None:
    import numpy as np

    from nonresnet_hls.fixed.types import FixedPointType
    from nonresnet_hls.hls import convert, reuse
    from nonresnet_hls.networks.resnet import resnet
    from nonresnet_hls.quantization import arithmetic
    from nonresnet_hls.quantization.quantize import finish, quantize

    with networks.quiet():
        images = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3)).astype(np.float32) / 256
        model = resnet(style, (32, 32, 3), 10, blocks_per_group=blocks)
        quantized = finish(quantize(model, Quantization(8, 8), images))
        types = arithmetic.infer(quantized, FixedPointType.parse("ufixed<8,0>"))
        hls = Hls(backend=backend, part=networks.PART, reuse_factor=72, strategy=Strategy.RESOURCE)
        convert.to_model_graph(quantized, types, reuse.resolve(types, hls), hls, project).write()


def _write_plain(model: Any, backend: Backend, project: Path) -> None:
    from nonresnet_hls.hls import plain

    plain.write_plain(model, Hls(backend=backend, part=networks.PART), project)


def _row(name: str, project: Path, conversion_seconds: float, prove: bool) -> Row:
    start = time.monotonic()
    flow = dataflow.analyse_project(project)
    depths = dataflow.size_fifos(flow)
    report = dataflow.fifo_report(flow, depths)
    sizing_seconds = time.monotonic() - start
    proof, seconds = None, None
    if prove:
        with tempfile.TemporaryDirectory() as work:
            start = time.monotonic()
            proof = dataflow.prove(project, flow, depths, Path(work))
            seconds = time.monotonic() - start
    vivado = flow.toolchain is Toolchain.VIVADO_HLS
    sized = report.after
    return Row(
        design=name,
        backend=flow.toolchain.value,
        bits=report.before.bits,
        bits_sized=sized.bits,
        bram_18k=_bram(report, "before", vivado),
        bram_18k_sized=sized.vivado_bram_18k if vivado else sized.vitis_bound_bram_18k,
        lut_sized=sized.vivado_lut if vivado else sized.vitis_bound_lut,
        skips_bits=report.skips_before.bits,
        skips_bits_sized=report.skips_after.bits,
        skips_bram_18k=_bram(report, "skips_before", vivado),
        skips_bram_18k_sized=report.skips_after.vivado_bram_18k if vivado else report.skips_after.vitis_bound_bram_18k,
        interval_cycles=report.interval_cycles,
        conversion_seconds=round(conversion_seconds, 2),
        sizing_seconds=round(sizing_seconds, 2),
        proof_holds=None if proof is None else proof.holds,
        proof_seconds=None if seconds is None else round(seconds, 1),
    )


def _bram(report: FifoReport, which: str, vivado: bool) -> int:
    total = getattr(report, which)
    return int(total.vivado_bram_18k if vivado else total.vitis_bram_18k)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; exit status 1 if a proof fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prove", action="store_true", help="run the generated C++ of every design")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    table = []
    header = (
        "design",
        "backend",
        "bits",
        "sized",
        "BRAM18",
        "sized",
        "+ LUT",
        "skips",
        "sized",
        "cycles",
        "s",
        "proof",
    )
    form = "{:<16} {:<7} {:>11} {:>8} {:>7} {:>6} {:>7} {:>12} {:>12} {:>9} {:>5}  {}"
    if not args.json:
        print(form.format(*header))
    with tempfile.TemporaryDirectory(prefix="nonresnet-bench-") as scratch:
        for row in rows(args.prove, Path(scratch)):
            table.append(row)
            if args.json:
                continue
            proof = (
                "" if row.proof_holds is None else f"{'holds' if row.proof_holds else 'FAILS'} {row.proof_seconds} s"
            )
            skips = f"{row.skips_bram_18k} ({100 * row.skips_bits / row.bits:.0f} %)"
            skips_sized = f"{row.skips_bram_18k_sized} ({100 * row.skips_bits_sized / row.bits_sized:.0f} %)"
            figures = (f"{row.bits:,}", f"{row.bits_sized:,}", row.bram_18k, row.bram_18k_sized, f"{row.lut_sized:,}")
            last = (skips, skips_sized, f"{row.interval_cycles:,}", row.sizing_seconds, proof)
            print(form.format(row.design, row.backend, *figures, *last), flush=True)
    if args.json:
        json.dump([asdict(row) for row in table], sys.stdout, indent=2)
        print()
    else:
        print("\nskips: BRAM18 of the FIFOs on skips, and their share of all FIFO bits; s: seconds of the analysis")
    return 0 if all(row.proof_holds is not False for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
