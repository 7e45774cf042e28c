"""The stage `emulate`, projects as they lie on disk, and C simulation in several processes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import nonresnet_hls as nr
from nonresnet_hls import cli
from nonresnet_hls.emulation import Emulator
from nonresnet_hls.emulation.emulator import EmulationError
from nonresnet_hls.errors import ConversionError, ToolError
from nonresnet_hls.fixed.network import Matrix, Network, Stream
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls import network
from nonresnet_hls.hls.simulate import Simulation

PROJECT = Path("hls_projects/tiny")


def test_a_whole_test_set_is_emulated_compared_and_told(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["emulate", "tiny", "--proof"]) == 0
    told = capsys.readouterr().out
    assert "top-1 of the hardware" in told
    assert ", equal, 0 predictions differ; compared with: Keras" in told
    figures = json.loads((tiny / "models" / "tiny" / "emulate" / "stage.json").read_text())["figures"]
    assert (figures["different"], figures["different_predictions"]) == (0, 0)
    assert {row["arithmetic"] for row in figures["layers"]} == {"float32"}
    again = nr.emulate("tiny")
    assert not again.fresh
    assert cli.main(["emulate", "tiny", "--samples", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 5


def test_table1_tells_the_top1_of_the_hardware(tiny: Path) -> None:
    nr.emulate("tiny")
    (row,) = nr.table1(["tiny"]).to_dict("records")
    assert row["top1_percent_8_bit"] is None  # the recipe is of 4 bits
    assert "hardware_top1_percent_8_bit" in row


def test_a_project_alone_is_emulated_as_its_cpp_runs(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emulator = Emulator(network.of_project(PROJECT))
    inputs = np.random.default_rng(0).uniform(0, 0.99, (20, 4, 4, 2))
    with Simulation(PROJECT) as simulation:
        assert (emulator(inputs) == simulation.library(inputs, (3,))).all()
        assert (simulation.library(inputs, (3,), jobs=3) == simulation.library(inputs, (3,))).all()
        assert (simulation.bench(inputs, np.zeros((20, 3)), jobs=3) == simulation.library(inputs, (3,))).all()
    np.save("x.npy", inputs)
    assert cli.main(["emulate", str(PROJECT), "--inputs", "x.npy", "--outputs", "y.npy"]) == 0
    assert (np.load("y.npy") == emulator(inputs)).all()
    assert "20 samples (x.npy) in " in capsys.readouterr().out
    np.savez("x", x=inputs)
    Path("x.npz").rename("x.npy")
    assert cli.main(["emulate", str(PROJECT), "--inputs", "x.npy"]) == 2
    assert "x.npy: a .npy file of numbers wanted: " in capsys.readouterr().err


def test_outputs_of_a_recipe_are_those_of_its_test_data(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = np.load("models/tiny-data.npz")["x"][4::5]
    wanted = Emulator(network.of_project(PROJECT))(samples)
    for count in ([], ["--samples", "3"]):
        assert cli.main(["emulate", "tiny", "--outputs", "y.npy", "--json", *count]) == 0
        figures = json.loads(capsys.readouterr().out)
        assert ("top1" in figures, figures["different"]) == (not count, 0)
        found = np.load("y.npy")
        assert (found == wanted[: len(found)]).all()
        assert len(found) == figures["samples"] == (3 if count else len(samples))


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [
        (np.zeros((2, 5)), r"samples of 32 numbers \(16 x 2\) wanted, not an array \(2, 5\)"),
        (np.zeros((0, 32)), "samples of 32 numbers"),
        (np.zeros((2, 2, 4, 4)), r"samples of 32 numbers \(16 x 2\) wanted, not an array \(2, 2, 4, 4\)"),
        (np.full((2, 32), np.nan), "finite numbers wanted, sample 0 has others"),
        (np.full((2, 32), 1e9), "numbers of .* wanted, sample 0 has 1000000000.0"),
        (np.array(["a"]), "samples of 32 numbers"),
        ([np.zeros((2, 32))] * 2, "1 inputs wanted, not 2"),
    ],
)
def test_inputs_that_cannot_be_taken_are_told_in_one_line(tiny: Path, inputs: object, wanted: str) -> None:
    with pytest.raises(EmulationError, match=wanted) as refused:
        Emulator(network.of_project(PROJECT))(inputs)
    assert "\n" not in str(refused.value)


def _weights() -> Path:
    return next((PROJECT / "firmware" / "weights").glob("w*.txt"))


def test_weights_that_are_gone_or_were_changed_are_told(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _weights()
    text = path.read_text()
    path.write_text(text.replace(text.split(",")[0], "0.125", 1) if not text.startswith("0.125") else "0.25" + text[5:])
    with pytest.raises(ConversionError, match=r"other numbers than in w\d+\.txt: one of them was changed"):
        network.of_project(PROJECT)
    assert cli.main(["emulate", str(PROJECT)]) == 2
    path.unlink()
    with pytest.raises(ConversionError, match=r"w\d+\.txt: cannot be read"):
        network.of_project(PROJECT)
    assert len(capsys.readouterr().err.strip().split("\n")) == 1


@pytest.mark.parametrize(
    ("file", "before", "after", "wanted"),
    [
        ("firmware/myproject.cpp", "nnet::relu", "nnet::gelu", "no exact arithmetic of nnet::gelu is known"),
        ("firmware/myproject.cpp", "    nnet::", "    // nnet::", "calls of layers .* wanted"),
        ("firmware/myproject.cpp", "    nnet::relu", "    // nnet::relu", "which no layer before it writes"),
        (
            "firmware/myproject.cpp",
            "    nnet::relu",
            "#if 0\n    nnet::relu",
            "no conditions in its C.. wanted, not '#if 0'",
        ),
        (
            "firmware/defines.h",
            "typedef",
            "#ifdef X\n#endif\ntypedef",
            "no conditions in its C.. wanted, not '#ifdef X'",
        ),
        ("firmware/defines.h", "ap_fixed<", "ac_fixed<", "ap_fixed or ap_int wanted, not 'ac_fixed"),
        (
            "hls4ml_config.yml",
            "Backend: Vivado",
            "Backend: Catapult",
            "Vivado or Vitis back end wanted, not 'Catapult'",
        ),
    ],
)
def test_what_is_not_known_is_named(tiny: Path, file: str, before: str, after: str, wanted: str) -> None:
    path = PROJECT / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(ConversionError, match=wanted):
        network.of_project(PROJECT)


def test_headers_of_another_hls4ml_are_told(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network.of_project(PROJECT)
    assert "nnet_utils" not in capsys.readouterr().err
    header = PROJECT / "firmware" / "nnet_utils" / "nnet_activation.h"
    header.write_text(header.read_text().replace("\n", "\r\n"))
    (PROJECT / "firmware" / "nnet_utils" / "nnet_code_gen.h").write_text("// of this project\n")
    network.of_project(PROJECT)
    assert "nnet_utils" not in capsys.readouterr().err
    header.write_text(header.read_text() + "// another\n")
    network.of_project(PROJECT)
    told = capsys.readouterr().err
    assert "firmware/nnet_utils: not as hls4ml 1.3.0 has them, whose arithmetic is known: nnet_activation.h; " in told


def test_a_project_without_its_configuration_is_read_too(tiny: Path) -> None:
    wanted = network.of_project(PROJECT)
    (PROJECT / "hls4ml_config.yml").unlink()
    assert network.of_project(PROJECT).streams == wanted.streams


@pytest.mark.parametrize("jobs", [2, pytest.param(12, marks=pytest.mark.nightly)])
def test_a_process_that_ends_names_its_image(tiny: Path, jobs: int) -> None:
    copy = tiny / "copy"
    shutil.copytree(PROJECT, copy)
    bridge = copy / "myproject_bridge.cpp"
    text = bridge.read_text()
    head, tail = text.split("void myproject_double(", 1)
    opened = tail.index("{") + 1
    image = tail[:opened].partition("double *")[2].partition(",")[0]
    crash = f'\n    if ({image}[0] == 0.5) {{ fprintf(stderr, "broken\\n"); abort(); }}\n'
    start = f"#include <cstdio>\n#include <cstdlib>\n{head}void myproject_double("
    bridge.write_text(start + tail[:opened] + crash + tail[opened:])
    inputs = np.zeros((10, 4, 4, 2))
    inputs[3, 0, 0, 0] = 0.5
    wanted = "image 3: the process ended with signal 6: broken"
    with Simulation(copy) as simulation, pytest.raises(ToolError, match=wanted):
        simulation.library(inputs, (3,), jobs)


@pytest.mark.parametrize(("largest", "arithmetic"), [((1 << 24) - 1, "float32"), (1 << 24, "float64")])
def test_float32_is_taken_up_to_the_last_bit_that_it_holds(largest: int, arithmetic: str) -> None:
    """One output that can reach `largest`, and no more."""
    kind, result = FixedPointType(1, 1, signed=False), FixedPointType(40, 40)
    streams = {"x": Stream("x", 2, 1, kind, 1), "y": Stream("y", 1, 1, result, 1)}
    kernel = np.array([[largest - 1], [1]], dtype=np.int64)
    layer = Matrix("sum", ("x",), ("y",), None, kernel, 30, 0, False, (), 0, 1)
    emulator = Emulator(Network("edge", streams, (layer,), ("x",), ("y",)))
    assert [str(row.arithmetic) for row in emulator.proof] == [arithmetic]
    found = emulator(np.array([[0, 0], [1, 0], [0, 1], [1, 1]]))
    assert found.ravel().tolist() == [0, largest - 1, 1, largest]
