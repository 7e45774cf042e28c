"""The figures that the blocks must reach; each takes minutes."""

import json

import pytest

from nonresnet_hls.cli import main

pytestmark = [pytest.mark.nightly, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("name", ["nonresblock-32x32", "resblock-32x32", "shortblock-32x32"])
def test_one_bit_blocks_beat_the_anchor(name: str, tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    """Anchor: FINN+ 1.6.1 for the same plain block takes 9,472 cycles, 11,262 LUT, 24,288 FF and 64 DSP."""
    arguments = ["synth", name, "--engine", "rtl", "--simulate", "--json", "--workspace", str(tmp_path)]
    assert main(arguments) == 0
    (result,) = json.loads(capsys.readouterr().out)
    simulation, total = result["simulation"], result["synthesis"]["total"]
    assert simulation["equal"]
    assert sum(simulation["images"].values()) >= 16
    assert simulation["interval_cycles"] <= 1300
    assert total["lut"] <= 9000
    assert total["ff"] <= 24288 // 3
    assert total["dsp"] == 0
