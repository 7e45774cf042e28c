"""Projects as people commit them: written by other versions of hls4ml, without its settings, of other back ends."""

import itertools
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nonresnet_hls as nr
from nonresnet_hls import cli, dataflow, generated
from nonresnet_hls.hls import network

PROJECT = Path("hls_projects/tiny")


def _as_older(project: Path, target: Path) -> Path:
    """A project of today in the manner of hls4ml 0.6: sizes are macros, types stand for types, no YAML, other Tcl."""
    firmware = target / "firmware"
    shutil.copytree(project / "firmware", firmware)
    numbers = itertools.count(2)
    macros: list[str] = ["#define N_UNIT 1", "#define N_TWICE N_UNIT * 2"]
    types: list[str] = ["typedef ap_fixed<16,6> model_default_t;", "typedef model_default_t other_default_t;"]

    def macro(value: str) -> str:
        name = f"N_LAYER_{next(numbers)}"
        macros.append(f"#define {name} {value}")
        return name

    def array(match: re.Match[str]) -> str:
        number = next(numbers)
        types.append(f"typedef {match[1]} first{number}_t;")
        types.append(f"typedef first{number}_t second{number}_t;")
        return f"nnet::array<second{number}_t, {macro(match[2])}*N_UNIT>"

    path = firmware / "defines.h"
    text = re.sub(r"nnet::array<(ap_\w+<[^>]*>), (\d+)\*1>", array, path.read_text())
    parameters = firmware / "parameters.h"
    sized = re.sub(
        r"(static const unsigned (?:n_in|n_chan|n_filt|n_out|in_width|in_height) = )(\d+);",
        lambda match: f"{match[1]}{macro(match[2])};",
        parameters.read_text(),
    )
    assert sized.count("N_LAYER_") > 5
    parameters.write_text(sized)
    head, tail = text.split("#include <cstdio>", 1)
    path.write_text("\n".join([head, "#include <cstdio>", *macros, *types, tail]))
    top = firmware / "myproject.cpp"
    sizes = "unsigned short &const_size_in_1, unsigned short &const_size_out_1"
    top.write_text(re.sub(r"\)\s*\{", f", {sizes}) {{", top.read_text(), count=1))
    (target / "build_prj.tcl").write_text(
        "open_project -reset myproject_prj\nset_top myproject\n"
        "set_part {xcku115-flvb2104-2-i}\ncreate_clock -period 4 -name default\n"
    )
    return target


def test_a_project_of_another_version_without_settings_is_the_same(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = _as_older(PROJECT, Path("older"))
    want, got = network.of_project(PROJECT), network.of_project(older)
    assert got.streams == want.streams
    assert [type(one) for one in got.layers] == [type(one) for one in want.layers]
    x = np.random.default_rng(0).uniform(0, 0.99, (20, 4, 4, 2))
    outputs: list[Any] = [nr.emulate(str(one), inputs=x).outputs for one in (PROJECT, older)]
    assert (outputs[0] == outputs[1]).all()
    reports = [dataflow.analyse_project(one) for one in (PROJECT, older)]
    rows = [dataflow.fifo_report(flow, dataflow.size_fifos(flow)).rows for flow in reports]
    assert rows[0] == rows[1]
    assert (reports[1].part, reports[1].clock_ns) == ("xcku115-flvb2104-2-i", 4.0)
    assert cli.main(["fifos", "older"]) == 0
    assert cli.main(["emulate", "older", "--samples", "5"]) == 0
    assert "5 samples" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["fifos", "emulate"])
def test_other_back_ends_are_named(command: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = _as_older(PROJECT, Path("older"))
    defines = older / "firmware" / "defines.h"
    text = defines.read_text()
    defines.write_text(text.replace("ap_fixed<16,6>", "ac_fixed<16,6,true>"))
    assert cli.main([command, "older"]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "not one with ac_fixed, the types of Quartus, oneAPI and Catapult" in told
    defines.write_text(text)
    (older / "project.tcl").write_text('variable backend\nset backend "catapult"\n')
    assert cli.main([command, "older"]) == 2
    assert "catapult" in capsys.readouterr().err.splitlines()[-1]
    (older / "project.tcl").unlink()
    (older / "build_prj.tcl").unlink()
    shutil.copy(older / "firmware" / "myproject.cpp", older / "firmware" / "second.cpp")
    assert cli.main([command, "older"]) == 2
    assert "hls4ml_config.yml, or one C++ file in firmware, wanted" in capsys.readouterr().err


def test_sizes_are_numbers_and_products_of_them() -> None:
    text = (
        "#define A 16\n#define B A*4\n#define C_H_\n#define D B * X\n#define E 99999999999999999999\n#define F(x) 3\n"
    )
    assert generated.sizes(text) == {"A": 16, "B": 64}
    assert generated.with_sizes("n = A*B; AB = A_; x.A", {"A": 16, "B": 64}) == "n = 16*64; AB = A_; x.16"
    assert generated.resolved("a", {"a": "b", "b": "c", "c": "a"}) in ("a", "b", "c")
