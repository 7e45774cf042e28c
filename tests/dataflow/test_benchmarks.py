"""The bars that the tables in `benchmarks/` must meet."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import timing
from nonresnet_hls import dataflow

FIFO_ROWS = timing.REPORTS / "fifo_rows.csv"
pytestmark = pytest.mark.skipif(not FIFO_ROWS.is_file(), reason="no real reports beside the repository")


def test_the_timing_of_real_reports_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    """Median error under 2 %, every outlier explained."""
    assert timing.main([]) == 0
    assert "0 of them unexplained" in capsys.readouterr().out


def test_the_memory_of_a_real_resnet8_is_predicted_exactly(tmp_path: Path) -> None:
    """42 FIFOs of the same shape as in the report, 1,229 BRAM18 for them and 236 for the weights."""
    from benchmarks import networks

    networks.mlperf_resnet8(tmp_path / "project")
    flow = dataflow.analyse_project(tmp_path / "project")
    with FIFO_ROWS.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["repo"] == "bote05+RTL_LLM_CLAUDE"]
    assert Counter((s.depth, s.bits) for s in flow.internal) == Counter(
        (int(row["depth"]), int(row["bits"])) for row in rows
    )
    report = dataflow.fifo_report(flow, dataflow.size_fifos(flow))
    assert report.before.vitis_bram_18k == sum(int(row["bram18"]) for row in rows) == 1229
    assert report.layers_vitis_bram_18k == 236
