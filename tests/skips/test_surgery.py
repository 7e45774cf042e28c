"""Surgery against models that are built without the skips in the first place."""

import itertools
from dataclasses import dataclass

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from nonresnet_hls import networks, skips
from nonresnet_hls.errors import ModelError
from nonresnet_hls.recipe import SkipStyle


@dataclass(frozen=True)
class Branch:
    """Something around which a skip goes: convolutions and further skips."""

    parts: tuple["Branch | str", ...]
    projected: bool = False


parts = st.recursive(
    st.sampled_from(["conv", "preact"]),
    lambda inner: st.builds(Branch, st.lists(inner, min_size=1, max_size=3).map(tuple), st.booleans()),
    max_leaves=5,
)


def build(spec, gone=frozenset(), extra_output=False):
    """The model that `spec` describes, without the skips whose joins are named in `gone`."""
    from tensorflow import keras

    layers, counter = keras.layers, itertools.count(1)
    first = keras.initializers.HeNormal

    def conv(x, size=3):
        number = next(counter)
        return layers.Conv2D(4, size, padding="same", kernel_initializer=first(number), name=f"conv{number}")(x)

    def apply(part, x):
        if part == "conv":
            return layers.ReLU(name=f"relu{next(counter)}")(conv(x))
        if part == "preact":
            return conv(layers.ReLU(name=f"relu{next(counter)}")(x))
        number = next(counter)
        start = x
        for inner in part.parts:
            x = apply(inner, x)
        shortcut = start
        if part.projected and f"add{number}" in gone:
            next(counter)
        elif part.projected:
            shortcut = conv(start, 1)
        return x if f"add{number}" in gone else layers.Add(name=f"add{number}")([x, shortcut])

    image = x = keras.Input((5, 5, 4), name="image")
    x = middle = conv(x)
    for part in spec:
        x = apply(part, x)
    return keras.Model(image, [x, middle] if extra_output else x)


def predict(model):
    x = np.random.default_rng(0).standard_normal((2, *model.input_shape[1:])).astype(np.float32)
    outputs = model(x)
    return [output.numpy() for output in (outputs if isinstance(outputs, list) else [outputs])]


def equal(one, other):
    return all((a == b).all() for a, b in zip(predict(one), predict(other), strict=True))


def projects_less_than_it_skips(part):
    return isinstance(part, str) or (
        (not part.projected or len(part.parts) > 1) and all(map(projects_less_than_it_skips, part.parts))
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(parts, min_size=1, max_size=3).filter(lambda spec: all(map(projects_less_than_it_skips, spec))),
       st.data())  # fmt: skip
def test_removal_of_any_skips_equals_the_model_built_without_them(spec, data):
    model = build(spec, extra_output=True)
    found = skips.find(model)
    assert {skip.joins for skip in found} == {layer.name for layer in model.layers if layer.name.startswith("add")}
    chosen = data.draw(st.sets(st.sampled_from(found)) if found else st.just(set()))
    before = model.to_json()
    without = skips.remove(model, {skip.number for skip in chosen})
    assert equal(without, build(spec, frozenset(skip.joins for skip in chosen), extra_output=True))
    assert model.to_json() == before
    assert [skip.joins for skip in skips.find(without)] == [s.joins for s in found if s not in chosen]


@pytest.fixture(scope="module")
def styles():
    return {style: networks.resnet(style, (8, 8, 1), 10, (4, 6, 8), 2, seed=3) for style in SkipStyle}


def same(one, other):
    return {layer.name for layer in one.layers} == {layer.name for layer in other.layers} and equal(one, other)


def test_a_resnet_without_its_skips_is_the_plain_network(styles):
    assert same(skips.remove(styles[SkipStyle.RESIDUAL]), styles[SkipStyle.PLAIN])
    assert same(skips.remove(styles[SkipStyle.SHORT]), styles[SkipStyle.PLAIN])


def test_a_resnet_with_shortened_skips_is_the_short_network(styles):
    assert same(skips.shorten(styles[SkipStyle.RESIDUAL]), styles[SkipStyle.SHORT])


def test_trained_weights_are_carried_over(styles):
    model = networks.resnet(SkipStyle.SHORT, (8, 8, 1), 10, (4, 6, 8), 1)
    rng = np.random.default_rng(1)
    model.set_weights([rng.random(w.shape) for w in model.get_weights()])
    without = skips.remove(model, [2])
    for layer in without.layers:
        for kept, own in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True):
            assert (kept == own).all()
    assert without.count_params() < model.count_params()  # its projection went with the skip


def test_one_of_three_branches_can_go():
    from tensorflow import keras

    x = image = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(3, 3, padding="same", name="long")(x)
    y = keras.layers.BatchNormalization(name="norm")(image)
    model = keras.Model(image, keras.layers.Add(name="join")([image, x, y]))
    found = skips.find(model)
    assert [(skip.projection, skip.bypasses) for skip in found] == [((), ("long",)), (("norm",), ("long",))]
    left = skips.find(skips.remove(model, [1]))
    assert [(skip.projection, skip.bypasses) for skip in left] == [(("norm",), ("long",))]
    assert skips.find(skips.remove(model)) == ()


def test_several_inputs_and_outputs():
    from tensorflow import keras

    a, b = keras.Input((4, 4, 3), name="a"), keras.Input((4, 4, 3), name="b")
    both = keras.layers.Add(name="merge")([a, b])  # two inputs: no skip
    x = keras.layers.Conv2D(3, 3, padding="same", name="conv")(both)
    x = keras.layers.Add(name="join")([x, both])
    model = keras.Model([a, b], {"first": x, "second": both}.values())
    assert [(skip.leaves, skip.joins) for skip in skips.find(model)] == [("merge", "join")]
    without = skips.remove(model)
    assert (len(without.inputs), len(without.outputs)) == (2, 2)
    assert [tuple(o.shape) for o in without.outputs] == [(None, 4, 4, 3)] * 2


def test_a_second_input_may_enter_the_branch_that_is_bypassed():
    from tensorflow import keras

    layers = keras.layers
    image, condition = keras.Input((4, 4, 3), name="image"), keras.Input((3,), name="condition")
    x = layers.Conv2D(3, 3, padding="same", name="first")(image)
    x = layers.Multiply(name="gate")([x, layers.Dense(3, name="embed")(condition)])
    x = layers.Conv2D(3, 3, padding="same", name="second")(x)
    model = keras.Model([image, condition], layers.Add(name="join")([x, image]))
    (skip,) = skips.find(model)
    assert (skip.leaves, skip.bypasses) == ("image", ("first", "gate", "second"))
    assert [layer.name for layer in skips.remove(model).inputs] == ["image", "condition"]
    assert skips.find(skips.shorten(model))[0].bypasses == ("first",)


def test_the_plus_operator_is_a_join():
    from tensorflow import keras

    image = keras.Input((4, 4, 3))
    model = keras.Model(image, keras.layers.Conv2D(3, 3, padding="same")(image) + image)
    assert len(skips.find(model)) == 1
    assert [type(layer).__name__ for layer in skips.remove(model).layers] == ["InputLayer", "Conv2D"]


def shared():
    from tensorflow import keras

    image = keras.Input((4, 4, 3))
    conv = keras.layers.Conv2D(3, 3, padding="same", name="twice")
    x = keras.layers.Add(name="join")([conv(conv(image)), image])
    return keras.Model(image, x)


def concatenated():
    from tensorflow import keras

    image = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(2, 3, padding="same")(image)
    return keras.Model(image, keras.layers.Concatenate(name="join")([image, x]))


def broadcast():
    from tensorflow import keras

    image = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(1, 4, name="squeeze")(image)
    return keras.Model(image, keras.layers.Add(name="join")([image, x]))


@pytest.mark.parametrize(
    ("model", "reason"),
    [(shared, "'twice' is shared"), (concatenated, "Concatenate"), (broadcast, "would not fit")],
)
def test_what_cannot_go_is_listed_and_refused_with_the_reason(model, reason):
    built = model()
    (skip,) = skips.find(built)
    assert not skip.removable
    assert reason in skip.refusal
    with pytest.raises(ModelError, match=reason):
        skips.remove(built, [1])
    with pytest.raises(ModelError, match=reason):
        skips.shorten(built, [1])
    assert len(skips.find(skips.remove(built))) == 1  # "all that can go" leaves it


def test_a_number_that_no_skip_has_is_refused(styles):
    with pytest.raises(ModelError, match=r"skips 1\.\.6 wanted, not 7"):
        skips.remove(styles[SkipStyle.SHORT], [7])


def test_a_skip_into_a_sum_of_three_cannot_be_shortened():
    """The sum would move as a whole, here behind what starts inside the branch."""
    from tensorflow import keras

    image = keras.Input((8, 8, 4), name="image")
    first = keras.layers.Conv2D(4, 3, padding="same", name="first")(image)
    second = keras.layers.Conv2D(4, 3, padding="same", name="second")(keras.layers.ReLU(name="inside")(first))
    joined = keras.layers.Add(name="join")([second, image, first])
    model = keras.Model(image, keras.layers.ReLU(name="end")(joined))
    with pytest.raises(ModelError, match="3 branches join"):
        skips.shorten(model, [1])
    assert same(skips.shorten(model), model)


def test_a_short_skip_cannot_be_shortened(styles):
    with pytest.raises(ModelError, match="no more than one convolution"):
        skips.shorten(styles[SkipStyle.SHORT], [1])


def test_a_model_that_is_not_functional_is_refused():
    from tensorflow import keras

    class Own(keras.Model):
        pass

    with pytest.raises(ModelError, match="a functional Keras model wanted, not Own"):
        skips.find(Own())


def test_a_sequential_model_has_no_skips():
    from tensorflow import keras

    assert skips.find(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])) == ()


def test_a_quantized_model_keeps_its_quantizers():
    import qkeras
    from tensorflow import keras

    image = keras.Input((4, 4, 2))
    x = qkeras.QConv2D(2, 3, padding="same", kernel_quantizer="quantized_bits(4,0,1)", name="conv")(image)
    x = keras.layers.Add(name="join")([x, image])
    model = keras.Model(image, qkeras.QActivation("quantized_relu(4)", name="act")(x))
    without = skips.remove(model)
    assert without.get_layer("conv").get_config() == model.get_layer("conv").get_config()
    assert type(without.get_layer("act")) is qkeras.QActivation
