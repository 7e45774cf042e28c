"""Merged skips of quantized networks: every output is the same number."""

from typing import Any

import numpy as np
import pytest
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.networks import graph
from nonresnet_hls.networks.resnet import resnet
from nonresnet_hls.quantization import arithmetic, reference
from nonresnet_hls.quantization.merging import merged
from nonresnet_hls.quantization.quantize import finish, quantize
from nonresnet_hls.recipe import Quantization, SkipStyle
from nonresnet_hls.skips import find

INPUT = FixedPointType(8, 0, signed=False)
layers = keras.layers


def images(shape: tuple[int, ...], count: int = 24, seed: int = 0) -> Any:
    mantissas = np.random.default_rng(seed).integers(0, 256, (count, *shape))
    return np.ldexp(mantissas.astype(np.float32), -8)


def trained(model: Any, seed: int = 0) -> Any:
    """Weights and batch norms as trainings leave them, each layer's of another size."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        spread = float(rng.uniform(0.5, 2.0))
        if isinstance(layer, layers.BatchNormalization):
            size = layer.moving_mean.shape[0]
            factors = [rng.uniform(0.3, 1.5, size), rng.normal(0, 0.3, size), rng.normal(0, 0.3, size)]
            layer.set_weights([*factors, rng.uniform(0.5, 1.5, size)])
        elif layer.get_weights():
            weights = layer.get_weights()
            scale = spread / np.sqrt(np.prod(weights[0].shape[:-1]))
            layer.set_weights([rng.normal(0, scale, one.shape) for one in weights])
    return model


def quantized(model: Any, weight_bits: int = 8, activation_bits: int = 8) -> Any:
    x = images(model.input_shape[1:])
    return finish(quantize(model, Quantization(weight_bits, activation_bits), x))


def same(one: Any, other: Any) -> int:
    x = np.concatenate([images(one.input_shape[1:]), np.zeros((1, *one.input_shape[1:]))]).astype(np.float64)
    x = np.concatenate([x, np.full_like(x[:1], 255 / 256)])
    first, second = (reference.evaluate(made, arithmetic.infer(made, INPUT), x).outputs for made in (one, other))
    assert (first == second).all()
    return int(np.unique(first).size)


@pytest.mark.parametrize(
    "bits",
    [
        pytest.param((8, 8), marks=pytest.mark.nightly),
        pytest.param((4, 6), marks=pytest.mark.nightly),
        (16, 16),
        pytest.param((6, 3), marks=pytest.mark.nightly),
    ],
)
def test_a_resnet_without_skips_gives_the_same_numbers(bits: tuple[int, int]) -> None:
    residual = quantized(trained(resnet(SkipStyle.RESIDUAL, (8, 8, 3), 5, (4, 6), 2), sum(bits)), *bits)
    plain = merged(residual, arithmetic.infer(residual, INPUT))
    assert (len(find(residual)), len(find(plain))) == (4, 0)
    assert same(residual, plain) > 10


def test_a_short_skip_joins_one_kernel() -> None:
    residual = quantized(trained(resnet(SkipStyle.SHORT, (8, 8, 3), 5, (4,), 1)))
    plain = merged(residual, arithmetic.infer(residual, INPUT))
    assert find(plain) == ()
    shapes = [
        [layer.get_weights()[0].shape for layer in one.layers if "conv1" in layer.name] for one in (residual, plain)
    ]
    assert shapes[0] == shapes[1]
    same(residual, plain)


def test_what_it_needs_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    residual = quantized(trained(resnet(SkipStyle.RESIDUAL, (8, 8, 3), 5, (4,), 1)))
    inferred = arithmetic.infer(residual, INPUT)
    plain = merged(residual, inferred)
    after = arithmetic.infer(plain, INPUT)
    told = capsys.readouterr().err
    for node in graph.nodes(plain):
        kernel = after.layers[node.name].kernel
        before = inferred.layers[node.name].kernel if node.name in inferred.layers else None
        if kernel is not None and before is not None and kernel.type.width > before.type.width:
            said = f"layer {node.name}: weights of {kernel.type.width} bits for the skip, not {before.type.width}"
            assert said in told
    assert after.layers["g1b1_relu1"].output == inferred.layers["g1b1_relu1"].output


def test_weights_of_one_bit_cannot_pass_anything_on() -> None:
    residual = quantized(trained(resnet(SkipStyle.RESIDUAL, (8, 8, 3), 5, (4,), 1)), 1, 2)
    with pytest.raises(ModelError, match=r"^layer stem_conv: weights that can be 0 wanted for merging, not -1 and 1"):
        merged(residual, arithmetic.infer(residual, INPUT))


def test_a_quantizer_with_too_few_bits_is_named() -> None:
    x = inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(3, 3, padding="same", activation="relu", name="first")(x)
    y = layers.Conv2D(3, 3, padding="same", activation="relu", name="inner")(x)
    model = trained(
        keras.Model(inputs, layers.ReLU(name="last")(layers.Add()([x, layers.Conv2D(3, 3, padding="same")(y)])))
    )
    wide = quantized(model)
    few = quantized(model, 8, 4)
    mixed = graph.rebuild(
        wide,
        lambda node, given: graph.copied(
            next(one for one in graph.nodes(few) if one.name == node.name) if node.name == "inner_relu" else node, given
        ),
    )
    graph.carry_weights(wide, mixed)
    with pytest.raises(ModelError, match=r"^layer inner_relu: at least 8 bits wanted for what first_relu gives"):
        merged(mixed, arithmetic.infer(mixed, INPUT))


def test_a_model_without_skips_is_told_so() -> None:
    plain = quantized(trained(resnet(SkipStyle.PLAIN, (8, 8, 3), 5, (4,), 1)))
    with pytest.raises(ModelError, match="a skip to merge wanted, there is none"):
        merged(plain, arithmetic.infer(plain, INPUT))
