"""Float model to QKeras model: what is refused, what is said, and what `finish` leaves as it is."""

from typing import Any

import numpy as np
import pytest
import qkeras
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.quantization.quantize import finish, put_on_grid, quantize
from nonresnet_hls.recipe import Quantization
from tests.quantization import nets

layers = keras.layers


def _samples(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(0).uniform(0, 1, (8, *shape)).astype(np.float32)


def _model(*chain: Any, shape: tuple[int, ...] = (6, 6, 3)) -> Any:
    x = image = keras.Input(shape, name="x")
    for layer in chain:
        x = layer(x)
    return keras.Model(image, x)


def test_one_bit_for_what_can_be_negative_is_refused() -> None:
    """QKeras makes -1 and +1 of it, which is no type of one bit."""
    model = _model(layers.Conv2D(2, 3, name="first"), layers.Conv2D(2, 3, name="second"))
    with pytest.raises(ModelError, match=r"^layer first: 2 or more activation bits wanted, since .* negative, not 1$"):
        quantize(model, Quantization(4, 1), _samples((6, 6, 3)))
    rectified = _model(layers.Conv2D(2, 3), layers.ReLU(), layers.Conv2D(2, 3))
    done = quantize(rectified, Quantization(4, 1), _samples((6, 6, 3)))
    assert [layer.quantizer.bits for layer in done.layers if hasattr(layer, "quantizer")] == [1]


@pytest.mark.parametrize("most", [0.75, 0.3])
def test_a_relu_clips_where_it_should_and_says_where_its_type_cannot(
    most: float, capsys: pytest.CaptureFixture[str]
) -> None:
    model = _model(layers.Conv2D(2, 3, name="conv"), layers.ReLU(most, name="clip"))
    model.get_layer("conv").set_weights([np.ones((3, 3, 3, 2)), np.zeros(2)])
    done = quantize(model, Quantization(8, 4), np.full((2, 6, 6, 3), 0.5, np.float32))
    found = done.predict(_samples((6, 6, 3)), verbose=0)
    told = capsys.readouterr().err
    if most == 0.75:
        assert (found.max(), told) == (most, "")
    else:
        assert abs(found.max() - most) < 1 / 32
        assert f"layer clip: clips at {found.max():g}, not at 0.3, which " in told


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (lambda: layers.Dense(3, name="odd"), "Dense"),
        (lambda: qkeras.QBatchNormalization(name="odd"), "QBatchNormalization"),
        (lambda: qkeras.QConv2DBatchnorm(2, 3, kernel_quantizer=nets.quantizers.signed(4, 0), name="odd"), "QConv2DBa"),
    ],
)
def test_weights_without_a_quantizer_that_is_known_are_refused_by_layer(layer: Any, kind: str) -> None:
    model = _model(nets.conv(), layer())
    with pytest.raises(ModelError, match=rf"^layer odd: QConv1D, .*, QDense or .* wanted .*, not {kind}"):
        finish(model)


def test_a_scale_on_a_grid_stays_and_another_batch_norm_is_put_on_one() -> None:
    rng = np.random.default_rng(0)
    model = _model(nets.conv(), nets.batch_norm(), nets.conv(), layers.BatchNormalization(name="trained"))
    fine = model.layers[2]
    gamma = rng.integers(-(2**11), 2**11, 3) / 2.0**10  # finer than what is made of others
    fine.set_weights([gamma, gamma / 4, np.zeros(3), np.ones(3)])
    model.get_layer("trained").set_weights([rng.uniform(0.5, 2, 3) for _ in range(4)])
    assert put_on_grid(model) == ["trained"]
    done = finish(model)
    assert [weights.tolist() for weights in done.layers[2].get_weights()[:2]] == [gamma.tolist(), (gamma / 4).tolist()]
    assert put_on_grid(done) == []
    scale = np.ldexp(done.get_layer("trained").get_weights()[0], 10)
    assert (scale == np.rint(scale)).all()


@pytest.mark.parametrize("exponent", [-12, -5, 0, 3])
def test_weights_of_any_size_keep_all_their_levels(exponent: int) -> None:
    """Of the same weights times a power of two, the quantized ones are the same, times that."""
    rng = np.random.default_rng(0)
    kernel, samples = rng.normal(0, 0.4, (3, 3, 3, 4)), _samples((6, 6, 3))
    done = []
    for scale in (1.0, 2.0**exponent):
        model = _model(layers.Conv2D(4, 3, use_bias=False, name="conv"), layers.ReLU(), layers.Conv2D(2, 1))
        model.get_layer("conv").set_weights([kernel * scale])
        done.append(finish(quantize(model, Quantization(8, 8), samples)))
    (plain,), (scaled,) = (model.get_layer("conv").get_weights() for model in done)
    assert (scaled == plain * 2.0**exponent).all()
    assert np.unique(plain).size > 64
    values = [model.layers[2](model.layers[1](samples)).numpy() for model in done]
    assert (values[1] == values[0] * 2.0**exponent).all()


def test_generated_names_make_way_for_those_of_the_model() -> None:
    image = keras.Input((6, 6, 3), name="x")
    x = layers.Conv2D(3, 1, activation="relu", name="c1")(image)
    x = layers.Conv2D(3, 1, name="c1_relu")(x)
    x = layers.Add(name="sum")([x, image])
    x = layers.ReLU(name="sum_q")(layers.Conv2D(2, 1, name="c2")(x))
    model = keras.Model(image, x)
    done = quantize(model, Quantization(8, 8), _samples((6, 6, 3)))
    names = [layer.name for layer in done.layers]
    assert len(names) == len(set(names))
    assert {"c1", "c1_relu", "c1_relu_", "sum", "sum_q", "sum_q_", "c2"} <= set(names)
    for name in ("c1", "c1_relu", "c2"):
        assert (done.get_layer(name).get_weights()[0] == model.get_layer(name).get_weights()[0]).all()


@pytest.mark.parametrize(
    ("activation", "got"),
    [
        (layers.ReLU(threshold=1.0), "ReLU with threshold 1"),
        ("swish", "swish"),
        (layers.Softmax(axis=1), "softmax over .*"),
    ],
)
def test_an_activation_that_cannot_be_is_refused_however_it_is_written(activation: Any, got: str) -> None:
    model = _model(layers.Conv2D(2, 3, activation=activation, name="odd"), layers.Conv2D(2, 1))
    with pytest.raises(
        ModelError, match=f"^layer odd: activation relu, .*, linear or a final softmax wanted, not {got}$"
    ):
        quantize(model, Quantization(8, 8), _samples((6, 6, 3)))


@pytest.mark.parametrize("activation", [layers.ReLU(), layers.Activation("relu"), "relu"])
def test_a_relu_is_one_however_it_is_written(activation: Any) -> None:
    model = _model(layers.Conv2D(2, 3, activation=activation, name="conv"), layers.Conv2D(2, 1))
    done = quantize(model, Quantization(8, 8), _samples((6, 6, 3)))
    assert not done.get_layer("conv_relu").quantizer(np.float32(-1.0)).numpy()


def test_weights_that_all_round_to_zero_are_refused_by_layer() -> None:
    model = _model(nets.conv(), nets.relu(), nets.conv())
    layer = model.layers[3]
    layer._name = "tiny"
    layer.set_weights([np.full_like(w, 0.003) for w in layer.get_weights()])
    wanted = (
        r"^layer tiny \(kernel\): a finer grid than fixed<5,1,RND_CONV,SAT> wanted, on which all 81 weights round to 0 "
    )
    with pytest.raises(ModelError, match=wanted):
        finish(model)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused_by_layer(odd: float) -> None:
    """QKeras' `binary` would make -1 of them."""
    image = keras.Input((6, 6, 3), name="x")
    for bits in (1, 5):
        conv = nets.conv(bits=bits, name="odd")
        model = keras.Model(image, nets.relu()(conv(image)))
        kernel, bias = conv.get_weights()
        kernel[0, 0, 0, 0] = odd
        conv.set_weights([kernel, bias])
        with pytest.raises(ModelError, match=rf"^layer odd \(kernel\): finite weights wanted, not {odd}$"):
            finish(model)
    norm = layers.BatchNormalization(name="odd")
    model = keras.Model(image, nets.relu()(norm(nets.conv()(image))))
    norm.set_weights([np.full(3, odd), *norm.get_weights()[1:]])
    with pytest.raises(ModelError, match=r"^layer odd: a batch norm of finite scale and offset wanted$"):
        finish(model)
