"""The tables that people read: names, what is left out, marks, loops, many designs."""

import json
import re
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls import reports
from nonresnet_hls.cli import main
from nonresnet_hls.reports import Kind, Loop, Report, Stage
from nonresnet_hls.reports.compare import compare
from nonresnet_hls.reports.names import LONGEST_NAME, common_prefix, shortened
from nonresnet_hls.reports.views import comparison_table, loop_table, report_table
from tests.reports.report_fixtures import HLS_2019


def row(design: str, stage: Stage = Stage.CSYNTH, **figures: object) -> Report:
    return Report(path=f"{design}/a.rpt", kind=Kind.MERGED, design=design, stage=stage, **figures)  # type: ignore[arg-type]


def cells(table, heading: str) -> list[str]:
    return [line[table.headings.index(heading)] for line in table.rows]


def test_what_all_designs_share_is_said_once():
    table = report_table([row(f"runs/2024/{name}/hls", lut=1) for name in ("lenet", "alexnet")])
    assert cells(table, "design") == ["lenet/hls", "alexnet/hls"]
    assert table.footnotes == ("designs in runs/2024",)


def test_the_middle_of_a_long_path_is_left_out():
    names = [f"models/trained/with/many/folders/{n}bits_and_a_long_description_of_it/kfold_0/final" for n in (4, 8)]
    table = report_table([row(name, lut=1) for name in [*names, "short"]])
    assert cells(table, "design") == [
        "models/.../4bits_and_.../.../final",
        "models/.../8bits_and_.../.../final",
        "short",
    ]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.lists(st.text("abcxyz", min_size=1, max_size=25), min_size=1, max_size=7).map("/".join), max_size=8))
def test_different_designs_stay_different(names):
    """Law: names are told apart after shortening, and short ones are left as they are."""
    short = shortened(names)
    assert len(set(short.values())) == len(set(names))
    assert all(
        short[name] == name for name in names if len(name) <= LONGEST_NAME and list(short.values()).count(name) == 1
    )
    prefix = common_prefix(names)
    assert all(name.startswith(prefix) and name != prefix for name in names)


def test_rows_that_say_nothing_are_left_out_and_counted():
    rows = [
        row("a", lut=1),
        row("a:ip", Stage.SYNTHESIZED, lut=3, out_of_context=True),
        row("a:ip2", Stage.SYNTHESIZED, lut=3, out_of_context=True),
        row("b", clock_target_ns=5.0, part="xc7", available_lut=100),
        row("c", finished=False, note="killed"),
    ]
    table = report_table(rows, everything=False)
    assert cells(table, "design") == ["a", "c"]
    said = "rows not shown: 2 of IPs that were synthesized out of context, 1 without figures (--all shows them)"
    assert table.footnotes == ("c, csynth: killed", said)
    assert cells(report_table(rows), "design") == ["a", "a:ip", "a:ip2", "b", "c"]
    # Where there is nothing else, they are shown.
    assert cells(report_table(rows[1:3], everything=False), "design") == ["a:ip", "a:ip2"]


def test_columns_without_figures_and_without_room_are_left_out():
    rows = [row("a", lut=1, srl=2, tool="Vivado", latency_max_cycles=7, clock_target_ns=5.0)]
    wide = report_table(rows, everything=False, width=200)
    assert wide.headings == (
        *("design", "stage", "tool", "latency [cycles]", "latency [us]", "target [ns]", "LUT", "SRL"),
    )
    narrow = report_table(rows, everything=False, width=34)
    assert narrow.headings == ("design", "stage", "latency [cycles]", "LUT")
    assert narrow.footnotes == ("no room for: SRL, target, tool, latency [us] (--all shows them)",)
    assert report_table(rows, width=40).headings == wide.headings


@pytest.mark.parametrize(
    ("figures", "heading", "text"),
    [
        ({"lut": 117, "available_lut": 100}, "LUT", "117 117% !"),
        ({"lut": 100, "available_lut": 100}, "LUT", "100 100%"),
        ({"bram_18k": 1, "available_bram_18k": 5376}, "BRAM18", "1 <1%"),
        ({"dsp": 0, "available_dsp": 10}, "DSP", "0"),
        ({"alm": 3210, "available_alm": 32070}, "ALM", "3210 10%"),
        ({"wns_ns": -0.001}, "WNS [ns]", "-0.001 !"),
        ({"wns_ns": 0.0}, "WNS [ns]", "0"),
        ({"clock_target_ns": 5.0, "clock_estimate_ns": 5.001}, "clock [ns]", "5.001 !"),
        ({"clock_target_ns": 5.0, "clock_estimate_ns": 5.0}, "clock [ns]", "5"),
        ({"clock_target_ns": 6.0, "wns_ns": 1.0}, "Fmax [MHz]", "200"),
        ({"clock_estimate_ns": 4.0}, "Fmax [MHz]", "250"),
        ({"latency_max_cycles": 640, "clock_target_ns": 5.0, "clock_estimate_ns": 4.0}, "latency [us]", "3.2"),
        ({"latency_max_cycles": 640, "clock_target_ns": 5.0, "clock_estimate_ns": None}, "latency [us]", "3.2"),
        ({"interval_max_cycles": 1000, "clock_target_ns": 5.0}, "images [1/s]", "200000"),
        ({"throughput_fps": 12.5}, "images [1/s]", "12.5"),
        ({"power_total_w": 1.603}, "power [W]", "1.603"),
        ({"latency_min_cycles": 1, "latency_avg_cycles": 2.5, "latency_max_cycles": 4}, "mean latency [cycles]", "2.5"),
        ({"loops": (Loop(name="a", ii_achieved_cycles=2, ii_target_cycles=1),)}, "II missed", "1 !"),
        ({"finished": True, "cosim_status": "Verilog Pass"}, "outcome", "finished, Verilog Pass"),
    ],
)  # fmt: skip
def test_figures_and_marks(figures, heading, text):
    table = report_table([row("a", **figures)])
    assert cells(table, heading) == [text]
    marked = [note for note in table.footnotes if note.startswith("! ")]
    assert len(marked) == ("!" in text)


def test_a_slack_of_several_clocks_or_none_has_no_fmax():
    assert row("a", wns_ns=1.0).fmax_mhz is None
    assert row("a", clock_target_ns=1.0, wns_ns=1.0).fmax_mhz is None
    assert row("a", clock_target_ns=5.0).fmax_mhz is None


def test_a_cosimulation_is_reckoned_by_the_clock_of_the_synthesis(own):
    rows = {row.stage: row for row in reports.merge(reports.read(own / "vivado_hls_2019"))}
    cosim = rows[Stage.COSIM]
    assert (cosim.clock_target_ns, cosim.clock_estimate_ns, cosim.assumed_clock_ns) == (None, None, 100.983)
    assert cosim.latency_us == 633 * 100.983 / 1e3
    (alone,) = reports.merge(reports.read(own / HLS_2019 / "sim/report/tiny_cosim.rpt"))
    assert (alone.assumed_clock_ns, alone.latency_us) == (None, None)


def test_loops_with_their_trip_counts_and_intervals(own, capsys):
    assert main(["report", str(own / "vitis_hls_2025/csynth.rpt"), "--loops"]) == 0
    heading, units, rule, line, mark = capsys.readouterr().out.splitlines()
    assert " ".join(heading.split()) == "design module loop trip count latency iteration II pipelined slack issue"
    assert " ".join(line.split()) == "csynth small_Pipeline_ROWS ROWS 220 878 11 4 ! yes 3.65 II: Memory Dependency"
    assert (units.split(), set(rule)) == (["[cycles]", "[cycles]", "[cycles]", "[ns]"], {"-", " "})
    assert mark.startswith("! ")
    assert main(["report", str(own / "vitis_hls_2025/csynth.rpt"), "--loops", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert (record["trip_count_max"], record["ii_achieved_cycles"], record["ii_violated"]) == (220, 4, True)


def test_inner_loops_stand_below_outer_ones():
    loops = (Loop(name="rows", module="m"), Loop(name="columns", module="m", depth=1))
    from nonresnet_hls.reports.rows import loop_rows

    assert cells(loop_table(loop_rows([row("a", loops=loops)])), "loop") == ["rows", "  columns"]


def test_up_to_five_designs_stand_side_by_side_and_more_below_each_other():
    rows = [row(f"net{n}", lut=100 + 10 * n, dsp=4) for n in range(6)]
    table = comparison_table(compare(rows[:5]))
    assert table.headings == ("stage", "metric", "net0", *(f for n in range(1, 5) for f in (f"net{n}", "change")))
    turned = comparison_table(compare(rows))
    assert turned.headings == ("stage", "design", "dsp", "lut")
    assert turned.rows[0] == ("csynth", "net0", "4", "100")
    assert turned.rows[5] == ("csynth", "net5", "4 (+0.0 %)", "150 (+50.0 %)")


def test_thirty_designs_fit_into_lines_that_can_be_read(own, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    for number in range(30):
        name = f"trained_with_distillation_{number}_bits_per_weight_and_activation/kfold_0/synthesis_of_the_final_model"
        shutil.copytree(own / "vivado_hls_2019", tmp_path / "a_long_way/down/to/the/results" / name)
    assert main(["report", str(tmp_path)]) == 0
    out = capsys.readouterr().out.splitlines()
    table = out[: next(n for n, line in enumerate(out) if line.startswith("designs in "))]
    assert len(table) == 3 + 30 * 5
    assert max(map(len, table)) <= 250
    assert len({line.split()[0] for line in table[3:]}) == 30
    assert main(["report", str(tmp_path), "--compare"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines()[:100])) <= 400
    # Programs have the whole names.
    assert main(["report", str(tmp_path), "--json", "--merge"]) == 0
    designs = {record["design"] for record in json.loads(capsys.readouterr().out)}
    assert all(re.fullmatch(r"a_long_way/down/to/the/results/trained.*_final_model", name) for name in designs)


def test_modules_of_a_summary_are_those_of_the_other_reports(own, tmp_path):
    """A summary calls modules by their instances: `grp_conv_s_fu_12`."""
    reports_of = tmp_path / "tiny_prj/solution1/syn/report"
    shutil.copytree(own / "vitis_hls_2024/tiny_prj/solution1/syn/report", reports_of)
    name = "conv_2d_cl_array_config2_s"
    for file in reports_of.iterdir():
        other = "grp_conv_s_fu_12" if file.name == "csynth.rpt" else "conv_s"
        # The table keeps the width of its columns.
        file.write_text(file.read_text().replace(name, other.ljust(len(name)) if file.suffix == ".rpt" else other))
    (row,) = reports.merge(reports.read(tmp_path))
    (module,) = row.modules
    assert (module.name, module.lut, module.clock_estimate_ns, module.slack_ns) == ("conv_s", 5000, 7.282, 0.02)


def test_the_stages_of_a_layer_follow_one_another(own, capsys):
    assert main(["report", str(own / "finn_build"), "--per-module"]) == 0
    lines = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert [line[1:] for line in lines if line[0] == "finn_build"] == [
        ["MVAU_hls_0", "estimate"],
        ["MVAU_hls_0", "csynth"],
        ["MVAU_hls_0", "synthesized"],
        ["StreamingFIFO_rtl_0", "estimate"],
        ["StreamingFIFO_rtl_0", "synthesized"],
        ["Thresholding_hls_0", "csynth"],
    ]
