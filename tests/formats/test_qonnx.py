"""What is written as QONNX is computed by qonnx's own executor as Keras computes the model, in every bit."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import qkeras
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from tensorflow import keras

import nonresnet_hls as nr
from nonresnet_hls import cli
from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.formats import qonnx
from nonresnet_hls.quantization import arithmetic

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
layers = keras.layers
INPUT = FixedPointType(5, 2)


def bits(width: int, integer: int = 0) -> Any:
    return qkeras.quantized_bits(width, integer, alpha=1)


def conv(filters: int, size: Any, **options: Any) -> Any:
    given = {"kernel_quantizer": bits(4), "bias_quantizer": bits(6, 1)} | options
    return qkeras.QConv2D(filters, size, **given)


def relu(width: int = 3) -> Any:
    return qkeras.QActivation(qkeras.quantized_relu(width, 1))


KINDS = {
    "convolution": lambda x: conv(3, 3, padding="same")(x),
    "stride and uneven kernel": lambda x: conv(3, (3, 2), strides=2, padding="same")(x),
    "without bias": lambda x: conv(2, 2, use_bias=False)(x),
    "binary": lambda x: conv(3, 3, kernel_quantizer=qkeras.binary(alpha=1), use_bias=False)(x),
    "depthwise": lambda x: qkeras.QDepthwiseConv2D(
        3, strides=2, padding="same", depthwise_quantizer=bits(4), bias_quantizer=bits(6, 1)
    )(x),
    "activation": lambda x: relu()(x),
    "signed activation": lambda x: qkeras.QActivation(bits(3, 1))(x),
    "relu": lambda x: layers.ReLU()(x),
    "skip of another scale": lambda x: layers.Add()([conv(2, 3, padding="same")(relu()(x)), x]),
    "concatenate": lambda x: layers.Concatenate()([conv(2, 3, padding="same")(x), x]),
    "max pool": lambda x: layers.MaxPooling2D(2)(x),
    "average pool": lambda x: layers.AveragePooling2D(2)(x),
    "global average": lambda x: layers.GlobalAveragePooling2D()(x),
    "global maximum, an image": lambda x: layers.GlobalMaxPooling2D(keepdims=True)(x),
    "zero padding": lambda x: conv(2, 3)(layers.ZeroPadding2D(((1, 0), (2, 1)))(x)),
    "flatten and dense": lambda x: qkeras.QDense(3, kernel_quantizer=bits(4), bias_quantizer=bits(6, 1))(
        layers.Flatten()(x)
    ),
    "reshape": lambda x: layers.Reshape((8, 2, 2))(x),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_computed_as_keras_does(kind: str) -> None:
    image = keras.Input((4, 4, 2), name="image")
    model = keras.Model(image, KINDS[kind](image))
    rng = np.random.default_rng(1)
    for layer in model.layers:
        layer.set_weights([rng.normal(0, 0.5, one.shape) for one in layer.get_weights()])
    x = np.ldexp(rng.integers(INPUT.min_mantissa, INPUT.max_mantissa + 1, (8, 4, 4, 2)), -INPUT.fraction_bits)
    proto = qonnx.to_qonnx(model, arithmetic.infer(model, INPUT), batch=8)
    wrapped = ModelWrapper(proto).transform(InferShapes())
    # What lies beyond the input's type is cut off there, as in hardware.
    given = np.float32(x.transpose(0, 3, 1, 2))
    (name,) = (one.name for one in wrapped.graph.output)
    got = execute_onnx(wrapped, {"image": given})[name]
    got = got.transpose(0, 2, 3, 1) if got.ndim == 4 else got
    wanted = model(np.float32(x)).numpy()
    assert got.shape == wanted.shape
    assert (got == wanted).all()
    assert np.abs(wanted).max() > 0


def test_what_float32_does_not_hold_or_has_no_node_is_refused_by_layer() -> None:
    image = keras.Input((4, 4, 2))
    wide = conv(3, 3, name="wide", kernel_quantizer=bits(16), bias_quantizer=bits(16, 1))
    for layer, kind, said in (
        (wide, FixedPointType(16, 2), "layer wide: values that float32 holds wanted for QONNX"),
        (layers.UpSampling2D(2, name="up"), INPUT, "layer up: UpSampling2D has no twin in QONNX"),
        (layers.AveragePooling2D(3, name="ninth"), INPUT, "layer ninth: values that float32 holds wanted"),
    ):
        model = keras.Model(image, layer(image))
        with pytest.raises(ModelError, match=said):
            qonnx.to_qonnx(model, arithmetic.infer(model, kind))


def test_a_recipe_is_exported_and_proved(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "tiny", "--prove", "8"]) == 0
    said = capsys.readouterr().out
    proto = onnx.load(tiny / "tiny.onnx")
    assert said.startswith(f"tiny: tiny.onnx, {len(proto.graph.node)} nodes; ")
    assert "values by qonnx's executor, equal" in said
    assert {node.op_type for node in proto.graph.node} >= {"Quant", "Conv", "Add"}
    before = (tiny / "tiny.onnx").read_bytes()
    assert cli.main(["export", "tiny"]) == 2
    assert "tiny.onnx: exists already; it is not overwritten" in capsys.readouterr().err
    assert cli.main(["export", "tiny", "-o", "tiny.txt"]) == 2
    assert "a name ending in .onnx wanted" in capsys.readouterr().err
    # The same model makes the same file.
    assert nr.export("tiny", tiny, output=tiny / "again.onnx").written.path.read_bytes() == before
