"""A QKeras model of any layers and quantizers is computed as Keras computes it, in every bit; or a layer is refused."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.networks import lowering, saved
from nonresnet_hls.quantization import arithmetic, exact
from nonresnet_hls.quantization.quantize import finish
from tests.quantization import faithful_qkeras as faithful

_INPUTS = [FixedPointType(8, 8, signed=False), FixedPointType(8, 0, signed=False), FixedPointType(10, 3)]
_EXACT_BITS = 53


def _check(seed: int, folder: Path) -> tuple[str, int, int]:
    """What a model is refused for, "" if it is taken; values compared, and those that had to be equal."""
    rng = np.random.default_rng(seed)
    try:
        model = faithful.model(lambda options: options[int(rng.integers(len(options)))])
    except (TypeError, AttributeError) as error:
        # QKeras' own layers stumble over a quantizer's numbers before there is a model.
        if "qkeras" not in str(error) and "has no attribute 'shape'" not in str(error):
            raise
        return "no model of QKeras", 0, 0
    own = _INPUTS[seed % len(_INPUTS)]
    shape = (8, *model.inputs[0].shape[1:])
    x = np.ldexp(rng.integers(own.min_mantissa, own.max_mantissa + 1, shape).astype(np.float32), -own.fraction_bits)
    path = folder / f"model.{('h5', 'keras')[seed % 2]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that .h5 is old, and that QKeras' constraints are not Keras'
        model.save(path)
    refusal = ""
    try:
        taken = finish(lowering.lower(saved.load(path)))
        inferred = arithmetic.infer(taken, own)
    except ModelError as error:
        refusal = str(error)
    if refusal:
        # (Of its `quantized_hswish` QKeras itself writes what it cannot read.)
        assert refusal.startswith("layer ") or ("cannot be read" in refusal and "quantized_hswish" in refusal), refusal
        assert refusal.isprintable()
        return refusal, 0, 0
    names = [layer.name for layer in model.layers]
    outputs = [layer.output for layer in model.layers]
    found = keras.Model(model.inputs, outputs)(x, training=False)
    values = {name: one.numpy().astype(np.float64) for name, one in zip(names, found, strict=True)}
    allowed = faithful.bound(model, values, taken, inferred)
    told = [name for name in names if inferred.layers[name].output.width <= _EXACT_BITS]
    got = exact.evaluate(inferred, x, told)
    compared = equal = 0
    for name in told:
        worse = np.abs(got[name] - values[name]) > allowed[name] * (1 + 1e-9)
        assert not worse.any(), (
            f"layer {name}: {int(worse.sum())} of {worse.size}: {got[name][worse][:3]} for {values[name][worse][:3]},"
            f" within {allowed[name][worse][:3]}"
        )
        compared += worse.size
        equal += int((allowed[name] == 0).sum())
    return "", compared, equal


def _check_all(seeds: range, folder: Path) -> tuple[int, int, int]:
    """Models taken, values compared, and those of them that had to be equal."""
    taken = compared = equal = 0
    for seed in seeds:
        keras.backend.clear_session()
        try:
            refusal, values, exactly = _check(seed, folder)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        taken, compared, equal = taken + (not refusal), compared + values, equal + exactly
    return taken, compared, equal


@pytest.mark.parametrize("seeds", [pytest.param(range(50), marks=pytest.mark.nightly), range(50, 60)], ids=str)
def test_qkeras_models_are_computed_as_keras_does_or_a_layer_is_refused(seeds: range, tmp_path: Path) -> None:
    taken, compared, equal = _check_all(seeds, tmp_path)
    assert 5 * taken >= 2 * len(seeds)
    assert compared > equal > compared / 3


@pytest.mark.nightly
def test_many_qkeras_models_are_computed_as_keras_does_or_a_layer_is_refused(tmp_path: Path) -> None:
    taken, compared, equal = _check_all(range(60, 1060), tmp_path)
    print(f"{taken} of 1000 models taken, {compared} values compared, {equal} of them had to be equal")
    assert taken >= 500
    assert equal > compared / 3
