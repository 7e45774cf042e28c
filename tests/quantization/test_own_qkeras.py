"""QKeras models as their users write them: converted, they compute what QKeras computes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qkeras
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.networks import saved
from nonresnet_hls.quantization import arithmetic, reference
from nonresnet_hls.quantization.own_qkeras import Normalized, normalized
from nonresnet_hls.quantization.quantize import finish

INPUT = FixedPointType(6, 1, signed=False)
bits = qkeras.quantized_bits
relu = qkeras.quantized_relu


def _quantizers(kernel: Any, bias: Any = None) -> dict[str, Any]:
    return {"kernel_quantizer": kernel, "bias_quantizer": bias or bits(8, 2, alpha=1)}


def _model(*layers: Any, seed: int = 0) -> Any:
    x = keras.Input((6, 6, 2), name="x")
    y = x
    for layer in layers:
        y = layer(y)
    model = keras.Model(x, y)
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for variable in layer.weights:
            shape, name = variable.shape, variable.name
            positive = "variance" in name or "gamma" in name
            values.append(rng.uniform(0.5, 1.5, shape) if positive else rng.normal(0, 0.5, shape))
            if "iteration" in name:
                values[-1] = np.zeros(shape)
        layer.set_weights(values)
    return model


def _inputs() -> Any:
    mantissas = np.random.default_rng(1).integers(0, INPUT.max_mantissa, (16, 6, 6, 2), endpoint=True)
    return np.ldexp(mantissas.astype(np.float32), -INPUT.fraction_bits)


def _taken(model: Any, exactly: bool = True) -> Normalized:
    """What is made of a model; its outputs are those of QKeras."""
    found = normalized(model)
    assert bool(found.approximated) is not exactly
    finished = finish(found.model)
    inferred = arithmetic.infer(finished, INPUT)
    x = _inputs()
    made = reference.evaluate(finished, inferred, x.astype(np.float64))
    wanted = model.predict(x, verbose=0)
    if exactly:
        assert made.source == "Keras"
        assert (made.outputs == wanted).all()
    else:
        assert np.abs(made.outputs - wanted).max() <= np.abs(wanted).max() / 512
    return found


def test_quantizers_as_objects_and_as_text() -> None:
    _taken(_model(
        qkeras.QConv2D(4, 3, padding="same", **_quantizers(bits(6, 0, alpha=1))),
        qkeras.QActivation(relu(5, 2)),
        qkeras.QConv2D(3, 1, **_quantizers("quantized_bits(5, 0, alpha=1)")),
        qkeras.QActivation("quantized_bits(7, 2, alpha=1)"),
        keras.layers.Flatten(),
        qkeras.QDense(4, **_quantizers(bits(6, 1, alpha=1))),
    ))  # fmt: skip


def test_activations_of_layers_with_weights() -> None:
    _taken(_model(
        qkeras.QConv2D(4, 3, activation=relu(5, 2), **_quantizers(bits(6, 0, alpha=1))),
        keras.layers.Dropout(0.5),
        qkeras.QDepthwiseConv2D(3, activation=bits(6, 2, alpha=1), depthwise_quantizer=bits(6, 0, alpha=1),
                                bias_quantizer=bits(8, 2, alpha=1)),
        keras.layers.Flatten(),
        qkeras.QDense(4, activation="relu", **_quantizers(bits(6, 1, alpha=1))),
    ))  # fmt: skip


def test_one_dimension() -> None:
    _taken(_model(
        keras.layers.Reshape((12, 6)),
        qkeras.QConv1D(4, 3, padding="same", **_quantizers(bits(6, 0, alpha=1))),
        qkeras.QActivation(relu(5, 2)),
        keras.layers.MaxPooling1D(2),
        keras.layers.Flatten(),
        qkeras.QDense(4, **_quantizers(bits(6, 1, alpha=1))),
    ))  # fmt: skip


def test_batch_norms_inside_are_folded_as_qkeras_does() -> None:
    _taken(_model(
        qkeras.QConv2DBatchnorm(4, 3, padding="same", **_quantizers(bits(8, 1, alpha=1), bits(8, 3, alpha=1))),
        qkeras.QActivation(relu(6, 2)),
        qkeras.QDepthwiseConv2DBatchnorm(
            3, depthwise_quantizer=bits(8, 1, alpha=1), bias_quantizer=bits(8, 3, alpha=1)
        ),
        qkeras.QActivation(relu(6, 3)),
    ))  # fmt: skip


@pytest.mark.parametrize(
    "quantizer",
    [
        bits(4, 0, alpha="auto_po2"), bits(4, 0), bits(4, 1, alpha=0.25), bits(4, 1, alpha=2.0),
        bits(4, 0, symmetric=1, alpha=1), bits(4, 0, keep_negative=0, alpha=1), qkeras.binary(alpha=0.5),
        qkeras.binary(alpha=1), qkeras.ternary(alpha=1), qkeras.ternary(alpha="auto_po2"),
        qkeras.quantized_po2(4, 1),
    ],
    ids=str,
)  # fmt: skip
def test_kernels_whose_values_lie_on_a_grid(quantizer: Any) -> None:
    _taken(_model(qkeras.QConv2D(4, 3, **_quantizers(quantizer)), qkeras.QActivation(relu(5, 2))))


@pytest.mark.parametrize("quantizer", [bits(4, 0, alpha="auto"), qkeras.ternary(alpha=0.3)], ids=str)
def test_scales_that_are_no_powers_of_two_are_put_on_a_grid(quantizer: Any) -> None:
    found = _taken(_model(qkeras.QConv2D(4, 3, name="odd", **_quantizers(quantizer))), exactly=False)
    assert found.approximated == {"odd": "its scales, no powers of two, are put on a grid of 16 bits"}


def test_what_no_fixed_point_computes_is_said() -> None:
    model = _model(
        qkeras.QConv2D(4, 3, name="first", **_quantizers(bits(6, 0, alpha=1))),
        keras.layers.BatchNormalization(name="norm"),
        qkeras.QActivation(relu(8, 3)),
        keras.layers.Flatten(),
        keras.layers.Dense(5, activation="softmax", name="plain"),
    )
    found = normalized(model)
    assert list(found.approximated) == ["norm", "plain"]
    assert "16" in found.approximated["plain"]
    finished = finish(found.model)
    x = _inputs()
    wanted = model.predict(x, verbose=0).argmax(-1)
    got = reference.evaluate(finished, arithmetic.infer(finished, INPUT), x.astype(np.float64)).outputs
    assert (got.argmax(-1) == wanted).mean() > 0.9


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_quantizer_objects_survive_our_own_files(tmp_path: Path, suffix: str) -> None:
    model = _model(
        qkeras.QConv2D(4, 3, activation=relu(5, 1), **_quantizers(bits(6, 0, alpha=1))),
        qkeras.QActivation(bits(6, 2, alpha=1)),
        qkeras.QConv2DBatchnorm(4, 3, **_quantizers(bits(8, 1, alpha=1), bits(8, 3, alpha=1))),
        qkeras.QActivation(relu(6, 2)),
    )
    path = tmp_path / f"own{suffix}"
    if suffix == ".h5":
        model.save(path)
        again = saved.load(path)
        path = tmp_path / "own.keras"
    else:
        again = model
    saved.save(again, path)
    again = saved.load(path)
    assert (again.predict(_inputs(), verbose=0) == model.predict(_inputs(), verbose=0)).all()
    _taken(again)


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (qkeras.QActivation("quantized_tanh(5)"), "not quantized_tanh"),
        (qkeras.QActivation("binary(alpha=1)"), "quantized_relu or quantized_bits wanted, not binary"),
        (qkeras.QActivation(relu(4, 1, negative_slope=0.25)), "negative_slope=0 wanted"),
        (qkeras.QBatchNormalization(), "QBatchNormalization has no fixed-point twin"),
        (qkeras.QGlobalAveragePooling2D(), "QGlobalAveragePooling2D has no fixed-point twin"),
    ],
    ids=["tanh", "binary", "slope", "norm", "pool"],
)
def test_what_is_not_taken_is_refused_by_its_name(layer: Any, wanted: str) -> None:
    layer._name = "odd"
    model = keras.Model(x := keras.Input((6, 6, 2)), layer(qkeras.QConv2D(4, 3, **_quantizers(bits(6, 0, alpha=1)))(x)))
    with pytest.raises(ModelError, match=f"^layer odd.*{wanted}") as error:
        normalized(model)
    assert "\n" not in str(error.value)


def test_a_kernel_of_its_own_and_a_bias_of_its_own_are_both_told() -> None:
    found = normalized(_model(qkeras.QConv2D(2, 3, name="both", use_bias=True)))
    assert found.approximated["both"].count("has no quantizer") == 2
