"""What is compared with hardware is exact, whatever machine and settings Keras runs with."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.quantization import arithmetic, reference
from nonresnet_hls.quantization.quantize import finish, quantize
from nonresnet_hls.quantization.reference import Reference
from nonresnet_hls.recipe import Quantization
from tests.quantization import nets

OWN = FixedPointType(8, 0, signed=False)


def _reference(model: Any, own: FixedPointType = nets.SIGNED) -> Reference:
    rng = np.random.default_rng(0)
    shape = (10, *model.inputs[0].shape[1:])
    x = np.ldexp(rng.integers(own.min_mantissa, own.max_mantissa + 1, shape).astype(float), -own.fraction_bits)
    return reference.evaluate(model, arithmetic.infer(model, own), x)


def test_a_root_that_is_approximated_changes_no_batch_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow without oneDNN makes 1 / sqrt(1) less than 1: numbers amid two others would go to the wrong one."""
    model = nets.model(nets.nets()["W1A2"], (8, 8, 3))
    wanted = _reference(model)
    assert wanted.source == "Keras"
    call = keras.layers.BatchNormalization.call

    def approximate(layer: Any, inputs: Any, **more: Any) -> Any:
        return call(layer, inputs, **more) * np.float32(1 - 2.0**-24)

    monkeypatch.setattr(keras.layers.BatchNormalization, "call", approximate)
    found = _reference(model)
    assert (found.outputs == wanted.outputs).all()
    assert found.checked_values == wanted.checked_values > 0


@pytest.mark.nightly
@pytest.mark.parametrize("onednn", ["0", "1"])
def test_with_and_without_onednn(onednn: str) -> None:
    program = (
        "import nonresnet_hls\n"
        "from tests.quantization import nets, test_reference\n"
        "for body in nets.nets().values():\n"
        "    found = test_reference._reference(nets.model(body, (8, 8, 3)))\n"
        "    print(found.source, found.checked_values)\n"
    )
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root, "TF_ENABLE_ONEDNN_OPTS": onednn}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == len(nets.nets())


@pytest.fixture(params=["mixed_bfloat16", "mixed_float16", "float64"])
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    """What a process has set for all layers, for a training perhaps."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(request.param)
    yield request.param
    assert keras.mixed_precision.global_policy().name == request.param
    keras.mixed_precision.set_global_policy(before)


def _float_model() -> Any:
    layers = keras.layers
    image = keras.Input((8, 8, 3), name="x")
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(image))
    x = layers.ReLU()(x)
    x = layers.ReLU()(layers.Add()([x, layers.Conv2D(4, 3, padding="same")(x)]))
    made = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    rng = np.random.default_rng(0)
    made.set_weights([np.abs(rng.normal(0, 0.3, weight.shape)) for weight in made.get_weights()])
    return made


@pytest.fixture(scope="module")
def float_model() -> Any:
    """Made before anything is set."""
    return _float_model()


def _quantized(model: Any, weight_bits: int) -> Reference:
    samples = np.random.default_rng(1).integers(0, 256, (16, 8, 8, 3)).astype(np.float32) / 256
    done = finish(quantize(model, Quantization(weight_bits, 8), samples))
    assert {layer.dtype_policy.name for layer in done.layers if layer.weights} == {"float32"}
    return _reference(done, FixedPointType(8, 0, signed=False))


@pytest.fixture(scope="module")
def wanted(float_model: Any) -> dict[int, Reference]:
    return {bits: _quantized(float_model, bits) for bits in (1, 6)}


@pytest.mark.parametrize("bits", [1, 6])
def test_what_a_process_has_set_for_its_layers_is_not_for_ours(
    bits: int, wanted: dict[int, Reference], float_model: Any, policy: str
) -> None:
    assert policy
    found = _quantized(float_model, bits)
    assert (found.outputs == wanted[bits].outputs).all()
    assert (found.source, found.checked_values) == (wanted[bits].source, wanted[bits].checked_values)


def test_what_a_process_has_set_is_so_after_an_error_too(policy: str) -> None:
    image = keras.Input((4, 4, 2), dtype="float32")
    odd = keras.layers.ThresholdedReLU(name="odd", dtype="float32")
    model = keras.Model(image, odd(image))
    with pytest.raises(ModelError, match=r"^layer odd: "):
        quantize(model, Quantization(8, 8), np.zeros((2, 4, 4, 2), np.float32))
    assert keras.mixed_precision.global_policy().name == policy
