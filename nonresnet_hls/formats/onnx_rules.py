"""What becomes of each operator of ONNX and QONNX when a graph is lowered, by its name."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nonresnet_hls.formats.onnx_arithmetic import (
    add,
    batch_normalization,
    bipolar,
    bipolar_of_numbers,
    convolution,
    divide,
    gemm,
    multiply,
    product,
    quant,
    quant_of_numbers,
    subtract,
)
from nonresnet_hls.formats.onnx_shapes import (
    concatenate,
    function,
    global_pool,
    mean,
    pool,
    relu,
    reshape,
    same,
    shape_of,
    transpose,
)
from nonresnet_hls.formats.onnx_values import Inputs

if TYPE_CHECKING:
    from nonresnet_hls.formats.onnx_lowering import _Lowering as Lowering

RULES: dict[str, Callable[["Lowering", Inputs], Any]] = {
    "Add": add,
    "AveragePool": pool,
    "BatchNormalization": batch_normalization,
    "BipolarQuant": bipolar,
    "Concat": concatenate,
    "Conv": convolution,
    "Div": divide,
    "Dropout": same,
    "Flatten": reshape,
    "Gemm": gemm,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "Identity": same,
    "IntQuant": quant,
    "LeakyRelu": function,
    "MatMul": product,
    "MaxPool": pool,
    "Mul": multiply,
    "Quant": quant,
    "ReduceMean": mean,
    "Relu": relu,
    "Reshape": reshape,
    "Shape": shape_of,
    "Sigmoid": function,
    "Softmax": function,
    "Squeeze": reshape,
    "Sub": subtract,
    "Tanh": function,
    "Transpose": transpose,
}
"""By operator, where an input is computed."""


# Of numbers that are known


def _constant(low: "Lowering", _: Inputs) -> Any:
    import numpy as np
    from onnx import numpy_helper

    value = low.attribute("value")
    if value is not None and hasattr(value, "dims"):
        return numpy_helper.to_array(value)
    for name in ("value_float", "value_floats", "value_int", "value_ints"):
        value = low.attribute(name)
        if value is not None:
            return np.asarray(value, np.float32 if "float" in name else np.int64)
    raise low.refuse("a value of numbers wanted")


def _axes(low: "Lowering", inputs: Inputs) -> tuple[int, ...]:
    axes = low.attribute("axes")
    if axes is None and len(inputs) > 1:
        axes = inputs[1].reshape(-1).tolist()
    return tuple(int(one) for one in axes or ())


def _unchanged(_: "Lowering", inputs: Inputs) -> Any:
    return inputs[0]


def _reshape_numbers(_: "Lowering", inputs: Inputs) -> Any:
    return inputs[0].reshape([int(size) for size in inputs[1].reshape(-1)])


def _expand(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    return np.expand_dims(inputs[0], _axes(low, inputs))


def _squeeze(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    return np.squeeze(inputs[0], _axes(low, inputs) or None)


def _gather(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    if inputs[0].size * max(1, inputs[1].size) > 1 << 16:
        raise low.refuse("a few sizes wanted")
    return np.take(inputs[0], inputs[1].astype(np.int64), axis=low.attribute("axis", 0))


def _joined(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    return np.concatenate(list(inputs), axis=low.attribute("axis", 0))


def _turned(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    return np.transpose(inputs[0], low.attribute("perm"))


FOLDED: dict[str, Callable[["Lowering", Inputs], Any]] = {
    "BipolarQuant": bipolar_of_numbers,
    "Cast": _unchanged,
    "Concat": _joined,
    "Constant": _constant,
    "Gather": _gather,
    "Identity": _unchanged,
    "IntQuant": quant_of_numbers,
    "Quant": quant_of_numbers,
    "Reshape": _reshape_numbers,
    "Squeeze": _squeeze,
    "Transpose": _turned,
    "Unsqueeze": _expand,
}
"""The same where all inputs are known."""
