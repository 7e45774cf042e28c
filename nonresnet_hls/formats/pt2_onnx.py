"""A program of PyTorch's export as an ONNX graph: each operator of ATen as the node of ONNX that computes the same."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from nonresnet_hls.errors import ModelError, shown
from nonresnet_hls.formats.onnx_values import QONNX
from nonresnet_hls.formats.pt2 import Call, Program, Tensor

OPSET = 13


def to_onnx(program: Program, where: str) -> Any:
    """The program as `onnx.ModelProto`, its nodes called as PyTorch calls them.

    Raises:
        ModelError: an operator or an option of it that has no twin; names the node.
    """
    from onnx import TensorProto, helper, numpy_helper

    writer = _Writer(program, where)
    for call in program.calls:
        writer.add(call)
    used = {name for node in writer.nodes for name in node.input}
    for name, values in program.weights.items():
        if name in used:
            writer.initializers.append(numpy_helper.from_array(values, name))
    shape = [size if place or size else "batch" for place, size in enumerate(program.shape)]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
        for name, sizes in ((program.source, shape), (program.result, None))
    ]
    graph = helper.make_graph(writer.nodes, "program", ends[:1], ends[1:], writer.initializers)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


class _Writer:
    def __init__(self, program: Program, where: str) -> None:
        self.program, self.where = program, where
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.call: Any = None

    def add(self, call: Call) -> None:
        self.call = call
        rule = RULES.get(call.target)
        if rule is None:
            known = ", ".join(sorted({one.partition(".")[0] for one in RULES}))
            raise self.refuse(f"an operator that hls4ml has a layer for wanted ({known}), not {shown(call.target)}")
        try:
            rule(self, call.arguments)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            told = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise self.refuse(f"arguments as PyTorch's export writes them wanted ({shown(told)})") from None

    def refuse(self, text: str) -> ModelError:
        """An error that names the node at hand."""
        return ModelError(f"{self.where}: node {shown(self.call.name)}: {text}")

    def constant(self, key: str, values: Any, kind: str = "float32") -> str:
        """Numbers of the node at hand."""
        import numpy as np
        from onnx import numpy_helper

        name = f"{self.call.output}.{key}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def source(self, value: Any, key: str) -> str:
        """The name of a tensor, or of a number in its place."""
        if isinstance(value, Tensor):
            return value.name
        if isinstance(value, int | float):
            return self.constant(key, float(value))
        raise self.refuse(f"{key}: a tensor wanted, not {shown(value)}")

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> None:
        """The node at hand, with its attributes and domain."""
        from onnx import helper

        given = {key: value for key, value in attributes.items() if value is not None}
        made = helper.make_node(kind, inputs, [self.call.output], name=self.call.name, **given)
        self.nodes.append(made)

    def only(self, arguments: Mapping[str, Any], **wanted: Any) -> None:
        """See that arguments are as they are by themselves."""
        for key, value in wanted.items():
            if arguments.get(key, value) not in (value, None):
                raise self.refuse(f"{key} {value} wanted, not {shown(arguments[key])}")


Arguments = Mapping[str, Any]


def _many(value: Any, count: int, default: int) -> list[int]:
    """A size for each dimension, as PyTorch takes one for all."""
    if value is None or value == ():
        return [default] * count
    sizes = [value] if isinstance(value, int) else list(value)
    return [int(one) for one in (sizes * count if len(sizes) == 1 else sizes)]


def _convolution(writer: _Writer, given: Arguments) -> None:
    weights = given["weight"]
    if not isinstance(weights, Tensor):
        raise writer.refuse("weights wanted")
    if given.get("transposed"):
        raise writer.refuse("a convolution wanted, not a transposed one")
    count = 1 if writer.call.target.startswith("conv1d") else 2
    inputs = [writer.source(given["input"], "input"), weights.name]
    if given.get("bias") is not None:
        inputs.append(writer.source(given["bias"], "bias"))
    padding = given.get("padding")
    mode = None
    if isinstance(padding, str):
        mode, padding = {"same": "SAME_UPPER", "valid": "VALID"}.get(padding, padding), None
    pads = None if mode else 2 * _many(padding, count, 0)
    strides, dilations = (_many(given.get(key), count, 1) for key in ("stride", "dilation"))
    sizes = {"strides": strides, "dilations": dilations, "pads": pads}
    writer.node("Conv", inputs, group=int(given.get("groups", 1)), auto_pad=mode, **sizes)


def _linear(writer: _Writer, given: Arguments) -> None:
    inputs = [writer.source(given[key], key) for key in ("input", "weight")]
    if given.get("bias") is not None:
        inputs.append(writer.source(given["bias"], "bias"))
    writer.node("Gemm", inputs, transB=1)


def _two(kind: str) -> Callable[[_Writer, Arguments], None]:
    def rule(writer: _Writer, given: Arguments) -> None:
        writer.only(given, alpha=1, rounding_mode=None)
        writer.node(kind, [writer.source(given[key], key) for key in ("self", "other")])

    return rule


def _plain(kind: str) -> Callable[[_Writer, Arguments], None]:
    def rule(writer: _Writer, given: Arguments) -> None:
        writer.only(given, train=False, memory_format=None)
        value = given["self"] if "self" in given else given["input"]
        writer.node(kind, [writer.source(value, "input")])

    return rule


def _batch_norm(writer: _Writer, given: Arguments) -> None:
    if given.get("training"):
        raise writer.refuse("training False wanted: call model.eval() before the export")
    keys = ("input", "weight", "bias", "running_mean", "running_var")
    writer.node("BatchNormalization", [writer.source(given.get(key), key) for key in keys], epsilon=given["eps"])


def _pool(kind: str) -> Callable[[_Writer, Arguments], None]:
    def rule(writer: _Writer, given: Arguments) -> None:
        writer.only(given, divisor_override=None)
        window = _many(given["kernel_size"], 2, 1)
        stride = given.get("stride") or given["kernel_size"]
        sizes = {"kernel_shape": window, "strides": _many(stride, 2, 1), "pads": 2 * _many(given.get("padding"), 2, 0)}
        ceil = int(bool(given.get("ceil_mode")))
        dilations = _many(given.get("dilation"), 2, 1) if kind == "MaxPool" else None
        writer.node(kind, [writer.source(given["self"], "self")], ceil_mode=ceil, dilations=dilations, **sizes)

    return rule


def _adaptive(kind: str) -> Callable[[_Writer, Arguments], None]:
    def rule(writer: _Writer, given: Arguments) -> None:
        if set(_many(given["output_size"], 2, 1)) != {1}:
            raise writer.refuse(f"output_size 1 wanted, not {shown(given['output_size'])}")
        writer.node(kind, [writer.source(given["self"], "self")])

    return rule


def _mean(writer: _Writer, given: Arguments) -> None:
    axes, keep = _many(given.get("dim"), 1, 0), int(bool(given.get("keepdim")))
    writer.node("ReduceMean", [writer.source(given["self"], "self")], axes=axes, keepdims=keep)


def _flatten(writer: _Writer, given: Arguments) -> None:
    if given.get("end_dim", -1) != -1:
        raise writer.refuse(f"end_dim -1 wanted, not {shown(given['end_dim'])}")
    writer.node("Flatten", [writer.source(given["self"], "self")], axis=int(given.get("start_dim", 0)))


def _view(writer: _Writer, given: Arguments) -> None:
    sizes = given["size"] if "size" in given else given["shape"]
    writer.node("Reshape", [writer.source(given["self"], "self"), writer.constant("sizes", sizes, "int64")])


def _join(writer: _Writer, given: Arguments) -> None:
    names = [writer.source(one, "tensors") for one in given["tensors"]]
    writer.node("Concat", names, axis=int(given.get("dim", 0)))


def _softmax(writer: _Writer, given: Arguments) -> None:
    writer.node("Softmax", [writer.source(given["self"], "self")], axis=int(given["dim"]))


def _leaky(writer: _Writer, given: Arguments) -> None:
    slope = float(given.get("negative_slope", 0.01))
    writer.node("LeakyRelu", [writer.source(given["self"], "self")], alpha=slope)


def _fake_quantized(writer: _Writer, given: Arguments) -> None:
    """PyTorch's own quantizer, as quantization-aware training has it."""
    low, high = int(given["quant_min"]), int(given["quant_max"])
    signed, narrow = int(low < 0), int(low == -high and low < 0)
    bits = max(high, 1).bit_length() + signed
    if low not in ((-(1 << (bits - 1)), -high) if signed else (0,)) or high != (1 << (bits - signed)) - 1:
        wanted = "as bits of a number with or without sign, -128 to 127, -127 to 127 or 0 to 255,"
        raise writer.refuse(f"quant_min and quant_max {wanted} wanted, not {low} and {high}")
    scale, zero = float(given["scale"]), float(given["zero_point"])
    if not math.isfinite(scale):
        raise writer.refuse(f"a finite scale wanted, not {scale}")
    values = {"scale": scale, "zero": zero, "bits": float(bits)}
    inputs = [writer.source(given["self"], "self"), *(writer.constant(key, value) for key, value in values.items())]
    writer.node("Quant", inputs, domain=QONNX, signed=signed, narrow=narrow, rounding_mode="ROUND")


RULES: dict[str, Callable[[_Writer, Arguments], None]] = {
    "adaptive_avg_pool2d.default": _adaptive("GlobalAveragePool"),
    "adaptive_max_pool2d.default": _adaptive("GlobalMaxPool"),
    "add.Tensor": _two("Add"),
    "add_.Tensor": _two("Add"),
    "alias.default": _plain("Identity"),
    "avg_pool2d.default": _pool("AveragePool"),
    "batch_norm.default": _batch_norm,
    "cat.default": _join,
    "clone.default": _plain("Identity"),
    "contiguous.default": _plain("Identity"),
    "conv1d.default": _convolution,
    "conv1d.padding": _convolution,
    "conv2d.default": _convolution,
    "conv2d.padding": _convolution,
    "div.Tensor": _two("Div"),
    "dropout.default": _plain("Identity"),
    "dropout_.default": _plain("Identity"),
    "fake_quantize_per_tensor_affine.default": _fake_quantized,
    "flatten.using_ints": _flatten,
    "leaky_relu.default": _leaky,
    "linear.default": _linear,
    "max_pool2d.default": _pool("MaxPool"),
    "mean.dim": _mean,
    "mul.Tensor": _two("Mul"),
    "relu.default": _plain("Relu"),
    "relu_.default": _plain("Relu"),
    "reshape.default": _view,
    "sigmoid.default": _plain("Sigmoid"),
    "softmax.int": _softmax,
    "sub.Tensor": _two("Sub"),
    "tanh.default": _plain("Tanh"),
    "view.default": _view,
}
"""By operator and overload."""
