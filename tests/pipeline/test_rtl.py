"""The figures that blocks and whole networks must reach; each takes minutes."""

import json
from pathlib import Path

import pytest

from nonresnet_hls.cli import main
from nonresnet_hls.pipeline import rtl as stage
from nonresnet_hls.pipeline.workspace import Workspace

pytestmark = [pytest.mark.nightly, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("name", ["nonresblock-32x32", "resblock-32x32", "shortblock-32x32"])
def test_one_bit_blocks_beat_the_anchor(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Anchor: FINN+ 1.6.1 for the same plain block takes 9,472 cycles, 11,262 LUT, 24,288 FF and 64 DSP."""
    arguments = ["synth", name, "--engine", "rtl", "--simulate", "--json", "--workspace", str(tmp_path)]
    assert main(arguments) == 0
    (result,) = json.loads(capsys.readouterr().out)
    simulation, total = result["simulation"], result["synthesis"]["total"]
    assert simulation["equal"]
    assert sum(simulation["images"].values()) >= 16
    assert simulation["interval_cycles"] == 33 * 33
    assert total["lut"] <= 9000
    assert total["ff"] <= 24288 // 3
    assert total["dsp"] == 0


@pytest.mark.parametrize("name", ["nonresnet8-cifar10", "resnet8-cifar10", "shortresnet8-cifar10"])
def test_a_whole_network_runs_as_predicted(name: str, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    figures = stage.run_simulation(place.recipe(name), place, stage.RtlConfig(), least=True).figures
    assert figures["equal"]
    predicted = figures["predicted"]
    for key in ("first_output_cycles", "latency_cycles", "interval_cycles"):
        assert figures[key] == predicted[key]
    assert {use["stream"]: use["high_water"] for use in figures["fifos"]} == predicted["high_water"]
    assert all(least["depth"] == least["predicted"] for least in figures["least_depths"])
