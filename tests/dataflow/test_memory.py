"""The memory rules against what the vendor's tools reported."""

import csv
from pathlib import Path

import pytest

from nonresnet_hls.dataflow.memory import fifo_bram18

FIFO_ROWS = Path(__file__).parents[2] / ".." / "shared" / "reports" / "fifo_rows.csv"


@pytest.mark.skipif(not FIFO_ROWS.is_file(), reason="no real reports beside the repository")
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
