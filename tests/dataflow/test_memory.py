"""The memory rules against what the vendor's tools reported."""

import csv
from pathlib import Path

import pytest

from nonresnet_hls.dataflow.graph import Stream, Toolchain
from nonresnet_hls.dataflow.memory import (
    fifo_bram18,
    lutram_lut,
    part_resources,
    shift_register_lut,
    sized_memory,
    stream_memory,
    weight_bram18,
)

REPORTS = Path(__file__).parents[2] / ".." / "shared" / "reports"
FIFO_ROWS = REPORTS / "fifo_rows.csv"
INDEX = REPORTS / "INDEX.csv"
WHY = "no real reports beside the repository"


@pytest.mark.skipif(not FIFO_ROWS.is_file(), reason=WHY)
def test_fifo_rule_equals_every_row_of_the_real_reports() -> None:
    with FIFO_ROWS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 1800
    wrong = [row for row in rows if fifo_bram18(int(row["depth"]), int(row["bits"])) != int(row["bram18"])]
    assert not wrong, wrong[:5]


@pytest.mark.parametrize(
    ("depth", "bits", "bram18"),
    [(0, 8, 0), (1, 512, 0), (2, 257, 15), (1024, 18, 1), (1024, 19, 2), (1025, 9, 1), (16385, 1, 2)],
)
def test_fifo_rule_at_its_edges(depth: int, bits: int, bram18: int) -> None:
    assert fifo_bram18(depth, bits) == bram18


# Layers with weights in the reports of the MLPerf Tiny ResNet-8 (Vitis HLS 2024.2, 8 bits), of an autoencoder and
# of a card classifier (Vivado HLS 2019.2, 32 and 6 bits): reuse factor, weights, bits of one, reported BRAM18.
WEIGHTS = [
    (Toolchain.VITIS_HLS, 54, 432, 8, 2),
    (Toolchain.VITIS_HLS, 72, 2304, 8, 8),
    (Toolchain.VITIS_HLS, 72, 4608, 8, 15),
    (Toolchain.VITIS_HLS, 72, 9216, 8, 29),
    (Toolchain.VITIS_HLS, 72, 18432, 8, 57),
    (Toolchain.VITIS_HLS, 72, 36864, 8, 114),
    (Toolchain.VITIS_HLS, 64, 640, 8, 3),
    (Toolchain.VITIS_HLS, 16, 512, 8, 0),
    (Toolchain.VITIS_HLS, 32, 2048, 8, 0),
    (Toolchain.VIVADO_HLS, 36, 144, 32, 4),
    (Toolchain.VIVADO_HLS, 72, 288, 32, 4),
    (Toolchain.VIVADO_HLS, 72, 72, 32, 1),
    (Toolchain.VIVADO_HLS, 108, 108, 6, 0),
    (Toolchain.VIVADO_HLS, 144, 144, 6, 0),
    (Toolchain.VIVADO_HLS, 784, 784 * 13, 6, 5),
]


@pytest.mark.parametrize(("toolchain", "reuse_factor", "weights", "bits", "bram18"), WEIGHTS)
def test_weight_rule_equals_the_reports(
    toolchain: Toolchain, reuse_factor: int, weights: int, bits: int, bram18: int
) -> None:
    assert weight_bram18(reuse_factor, -(-weights // reuse_factor) * bits, toolchain) == bram18


def stream(elements: int, element_bits: int) -> Stream:
    return Stream("s", elements, element_bits, 1024, 1024, "a", "b")


def test_vivado_splits_a_stream_by_channel_and_vitis_packs_it() -> None:
    assert stream_memory(stream(16, 8), 1024, Toolchain.VIVADO_HLS).bram_18k == 16
    assert stream_memory(stream(16, 8), 1024, Toolchain.VITIS_HLS).bram_18k == 8
    assert stream_memory(stream(16, 8), 64, Toolchain.VIVADO_HLS).bram_18k == 0
    assert stream_memory(stream(16, 8), 64, Toolchain.VITIS_HLS).bram_18k == 8


def test_shallow_fifos_of_vitis_are_kept_out_of_bram() -> None:
    wide = stream(64, 16)
    assert stream_memory(wide, 2, Toolchain.VITIS_HLS).bram_18k == 57
    assert sized_memory(wide, 2, Toolchain.VITIS_HLS).bram_18k == 0
    assert sized_memory(wide, 2, Toolchain.VITIS_HLS).lut == shift_register_lut(2, 1024)
    assert sized_memory(wide, 128, Toolchain.VITIS_HLS).lut == shift_register_lut(128, 1024) == 4096
    assert sized_memory(wide, 129, Toolchain.VITIS_HLS) == stream_memory(wide, 129, Toolchain.VITIS_HLS)
    # Vivado HLS makes shift registers of narrow FIFOs by itself.
    assert sized_memory(wide, 33, Toolchain.VIVADO_HLS) == stream_memory(wide, 33, Toolchain.VIVADO_HLS)


@pytest.mark.parametrize("cost", [shift_register_lut, lutram_lut])
def test_lut_costs_grow_with_depth_and_width(cost) -> None:
    for depth in range(1, 600):
        assert cost(depth, 8) <= cost(depth + 1, 8)
        assert cost(depth, 8) <= cost(depth, 9)


@pytest.mark.skipif(not INDEX.is_file(), reason=WHY)
def test_parts_have_what_the_reports_say_is_available() -> None:
    with INDEX.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] and row["avail_BRAM_18K"]]
    assert rows
    for row in rows:
        found = part_resources(row["part"])
        assert found is not None, row["part"]
        reported = [int(float(row[f"avail_{kind}"])) for kind in ("BRAM_18K", "DSP", "FF", "LUT")]
        assert [found.bram_18k, found.dsp, found.ff, found.lut] == reported, row["part"]
        assert found.uram == int(float(row["avail_URAM"] or 0)), row["part"]


def test_an_unlisted_part_is_none() -> None:
    assert part_resources("xcve2802") is None
