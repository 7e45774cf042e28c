"""nextpnr, Quartus, oneAPI, and the reports of tools that are called what they are and not read."""

import pytest

from nonresnet_hls import reports
from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports import Stage
from nonresnet_hls.reports.reader import read_bytes

USED = "Info: Device utilisation:\nInfo: \t  TRELLIS_COMB:   480/24288     1%\n"


def read(text: str, name: str = "a.log") -> reports.Report | None:
    return read_bytes(text.encode(), name)


def test_a_place_and_route_that_was_not_routed_says_so():
    report = read(USED + "Info: Max frequency for clock 'clk': 80.00 MHz (FAIL at 100.00 MHz)\n")
    assert report is not None
    assert (report.stage, report.clock_estimate_ns, report.clock_target_ns) == (Stage.PLACED, 12.5, 10.0)
    assert (report.wns_ns, report.lut, report.finished) == (-2.5, 480, None)


def test_several_clocks_are_named_and_none_is_chosen():
    report = read(
        USED
        + "Warning: Max frequency for clock 'fast': 80.00 MHz (FAIL at 100.00 MHz)\n"
        + "Info: Max frequency for clock  'slow': 30.00 MHz (PASS at 12.00 MHz)\n"
    )
    assert report is not None
    assert (report.clock_estimate_ns, report.clock_target_ns, report.wns_ns) == (None, None, None)
    assert report.note == "2 clocks: fast 80 MHz (wanted: 100); slow 30 MHz (wanted: 12)"


def test_cells_of_other_families():
    report = read(
        "Info: Device utilisation:\n"
        "Info: \t  ICESTORM_LC:  2640/ 5280    50%\n"
        "Info: \t  ICESTORM_RAM:     6/   30    20%\n"
        "Info: \t  ICESTORM_DSP:     4/    8    50%\n"
    )
    assert report is not None
    # A logic cell is a LUT and a register, and its memories have 4 Kbit.
    assert (report.lut, report.ff, report.bram_18k, report.dsp, report.available_dsp) == (None, None, None, 4, 8)
    assert report.other_columns == ("ICESTORM_LC: 2640 of 5280", "ICESTORM_RAM: 6 of 30")
    report = read(
        "Info: Device utilisation:\n"
        "Info: \t  RAMB18E1_RAMB18E1:     3/   270     1%\n"
        "Info: \t  RAMB36E1_RAMB36E1:     4/   135     2%\n"
    )
    assert report is not None
    assert (report.bram_18k, report.available_bram_18k) == (11, 270)


def test_a_run_that_failed_tells_its_error():
    report = read(USED + "ERROR: Unable to place cell 'a', no BELs remaining to implement cell type 'DP16KD'\n")
    assert report is not None
    assert (report.finished, report.error_count) == (False, 1)
    assert report.note == "ERROR: Unable to place cell 'a', no BELs remaining to implement cell type 'DP16KD'"
    assert read("Info: Packing constants..\nInfo: nextpnr has come to nothing\n") is None


@pytest.mark.parametrize(
    ("path", "old", "new", "why"),
    [
        ("nextpnr/ecp5.log", "2210/24288     9%", "2210/24288    19%", "is not 19 %"),
        ("nextpnr/ecp5.log", "62.50 MHz", "0.00 MHz", "wanted frequencies"),
        ("quartus/small.fit.summary", "2,549 / 41,910 ( 6 % )", "2,549 / 41,910 ( 16 % )", "is not 16 %"),
        ("quartus/small.fit.summary", "Total registers : 3931", "Total registers : many", "wanted a count"),
        ("quartus/small.fit.summary", "Device : 5CSEBA6U23I7", "Device :", "Device"),
        ("quartus/small.fit.summary", "Total registers : 3931\n", "", "Total registers"),
        ("quartus/small.sta.summary", "Slack : -0.481", "Slack : slow", "wanted a number"),
        ("oneapi/acl_quartus_report.txt", "Kernel fmax: 250.00", "Kernel fmax: 0", "wanted a frequency"),
        ("oneapi/acl_quartus_report.txt", "Kernel fmax: 250.00\n", "", "Kernel fmax"),
    ],
)
def test_figures_that_do_not_agree_are_refused(own, path, old, new, why):
    text = (own / path).read_text()
    assert old in text
    with pytest.raises(ReportError, match=why):
        read(text.replace(old, new, 1), "a.rpt")


@pytest.mark.parametrize(
    "path", ["quartus/small.fit.summary", "quartus/small.sta.summary", "oneapi/acl_quartus_report.txt"]
)
def test_a_list_that_is_cut_is_refused_or_open_but_never_wrong(own, path):
    text = (own / path).read_text()
    whole = read(text)
    assert whole is not None
    for end in range(len(text)):
        try:
            report = read(text[:end])
        except ReportError:
            continue
        figures = report.figures() if report else {}
        if path.endswith("sta.summary"):  # the worst of fewer
            assert all((figures.get(name) or 9.0) >= getattr(whole, name) for name in ("wns_ns", "whs_ns"))
            continue
        wrong = {
            name: value
            for name, value in figures.items()
            if value not in (None, getattr(whole, name)) and name not in {"other_columns", "tool_version"}
        }
        assert not wrong, f"{end} characters"


def test_fit_and_timing_of_a_revision_are_one_design(own):
    (row,) = reports.merge(reports.read(own / "quartus"))
    assert (row.design, row.stage, row.top) == ("quartus", Stage.ROUTED, "small_top")
    assert (row.alm, row.wns_ns, row.tool) == (2549, -0.481, "Quartus Prime")


def test_a_fit_that_failed_says_so(own):
    text = (own / "quartus/small.fit.summary").read_text().replace("Successful - ", "Failed - ")
    report = read(text, "a.fit.summary")
    assert report is not None
    assert (report.finished, report.note) == (False, "Fitter Status: Failed - Mon Jan 06 10:00:00 2025")


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("rtl.rpt", "-- Catapult Ultra Synthesis 2022.2: Report\n", "Catapult HLS"),
        ("cycle.rpt", "\n-- Catapult University Version: Report\n", "Catapult HLS"),
        ("top.fit.rpt", "Fitter report for top\nMon Jan  6 10:00:00 2025\n", "Quartus"),
        ("top.map.rpt", "Analysis & Synthesis report for top\n", "Quartus"),
        ("quartus.ndjson", '{"quartusFitClockSummary":{"nodes":[]}}\n', "oneAPI"),
        ("top_compile_netlist_resources.rpt", "Microsemi Libero Software\nVersion: 2021.2\n", "Libero"),
        ("icetime.rpt", "// Reading input .asc file..\nTotal path delay: 12.3 ns (81.1 MHz)\n", "icetime"),
        ("top.mrp", "Lattice Mapping Report File for Design Module 'top'\n", "Lattice Diamond or Radiant"),
        ("summary.hls.rpt", "====== 1. Simulation ======\nSmartHLS\n", "SmartHLS"),
        (
            "top_drc.rpt",
            "| Tool Version : Vivado v.2024.1\n| Command : report_drc\n",
            "a report of Vivado of another kind",
        ),
        ("runme.log", "\n****** Vivado v2024.1 (64-bit)\n", "a log of Vivado"),
    ],
)
def test_reports_that_are_not_read_are_called_what_they_are(tmp_path, name, text, what):
    (tmp_path / name).write_text(text)
    scan = reports.scan(tmp_path)
    assert (scan.reports, scan.errors, scan.files) == ((), (), 1)
    assert [(other.path, other.what) for other in scan.others] == [(name, what)]
    with pytest.raises(ReportError, match=f"{name}: {what}, which is not read"):
        reports.read(tmp_path / name)


@pytest.mark.parametrize("name", ["notes.md", "run.tcl", "top.v", "flow.py", "notes.txt"])
def test_what_speaks_of_a_tool_is_no_report_of_it(tmp_path, name):
    (tmp_path / name).write_text("# Catapult\n// Libero SoC\nFitter report for top\n")
    assert reports.scan(tmp_path).others == ()
