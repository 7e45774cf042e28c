"""Where reports lie: one design for one project, called after its own folder, whatever lies around it."""

import shutil
from pathlib import Path

import pytest

from nonresnet_hls import reports
from nonresnet_hls.reports import Stage
from tests.reports.generated_sources import write_beside
from tests.reports.report_fixtures import HLS_2019

RUNS = "vivado/board.runs/impl_1"


def designs(*paths: Path) -> list[tuple[str | None, Stage | None]]:
    rows = reports.merge([report for path in paths for report in reports.read(path)])
    return [(row.design, row.stage) for row in rows]


def names(*paths: Path) -> list[str | None]:
    return list(dict.fromkeys(design for design, _ in designs(*paths)))


def copy(source: Path, target: Path, *changes: tuple[str, str]) -> None:
    """The report under another name, with other words in it."""
    text = source.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def test_two_power_reports_are_of_one_run(own, tmp_path):
    routed = own / HLS_2019 / "impl/verilog/report/tiny_utilization_routed.rpt"
    copy(routed, tmp_path / "run/board_utilization_routed.rpt", ("bd_0_wrapper", "board"))
    copy(own / RUNS / "board_timing_summary_routed.rpt", tmp_path / "run/board_timing_summary.rpt")
    copy(own / RUNS / "board_power_routed.rpt", tmp_path / "run/board_power.rpt")
    copy(own / RUNS / "board_power_routed.rpt", tmp_path / "run/board_power_saif.rpt", ("1.603", "1.403"))
    (row,) = reports.merge(reports.read(tmp_path))
    assert (row.design, row.stage) == ("run", Stage.ROUTED)
    assert (row.lut, row.wns_ns, row.power_total_w) == (3100, 0.784, 1.403)
    assert "power_total_w: 1.403 of run/board_power_saif.rpt, not 1.603 of run/board_power.rpt" in row.choices


def test_runs_of_one_vivado_project_are_told_apart_by_their_folders(own, tmp_path):
    for run, lut in (("impl_1", "3455"), ("impl_2", "3456")):
        source = own / RUNS / "board_utilization_placed.rpt"
        copy(source, tmp_path / f"board/board.runs/{run}/board_utilization_placed.rpt", ("| 3455 ", f"| {lut} "))
    rows = reports.merge(reports.read(tmp_path / "board"))
    assert [(row.design, row.lut) for row in rows] == [("board/impl_1", 3455), ("board/impl_2", 3456)]


@pytest.fixture
def two(own, tmp_path) -> Path:
    """Two HLS projects side by side that are called after their networks."""
    for network in ("lenet", "alexnet"):
        report = own / HLS_2019 / "syn/report/tiny_csynth.rpt"
        copy(report, tmp_path / "somewhere" / network / "solution1/syn/report/tiny_csynth.rpt")
    return tmp_path / "somewhere"


def test_a_project_is_called_after_its_folder_not_the_one_above(two):
    assert names(two.parent) == ["somewhere/alexnet", "somewhere/lenet"]
    assert names(two) == ["alexnet", "lenet"]
    for path in (
        "lenet",
        "lenet/solution1",
        "lenet/solution1/syn/report",
        "lenet/solution1/syn/report/tiny_csynth.rpt",
    ):
        assert names(two / path) == ["lenet"], path
    assert names(two / "lenet", two / "alexnet") == ["lenet", "alexnet"]


def test_solutions_of_one_project_are_called_after_both(two):
    shutil.copytree(two / "lenet/solution1", two / "lenet/solution2")
    assert names(two) == ["alexnet", "lenet/solution1", "lenet/solution2"]
    assert names(two / "lenet") == ["solution1", "solution2"]


def test_a_project_called_after_its_top_is_hls4mls(own, two):
    shutil.move(two / "lenet", two / "adder_prj")
    (two / "holiday.jpg").write_bytes(b"\0")
    assert names(two / "adder_prj") == ["adder_prj"]
    shutil.copytree(own / "vivado_hls_2019", two / "mine")
    assert names(two / "mine/tiny_prj") == ["mine"]


def test_the_component_names_a_design_of_the_unified_flow(own, tmp_path):
    shutil.copytree(own / "vitis_unified/hls_component/tiny", tmp_path / "workspace/tiny")
    assert names(tmp_path) == ["workspace/tiny"]
    assert names(tmp_path / "workspace/tiny") == ["tiny"]
    shutil.move(tmp_path / "workspace", tmp_path / "kernel")
    shutil.move(tmp_path / "kernel/tiny", tmp_path / "kernel/hls_component")
    assert names(tmp_path) == ["kernel"]


def test_what_was_packed_into_the_kernel_is_a_copy(own, tmp_path):
    shutil.copytree(own / "vitis_unified", tmp_path / "it")
    component = tmp_path / "it/hls_component/tiny/hls"
    before = designs(tmp_path / "it")
    shutil.copytree(component, tmp_path / "packed")
    shutil.move(tmp_path / "packed", component / "impl/misc/hls_files/hls")
    assert designs(tmp_path / "it") == before == [("it", Stage.CSYNTH), ("it", Stage.COSIM)]


def test_reports_that_vitis_copied_elsewhere_are_the_solutions(own, tmp_path):
    solution = "xo/tiny/tiny/solution"
    report = own / HLS_2019 / "syn/report/tiny_csynth.rpt"
    copy(report, tmp_path / solution / "syn/report/tiny_csynth.rpt")
    copy(report, tmp_path / "xo/reports/tiny/hls_reports/tiny_csynth.rpt")
    assert names(tmp_path) == ["xo/tiny/tiny"]
    # With another figure it is another design's.
    copy(report, tmp_path / "xo/reports/tiny/hls_reports/tiny_csynth.rpt", ("0.101 us", "0.102 us"))
    assert len(names(tmp_path)) == 2


def test_the_unified_layout_of_hls4ml_is_one_design(own, tmp_path):
    model = tmp_path / "my_model"
    shutil.copytree(own / "vivado_hls_2019/firmware", model / "firmware")
    shutil.copytree(own / "vitis_unified/hls_component/tiny", model / "vitis_workspace/tiny/vitis_unified_project")
    copy(own / "vitis_unified/hls_component/tiny/reports/hls_compile.rpt", model / "final_reports/hls_compile.rpt")
    routed = own / HLS_2019 / "impl/verilog/report/tiny_utilization_routed.rpt"
    copy(routed, model / "final_reports/utilization.rpt", ("bd_0_wrapper", "board"))
    copy(own / RUNS / "board_timing_summary_routed.rpt", model / "final_reports/timing.rpt")
    copy(own / RUNS / "board_power_routed.rpt", model / "final_reports/power.rpt")
    wanted = [("my_model", Stage.CSYNTH), ("my_model", Stage.ROUTED), ("my_model", Stage.COSIM)]
    assert designs(tmp_path) == wanted
    assert designs(model) == wanted
    routed_row = reports.merge(reports.read(model))[1]
    assert (routed_row.lut, routed_row.wns_ns, routed_row.power_total_w) == (3100, 0.784, 1.603)
    assert routed_row.note == "the figures are of the top board, not of tiny alone"
    # The reports alone, without the sources.
    shutil.rmtree(model / "firmware")
    (tmp_path / "elsewhere").mkdir()
    shutil.move(model, tmp_path / "elsewhere/my_model")
    assert names(tmp_path / "elsewhere") == ["my_model"]


def board(own: Path, project: Path) -> None:
    """The board's Vivado project within hls4ml's, with an IP that was synthesized on its own."""
    runs = project / "tiny_vivado_accelerator/project_1.runs"
    placed, wrapper = (
        own / RUNS / "board_utilization_placed.rpt",
        ("| Design       : board", "| Design       : w_wrapper"),
    )
    copy(placed, runs / "impl_1/w_wrapper_utilization_placed.rpt", wrapper)
    copy(
        placed,
        runs / "synth_1/w_wrapper_utilization_synth.rpt",
        wrapper,
        ("Fully Placed", "Synthesized"),
    )
    for ip in ("w_axi_dma_0_0", "w_tiny_0_0"):
        copy(
            placed,
            runs / f"{ip}_synth_1/{ip}_utilization_synth.rpt",
            ("| Design       : board", f"| Design       : {ip}"),
            ("Fully Placed", "Synthesized"),
        )


def test_a_whole_project_is_one_design_with_its_stages(own, tmp_path):
    project = tmp_path / "resnet"
    shutil.copytree(own / "vivado_hls_2019", project)
    (project / "vivado_synth.rpt").unlink()
    board(own, project)
    for folder in ("firmware", "tiny_prj/solution1/syn/report", "tiny_vivado_accelerator"):
        write_beside(project / folder)
    rows = [row for row in reports.merge(reports.read(project)) if not row.out_of_context]
    assert [(row.design, row.stage) for row in rows] == [
        ("resnet", stage)
        for stage in (Stage.CSYNTH, Stage.EXPORT, Stage.SYNTHESIZED, Stage.PLACED, Stage.ROUTED, Stage.COSIM)
    ]
    assert rows[0].finished is True


def test_where_design_and_board_reached_the_same_stage_they_stay_apart(own, tmp_path):
    project = tmp_path / "resnet"
    shutil.copytree(own / "vivado_hls_2019", project)  # with a `vivado_synth.rpt` of the design alone
    board(own, project)
    rows = reports.merge(reports.read(project))
    lut = {(row.design, row.stage): row.lut for row in rows if not row.out_of_context}
    assert lut["resnet", Stage.SYNTHESIZED] == 3100
    assert lut["resnet:w_wrapper", Stage.SYNTHESIZED] == lut["resnet:w_wrapper", Stage.PLACED] == 3455
    assert {row.design for row in rows if row.out_of_context} == {"resnet:w_axi_dma_0_0", "resnet:w_tiny_0_0"}
