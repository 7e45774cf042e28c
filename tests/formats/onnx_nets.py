"""ONNX and QONNX graphs as other tools write them, made by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GENERAL = "qonnx.custom_op.general"


class Net:
    """A graph so far."""

    def __init__(self, *shape: int, seed: int = 0) -> None:
        self.shape, self.rng = shape, np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def constant(self, name: str, values: Any, kind: Any = np.float32) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(
            helper.make_node(kind, inputs, [output], name=f"/{output}/{kind}", domain=domain, **attributes)
        )
        return output

    def quant(self, x: str, output: str, scale: Any = 0.25, bits: float = 4, zero: float = 0.0, **options: Any) -> str:
        given = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} | options
        parameters = {"scale": scale, "zero": zero, "bits": bits}
        names = [self.constant(f"{output}.{key}", value) for key, value in parameters.items()]
        return self.node("Quant", [x, *names], output, GENERAL, **given)

    def weights(self, name: str, *shape: int, scale: Any = 0.125, bits: float = 4, **options: Any) -> str:
        values = self.constant(f"{name}.values", self.rng.normal(0, 0.4, shape))
        return self.quant(values, name, scale, bits, narrow=1, **options)

    def conv(self, x: str, output: str, before: int, after: int, size: int = 3, stride: int = 1, **options: Any) -> str:
        """As Brevitas writes it: narrow weights, a bias of the products' scale."""
        bias = options.pop("bias", True)
        shape = (after, before // options.get("group", 1), size, size)
        inputs = [x, self.weights(f"{output}.weight", *shape, scale=options.pop("scale", 0.125))]
        if bias:
            inputs.append(self.constant(f"{output}.bias", np.ldexp(self.rng.integers(-8, 8, after), -5)))
        sizes = {"kernel_shape": [size, size], "strides": [stride, stride], "dilations": [1, 1], "group": 1}
        given = sizes | {"pads": [size // 2] * 4} | options
        return self.node("Conv", inputs, output, **{key: value for key, value in given.items() if value is not None})

    def relu(self, x: str, output: str) -> str:
        return self.quant(self.node("Relu", [x], f"{output}.relu"), output, signed=0)

    def model(self, output: str, *shape: Any) -> Any:
        ends = (("x", ["N", *self.shape]), (output, ["N", *shape]))
        x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name, sizes in ends)
        graph = helper.make_graph(self.nodes, "made by hand", [x], [y], self.initializers)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(GENERAL, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def samples(self, count: int = 16, most: float = 3.0) -> Any:
        return self.rng.uniform(-most, most, (count, *self.shape)).astype(np.float32)


def residual(size: int = 6) -> Net:
    """A residual block as Brevitas exports it: quantizers before the sum, a pool, `x.view(N, -1)` and a dense layer."""
    net = Net(3, size, size)
    x = net.relu(net.conv(net.quant("x", "quantized", 0.0625, 8), "stem", 3, 4), "first")
    y = net.conv(net.relu(net.conv(x, "a", 4, 4, bias=False, scale=_powers(4)), "between"), "b", 4, 4)
    joined = net.node("Add", [net.quant(y, "left", bits=6), net.quant(x, "right", bits=6)], "add")
    x = net.node("MaxPool", [net.relu(joined, "last")], "pool", kernel_shape=[2, 2], strides=[2, 2])
    net.node("Shape", [x], "sizes")
    net.node("Gather", ["sizes", net.constant("first size", 0, np.int64)], "samples", axis=0)
    net.node("Unsqueeze", ["samples", net.constant("axes", [0], np.int64)], "one size")
    net.node("Concat", ["one size", net.constant("rest", [-1], np.int64)], "target", axis=0)
    x = net.node("Reshape", [x, "target"], "flat")
    inputs = [x, net.weights("fc.weight", 5, size * size), net.constant("fc.bias", [0.5, -0.25, 0, 0.125, 1])]
    net.node("Gemm", inputs, "logits", transB=1)
    return net


def _powers(channels: int) -> Any:
    """Scales of Brevitas for each output channel."""
    return np.ldexp(1.0, -np.arange(channels) % 3 - 2).reshape(channels, 1, 1, 1)


def saved(net: Net, path: Path, output: str = "logits", *shape: Any) -> Path:
    onnx.save(net.model(output, *(shape or (5,))), path)
    return path
