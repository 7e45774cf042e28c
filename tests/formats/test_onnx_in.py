"""ONNX and QONNX files become designs that compute what qonnx's own executor computes, in every bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nonresnet_hls as nr
from nonresnet_hls import cli
from nonresnet_hls.emulation import Emulator
from nonresnet_hls.errors import DatasetError, ModelError, NonResNetError
from nonresnet_hls.hls import network
from nonresnet_hls.pipeline import taken
from nonresnet_hls.recipe import Hls
from nonresnet_hls.rtl import flow
from tests.formats.onnx_nets import GENERAL, Net, residual, saved

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def both(model: Any, x: Any, folder: Path) -> tuple[Any, Any, taken.Taken]:
    """What hardware and qonnx's executor give."""
    found = taken.take(model, Hls(), folder / "project")
    given = np.asarray(found.arranged(x), np.float32)
    hardware = np.asarray(Emulator(network.of_graph(found.graph))(given.astype(np.float64)))
    assert found.reference is not None
    return hardware.reshape(len(x), -1), found.reference.run(given), found


def quantized(net: Net, *rest: Any) -> str:
    return net.quant("x", "quantized", 0.125, 6)


def flat_dense(net: Net, x: str) -> str:
    flat = net.node("Flatten", [x], "flat", axis=1)
    return net.node("MatMul", [flat, net.weights("dense", 32, 3)], "y")


def reduced(net: Net, x: str) -> str:
    mean = net.node("ReduceMean", [x], "mean", axes=[2, 3], keepdims=0)
    return net.node("MatMul", [mean, net.weights("dense", 2, 3)], "y")


def normalized(net: Net, x: str) -> str:
    names = [net.constant(key, values) for key, values in (("g", [0.5, 1.5]), ("o", [0.25, 0]), ("m", [0, 1]))]
    return net.node("BatchNormalization", [x, *names, net.constant("v", [1.0, 1.0])], "y", epsilon=0.0)


def binary(net: Net, x: str) -> str:
    weights = net.constant("w", net.rng.normal(size=(3, 2, 3, 3)))
    weights = net.node("BipolarQuant", [weights, net.constant("s", 0.5)], "signs", GENERAL)
    return net.node("Conv", [x, weights], "y", pads=[1, 1, 1, 1])


def channels_last(net: Net, x: str) -> str:
    last = net.node("Transpose", [x], "last", perm=[0, 2, 3, 1])
    flat = net.node("Reshape", [last, net.constant("target", [1, -1], np.int64)], "flat")
    return net.node("MatMul", [flat, net.weights("dense", 32, 3)], "y")


KINDS: dict[str, tuple[Callable[[Net, str], str], tuple[int, ...]]] = {
    "convolution": (lambda net, x: net.conv(x, "y", 2, 3), (3, 4, 4)),
    "stride": (lambda net, x: net.conv(x, "y", 2, 3, stride=2), (3, 2, 2)),
    "uneven pads": (lambda net, x: net.conv(x, "y", 2, 3, pads=[0, 1, 1, 0]), (3, 3, 3)),
    "auto pad": (lambda net, x: net.conv(x, "y", 2, 3, pads=None, auto_pad="SAME_LOWER", stride=2), (3, 2, 2)),
    "depthwise": (lambda net, x: net.conv(x, "y", 2, 2, group=2), (2, 4, 4)),
    "bias by a sum": (
        lambda net, x: net.node(
            "Add", [net.conv(x, "c", 2, 3, bias=False), net.constant("o", np.reshape([1, 0.5, -2], (3, 1, 1)))], "y"
        ),
        (3, 4, 4),
    ),
    "factor and summand": (
        lambda net, x: net.node(
            "Sub", [net.constant("n", 1.0), net.node("Mul", [x, net.constant("f", [[[0.5]], [[3]]])], "m")], "y"
        ),
        (2, 4, 4),
    ),
    "division": (lambda net, x: net.node("Div", [x, net.constant("d", 4.0)], "y"), (2, 4, 4)),
    "batch norm": (normalized, (2, 4, 4)),
    "binary of another scale": (binary, (3, 4, 4)),
    "relu": (lambda net, x: net.node("Relu", [x], "y"), (2, 4, 4)),
    "quantizer that floors": (lambda net, x: net.quant(x, "y", 0.5, 3, rounding_mode="FLOOR"), (2, 4, 4)),
    "narrow quantizer": (lambda net, x: net.quant(x, "y", 0.5, 3, narrow=1), (2, 4, 4)),
    "skip from the input": (lambda net, x: net.node("Add", [net.conv(x, "c", 2, 2), x], "y"), (2, 4, 4)),
    "twice the same": (lambda net, x: net.node("Add", [x, x], "y"), (2, 4, 4)),
    "concatenation": (lambda net, x: net.node("Concat", [net.conv(x, "c", 2, 3), x], "y", axis=1), (5, 4, 4)),
    "greatest of a window": (
        lambda net, x: net.node("MaxPool", [x], "y", kernel_shape=[2, 2], strides=[2, 2]),
        (2, 2, 2),
    ),
    "mean of a window": (
        lambda net, x: net.node("AveragePool", [x], "y", kernel_shape=[2, 2], strides=[2, 2]),
        (2, 2, 2),
    ),
    "mean of all": (lambda net, x: reduced(net, x), (3,)),
    "flatten": (flat_dense, (3,)),
    "flatten, channels last": (channels_last, (3,)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_computed_as_the_executor_does(kind: str, tmp_path: Path) -> None:
    net = Net(2, 4, 4, seed=2)
    build, shape = KINDS[kind]
    build(net, quantized(net))
    x = net.samples(most=5.0)  # beyond the quantizer's end, too
    hardware, wanted, found = both(net.model("y", *shape), x, tmp_path)
    assert (hardware == wanted).all()
    assert wanted.shape[1] == np.prod(shape)
    assert np.abs(wanted).max() > 0
    assert not found.notes


def test_a_batch_norm_of_floating_point_keeps_24_bits_and_says_so(tmp_path: Path) -> None:
    net = Net(2, 4, 4)
    numbers = {"g": [0.7, 1.3], "o": [0.1, -0.2], "m": [0.3, 0.0], "v": [0.9, 1.7]}
    names = [net.constant(key, values) for key, values in numbers.items()]
    normal = net.node("BatchNormalization", [net.conv(quantized(net), "c", 2, 2, bias=False), *names], "n")
    net.relu(normal, "y")
    hardware, wanted, found = both(net.model("y", 2, 4, 4), net.samples(64), tmp_path)
    assert (hardware == wanted).all()
    assert found.notes == ("node 'n_BatchNormalization': factors and summands are floating point: 24 bits are kept",)


def test_a_block_as_brevitas_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = residual()
    hardware, wanted, _ = both(net.model("logits", 5), net.samples(32), tmp_path)
    assert (hardware == wanted).all()
    assert len(np.unique(wanted)) > 20
    path = saved(net, tmp_path / "block.onnx")
    sized = nr.fifos(path)
    assert sized.report.after.bits < sized.report.before.bits
    x = net.samples(8)
    last = nr.emulate(path, inputs=np.moveaxis(x, 1, -1)).outputs
    assert (nr.emulate(path, inputs=x).outputs == last).all()  # hardware's own order, too
    with pytest.raises(DatasetError, match=r"samples of shape \(3, 6, 6\), or \(6, 6, 3\), wanted, not \(6, 3, 6\)"):
        nr.emulate(path, inputs=np.moveaxis(x, 1, 2))
    # Where its executor is not at hand, the emulator is compared alone.
    monkeypatch.setattr("nonresnet_hls.formats.onnx_executor.is_installed", lambda: False)
    assert taken.take(path, Hls(), tmp_path / "other").reference is None


@pytest.mark.nightly
def test_csim_and_rtl_of_a_block(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = residual()
    path = saved(net, tmp_path / "block.onnx")
    np.savez(tmp_path / "x.npz", x=net.samples(16))
    assert cli.main(["csim", str(path), "--data", str(tmp_path / "x.npz")]) == 0
    assert f"{path}: C simulation, 80 values, equal" in capsys.readouterr().out
    assert cli.main(["fifos", str(path), "--prove"]) == 0
    assert "proof holds" in capsys.readouterr().out
    found = taken.take(path, Hls(), tmp_path / "project")
    given = found.arranged(net.samples(4))
    figures = flow.build(found.graph, tmp_path / "project", x=given, synth=False).simulation
    assert figures is not None
    assert figures.values_compared == 2 * 4 * 5


@pytest.mark.nightly
def test_synth_takes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = Net(2, 3, 3)
    net.relu(net.conv(net.quant("x", "quantized", 0.5, 3), "c", 2, 2), "y")
    path = saved(net, tmp_path / "one.onnx", "y", 2, 3, 3)
    assert cli.main(["synth", "--engine", "rtl", "--simulate", str(path)]) == 0
    said = capsys.readouterr().out
    assert "simulated: 144 values equal to the C simulation (4 images)" in said
    assert "for xc7" in said


def test_what_an_exported_recipe_computes_comes_back(tiny: Path) -> None:
    written = nr.export("tiny", tiny, output=tiny / "tiny.onnx").written.path
    quantized = nr.quantized_model("tiny", tiny)
    x = quantized.samples[:16]
    found = taken.take(written, Hls(), tiny / "project")
    hardware = np.asarray(Emulator(network.of_graph(found.graph))(np.asarray(x, np.float64)))
    wanted = np.asarray(quantized.model(x.astype(np.float32)))
    assert (hardware.reshape(wanted.shape) == wanted).all()


def dilated(net: Net) -> None:
    net.conv("x", "y", 2, 3, dilations=[2, 2])


def overlapping(net: Net) -> None:
    net.node("MaxPool", ["x"], "y", kernel_shape=[3, 3], strides=[2, 2])


def turned(net: Net) -> None:
    net.conv(net.node("Transpose", ["x"], "t", perm=[0, 1, 3, 2]), "y", 2, 3)


def unknown(net: Net) -> None:
    net.node("Erf", ["x"], "y")


def straight(net: Net) -> None:
    net.node("Identity", ["x"], "y")


def pool_up(net: Net) -> None:
    net.node("MaxPool", ["x"], "y", kernel_shape=[3, 3], strides=[3, 3], ceil_mode=1)


def images(net: Net) -> None:
    net.node("Reshape", ["x", net.constant("target", [1, 4, 2, 4], np.int64)], "y")


def two_computed(net: Net) -> None:
    net.node("Mul", [net.conv("x", "c", 2, 2), "x"], "y")


def not_there(net: Net) -> None:
    net.node("Relu", ["nowhere"], "y")


def twice(net: Net) -> None:
    net.node("Relu", ["x"], "x")


REFUSED: dict[str, tuple[Callable[[Net], Any], str]] = {
    "scale": (lambda net: net.quant("x", "y", 0.3), "node '/y/Quant': a scale that is a power of two wanted, not 0.3"),
    "scale of weights": (
        lambda net: net.node("Conv", ["x", net.weights("w", 3, 2, 3, 3, scale=0.1)], "y"),
        "node '/w/Quant': a scale that is a power of two wanted, not 0.1 (in Brevitas: restrict_scaling_type",
    ),
    "zero point": (lambda net: net.quant("x", "y", zero=3), "node '/y/Quant': a zero point of 0 wanted, not 3"),
    "bits": (lambda net: net.quant("x", "y", bits=3.5), "a whole number of 1 to 32 bits wanted, not [3.5]"),
    "one bit": (lambda net: net.quant("x", "y", bits=1), "a BipolarQuant for one bit with a sign wanted"),
    "rounding": (
        lambda net: net.quant("x", "y", rounding_mode="CEIL"),
        "rounding_mode ROUND or FLOOR wanted, not 'CEIL'",
    ),
    "scales": (
        lambda net: net.quant("x", "y", np.reshape([0.5, 0.25], (1, 2, 1, 1))),
        "one scale for a whole activation wanted",
    ),
    "dilations": (dilated, "node '/y/Conv': dilations 1 wanted: hls4ml drops them without a word"),
    "groups": (lambda net: net.conv("x", "y", 2, 4, group=2), "group 1, or 2 with as many filters, wanted"),
    "overlapping windows": (overlapping, "node '/y/MaxPool': strides (3, 3) as the window wanted, not (2, 2)"),
    "windows beyond the end": (pool_up, "node '/y/MaxPool': ceil_mode 0 wanted"),
    "turned": (turned, "node '/t/Transpose': perm (0, 2, 3, 1) wanted, not (0, 1, 3, 2)"),
    "unknown": (unknown, "node '/y/Erf': an operator that hls4ml has a layer for wanted (Add, "),
    "reshape": (images, "node '/y/Reshape': a flatten to (1, 32) wanted, not (1, 4, 2, 4)"),
    "product": (two_computed, "node '/y/Mul': a product with known numbers wanted, not of two computed tensors"),
    "no layer": (straight, "output 'y': a layer between input and output wanted, there is none"),
    "order": (not_there, "node '/y/Relu': nodes in the order of their work wanted, 'nowhere' is not there yet"),
    "one name": (twice, "tensor 'x': a name of its own for each tensor wanted"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_hls4ml_would_make_something_else_of_is_refused_by_node(kind: str) -> None:
    net = Net(2, 4, 4)
    build, said = REFUSED[kind]
    build(net)
    with pytest.raises(ModelError) as error:
        nr.fifos(net.model("y", 2, 4, 4))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_commands_that_want_keras_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(saved(residual(), tmp_path / "block.onnx"))
    assert cli.main(["explain", path]) == 2
    assert "block.onnx: a Keras model wanted here; csim, emulate, fifos and synth take" in capsys.readouterr().err
    assert cli.main(["csim", path]) == 2
    assert "block.onnx: data wanted beside it" in capsys.readouterr().err
    assert cli.main(["synth", "--engine", "vendor", path]) == 2
    assert "block.onnx: a recipe wanted for the vendor engine" in capsys.readouterr().err
    with pytest.raises(NonResNetError, match="a Keras model"):
        nr.make_recipe(path, np.zeros((4, 3, 6, 6)), tmp_path)
