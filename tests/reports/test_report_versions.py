"""Reports of versions to come: columns in another order, new ones, missing ones; loops in either table."""

import pytest

from nonresnet_hls import reports
from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports import Loop, Module, Stage
from nonresnet_hls.reports.reader import read_bytes
from tests.reports.report_fixtures import HLS_2019, VITIS

SUMMARY = "vitis_hls_2025/csynth.rpt"


def table_of(text: str) -> tuple[list[str], list[int]]:
    lines = text.splitlines()
    return lines, [n for n, line in enumerate(lines) if line.startswith(("+--", "|"))]


def with_column(text: str, upper: str, lower: str, cells: list[str]) -> str:
    """The summary with one more column on the right, its heading in two lines."""
    lines, numbers = table_of(text)
    body = iter(cells)
    heading = iter([upper, lower])
    for number in numbers:
        if lines[number].startswith("+"):
            lines[number] += "-" * 20 + "+"
        else:
            cell = next(heading, None)
            lines[number] += (next(body) if cell is None else cell).center(20) + "|"
    return "\n".join(lines) + "\n"


def without_column(text: str, which: int) -> str:
    """The summary without its column number `which` (as the figures' rows count them)."""
    lines, numbers = table_of(text)
    rule = lines[numbers[0]]
    marks = [n for n, char in enumerate(rule) if char == "+"]
    left, right = marks[which], marks[which + 1]
    for number in numbers:
        lines[number] = lines[number][:left] + lines[number][right:]
    return "\n".join(lines) + "\n"


def with_cell(cell: str) -> bytes:
    """Yosys' count of two LUTs and one cell more."""
    return f"=== top ===\n\n   Number of cells:      3\n     LUT4      2\n     {cell}      1\n".encode()


def test_loops_and_their_violations_of_the_summary(own):
    (report,) = reports.read(own / SUMMARY)
    assert report.loops == (
        Loop(
            name="ROWS",
            module="small_Pipeline_ROWS",
            trip_count_min=220,
            trip_count_max=220,
            latency_max_cycles=878,
            iteration_latency_min_cycles=11,
            iteration_latency_max_cycles=11,
            ii_achieved_cycles=4,
            pipelined=True,
            slack_ns=3.65,
            issue="II: Memory Dependency",
        ),
    )
    assert report.loops[0].ii_violated
    assert report.modules == (
        Module(
            name="small_Pipeline_ROWS",
            latency_max_cycles=880,
            pipeline_type="yes",
            dsp=1,
            ff=300,
            lut=500,
            slack_ns=0.2,
        ),
    )


def test_a_new_column_is_kept_under_its_label_and_changes_nothing_else(own):
    text = (own / SUMMARY).read_text()
    whole = read_bytes(text.encode(), "a")
    report = read_bytes(with_column(text, "Power", "(mW)", ["12.5", "-", "3"]).encode(), "a")
    assert report is not None
    assert whole is not None
    assert report.other_columns == ("power (mw): 12.5",)
    assert report.modules[0].other_columns == ()
    assert report.loops[0].other_columns == ("power (mw): 3",)
    changed = {name for name, value in report.figures().items() if value != whole.figures()[name]}
    assert changed == {"other_columns"}


@pytest.mark.parametrize(
    ("which", "field", "label"),
    [(4, "interval_max_cycles", "interval"), (10, "bram_18k", "bram"), (14, None, "uram"), (2, None, None)],
)
def test_a_missing_column_is_open_and_named(own, which, field, label):
    text = (own / SUMMARY).read_text()
    whole = read_bytes(text.encode(), "a")
    report = read_bytes(without_column(text, which).encode(), "a")
    assert report is not None
    assert whole is not None
    assert report.note == (f"a: no column {label!r}" if label else None)
    changed = {name for name, value in report.figures().items() if value != whole.figures()[name]}
    assert changed == ({"note"} if label else set()) | ({field} if field else set())


@pytest.mark.parametrize(("old", "new"), [("+ small ", "+ small*"), ("+ small ", "* small ")])
def test_a_dataflow_region_is_a_module(own, old, new):
    text = (own / SUMMARY).read_text()
    whole, report = read_bytes(text.encode(), "a"), read_bytes(text.replace(old, new, 1).encode(), "a")
    assert report == whole
    inner = text.replace("+ small_Pipeline_ROWS", "* small_Pipeline_ROWS", 1)
    assert read_bytes(inner.encode(), "a") == whole


def test_loops_of_the_text(own, tmp_path):
    text = (own / HLS_2019 / "syn/report/add_ap_fixed_config7_s_csynth.rpt").read_text()
    loops = """\
        * Loop:
        +-------------+---------+---------+----------+-----------+-----------+------+----------+
        |             |  Latency (cycles) | Iteration|  Initiation Interval  | Trip |          |
        |  Loop Name  |   min   |   max   |  Latency |  achieved |   target  | Count| Pipelined|
        +-------------+---------+---------+----------+-----------+-----------+------+----------+
        |- Loop 1     |      225|     2275|  9 ~ 91  |          -|          -|    25|    no    |
        | + Loop 1.1  |       73|      146|         3|          2|          1|  3~72|    yes   |
        +-------------+---------+---------+----------+-----------+-----------+------+----------+
"""
    start = text.index("        * Loop:")
    end = text.index("N/A\n", start) + 4
    (tmp_path / "add_csynth.rpt").write_text(text[:start] + loops + text[end:])
    (report,) = reports.read(tmp_path)
    name = "add_ap_fixed_config7_s"
    assert report.loops == (
        Loop(
            name="Loop 1",
            module=name,
            trip_count_min=25,
            trip_count_max=25,
            latency_min_cycles=225,
            latency_max_cycles=2275,
            iteration_latency_min_cycles=9,
            iteration_latency_max_cycles=91,
            pipelined=False,
        ),
        Loop(
            name="Loop 1.1",
            module=name,
            depth=1,
            trip_count_min=3,
            trip_count_max=72,
            latency_min_cycles=73,
            latency_max_cycles=146,
            iteration_latency_min_cycles=3,
            iteration_latency_max_cycles=3,
            ii_achieved_cycles=2,
            ii_target_cycles=1,
            pipelined=True,
        ),
    )
    assert [loop.ii_violated for loop in report.loops] == [False, True]


def test_loops_of_the_summary_come_into_the_design(own):
    (row,) = (row for row in reports.merge(reports.read(own / VITIS)) if row.stage is reports.Stage.CSYNTH)
    assert [(loop.module, loop.name, loop.trip_count_max) for loop in row.loops] == [
        ("conv_2d_cl_array_config2_s", "VITIS_LOOP_5_1", 8)
    ]


def test_kernels_and_their_instances(own):
    (report,) = reports.read(own / "vitis_platform")
    assert [(m.name, m.instance, m.lut, m.bram_18k) for m in report.modules] == [
        ("small", None, 24000, 25),
        ("small", "small_1", 11000, 12),
        ("small", "small_2", 13000, 13),
    ]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            "|   24000 [  1.50%] |   1200 [  0.16%] |   32640",
            "|   25000 [  1.50%] |   1200 [  0.16%] |   32640",
            "add up",
        ),
        ("|   12.5 [  0.50%] |    2 [  0.16%] |   614", "|   12.7 [  0.50%] |    2 [  0.16%] |   614", "in halves"),
        ("   32640 [  1.00%]", "   32640 [  2.00%]", "is not 2.00 %"),
        ("| User Budget ", "| User Buffet ", "no row 'user budget'"),
    ],
)
def test_kernels_whose_figures_do_not_agree_are_refused(own, old, new, why):
    text = (own / "vitis_platform/kernel_util_routed.rpt").read_text()
    assert old in text
    with pytest.raises(ReportError, match=why):
        read_bytes(text.replace(old, new, 1).encode(), "a.rpt")


def test_modules_and_loops_of_the_data_of_vitis(own):
    (report,) = reports.read(own / "vitis_data")
    (module,) = report.modules
    assert (module.name, module.latency_min_cycles, module.latency_max_cycles) == ("small_Pipeline_ROWS", None, 880)
    assert (module.interval_min_cycles, module.interval_max_cycles, module.lut, module.dsp) == (861, 880, 500, None)
    assert [(loop.name, loop.depth, loop.trip_count_max, loop.ii_achieved_cycles) for loop in report.loops] == [
        ("ROWS", 0, 220, 4),
        ("COLUMNS", 1, 8, None),
    ]
    assert [(loop.iteration_latency_max_cycles, loop.pipelined) for loop in report.loops] == [(11, True), (1, False)]
    (row,) = reports.merge([report])
    assert (row.design, row.stage, row.latency_max_cycles) == ("small", Stage.CSYNTH, 906)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"Top": "small"', '"Top": "large"', None),
        ('"LUT": "13000"', '"LUT": "many"', "wanted a count"),
        ('"LUT": "13000"', '"LUT": "26000"', "is not 5 %"),
        ('"AVAIL_LUT": "230400", "UTIL_LUT": "5"', '"AVAIL_LUT": "930400", "UTIL_LUT": "~0"', "mixed up"),
        ('"Loops": [', '"Loops": [3, ', "wanted a list of loops"),
    ],
)
def test_the_data_of_vitis_are_checked(own, old, new, why):
    text = (own / "vitis_data/small/hls/hls_data.json").read_text()
    assert old in text
    changed = text.replace(old, new, 1).encode()
    if why is None:  # the RTL's name is the top's
        report = read_bytes(changed, "a.json")
        assert report is not None
        assert report.lut == 13000
    else:
        with pytest.raises(ReportError, match=why):
            read_bytes(changed, "a.json")


@pytest.mark.parametrize(
    "cell", ["EHXPLLL", "MMCME4_ADV", "PLLE2_BASE", "IDDRE1", "OSERDESE2", "SB_PLL40_2F_PAD", "JTAGG"]
)
def test_a_clock_manager_or_an_io_cell_leaves_the_figures(cell):
    report = read_bytes(with_cell(cell), "a.log")
    assert report is not None
    assert (report.lut, report.ff, report.note) == (2, 0, None)


@pytest.mark.parametrize("cell", ["$_DFF_P_", "blackbox", "ALUT9", "RAMB72", "LUT8", "DSP99", "myram"])
def test_a_cell_that_may_be_logic_leaves_them_open(cell):
    report = read_bytes(with_cell(cell), "a.log")
    assert report is not None
    assert (report.lut, report.note) == (None, f"cells that are not counted: {cell}")
