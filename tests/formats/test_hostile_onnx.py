"""ONNX files of others are refused in one line before anything is loaded that they ask for."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from nonresnet_hls import cli
from nonresnet_hls.emulation import Emulator
from nonresnet_hls.errors import NonResNetError
from nonresnet_hls.formats import onnx_files, onnx_lowering
from nonresnet_hls.hls import network
from nonresnet_hls.pipeline import taken
from nonresnet_hls.recipe import Hls
from tests.formats.onnx_nets import Net, residual, saved

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def outside(model: Any, location: str, **more: str) -> None:
    """Weights in another file."""
    tensor = model.graph.initializer[-1]
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "length": str(size), **more}.items():
        tensor.external_data.add(key=key, value=value)


def huge(model: Any) -> None:
    del model.graph.initializer[-1].dims[:]
    model.graph.initializer[-1].dims.extend([1 << 40, 5])


def short(model: Any) -> None:
    model.graph.initializer[-1].raw_data = b"1234"


def negative(model: Any) -> None:
    model.graph.initializer[-1].dims[0] = -5


def text(model: Any) -> None:
    model.graph.initializer[-1].CopyFrom(helper.make_tensor("words", TensorProto.STRING, [1], [b"word"]))


def strange(model: Any) -> None:
    model.graph.node[3].domain = "com.evil"


def function(model: Any) -> None:
    made = helper.make_function("com.evil", "Run", ["a"], ["b"], [], [helper.make_opsetid("", 13)])
    model.functions.append(made)


def branch(model: Any) -> None:
    inner = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "inner", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=inner, else_branch=inner, name="branch"))


def huge_image(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 1 << 30


def no_size(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"


def batch(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 32


def huge_pads(model: Any) -> None:
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    next(one for one in conv.attribute if one.name == "pads").ints[:] = [60000] * 4


def opset(model: Any) -> None:
    model.opset_import[0].version = 1 << 40


def expanding(model: Any) -> None:
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1 << 20, 1 << 20]), "much"))
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["much"], ["zeros"], name="bomb"))


def endless(model: Any) -> None:
    tensor = next(one for one in model.graph.initializer if one.name == "fc.bias")
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.array([1, 2, np.inf, 3, 4], np.float32), tensor.name))


def circle(model: Any) -> None:
    model.graph.node[1].input[0] = model.graph.node[-1].output[0]


HOSTILE: dict[str, tuple[Callable[[Any], None], str]] = {
    "absolute": (lambda model: outside(model, "/etc/passwd"), "weights in a file of its own folder wanted"),
    "parent": (lambda model: outside(model, "../secret.bin"), "weights in a file of its own folder wanted"),
    "parent within": (lambda model: outside(model, "a/../../b"), "weights in a file of its own folder wanted"),
    "no location": (lambda model: outside(model, ""), "weights in a file of its own folder wanted"),
    "link": (lambda model: outside(model, "link.bin"), "not behind the link 'link.bin'"),
    "pipe": (lambda model: outside(model, "pipe"), "a file wanted, not a folder, pipe or device"),
    "nowhere": (lambda model: outside(model, "nowhere.bin"), "'nowhere.bin': No such file"),
    "offset": (lambda model: outside(model, "good.bin", offset="999999"), "bytes in 'good.bin' wanted, not fewer"),
    "sign": (lambda model: outside(model, "good.bin", offset="-4"), "bytes at an offset wanted"),
    "huge": (huge, "a shape of at most 67108864 numbers wanted"),
    "short": (short, "5 numbers of (5,) wanted, not 1"),
    "negative": (negative, "a shape of at most"),
    "text": (text, "numbers wanted, not type 8 of ONNX"),
    "domain": (strange, "of 'com.evil'"),
    "function": (function, "no functions of a file"),
    "branch": (branch, "no graph within a node wanted"),
    "huge image": (huge_image, "input 'x': a batch of a fixed shape of 1 to 3 sizes, 67108864 numbers at most, wanted"),
    "image of no size": (no_size, "input 'x': a batch of a fixed shape"),
    "batch": (batch, "input 'x': a batch of 1 or of any size wanted, not 32"),
    "huge pads": (huge_pads, "an output of 1 to 67108864 numbers wanted"),
    "opset": (opset, "one opset of ONNX from 9 to 23 wanted"),
    "bomb": (expanding, "node 'bomb': an operator that hls4ml has a layer for wanted"),
    "infinity": (endless, "tensor 'fc.bias': finite numbers wanted"),
    "circle": (circle, "nodes in the order of their work wanted"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_a_file_asks_for_is_refused(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import os

    folder = tmp_path / "models"
    folder.mkdir()
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(1000))
    (folder / "link.bin").symlink_to(secret)
    (folder / "good.bin").write_bytes(bytes(100))
    os.mkfifo(folder / "pipe")
    change, said = HOSTILE[kind]
    model = residual().model("logits", 5)
    change(model)
    path = folder / "mine.onnx"
    path.write_bytes(model.SerializeToString())
    began = time.perf_counter()
    assert cli.main(["fifos", str(path)]) == 2
    assert time.perf_counter() - began < 5
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert str(path) in told


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    net = Net(2, 4, 4)
    net.conv(net.quant("x", "quantized", 0.125, 6), "y", 2, 3)
    model = net.model("y", 3, 4, 4)
    x = net.samples(4, most=2.0)
    wanted = outputs(model, x, tmp_path / "one")
    tensor = next(one for one in model.graph.initializer if one.name == "y.weight.values")
    (tmp_path / "weights.bin").write_bytes(b"head" + tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    tensor.external_data.add(key="offset", value="4")
    (tmp_path / "mine.onnx").write_bytes(model.SerializeToString())
    assert (outputs(tmp_path / "mine.onnx", x, tmp_path / "two") == wanted).all()
    # A model in memory has no folder.
    with pytest.raises(NonResNetError, match="weights within the model wanted, not in another file"):
        onnx_files.check(model, "model")


def outputs(model: Any, x: Any, folder: Path) -> Any:
    found = taken.take(model, Hls(), folder)
    return np.asarray(Emulator(network.of_graph(found.graph))(np.asarray(found.arranged(x), np.float64)))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_taken(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    content = bytearray(_CONTENT)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))] if data.draw(st.booleans()) else content
    path = tmp_path_factory.mktemp("damaged") / "mine.onnx"
    path.write_bytes(content)
    try:
        onnx_lowering.lower(onnx_files.load(path), str(path))
    except NonResNetError as error:
        said = str(error)
    else:
        return
    assert str(path) in said
    assert "\n" not in said


_CONTENT = residual(4).model("logits", 5).SerializeToString()


def test_no_file_and_no_onnx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content, said in ((b"", "there is no node or no output"), (b"\x89PNG\r\n", "an ONNX file wanted")):
        (tmp_path / "mine.onnx").write_bytes(content)
        assert cli.main(["emulate", str(tmp_path / "mine.onnx")]) == 2
        assert said in capsys.readouterr().err
    assert cli.main(["emulate", str(tmp_path / "nowhere.onnx")]) == 2
    assert "nowhere.onnx: an ONNX file wanted: No such file" in capsys.readouterr().err
    assert saved(residual(), tmp_path / "good.onnx").is_file()
