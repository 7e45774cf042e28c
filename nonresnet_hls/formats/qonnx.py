"""A quantized model as QONNX: ONNX with nodes `Quant` and `BipolarQuant`, as FINN and qonnx read it.

Every number is the one that the model computes: quantizers say scale, bits and sign, sums stay below the 24 bits of
float32, in which executors of ONNX compute. Images are channels first, as ONNX has them.
"""

import math
from collections.abc import Sequence
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.networks.padding import same_padding
from nonresnet_hls.quantization.ranges import Constant, LayerArithmetic, ModelArithmetic

OPSET = 13
DOMAIN = "qonnx.custom_op.general"


def to_qonnx(model: Any, arithmetic: ModelArithmetic, batch: int = 1) -> Any:
    """The model as `onnx.ModelProto`.

    Args:
        model: the quantized Keras model.
        arithmetic: of it.
        batch: samples that the graph takes at once.

    Returns:
        A graph of inputs and outputs called as the layers, images channels first.

    Raises:
        ModelError: a layer has no node in QONNX, or computes what float32 does not hold; names it.
    """
    import onnx
    from onnx import helper

    inexact = arithmetic.inexact()
    for name, why in inexact.items():
        raise ModelError(f"layer {name}: values that float32 holds wanted for QONNX; {why}")
    writer = _Writer(batch)
    for node in graph.nodes(model):
        layer = arithmetic.layers[node.name]
        build = _RULES.get(node.kind)
        if build is None:
            raise ModelError(f"layer {node.name}: {node.kind} has no twin in QONNX; one of {', '.join(_RULES)} wanted")
        writer.tensors[node.name] = build(writer, layer, [arithmetic.layers[name] for name in node.inputs])
    outputs = []
    for name in graph.output_names(model):
        shape = writer.shape(arithmetic.layers[name].node.output_shape)
        writer.node("Identity", [writer.tensors[name]], f"{name}_out")
        outputs.append(helper.make_tensor_value_info(f"{name}_out", onnx.TensorProto.FLOAT, shape))
    made = helper.make_graph(writer.nodes, model.name, writer.inputs, outputs, writer.initializers)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    proto = helper.make_model(made, producer_name="nonresnet_hls", opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(proto)
    return proto


class _Writer:
    """Nodes and constants so far."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.inputs: list[Any] = []
        self.tensors: dict[str, str] = {}
        """The tensor of each layer, by name."""

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        domain = {"domain": DOMAIN} if kind in ("Quant", "BipolarQuant") else {}
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **domain, **attributes))
        return output

    def constant(self, name: str, values: Any, integers: bool = False) -> str:
        import numpy as np
        from onnx import numpy_helper

        array = np.asarray(values, np.int64 if integers else np.float32)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def quant(self, source: str, name: str, kind: FixedPointType) -> str:
        """A tensor rounded to a type (half to even) and cut off at its ends."""
        scale = self.constant(f"{name}_scale", float(kind.lsb))
        zero = self.constant(f"{name}_zero", 0.0)
        bits = self.constant(f"{name}_bits", float(kind.width))
        signed = {"signed": int(kind.signed), "narrow": 0, "rounding_mode": "ROUND"}
        return self.node("Quant", [source, scale, zero, bits], name, **signed)

    def weights(self, name: str, constant: Constant, values: Any) -> str:
        """Weights as a constant with its quantizer behind it."""
        import numpy as np

        given = self.constant(f"{name}_values", values)
        if (np.abs(constant.mantissas) == 1).all() and constant.type.fraction_bits == 0:
            return self.node("BipolarQuant", [given, self.constant(f"{name}_scale", 1.0)], name)
        return self.quant(given, name, constant.type)

    def shape(self, keras: Sequence[int]) -> list[int]:
        """A Keras shape without batch as the shape of a tensor here."""
        return [self.batch, *(keras if len(keras) < 3 else (keras[2], keras[0], keras[1]))]


def _input(writer: _Writer, layer: LayerArithmetic, _: list[LayerArithmetic]) -> str:
    import onnx
    from onnx import helper

    shape = layer.node.output_shape
    if len(shape) not in (1, 3):
        raise ModelError(f"layer {layer.name}: an image or a vector wanted for QONNX, not {shape}")
    writer.inputs.append(helper.make_tensor_value_info(layer.name, onnx.TensorProto.FLOAT, writer.shape(shape)))
    return writer.quant(layer.name, f"{layer.name}_quant", layer.output)


def _convolution(writer: _Writer, layer: LayerArithmetic, sources: list[LayerArithmetic]) -> str:
    keras, kernel = layer.node.layer, layer.kernel
    values = kernel.values  # type: ignore[union-attr]
    rows, columns, channels = values.shape[:3]
    depthwise = layer.node.kind == "QDepthwiseConv2D"
    values = values.transpose(2, 3, 0, 1).reshape(-1, 1, rows, columns) if depthwise else values.transpose(3, 2, 0, 1)
    strides = tuple(keras.strides)
    pads = [(0, 0), (0, 0)]
    if keras.padding == "same":
        pads = same_padding(sources[0].node.output_shape[:2], (rows, columns), strides)
    name = layer.name
    convolved = writer.node(
        "Conv",
        [writer.tensors[sources[0].name], writer.weights(f"{name}_kernel", kernel, values)],  # type: ignore[arg-type]
        f"{name}_conv",
        kernel_shape=[rows, columns],
        strides=list(strides),
        dilations=[1, 1],
        group=channels if depthwise else 1,
        pads=[pads[0][0], pads[1][0], pads[0][1], pads[1][1]],
    )
    return _plus_bias(writer, layer, convolved)


def _dense(writer: _Writer, layer: LayerArithmetic, sources: list[LayerArithmetic]) -> str:
    if len(sources[0].node.output_shape) != 1:
        raise ModelError(f"layer {layer.name}: a flat tensor wanted for QONNX, not {sources[0].node.output_shape}")
    kernel = writer.weights(f"{layer.name}_kernel", layer.kernel, layer.kernel.values)  # type: ignore[union-attr,arg-type]
    product = writer.node("MatMul", [writer.tensors[sources[0].name], kernel], f"{layer.name}_matmul")
    return _plus_bias(writer, layer, product)


def _plus_bias(writer: _Writer, layer: LayerArithmetic, sums: str) -> str:
    if layer.bias is None:
        return sums
    values = _a_channel(layer, layer.bias.values)
    bias = writer.quant(writer.constant(f"{layer.name}_bias_values", values), f"{layer.name}_bias", layer.bias.type)
    return writer.node("Add", [sums, bias], f"{layer.name}_sum")


def _a_channel(layer: LayerArithmetic, values: Any) -> Any:
    """A number a channel, so that it meets the channels of the layer's output."""
    return values.reshape(1, -1, 1, 1) if len(layer.node.output_shape) == 3 else values.reshape(1, -1)


def _batch_normalization(writer: _Writer, layer: LayerArithmetic, sources: list[LayerArithmetic]) -> str:
    name = layer.name
    scale = writer.constant(f"{name}_scale_values", _a_channel(layer, layer.kernel.values))  # type: ignore[union-attr]
    product = writer.node("Mul", [writer.tensors[sources[0].name], scale], f"{name}_product")
    offset = writer.constant(f"{name}_offset_values", _a_channel(layer, layer.bias.values))  # type: ignore[union-attr]
    return writer.node("Add", [product, offset], f"{name}_sum")


def _activation(writer: _Writer, layer: LayerArithmetic, sources: list[LayerArithmetic]) -> str:
    source = writer.tensors[sources[0].name]
    if not layer.output.signed:
        source = writer.node("Relu", [source], f"{layer.name}_relu")
    return writer.quant(source, f"{layer.name}_quant", layer.output)


def _relu(writer: _Writer, layer: LayerArithmetic, sources: list[LayerArithmetic]) -> str:
    applied = activations.of(layer.node.layer)
    source = writer.tensors[sources[0].name]
    if applied.name == activations.LINEAR:
        return source
    if applied.name != activations.RELU or applied.max_value is not None:
        raise ModelError(f"layer {layer.name}: a ReLU wanted for QONNX, not {applied}")
    return writer.node("Relu", [source], f"{layer.name}_relu")


def _add(writer: _Writer, layer: LayerArithmetic, sources: list[LayerArithmetic]) -> str:
    """Both operands through quantizers of one scale, which change nothing: so FINN moves scales past the sum."""
    fraction = layer.output.fraction_bits
    operands = []
    for number, source in enumerate(sources):
        own = source.output
        kind = FixedPointType(own.integer_bits + fraction, own.integer_bits, signed=own.signed)
        operands.append(writer.quant(writer.tensors[source.name], f"{layer.name}_operand{number}", kind))
    return writer.node("Add", operands, f"{layer.name}_sum")


def _concatenate(writer: _Writer, layer: LayerArithmetic, sources: list[LayerArithmetic]) -> str:
    return writer.node("Concat", [writer.tensors[one.name] for one in sources], f"{layer.name}_concat", axis=1)


def _pool(writer: _Writer, layer: LayerArithmetic, sources: list[LayerArithmetic]) -> str:
    keras = layer.node.layer
    kind = "MaxPool" if layer.node.kind.startswith("Max") else "AveragePool"
    sizes = {"kernel_shape": list(keras.pool_size), "strides": list(keras.strides), "pads": [0, 0, 0, 0]}
    return writer.node(kind, [writer.tensors[sources[0].name]], f"{layer.name}_pool", **sizes)


def _global_pool(writer: _Writer, layer: LayerArithmetic, sources: list[LayerArithmetic]) -> str:
    kind = "GlobalMaxPool" if "Max" in layer.node.kind else "GlobalAveragePool"
    pooled = writer.node(kind, [writer.tensors[sources[0].name]], f"{layer.name}_pool")
    shape = layer.node.output_shape
    if len(shape) == 3:
        return pooled
    return _reshaped(writer, pooled, f"{layer.name}_flat", [writer.batch, shape[0]])


def _reshape(writer: _Writer, layer: LayerArithmetic, sources: list[LayerArithmetic]) -> str:
    """Numbers in Keras' order: channels last while they are reshaped."""
    before, after = sources[0].node.output_shape, layer.node.output_shape
    if len(after) not in (1, 3):
        raise ModelError(f"layer {layer.name}: an image or a vector wanted for QONNX, not {after}")
    name, source = layer.name, writer.tensors[sources[0].name]
    if len(before) == 3 and math.prod(before[:2]) > 1:
        source = writer.node("Transpose", [source], f"{name}_last", perm=[0, 2, 3, 1])
    source = _reshaped(writer, source, f"{name}_reshape", [writer.batch, *after])
    return writer.node("Transpose", [source], f"{name}_first", perm=[0, 3, 1, 2]) if len(after) == 3 else source


def _reshaped(writer: _Writer, source: str, name: str, shape: list[int]) -> str:
    return writer.node("Reshape", [source, writer.constant(f"{name}_shape", shape, integers=True)], name)


def _zero_padding(writer: _Writer, layer: LayerArithmetic, sources: list[LayerArithmetic]) -> str:
    (top, bottom), (left, right) = layer.node.layer.padding
    pads = writer.constant(f"{layer.name}_pads", [0, 0, top, left, 0, 0, bottom, right], integers=True)
    zero = writer.constant(f"{layer.name}_zero", 0.0)
    return writer.node("Pad", [writer.tensors[sources[0].name], pads, zero], f"{layer.name}_pad", mode="constant")


_RULES = {
    "InputLayer": _input,
    "QConv2D": _convolution,
    "QDepthwiseConv2D": _convolution,
    "QDense": _dense,
    "BatchNormalization": _batch_normalization,
    "QActivation": _activation,
    "FixedPointActivation": _activation,
    "ReLU": _relu,
    "Activation": _relu,
    "Add": _add,
    "Concatenate": _concatenate,
    "MaxPooling2D": _pool,
    "AveragePooling2D": _pool,
    "GlobalMaxPooling2D": _global_pool,
    "GlobalAveragePooling2D": _global_pool,
    "Flatten": _reshape,
    "Reshape": _reshape,
    "ZeroPadding2D": _zero_padding,
}
