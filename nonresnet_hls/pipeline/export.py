"""A recipe's quantized model as a file for other tools, and the proof that it computes the same."""

import os
from dataclasses import dataclass
from pathlib import Path

from nonresnet_hls import extras, files
from nonresnet_hls.errors import ConversionError
from nonresnet_hls.formats import qonnx
from nonresnet_hls.networks.prediction import called
from nonresnet_hls.pipeline import quantize
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.quantization.quantized import Quantized
from nonresnet_hls.recipe import Recipe


@dataclass(frozen=True)
class Written:
    """A file, and what was compared."""

    path: Path
    nodes: int
    samples: int
    """That qonnx's own executor was given; 0: it was not asked."""
    values: int
    different: int
    """Of these values from Keras'."""


def export(recipe: Recipe, workspace: Workspace, path: Path, prove: int = 0) -> Written:
    """Write a recipe's quantized model as QONNX.

    Args:
        recipe: of the model.
        workspace: where it is.
        path: of the new .onnx file.
        prove: samples of the test data that qonnx's executor and Keras compute and that are compared.

    Raises:
        ConversionError: there is a file of that name.
        ModelError: a layer has no twin in QONNX.
        MissingExtraError: onnx, or to prove it qonnx, is not installed.
    """
    if path.suffix != ".onnx":
        raise ConversionError(f"{path}: a name ending in .onnx wanted")
    if os.path.lexists(path):
        raise ConversionError(f"{path}: exists already; it is not overwritten")
    extras.require("onnx")
    found = quantize.load(quantize.run(recipe, workspace))
    proto = qonnx.to_qonnx(found.model, found.arithmetic)
    values = different = 0
    if prove:
        values, different = _compared(found, prove)
    with files.replacing(path) as stream:
        stream.write(proto.SerializeToString())
    return Written(path, len(proto.graph.node), prove, values, different)


def _compared(found: Quantized, samples: int) -> tuple[int, int]:
    """Values of qonnx's executor, and how many of them are not Keras'."""
    import numpy as np
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    x = found.samples[:samples].astype(np.float32)
    model = ModelWrapper(qonnx.to_qonnx(found.model, found.arithmetic, batch=len(x))).transform(InferShapes())
    (given,), (name,) = ([one.name for one in part] for part in (model.graph.input, model.graph.output))
    got = execute_onnx(model, {given: x.transpose(0, 3, 1, 2) if x.ndim == 4 else x})[name]
    wanted = called(found.model, x)
    if got.ndim == 4:
        got = got.transpose(0, 2, 3, 1)
    return wanted.size, int((got != wanted).sum())
