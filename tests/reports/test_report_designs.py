"""Designs: which reports speak of one, one row per stage, modules, FIFOs and their skips, comparison."""

import shutil

import pytest

from nonresnet_hls import reports
from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports import Kind, Stage
from nonresnet_hls.reports.hls4ml_project import streams_of_source


def rows_of(path) -> dict[tuple[str | None, Stage | None], reports.Report]:
    rows = reports.merge(reports.read(path))
    found = {(row.design, row.stage): row for row in rows}
    assert len(found) == len(rows), "one row per design and stage"
    return found


def test_one_row_per_stage_of_a_project(own):
    rows = rows_of(own / "vivado_hls_2019")
    stages = [Stage.CSYNTH, Stage.EXPORT, Stage.SYNTHESIZED, Stage.ROUTED, Stage.COSIM]
    assert list(rows) == [("vivado_hls_2019", stage) for stage in stages]
    assert all(row.kind is Kind.MERGED and row.top == "tiny" for row in rows.values())


def test_the_solution_alone_gives_the_same_figures(own):
    whole = rows_of(own / "vivado_hls_2019")
    part = rows_of(own / "vivado_hls_2019/tiny_prj/solution1")
    for key in part:
        for name in reports.RESOURCES:
            assert getattr(part[key], name) == getattr(whole[key], name)


def test_where_text_and_xml_disagree_the_row_names_the_choice(own):
    row = rows_of(own / "vivado_hls_2019")["vivado_hls_2019", Stage.CSYNTH]
    assert (row.interval_min_cycles, row.interval_max_cycles) == (613, 641)
    folder = "tiny_prj/solution1/syn/report"
    assert row.choices[0] == f"interval_min_cycles: 613 of {folder}/csynth.xml, not 612 of {folder}/tiny_csynth.rpt"
    assert [choice.partition(":")[0] for choice in row.choices] == [
        "interval_min_cycles",
        "interval_max_cycles",
        "clock_estimate_ns",
    ]
    # What only one of them says is taken from it.
    assert (row.slr_available_lut, row.tool, row.finished) == (432000, "Vivado HLS", True)


def test_an_export_that_was_placed_and_routed_is_believed_and_nothing_disagrees(own):
    row = rows_of(own / "vitis_hls_2024")["vitis_hls_2024", Stage.EXPORT]
    assert (row.lut, row.clock_estimate_ns, row.wns_ns) == (4900, 8.25, 1.75)
    assert (row.note, row.choices) == ("after place and route", ())


def test_a_run_that_failed_is_a_row_with_its_error(own, tmp_path):
    shutil.copy(own / "vitis_hls_2024/vitis_hls.log", tmp_path)
    ((key, row),) = rows_of(tmp_path).items()
    assert key == (tmp_path.name, Stage.CSYNTH)
    assert (row.finished, row.error_count, row.lut) == (False, 1, None)
    assert row.first_error == "ERROR: [HLS 200-1715] Encountered problem during source synthesis"


def test_vivado_projects_are_one_design_over_their_runs(own):
    rows = rows_of(own / "vivado")
    assert list(rows) == [("vivado", Stage.PLACED), ("vivado", Stage.ROUTED)]
    routed = rows["vivado", Stage.ROUTED]
    assert (routed.wns_ns, routed.power_total_w) == (0.784, 1.603)


def test_runs_side_by_side_are_told_apart_by_their_names(own):
    rows = rows_of(own / "vivado_loose")
    assert [key[0] for key in rows] == ["vivado_loose/a", "vivado_loose/b"]
    assert rows["vivado_loose/a", Stage.SYNTHESIZED].wns_ns == -1.791
    assert [row.lut for row in rows.values()] == [3100, 3200]


def test_several_solutions_are_several_designs(own, tmp_path):
    for solution in ("solution1", "solution2"):
        shutil.copytree(own / "vitis_hls_2024/tiny_prj/solution1", tmp_path / "tiny_prj" / solution)
    designs = {design for design, _ in rows_of(tmp_path)}
    assert designs == {"tiny_prj/solution1", "tiny_prj/solution2"}


def test_the_unified_layout_is_one_design(own):
    rows = rows_of(own / "vitis_unified")
    assert list(rows) == [("vitis_unified", Stage.CSYNTH), ("vitis_unified", Stage.COSIM)]
    csynth = rows["vitis_unified", Stage.CSYNTH]
    assert (csynth.latency_min_cycles, csynth.latency_max_cycles, csynth.uram) == (17, 17, 0)


def test_two_unrelated_reports_in_a_folder_are_two_designs(own, tmp_path):
    text = (own / "vivado_hls_2016/tiny_csynth.rpt").read_text()
    (tmp_path / "a_csynth.rpt").write_text(text)
    (tmp_path / "b_csynth.rpt").write_text(text.replace("Report for 'tiny'", "Report for 'other'"))
    assert {row.top for row in rows_of(tmp_path).values()} == {"tiny", "other"}


def test_modules_come_once_by_their_own_report(own):
    row = rows_of(own / "vivado_hls_2019")["vivado_hls_2019", Stage.CSYNTH]
    by_name = {module.name: module for module in row.modules}
    assert len(by_name) == len(row.modules) == 3
    add = by_name["add_ap_fixed_config7_s"]
    assert (add.clock_estimate_ns, add.lut, add.instance) == (2.15, 90, "add_ap_fixed_config7_U0")
    assert by_name["conv_2d_cl_ap_fixed_config2_s"].clock_estimate_ns is None


def test_fifos_know_their_layer_and_skip_from_the_project(own):
    assert [(f.name, f.layer, f.on_skip) for f in reports.fifos(own / "vivado_hls_2019")] == [
        ("layer2_out_V_data_0_V_U", "conv1", False),
        ("layer3_cpy1_V_data_0_V_U", "clone_conv1", False),
        ("layer3_cpy2_V_data_0_V_U", "clone_conv1", True),
        ("layer4_out_V_data_0_V_U", "conv2", False),
        ("start_for_add_U0_U", None, None),  # no stream of the project
    ]


def test_fifos_without_a_project_do_not_guess(own, tmp_path):
    shutil.copy(own / "vivado_hls_2019/tiny_prj/solution1/syn/report/tiny_csynth.rpt", tmp_path)
    assert {(f.layer, f.on_skip) for f in reports.fifos(tmp_path)} == {(None, None)}


PROJECTION = """
    hls::stream<a_t> a_out("a_out"); hls::stream<a_t> c1("c1"); hls::stream<a_t> c2("c2");
    hls::stream<b_t> b_out("b_out"); hls::stream<p_t> p_out("p_out"); hls::stream<s_t> s_out("s_out");
    auto& flat = s_out;
    hls::stream<d_t> d_out("d_out");
    nnet::relu<x_t, a_t, config1>(x, a_out); // relu
    nnet::clone_stream<a_t, a_t, 64>(a_out, c1, c2); // clone
    nnet::conv_2d_cl<a_t, b_t, config2>(c1, b_out, w2, b2); // conv
    // projection
    nnet::pointwise_conv_2d_cl<a_t, p_t, config3>(c2, p_out, w3, b3);
    nnet::add<b_t, p_t, s_t, config4>(b_out, p_out, s_out); // add
    nnet::dense<s_t, d_t, config5>(flat, d_out, w5, b5); // dense
"""


def test_the_skip_is_the_branch_with_the_projection():
    streams = streams_of_source(PROJECTION)
    assert {name for name, stream in streams.items() if stream.on_skip} == {"c2", "p_out"}
    assert streams["p_out"].layer == "projection"
    assert streams["d_out"].layer == "dense"


def test_branches_of_one_length_leave_it_open():
    streams = streams_of_source(PROJECTION.replace("pointwise_conv_2d_cl", "conv_2d_cl"))
    assert {name for name, stream in streams.items() if stream.on_skip is None} == {
        "c1",
        "c2",
        "b_out",
        "p_out",
    }


def test_comparison_is_relative_to_the_first_design(own):
    paths = (own / "vivado_hls_2016", own / "vivado_hls_2019")
    comparisons = reports.compare([report for path in paths for report in reports.read(path)])
    assert {comparison.stage for comparison in comparisons} == {Stage.CSYNTH}  # reached by both
    by_metric = {comparison.metric: comparison for comparison in comparisons}
    lut = by_metric["lut"]
    assert lut.designs == ("vivado_hls_2016", "vivado_hls_2019")
    assert lut.values == (1044, 4100)
    assert lut.changes_percent == (0.0, 100 * (4100 - 1044) / 1044)
    assert by_metric["uram"].values == (None, 0)
    assert by_metric["uram"].changes_percent == (None, None)
    # 10^6 / (interval * the longer of the periods asked for and estimated)
    assert by_metric["throughput_khz"].values == (1e6 / (2 * 5.0), 1e6 / (641 * 100.983))
    assert by_metric["lut_percent"].values == (100 * 1044 / 303600, 100 * 4100 / 1728000)


def test_comparing_one_design_is_refused(own):
    with pytest.raises(ReportError, match="two designs, got 1"):
        reports.compare(reports.read(own / "vivado_hls_2016"))
    with pytest.raises(ReportError, match="no stage that two designs have reached"):
        reports.compare([*reports.read(own / "vivado_hls_2016"), *reports.read(own / "vivado")])


def test_the_columns_of_the_tables_are_typed(own):
    rows = reports.merge(reports.read(own))
    frame = reports.frame(rows)
    assert list(frame.columns) == [*reports.COLUMNS, *reports.DERIVED]
    assert {str(frame[name].dtype) for name in ("lut", "bram_18k", "latency_max_cycles")} == {"Int64"}
    assert {str(frame[name].dtype) for name in ("clock_estimate_ns", "wns_ns", "power_total_w")} == {"Float64"}
    assert str(frame["finished"].dtype) == "boolean"
    assert str(frame["design"].dtype) == "string"
    assert {str(frame[name].dtype) for name in reports.DERIVED} == {"Float64", "Int64"}
    for column in reports.COLUMNS:
        open_cells = [getattr(row, column) is None for row in rows]
        assert list(frame[column].isna()) == open_cells
    assert list(reports.module_frame(rows)["lut"].dropna()) == [
        m.lut for row in rows for m in row.modules if m.lut is not None
    ]
    loops = reports.loop_frame(rows)
    assert list(loops["ii_violated"]) == [loop.ii_violated for row in rows for loop in row.loops]
    fifos = reports.fifo_frame(rows)
    assert str(fifos["on_skip"].dtype) == "boolean"
    assert len(fifos) == sum(len(row.fifos) for row in rows)


def test_the_table_of_a_comparison(own):
    paths = (own / "vivado_hls_2016", own / "vivado_hls_2019")
    comparisons = reports.compare([report for path in paths for report in reports.read(path)])
    frame = reports.comparison_frame(comparisons).set_index("metric")
    assert frame.loc["dsp", "vivado_hls_2019"] == 12
    assert frame.loc["dsp", "vivado_hls_2019 change_percent"] == 100 * (12 - 9) / 9


def test_the_real_designs_each_have_one_row_per_stage(shared):
    rows = reports.merge(reports.scan(shared).reports)
    assert len({(row.design, row.stage) for row in rows}) == len(rows)
    resnet8 = next(row for row in rows if row.design == "bote05+RTL_LLM_CLAUDE/rq2_resnet8/hls4ml")
    assert (resnet8.bram_18k, sum(f.bram_18k or 0 for f in resnet8.fifos), len(resnet8.fifos)) == (
        1465,
        1229,
        42,
    )


def test_the_log_of_a_solution_belongs_to_it(own, tmp_path):
    shutil.copytree(own / "vitis_hls_2024/tiny_prj", tmp_path / "tiny_prj")
    shutil.copy(own / "vitis_hls_2024/vitis_hls.log", tmp_path / "tiny_prj/solution1/solution1.log")
    rows = rows_of(tmp_path)
    assert {design for design, _ in rows} == {tmp_path.name}
    assert rows[tmp_path.name, Stage.CSYNTH].finished is False


def test_the_folder_where_one_stands_has_its_name(own, tmp_path, monkeypatch):
    shutil.copytree(own / "vivado_hls_2016", tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    assert {design for design, _ in rows_of(".")} == {"here"}
    (tmp_path / "here/below").mkdir()
    monkeypatch.chdir(tmp_path / "here/below")
    assert {design for design, _ in rows_of("..")} == {"here"}
