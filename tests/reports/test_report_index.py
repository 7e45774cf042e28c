"""Every figure of every row of the index of real reports, read elsewhere by hand from their text."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from nonresnet_hls import reports
from nonresnet_hls.reports import quantities as q

SHARED = Path(__file__).parents[3] / "shared" / "reports"

pytestmark = pytest.mark.skipif(
    not (SHARED / "INDEX.csv").is_file(),
    reason="the real reports are no part of the repository; they are looked for in ../shared/reports",
)

COUNTS = {
    "lat_min": "latency_min_cycles",
    "lat_max": "latency_max_cycles",
    "ii_min": "interval_min_cycles",
    "ii_max": "interval_max_cycles",
    "BRAM_18K": "bram_18k",
    "DSP": "dsp",
    "FF": "ff",
    "LUT": "lut",
    "URAM": "uram",
    "BRAM36": "ramb36",
    "BRAM18": "ramb18",
}
COUNTS |= {f"avail_{n}": f"available_{n.lower()}" for n in ("BRAM_18K", "DSP", "FF", "LUT", "URAM")}
COUNTS |= {f"avail_SLR_{n}": f"slr_available_{n.lower()}" for n in ("BRAM_18K", "DSP", "FF", "LUT", "URAM")}
TILES = {"BRAM_tiles": "bram_18k", "avail_BRAM_tiles": "available_bram_18k"}
PERIODS = {"clk_target_ns": "clock_target_ns", "clk_est_ns": "clock_estimate_ns", "WNS_ns": "wns_ns"}
TEXTS = {
    name: name for name in ("tool", "tool_version", "part", "product_family", "top", "pipeline_type", "cosim_status")
}
# About the folder rather than the report: the number of reports beside it, whether an XML agrees, free text.
NOT_IN_THE_REPORT = {
    *("folder", "source_repo", "path", "commit", "kind", "io_type", "n_layer_reports", "matching_xml"),
    *("xml_agrees", "notes"),
}

# Rows where the index errs. Both are `report_utilization -slr`, which has a column per SLR and one per SLR's
# percentage: the index took the column "SLR0" for the design's figure and a percentage for what is available.
#   impl_1_slr_util_placed.rpt:68  | CLB LUTs       |  82653 | 96278 | 25544 |  18.80 |  22.29 |   5.91 |
# The design has 82653 + 96278 + 25544 = 204475 LUTs, as impl_1_full_util_placed.rpt of the same run says.
INDEX_ERRS = {
    "alex-yang-upenn+vitis_accel_backend_test/build/xclbin/reports/link/imp/impl_1_slr_util_placed.rpt",
    "alex-yang-upenn+vitis_accel_backend_test/build/xclbin/reports/link/imp/impl_1_slr_util_routed.rpt",
}


def expected(row: dict[str, str]) -> dict[str, object]:
    """The figures of a row, as our columns; a figure that the report leaves open ("NA", "?") is None."""
    figures: dict[str, object] = {}
    for column, text in row.items():
        if not text or column in NOT_IN_THE_REPORT:
            continue
        if column in COUNTS:
            figures[COUNTS[column]] = q.count(text)
        elif column in TILES:
            figures[TILES[column]] = q.tiles_as_18k(text)
        elif column in PERIODS:
            figures[PERIODS[column]] = q.period_ns(text)
        else:
            # "Vivado (export_design -flow)": who called it is not the tool's name.
            figures[TEXTS[column]] = text.partition(" (")[0]
    return figures


@pytest.fixture(scope="module")
def records() -> dict[str, reports.Report]:
    scan = reports.scan(SHARED)
    assert [str(error) for error in scan.errors] == []
    by_path = {report.path: report for report in scan.reports}
    assert len(by_path) == len(scan.reports), "one record per file"
    return by_path


@pytest.fixture(scope="module")
def index() -> list[dict[str, str]]:
    with (SHARED / "INDEX.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_figure_of_every_row(records, index, capsys):
    figures = 0
    differ = []
    for row in index:
        path = f"{row['folder']}/{row['path']}"
        if path in INDEX_ERRS:
            continue
        wanted = expected(row)
        assert not wanted or path in records, f"{path} was not recognised"
        for name, value in wanted.items():
            figures += 1
            got = getattr(records[path], name)
            if got != value:
                differ.append(f"{path}: {name}: wanted {value!r}, got {got!r}")
    with capsys.disabled():
        print(f"\n{len(index)} rows, {figures} figures, {len(differ)} differ ", end="")
    assert differ == []
    assert figures > 3000


def test_generated_sources_beside_the_reports_change_nothing(records, tmp_path):
    """The real reports again, in each of their folders what the tools generate."""
    from tests.reports.generated_sources import write_beside

    for path in records:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).symlink_to(SHARED / path)
    written = sum(write_beside(folder) for folder in {(tmp_path / path).parent for path in records})
    scan = reports.scan(tmp_path)
    assert written > 3000
    assert scan.errors == ()
    assert {r.path: r.figures() for r in scan.reports} == {path: r.figures() for path, r in records.items()}


def test_open_cells_are_open(records, index):
    """What a report leaves open is None: none of the index's figures is invented where its cell is empty."""
    # The index read no figures from the tables of all modules, from logs and from lat.rpt; we do.
    kinds = {"csynth.rpt (top)", "csynth.xml (all modules)", "cosim.rpt", "cosim transaction xml"}
    kinds |= {"export.rpt (post-synthesis)", "export.xml (post-synthesis)"}
    columns = {**COUNTS, **PERIODS}
    invented = Counter()
    for row in index:
        path = f"{row['folder']}/{row['path']}"
        if path in INDEX_ERRS:
            continue
        if row["kind"] in kinds or row["kind"].startswith("vivado utilization"):
            report = records[path]
            given = expected(row)
            for name in columns.values():
                if name not in given and getattr(report, name) is not None:
                    invented[row["kind"], name] += 1
    # Where there is no row of tiles (-hierarchical), the index has RAMB36 and RAMB18 only.
    assert {name for _, name in invented} <= {"bram_18k"}


def test_the_sum_over_the_slrs_is_the_design(records):
    for path in INDEX_ERRS:
        by_slr, flat = records[path], records[path.replace("_slr_", "_full_")]
        for name in ("lut", "ff", "bram_18k", "dsp", "uram"):
            assert getattr(by_slr, name) == getattr(flat, name)
