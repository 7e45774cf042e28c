"""How the vendor's tools are called and watched, with stand-ins for them; `synth` and Table II on what they leave."""

import json
import os
import shutil
from pathlib import Path

import pytest

from nonresnet_hls import cli
from nonresnet_hls.errors import ArtefactError, ToolError
from nonresnet_hls.hls import vendor
from nonresnet_hls.hls.vendor import Steps, Tool
from nonresnet_hls.pipeline import runner
from nonresnet_hls.recipe import Backend
from tests.pipeline.stand_in import install

needs_tclsh = pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh (package tcl) is not on PATH")

_PROJECTS = {Backend.VIVADO: "tiny", Backend.VITIS: "tiny-vitis"}
_TOOLS = [
    (Backend.VIVADO, Tool.VIVADO_HLS),
    (Backend.VITIS, Tool.VITIS_RUN),
    (Backend.VITIS, Tool.VITIS_HLS),
]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of stand-ins, first on PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@needs_tclsh
@pytest.mark.parametrize(("backend", "tool"), _TOOLS)
def test_the_tool_is_asked_for_synthesis_alone(
    backend: Backend, tool: Tool, tiny: Path, tools: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = install(tools, tool)
    project = tiny / "hls_projects" / _PROJECTS[backend]
    assert vendor.run(project, backend, Steps()) is tool
    asked = log.read_text().splitlines()
    assert asked[0].split()[0] == tool
    assert (
        asked[0].split()[1:3]
        == {
            Tool.VIVADO_HLS: ["-f", "build_prj.tcl"],
            Tool.VITIS_RUN: ["--mode", "hls"],
            Tool.VITIS_HLS: ["-f", "build_synth.tcl"],
        }[tool]
    )
    assert "open_project -reset myproject_prj" in asked
    assert "set_top myproject" in asked
    assert [line for line in asked if line.startswith("add_files firmware/myproject.cpp")]
    assert [line for line in asked if line.startswith("add_files -tb myproject_test.cpp")]
    assert "set_part xcu250-figd2104-2L-e" in asked
    assert "create_clock -period 5.0 -name default" in asked
    steps = [line.split()[0] for line in asked if line.split()[0] in ("csim_design", "csynth_design", "cosim_design",
                                                                     "export_design")]  # fmt: skip
    assert steps == ["csynth_design"]
    # What the tool says is shown as it comes, and kept.
    assert "INFO: synthesised" in capfd.readouterr().err
    assert "INFO: synthesised" in (project / vendor.LOG).read_text()
    assert {path.name for path in vendor.reports(project)} == {
        "myproject_csynth.rpt", "myproject_csynth.xml", "synth.log"
    }  # fmt: skip
    # The project's own files are as they were.
    assert runner.load(project) is not None


@needs_tclsh
@pytest.mark.parametrize(("backend", "tool"), _TOOLS[:2])
def test_cosim_comes_with_the_c_simulation_that_it_is_compared_with(
    backend: Backend, tool: Tool, tiny: Path, tools: Path
) -> None:
    log = install(tools, tool)
    project = tiny / "hls_projects" / _PROJECTS[backend]
    vendor.run(project, backend, Steps(cosim=True))
    steps = [line.split()[0] for line in log.read_text().splitlines()]
    assert [step for step in steps if step in ("csim_design", "csynth_design", "cosim_design", "run_sim")] == [
        "csim_design", "csynth_design", "cosim_design", "run_sim"
    ]  # fmt: skip
    assert "Test PASSED" in (project / vendor.LOG).read_text()


@needs_tclsh
def test_a_cosim_that_differs_is_an_error(tiny: Path, tools: Path) -> None:
    install(tools, Tool.VIVADO_HLS)
    prelude = tools / "prelude.tcl"
    prelude.write_text(prelude.read_text().replace("puts $out {1 2 3}", "puts $out $name"))
    with pytest.raises(ToolError, match=r"^vivado_hls: exit status 1: ERROR: Test failed; see .*synth.log$"):
        vendor.run(tiny / "hls_projects" / "tiny", Backend.VIVADO, Steps(cosim=True))


@needs_tclsh
@pytest.mark.parametrize(("backend", "tool"), _TOOLS[:2])
def test_vsynth_runs_vivado_on_the_projects_script(backend: Backend, tool: Tool, tiny: Path, tools: Path) -> None:
    log = install(tools, tool)
    vivado = tools / "vivado"
    vivado.write_text(f'#!/bin/sh\necho "vivado $*" >> {log}\n')
    vivado.chmod(0o755)
    vendor.run(tiny / "hls_projects" / _PROJECTS[backend], backend, Steps(vsynth=True))
    assert "vivado -mode batch -source vivado_synth.tcl" in log.read_text().splitlines()


def test_vsynth_without_vivado_is_refused_before_anything_runs(
    tiny: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tools))
    log = install(tools, Tool.VIVADO_HLS)
    with pytest.raises(ToolError, match=r"^vivado: not found on PATH; install AMD Vivado"):
        vendor.run(tiny / "hls_projects" / "tiny", Backend.VIVADO, Steps(vsynth=True))
    assert not log.exists()


@pytest.mark.parametrize(
    ("has", "wants", "message"),
    [
        (Tool.VIVADO_HLS, Backend.VITIS, 'vitis-run or vitis_hls: not on PATH, but vivado_hls is; .* "vivado"'),
        (Tool.VITIS_RUN, Backend.VIVADO, 'vivado_hls: not on PATH, but vitis-run is; .* hls.backend = "vitis" in'),
        (Tool.VITIS_HLS, Backend.VIVADO, 'vivado_hls: not on PATH, but vitis_hls is; .* hls.backend = "vitis" in'),
        (None, Backend.VIVADO, "vivado_hls: not on PATH; install AMD Vivado or Vitis, or source its settings64.sh"),
    ],
)
def test_the_wrong_pairing_is_refused(
    has: Tool | None, wants: Backend, message: str, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tools))
    if has is not None:
        install(tools, has)
    with pytest.raises(ToolError, match=f"^{message}"):
        vendor.require(wants)


def test_vitis_run_comes_before_vitis_hls(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tools))
    install(tools, Tool.VITIS_HLS, Tool.VITIS_RUN)
    assert vendor.require(Backend.VITIS) is Tool.VITIS_RUN


@pytest.mark.parametrize(
    ("fail", "message"),
    [
        ("echo 'WARNING: x'; echo 'ERROR: [HLS 200-70] no licence'; echo 'ERROR: second'; exit 3",
         r"exit status 3: ERROR: \[HLS 200-70\] no licence; see .*synth\.log"),
        ("exit 1", "exit status 1: no ERROR line; see"),
        ("echo 'ERROR: quiet'; exit 0", "ended well but left no csynth report: ERROR: quiet; see"),
        ("kill -9 $$", "exit status -9: no ERROR line; see"),
    ],
)  # fmt: skip
def test_a_failing_tool_is_quoted(fail: str, message: str, tiny: Path, tools: Path) -> None:
    install(tools, Tool.VIVADO_HLS, fail=fail)
    with pytest.raises(ToolError, match=f"^vivado_hls: {message}") as error:
        vendor.run(tiny / "hls_projects" / "tiny", Backend.VIVADO, Steps())
    assert "\n" not in str(error.value)


@needs_tclsh
def test_reports_of_an_earlier_run_do_not_stand_for_a_failed_one(tiny: Path, tools: Path) -> None:
    install(tools, Tool.VIVADO_HLS)
    project = tiny / "hls_projects" / "tiny"
    vendor.run(project, Backend.VIVADO, Steps())
    install(tools, Tool.VIVADO_HLS, fail="exit 0")
    with pytest.raises(ToolError, match="left no csynth report"):
        vendor.run(project, Backend.VIVADO, Steps())


def test_a_script_that_is_not_hls4mls_is_refused(tiny: Path, tools: Path) -> None:
    install(tools, Tool.VITIS_RUN)
    script = tiny / "hls_projects" / "tiny-vitis" / "build_prj.tcl"
    script.write_text(script.read_text().replace("build_opt.tcl", "other.tcl"))
    with pytest.raises(ArtefactError, match=r"build_prj\.tcl: one line that sources build_opt\.tcl wanted, 0 found"):
        vendor.run(script.parent, Backend.VITIS, Steps())


@needs_tclsh
def test_synth_fills_table_2(tiny: Path, tools: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = install(tools, Tool.VIVADO_HLS)
    assert cli.main(["synth", "tiny", "--engine", "vendor", "--json"]) == 0
    captured = capfd.readouterr()
    assert "INFO: synthesised" in captured.err
    assert "INFO" not in captured.out
    assert len(json.loads(captured.out)) == 1
    calls = log.read_text()
    assert cli.main(["table2", "tiny", "--json"]) == 0
    row = next(row for row in json.loads(capfd.readouterr().out) if row["engine"])
    assert (row["design"], row["version"], row["part"]) == ("tiny", "2019.2", "xcu250-figd2104-2L-e")
    assert (row["ff"], row["lut"], row["dsp"], row["bram_18k"]) == (2400, 4100, 12, 9)
    assert row["lut_percent"] == 100 * 4100 / 1728000
    assert row["bram_18k_percent"] == 100 * 9 / 5376
    assert row["latency_cycles"] == 640
    assert row["throughput_khz"] == 1e6 / (row["interval_cycles"] * row["clock_ns"])
    # Unchanged: the tool is not asked again, nor for the same project with its reports in it.
    assert cli.main(["synth", "tiny", "--engine", "vendor"]) == 0
    assert log.read_text() == calls


@needs_tclsh
def test_reports_of_more_steps_than_wanted_stay(tiny: Path, tools: Path) -> None:
    """A co-simulation takes hours; whoever asks for the rows again must not lose it."""
    log = install(tools, Tool.VIVADO_HLS)
    assert cli.main(["synth", "tiny", "--cosim"]) == 0
    calls = log.read_text()
    assert "cosim_design" in calls
    for again in (["--engine", "vendor"], ["--cosim"]):
        assert cli.main(["synth", "tiny", *again]) == 0
        assert log.read_text() == calls


_BLOCKS = """
[architecture]
family = "resnet"
skips = "{style}"
filters = [2]
blocks_per_group = 1
[dataset]
name = "digits"
[training]
on_demand = false
"""


@needs_tclsh
def test_json_says_of_each_design_what_its_skips_cost(
    tmp_path: Path, tools: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    install(tools, Tool.VIVADO_HLS)
    # Recipes beside the workspace, not in it.
    paths = [str(tmp_path / f"{style}.toml") for style in ("short", "plain")]
    for path in paths:
        Path(path).write_text(_BLOCKS.format(style=Path(path).stem))
    place = ["--workspace", str(tmp_path / "place")]
    assert cli.main(["synth", *paths, "--engine", "vendor", *place]) == 0
    capfd.readouterr()
    assert cli.main(["table2", *paths, "--json", *place]) == 0
    short, plain = json.loads(capfd.readouterr().out)
    # Stand-ins report the same of every design.
    assert (short["design"], short["without_skip"], short["lut_more"], short["lut_more_percent"]) == (
        "short", "plain", 0, 0.0
    )  # fmt: skip
    assert (plain["design"], plain["without_skip"], plain["lut_more"]) == ("plain", None, None)
    assert cli.main(["table2", *paths, *place]) == 0
    assert "What the skips cost" in capfd.readouterr().out
    assert (tmp_path / "place" / "tables" / "table2_skips.csv").read_text().startswith("design,without_skip,")
    # With other FIFOs it is not the skips alone that a design is dearer for.
    assert cli.main(["convert", paths[0], "--fifos", "sized", *place]) == 0
    assert cli.main(["synth", paths[0], "--engine", "vendor", *place]) == 0
    capfd.readouterr()
    assert cli.main(["table2", *paths, "--json", *place]) == 0
    assert [row["without_skip"] for row in json.loads(capfd.readouterr().out)] == [None, None]


@needs_tclsh
@pytest.mark.nightly
def test_json_of_both_engines_is_one_list(tiny: Path, tools: Path, capfd: pytest.CaptureFixture[str]) -> None:
    install(tools, Tool.VIVADO_HLS)
    assert cli.main(["synth", "tiny", "tiny-vitis", "--json"]) == 0
    rtl, vendors = json.loads(capfd.readouterr().out)
    assert (rtl["name"], rtl["engine"]) == ("tiny-vitis", "rtl")
    assert (vendors["tool"], vendors["lut"]) == ("Vivado HLS", 4100)


@needs_tclsh
def test_a_project_converted_anew_takes_its_old_figures_out_of_table_2(
    tiny: Path, tools: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    install(tools, Tool.VIVADO_HLS)
    assert cli.main(["synth", "tiny", "--engine", "vendor"]) == 0
    recipe = tiny / "models" / "tiny.toml"
    recipe.write_text(recipe.read_text().replace("[hls]", "[hls]\nclock_ns = 10"))
    assert cli.main(["convert", "tiny"]) == 0
    capfd.readouterr()
    assert cli.main(["table2", "tiny", "--json"]) == 0
    captured = capfd.readouterr()
    (row,) = json.loads(captured.out)
    assert row["engine"] is None
    assert row["lut"] is None
    assert row["streams"] > 0
    assert "No engine has measured tiny" in captured.err


@pytest.mark.parametrize("tool", [Tool.VIVADO_HLS, None])
def test_synth_with_the_wrong_tool_or_none_is_status_2(
    tool: Tool | None, tiny: Path, tools: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tools))
    if tool:
        install(tools, tool)
    assert cli.main(["synth", "tiny-vitis", "--engine", "vendor"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("nonresnet-hls: vitis-run or vitis_hls: not on PATH")
