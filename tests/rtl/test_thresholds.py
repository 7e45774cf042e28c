"""Thresholds of many bits are clean Verilog, whatever their thresholds are."""

import subprocess
from pathlib import Path

import pytest

from nonresnet_hls.rtl.design import library
from nonresnet_hls.rtl.simulation import verilator_command

_TOP = """module top (input wire [{width}-1:0] a, output wire [1:0] b);
    thresholds #(.IN_WIDTH({width}), .LEVELS(1), .THRESHOLDS({width}'d0), .VALUES(4'h4)) under_test (
        .in_data(a), .out_data(b)
    );
endmodule
"""


@pytest.mark.parametrize("width", [7, 12, 14])
def test_a_threshold_of_zero_is_linted_without_a_warning(width: int, tmp_path: Path) -> None:
    (tmp_path / "thresholds.sv").write_text(library()["thresholds.sv"])
    (tmp_path / "top.sv").write_text(_TOP.format(width=width))
    command = [*verilator_command(), "--lint-only", "-Wall", "--top-module", "top", "top.sv", "thresholds.sv"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
