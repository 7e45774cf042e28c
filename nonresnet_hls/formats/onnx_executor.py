"""What qonnx's own executor computes of an ONNX or QONNX model."""

import importlib.util
from typing import Any


def is_installed() -> bool:
    """Whether qonnx is."""
    return importlib.util.find_spec("qonnx") is not None


def execute(model: Any, x: Any) -> Any:
    """The output of a model of one input and output, float64, one sample after the other.

    Args:
        model: `onnx.ModelProto`, with a batch of 1 or of any size.
        x: samples of the shape that it takes.
    """
    import numpy as np
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.fold_constants import FoldConstants
    from qonnx.transformation.infer_shapes import InferShapes

    wrapped = ModelWrapper(model, make_deepcopy=True)
    known = {one.name for one in wrapped.graph.initializer}
    (given,) = (one for one in wrapped.graph.input if one.name not in known)
    (result,) = wrapped.graph.output
    for end in (given, result):
        if end.type.tensor_type.shape.dim:
            end.type.tensor_type.shape.dim[0].dim_value = 1
    # Once more for what is reshaped to sizes that the graph itself computes.
    wrapped = wrapped.transform(InferShapes()).transform(FoldConstants()).transform(InferShapes())
    parts = [execute_onnx(wrapped, {given.name: np.ascontiguousarray(one[None], np.float32)})[result.name] for one in x]
    return np.concatenate(parts).astype(np.float64)
