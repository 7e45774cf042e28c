"""What torch.export writes is read without PyTorch: archives as it writes them, and hostile ones."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nonresnet_hls as nr
from nonresnet_hls import cli
from nonresnet_hls.emulation import Emulator
from nonresnet_hls.errors import NonResNetError
from nonresnet_hls.formats import onnx_executor, onnx_lowering, pt2, pt2_onnx
from nonresnet_hls.hls import network
from nonresnet_hls.pipeline import taken
from nonresnet_hls.recipe import Hls

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Archive:
    """A program as torch.export.save lays it down."""

    def __init__(self, *shape: Any, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        sizes = [{"as_int": one} if isinstance(one, int) else {"as_expr": {"expr_str": one}} for one in shape]
        self.source = {"x": {"dtype": 7, "sizes": sizes}}
        self.config: dict[str, Any] = {}
        self.entries: dict[str, bytes] = {}

    def parameter(self, name: str, *shape: int, most: int = 8) -> str:
        self.weights[name] = (self.rng.integers(-most, most + 1, shape) / 16).astype(np.float32)
        return name

    def call(self, target: str, output: str, /, **arguments: Any) -> str:
        inputs = [{"name": key, "arg": argument(value), "kind": 1} for key, value in arguments.items()]
        outputs = [{"as_tensor": {"name": output}}]
        self.nodes.append({"target": f"torch.ops.aten.{target}", "name": output, "inputs": inputs, "outputs": outputs})
        return output

    def rounded(self, x: str, output: str, scale: float, low: int, high: int) -> str:
        numbers = {"scale": scale, "zero_point": 0, "quant_min": low, "quant_max": high}
        return self.call("fake_quantize_per_tensor_affine.default", output, self=x, **numbers)

    def conv(self, x: str, output: str, before: int, after: int, size: int = 3, **options: Any) -> str:
        given = {"weight": self.parameter(f"{output}_w", after, before, size, size)}
        given |= {"bias": self.parameter(f"{output}_b", after)}
        sizes = {"stride": [1, 1], "padding": [size // 2, size // 2]} | options
        return self.call("conv2d.default", output, input=x, **given, **sizes)

    def content(self, output: str, change: Callable[[Any], None] = lambda _: None) -> bytes:
        specs: list[Any] = [
            {"parameter": {"arg": {"name": name}, "parameter_name": f"net.{name}"}} for name in self.weights
        ]
        specs.append({"user_input": {"arg": {"as_tensor": {"name": "x"}}}})
        results = [{"user_output": {"arg": {"as_tensor": {"name": output}}}}]
        graph = {"nodes": self.nodes, "tensor_values": self.source}
        module = {"graph": graph, "signature": {"input_specs": specs, "output_specs": results}}
        for number, (name, values) in enumerate(self.weights.items()):
            strides = [{"as_int": one // values.itemsize} for one in values.strides]
            meta = {"dtype": 7, "sizes": [{"as_int": one} for one in values.shape], "strides": strides}
            meta |= {"storage_offset": {"as_int": 0}}
            entry = {"path_name": f"weight_{number}", "use_pickle": False, "tensor_meta": meta}
            self.config[f"net.{name}"] = entry
            self.entries[f"data/weights/weight_{number}"] = values.tobytes()
        self.model = {"graph_module": module}
        change(self)
        self.entries |= {
            "models/model.json": json.dumps(self.model).encode(),
            "data/weights/model_weights_config.json": json.dumps({"config": self.config}).encode(),
            "byteorder": b"little",
        }
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name, content in self.entries.items():
                archive.writestr(f"mine/{name}", content)
        return stream.getvalue()


def argument(value: Any) -> dict[str, Any]:
    """As the file says what it is."""
    if isinstance(value, str):
        return {"as_tensor": {"name": value}}
    if isinstance(value, bool):
        return {"as_bool": value}
    if isinstance(value, int):
        return {"as_int": value}
    if isinstance(value, float):
        return {"as_float": value}
    if isinstance(value, tuple):
        return {"as_tensors": [{"name": one} for one in value]}
    if isinstance(value, list):
        return {"as_ints": value} if all(isinstance(one, int) for one in value) else {"as_sym_ints": value}
    return {"as_none": True}


def block(*shape: Any) -> Archive:
    """A residual block with its skip from the network's input, and a classifier."""
    made = Archive(*(shape or (1, 2, 4, 4)))
    x = made.rounded("x", "quantized", 2.0**-4, -32, 31)
    y = made.rounded(made.call("relu.default", "relu", self=made.conv(x, "first", 2, 2)), "between", 0.125, 0, 15)
    total = made.call("add.Tensor", "total", self=made.conv(y, "second", 2, 2), other=x)
    x = made.rounded(made.call("relu_.default", "last", self=total), "rounded", 0.125, 0, 15)
    x = made.call("max_pool2d.default", "pooled", self=x, kernel_size=[2, 2])
    flat = made.call("flatten.using_ints", "flat", self=x, start_dim=1)
    weights = {"weight": made.parameter("w", 3, 8), "bias": made.parameter("b", 3)}
    made.call("linear.default", "logits", input=flat, **weights)
    return made


def both(content: bytes, x: Any, folder: Path) -> tuple[Any, Any]:
    """What hardware gives, and qonnx's executor on the graph as ONNX."""
    path = folder / "mine.pt2"
    path.write_bytes(content)
    found = taken.take(path, Hls(), folder / "project")
    hardware = Emulator(network.of_graph(found.graph))(np.asarray(found.arranged(x), np.float64))
    wanted = onnx_executor.execute(pt2_onnx.to_onnx(pt2.load(path), str(path)), x)
    wanted = np.moveaxis(wanted, 1, -1) if wanted.ndim == 4 else wanted
    return np.asarray(hardware).reshape(len(x), -1), wanted.reshape(len(x), -1)


def test_a_residual_block_becomes_a_design(tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(-3, 3, (32, 2, 4, 4)).astype(np.float32)
    hardware, wanted = both(block().content("logits"), x, tmp_path)
    assert (hardware == wanted).all()
    assert len(np.unique(wanted)) > 20
    sized = nr.fifos(tmp_path / "mine.pt2")
    assert sized.report.after.bits < sized.report.before.bits
    assert nr.emulate(tmp_path / "mine.pt2", inputs=x).outputs.tolist() == wanted.tolist()


def any_batch(made: Archive, x: str) -> str:
    name = {"as_name": "batch"}
    outputs, inputs = (
        [{"as_sym_int": name}],
        [{"name": "self", "arg": argument(x)}, {"name": "dim", "arg": argument(0)}],
    )
    size = {"target": "torch.ops.aten.sym_size.int", "name": "batch", "inputs": inputs, "outputs": outputs}
    made.nodes.append(size)
    flat = made.call("view.default", "flat", self=x, size=[name, {"as_int": -1}])
    return made.call("linear.default", "y", input=flat, weight=made.parameter("w", 3, 32))


def mean(made: Archive, x: str) -> str:
    pooled = made.call("mean.dim", "mean", self=x, dim=[-1, -2])
    return made.call("linear.default", "y", input=pooled, weight=made.parameter("w", 3, 2))


def adaptive(made: Archive, x: str) -> str:
    pooled = made.call("adaptive_avg_pool2d.default", "pooled", self=x, output_size=[1, 1])
    flat = made.call("flatten.using_ints", "flat", self=pooled, start_dim=1)
    return made.call("linear.default", "y", input=flat, weight=made.parameter("w", 3, 2))


KINDS: dict[str, Callable[[Archive, str], str]] = {
    "stride": lambda made, x: made.conv(x, "y", 2, 3, stride=[2, 2]),
    "depthwise": lambda made, x: made.call(
        "conv2d.default", "y", input=x, weight=made.parameter("w", 2, 1, 3, 3), padding=[1, 1], groups=2
    ),
    "numbers": lambda made, x: made.call(
        "add.Tensor", "y", self=made.call("mul.Tensor", "times", self=x, other=0.5), other=1.25
    ),
    "concatenation": lambda made, x: made.call("cat.default", "y", tensors=(made.conv(x, "c", 2, 3), x), dim=1),
    "mean of a window": lambda made, x: made.call("avg_pool2d.default", "y", self=x, kernel_size=[2, 2]),
    "mean of all": mean,
    "pool of any size": adaptive,
    "any batch": any_batch,
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_computed_as_onnx_says(kind: str, tmp_path: Path) -> None:
    made = Archive("s0" if kind == "any batch" else 1, 2, 4, 4)
    output = KINDS[kind](made, made.rounded("x", "quantized", 0.125, -32, 31))
    x = np.random.default_rng(1).uniform(-5, 5, (16, 2, 4, 4)).astype(np.float32)
    hardware, wanted = both(made.content(output), x, tmp_path)
    assert (hardware == wanted).all()
    assert np.abs(wanted).max() > 0


def entry(archive: Archive) -> Any:
    return archive.config["net.first_w"]


def other_target(archive: Archive) -> None:
    archive.nodes[1]["target"] = "os.system"


def unknown(archive: Archive) -> None:
    archive.nodes[1]["target"] = "torch.ops.aten.gelu.default"


def dilated(archive: Archive) -> None:
    archive.nodes[1]["inputs"].append({"name": "dilation", "arg": {"as_ints": [2, 2]}})


def path_name(archive: Archive) -> None:
    entry(archive)["path_name"] = "../../../etc/passwd"


def fewer(archive: Archive) -> None:
    archive.entries["data/weights/weight_0"] = b"1234"


def moved(archive: Archive) -> None:
    entry(archive)["tensor_meta"]["strides"][0]["as_int"] = 1


def code(archive: Archive) -> None:
    archive.source["x"]["sizes"][2] = {"as_expr": {"expr_str": "__import__('os').system('true')"}}


def bomb(archive: Archive) -> None:
    archive.source["x"]["sizes"][2] = {"as_int": 1 << 40}


def in_training(archive: Archive) -> None:
    call = {
        "input": "first",
        "weight": "first_b",
        "bias": "first_b",
        "running_mean": "first_b",
        "running_var": "first_b",
    }
    archive.call("batch_norm.default", "normal", **call, training=True, eps=0.1)
    archive.nodes.insert(2, archive.nodes.pop())


REFUSED: dict[str, tuple[Callable[[Archive], None], str]] = {
    "target": (other_target, "node 'first': an operator of ATen wanted, not 'os.system'"),
    "unknown": (unknown, "node 'first': an operator that hls4ml has a layer for wanted (adaptive_avg_pool2d, "),
    "dilations": (dilated, "node 'first': dilations 1 wanted: hls4ml drops them without a word"),
    "pickle": (
        lambda archive: entry(archive).update(use_pickle=True),
        "'net.first_w': plain float32 wanted, not a pickle",
    ),
    "path": (path_name, "weights 'net.first_w': '../../../etc/passwd' in the archive wanted, it is not there"),
    "fewer": (fewer, "weights 'net.first_w': [2, 2, 3, 3] numbers wanted, not 4 bytes"),
    "moved": (moved, "weights 'net.first_w': weights in the order of their sizes wanted"),
    "code": (code, "an input of fixed sizes but for the batch wanted"),
    "bomb": (bomb, "an input of 1 to 2147483647 a side wanted, not 1099511627776"),
    "no argument": (
        lambda archive: archive.nodes[1]["inputs"].pop(0),
        "node 'first': arguments as PyTorch's export writes them wanted",
    ),
    "no name": (
        lambda archive: archive.model["graph_module"]["signature"]["input_specs"][-1]["user_input"]["arg"].update(
            as_tensor={"name": {}}
        ),
        "a name wanted, not {}",
    ),
    "training": (in_training, "node 'normal': training False wanted: call model.eval() before the export"),
    "missing": (lambda archive: archive.config.pop("net.w"), "weights 'net.w': there are none in the file"),
    "no graph": (lambda archive: archive.model.clear(), "a file as torch.export.save of PyTorch 2.9 writes it wanted"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_a_file_asks_for_is_refused(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, said = REFUSED[kind]
    path = tmp_path / "mine.pt2"
    path.write_bytes(block().content("logits", change))
    assert cli.main(["fifos", str(path)]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert str(path) in told


def test_pickles_are_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("model.pt", "model.pth"):
        (tmp_path / name).write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
        assert cli.main(["emulate", str(tmp_path / name)]) == 2
        assert "a file of torch.export wanted, not a pickle, which would run what it brings" in capsys.readouterr().err
    (tmp_path / "old.pt2").write_bytes(b"PK")
    assert cli.main(["emulate", str(tmp_path / "old.pt2")]) == 2
    assert "old.pt2: a file" in capsys.readouterr().err


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_taken(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    content = bytearray(_CONTENT)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))] if data.draw(st.booleans()) else content
    path = tmp_path_factory.mktemp("damaged") / "mine.pt2"
    path.write_bytes(content)
    try:
        onnx_lowering.lower(pt2_onnx.to_onnx(pt2.load(path), str(path)), str(path))
    except NonResNetError as error:
        said = str(error)
    else:
        return
    assert str(path) in said
    assert "\n" not in said


_CONTENT = block().content("logits")
