"""Quantized to 16 bits, any float model computes what it did, within what its types allow; or a layer is refused."""

from typing import Any

import numpy as np
import pytest
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.networks.lowering import lower
from nonresnet_hls.quantization import arithmetic, exact
from nonresnet_hls.quantization.quantize import finish, quantize
from nonresnet_hls.recipe import Quantization
from tests.quantization import faithful

_INPUTS = [FixedPointType(8, 8, signed=False), FixedPointType(8, 0, signed=False), FixedPointType(10, 3)]


def _check(model: Any, own: FixedPointType, seed: int) -> bool:
    """Whether the model was taken; if so, its outputs are within their bound."""
    rng = np.random.default_rng(seed)
    shape = (8, *model.inputs[0].shape[1:])
    x = np.ldexp(rng.integers(own.min_mantissa, own.max_mantissa + 1, shape).astype(np.float32), -own.fraction_bits)
    try:
        made = finish(quantize(lower(model), Quantization(16, 16), x))
        inferred = arithmetic.infer(made, own)
    except ModelError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.startswith("layer ") or refusal.endswith("at least one layer to quantize wanted")
        assert "\n" not in refusal
        return False
    output = made.outputs[0]._keras_history.layer.name
    got = exact.evaluate(inferred, x, [output])[output]
    wanted = faithful.float_outputs(model, x)
    allowed = faithful.bound(model, made, inferred, x)
    # What Keras' own float32 loses on the way.
    allowed = allowed * 1.01 + np.abs(wanted).max() * 2e-4 + 1e-9
    worse = np.abs(got - wanted) > allowed
    assert not worse.any(), (
        f"{int(worse.sum())} of {worse.size}: {got[worse][:3]} for {wanted[worse][:3]}, within {allowed[worse][:3]}"
    )
    return True


def _taken(seeds: range) -> int:
    """How many of the models made from these seeds are taken."""
    count = 0
    for seed in seeds:
        keras.backend.clear_session()
        rng = np.random.default_rng(seed)
        model = faithful.model(lambda options, rng=rng: options[int(rng.integers(len(options)))])
        count += _check(model, _INPUTS[seed % len(_INPUTS)], seed)
    return count


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(10), marks=pytest.mark.nightly),
        range(10, 20),
        pytest.param(range(20, 60), marks=pytest.mark.nightly),
    ],
    ids=str,
)
def test_outputs_are_within_the_bound_of_their_types_or_a_layer_is_refused(seeds: range) -> None:
    assert 3 * _taken(seeds) >= len(seeds)


def test_an_elu_of_small_numbers_is_within_the_bound() -> None:
    """With alpha below 1 its table, of the type of its results, holds numbers that are larger than these."""
    assert _taken(range(1776, 1777)) == 1


@pytest.mark.nightly
def test_outputs_of_many_models_are_within_the_bound() -> None:
    assert _taken(range(60, 2060)) >= 1000
