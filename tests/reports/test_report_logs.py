"""Logs of HLS runs: which file is one, which one speaks of the run, what did not run and why."""

import shutil

import pytest

from nonresnet_hls import reports
from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports import Kind, Stage
from nonresnet_hls.reports.reader import read_bytes
from tests.reports.generated_sources import BANNERS, COMMENTS, generated, write_beside

BANNER = "****** Vitis HLS - High-Level Synthesis from C, C++ and OpenCL v2022.2 (64-bit)\n"
DEVICE = "INFO: [HLS 200-1611] Setting target device to 'xczu7ev-ffvc1156-2-e'\n"
ENDS = "INFO: [HLS 200-112] Total elapsed time: 9 seconds.\nINFO: [Common 17-206] Exiting vitis_hls at Mon Mar  4\n"
ABORTED = '    while executing\n"source build_prj.tcl"\n    invoked from within\n"hls::main build_prj.tcl"\n'
NESTED = "\n****** Vivado v2022.2 (64-bit)\nINFO: [Common 17-206] Exiting Vivado at Mon Mar  4 10:00:30 2024...\n"


def read(text: str, name: str = "vitis_hls.log") -> reports.Report:
    report = read_bytes(text.encode(), name)
    assert report is not None
    assert report.kind is Kind.HLS_LOG
    return report


@pytest.mark.parametrize("suffix", COMMENTS)
@pytest.mark.parametrize("banner", BANNERS)
def test_a_generated_source_is_no_log(suffix, banner, tmp_path):
    path = tmp_path / f"tiny{suffix}"
    path.write_text(generated(suffix, banner))
    assert reports.read(tmp_path) == []
    with pytest.raises(ReportError, match="not a report"):
        reports.read(path)


def test_generated_sources_leave_a_project_as_it_is(own, tmp_path):
    shutil.copytree(own / "vivado_hls_2019", tmp_path / "plain" / "it")
    shutil.copytree(own / "vivado_hls_2019", tmp_path / "full" / "it")
    solution = tmp_path / "full/it/tiny_prj/solution1"
    for folder in ("syn/verilog", "syn/vhdl", "syn/systemc", "impl/ip", "impl/ip/drivers/tiny_v1_0/src", "csim/build"):
        (solution / folder).mkdir(parents=True)
        write_beside(solution / folder)
    write_beside(tmp_path / "full/it")
    write_beside(tmp_path / "full/it/firmware")
    (plain, full) = ([*reports.read(tmp_path / name / "it")] for name in ("plain", "full"))
    assert [(r.path, r.figures()) for r in full] == [(r.path, r.figures()) for r in plain]
    rows = reports.merge(full)
    assert [row.stage for row in rows] == [
        Stage.CSYNTH, Stage.EXPORT, Stage.SYNTHESIZED, Stage.ROUTED, Stage.COSIM,
    ]  # fmt: skip
    assert rows[0].finished is True


def test_the_log_of_the_run_is_believed_not_the_one_of_the_solution(own, tmp_path):
    shutil.copytree(own / "vivado_hls_2019", tmp_path / "it")
    (tmp_path / "it/tiny_prj/solution1/solution1.log").write_text(
        "INFO: [HLS 200-10] Opening solution '/p/tiny_prj/solution1'.\n"
        "INFO: [HLS 200-10] Setting target device to 'xczu5ev-sfvc784-2LV-e'\n"
        "INFO: [HLS 200-10] Analyzing design file 'firmware/tiny.cpp' ...\n"
    )
    shutil.copy(own / "vitis_hls_2024/vitis_hls.log", tmp_path / "it/a_vivado_hls.backup.log")
    row = reports.merge(reports.read(tmp_path))[0]
    assert (row.finished, row.error_count, row.note) == (True, 0, None)
    assert [path for path in row.sources if path.endswith(".log")] == ["it/vivado_hls.log"]


def test_a_log_of_the_solution_is_what_there_is(own, tmp_path):
    shutil.copytree(own / "vivado_hls_2019/tiny_prj", tmp_path / "tiny_prj")
    log = tmp_path / "tiny_prj/solution1/solution1.log"
    opened = "INFO: [HLS 200-1505] Using flow_target 'vivado'\n" + DEVICE
    begun = opened + "INFO: [HLS 200-10] Analyzing design file 'firmware/tiny.cpp' ...\n"
    for text, finished in (
        (begun, False),
        (begun + "INFO: [VLOG 209-307] Generating Verilog RTL for tiny.\n", True),
    ):
        log.write_text(text)
        assert reports.merge(reports.read(tmp_path))[0].finished is finished


@pytest.mark.parametrize(
    ("text", "finished", "steps", "note"),
    [
        # An export alone, by hls4ml's script, by another, in the GUI of old (whose log ends with Vivado's).
        (f"{BANNER}***** EXPORT IP *****\n{NESTED}***** EXPORT IP COMPLETED IN 0h0m9s *****\n{ENDS}",
         True, ("export: done",), None),
        (f"{BANNER}INFO: [HLS 200-1510] Running: export_design -format ip_catalog\n{NESTED}"
         f"INFO: [HLS 200-111] Finished Command export_design CPU user time: 2 seconds.\n{ENDS}",
         True, ("export: done",), None),
        ("INFO: [HLS 200-10] Running '/opt/Vivado/2019.2/bin/unwrapped/lnx64.o/vivado_hls'\n"
         f"INFO: [IMPL 213-8] Exporting RTL as a Vivado IP.\n{NESTED}", True, ("export: done",), None),
        # Vivado, called by the step, ended; the step did not.
        (f"{BANNER}***** VIVADO SYNTHESIS *****\n{NESTED}ERROR: [Common 17-345] no licence\n{ABORTED}{ENDS}",
         False, ("Vivado synthesis: not done",),
         "Vivado synthesis failed: ERROR: [Common 17-345] no licence"),
        # What came before did not let it come so far.
        (f"{BANNER}***** C SIMULATION *****\nERROR: [SIM 211-100] CSim failed with errors.\n{ABORTED}{ENDS}",
         False, ("C simulation: not done",),
         "C simulation failed: ERROR: [SIM 211-100] CSim failed with errors.; C synthesis did not run"),
        (f"{BANNER}***** C/RTL SYNTHESIS *****\nERROR: [XFORM 203-504] Stop unrolling\n"
         f"ERROR: [HLS 200-70] Pre-synthesis failed.\n{ABORTED}{ENDS}",
         False, ("C synthesis: not done",), "C synthesis failed: ERROR: [XFORM 203-504] Stop unrolling"),
        (f"{BANNER}ERROR: [HLS 200-1023] Part 'xcvu13p' is not installed.\n{ABORTED}{ENDS}",
         False, (), "by the log, no step ran: ERROR: [HLS 200-1023] Part 'xcvu13p' is not installed."),
        (BANNER + ENDS, True, (), "by the log, no step ran"),
        (
            f"{BANNER}***** C SIMULATION *****\n***** C SIMULATION COMPLETED IN 0h0m9s *****\n{ENDS}",
            True,
            ("C simulation: done",),
            "C synthesis did not run: the script asks for C simulation alone",
        ),
        # Killed, or still running.
        (f"{BANNER}***** C/RTL SYNTHESIS *****\nINFO: [HLS 200-10] Analyzing design file 'a.cpp' ...\n",
         False, ("C synthesis: not done",), "the log ends within C synthesis: killed, or still running"),
        # An error that was survived explains nothing.
        (f"{BANNER}ERROR: [HLS 200-642] The 'config_array_partition -maximum_size' command is not supported.\n"
         f"***** C/RTL SYNTHESIS *****\n***** C/RTL SYNTHESIS COMPLETED IN 0h0m9s *****\n{ENDS}",
         True, ("C synthesis: done",), None),
        # The co-simulation gave other values than the C simulation.
        (f"{BANNER}***** C/RTL SYNTHESIS *****\n***** C/RTL SYNTHESIS COMPLETED IN 0h0m9s *****\n"
         f"***** C/RTL VALIDATION *****\nERROR: Test failed\n{ENDS}",
         False, ("C synthesis: done", "validation: not done"), "validation failed: ERROR: Test failed"),
    ],
)  # fmt: skip
def test_what_ran_and_why_the_rest_did_not(text, finished, steps, note):
    report = read(text)
    assert (report.finished, report.steps, report.note) == (finished, steps, note)


def test_what_a_shell_printed_before_the_banner_is_no_hindrance():
    text = f"/opt/Xilinx/Vitis_HLS/2022.2/bin/vitis_hls -f build_prj.tcl\n# hls4ml\n\n{BANNER}{DEVICE}{ENDS}"
    assert read(text, "build.out").tool_version == "2022.2"


def test_notes_on_an_exported_ip_are_no_log(tmp_path):
    rule = "=" * 62
    (tmp_path / "ReleaseNotes.txt").write_text(
        f"{rule}\nVivado HLS - High-Level Synthesis from C, C++ and SystemC\nVersion 2018.2\n{rule}\nFamily: zynq\n"
    )
    assert reports.read(tmp_path) == []


@pytest.mark.parametrize("tool", ["Vivado HLS", "Vitis HLS"])
@pytest.mark.parametrize(
    "path", ["C:/Xilinx/{}/2022.1/bin/unwrapped/win64.o/{}.exe", "D:\\Xilinx\\{}\\2022.1\\bin\\{}.exe"]
)
def test_logs_of_windows(tool, path):
    program = tool.lower().replace(" ", "_")
    text = (
        f"INFO: [HLS 200-10] Running '{path.format(tool.replace(' ', '_'), program)}'\r\n"
        "INFO: [HLS 200-10] In directory 'C:/designs/tiny'\r\n"
        "INFO: [HLS 200-10] Analyzing design file 'tiny.cpp' ...\r\n"
        "INFO: [VLOG 209-307] Generating Verilog RTL for tiny.\r\n"
        f"INFO: [Common 17-206] Exiting {program} at Mon Jan 10 21:08:18 2022...\r\n"
    )
    report = read(text, "run.log")
    assert (report.tool, report.tool_version, report.finished) == (tool, "2022.1", True)


def test_the_compiler_of_the_unified_flow_writes_a_log_where_it_runs_hls():
    banner = "****** v++ v2024.2 (64-bit)\n  **** SW Build 1234567 on Mon Jan 01 00:00:00 MST 2024\n\n"
    report = read(f"{banner}INFO: [v++ 60-1548] Creating build\n{DEVICE}", "v++.log")
    assert (report.tool, report.tool_version) == ("Vitis HLS", "2024.2")
    assert read_bytes(f"{banner}INFO: [v++ 60-1548] Creating build\n".encode(), "v++.log") is None


def test_logs_of_one_step_each_speak_together(tmp_path):
    (tmp_path / "hls_compile.log").write_text(
        f"****** vitis-run v2024.2 (64-bit)\n{DEVICE}INFO: [HLS 200-1510] Running: csynth_design\n"
        "INFO: [HLS 200-111] Finished Command csynth_design CPU user time: 2 seconds.\n"
    )
    (tmp_path / "hls_cosim.log").write_text(
        f"****** vitis-run v2024.2 (64-bit)\n{DEVICE}INFO: [HLS 200-1510] Running: cosim_design\n"
        "ERROR: [COSIM 212-303] Aborting co-simulation: RTL simulation failed.\n"
    )
    (row,) = reports.merge(reports.read(tmp_path))
    assert row.steps == ("C synthesis: done", "co-simulation: not done")
    assert (row.finished, row.error_count) == (False, 1)
    assert row.note == "co-simulation failed: ERROR: [COSIM 212-303] Aborting co-simulation: RTL simulation failed."


def test_a_log_in_the_folder_of_the_sources_is_the_projects(own, tmp_path):
    shutil.copytree(own / "vivado_hls_2019", tmp_path / "it")
    shutil.copy(own / "vitis_hls_2024/vitis_hls.log", tmp_path / "it/firmware/vivado_hls.log")
    rows = reports.merge(reports.read(tmp_path / "it"))
    assert {row.design for row in rows} == {"it"}
    assert rows[0].finished is True
