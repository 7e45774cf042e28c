import math

import pytest

from nonresnet_hls import networks, skips
from nonresnet_hls.recipe import SkipStyle


def test_what_a_skip_reports():
    model = networks.resnet(SkipStyle.RESIDUAL, (8, 8, 1), 10, (4, 8), 2)
    found = skips.find(model)
    assert [skip.number for skip in found] == [1, 2, 3, 4]
    assert [skip.group for skip in found] == [1, 1, 2, 2]
    third = found[2]
    assert (third.leaves, third.joins) == ("g1b2_relu2", "g2b1_add")
    assert third.projection == ("g2b1_proj", "g2b1_proj_bn")
    assert third.bypasses == ("g2b1_conv1", "g2b1_bn1", "g2b1_relu1", "g2b1_conv2", "g2b1_bn2")
    assert third.buffer_shape == (4, 4, 8)
    assert third.buffer_elements == math.prod((4, 4, 8))
    assert [bool(skip.projection) for skip in found] == [False, False, True, False]


@pytest.mark.parametrize(("style", "count"), [(SkipStyle.RESIDUAL, 9), (SkipStyle.SHORT, 9), (SkipStyle.PLAIN, 0)])
def test_the_paper_s_networks_have_the_skips_that_the_paper_says(style, count):
    assert len(skips.find(networks.resnet(style, (32, 32, 3), 10))) == count


def test_two_branches_that_compute_the_same_are_no_skip():
    from tensorflow import keras

    image = keras.Input((4, 4, 3))
    branches = [keras.layers.Conv2D(3, 1)(image) for _ in range(2)]
    assert skips.find(keras.Model(image, keras.layers.Add()(branches))) == ()


def test_a_branch_with_a_convolution_of_its_own_is_no_skip():
    from tensorflow import keras

    image = x = keras.Input((4, 4, 3))
    for _ in range(2):
        x = keras.layers.Conv2D(3, 3, padding="same")(x)
    other = keras.layers.Conv2D(3, 3, padding="same")(image)
    assert skips.find(keras.Model(image, keras.layers.Add()([x, other]))) == ()


def test_axes_that_are_not_fixed_leave_the_buffer_open():
    from tensorflow import keras

    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(3, 3, padding="same")(image)
    (skip,) = skips.find(keras.Model(image, keras.layers.Add()([x, image])))
    assert skip.buffer_shape == (None, None, 3)
    assert skip.buffer_elements is None


def test_skips_around_a_model_that_is_used_as_a_layer():
    from tensorflow import keras

    inner_input = keras.Input((4, 4, 3))
    inner = keras.Model(inner_input, keras.layers.Conv2D(3, 3, padding="same")(inner_input), name="inner")
    image = keras.Input((4, 4, 3))
    x = keras.layers.Add(name="join")([inner(image), image])
    model = keras.Model(image, x)
    (skip,) = skips.find(model)
    assert skip.bypasses == ("inner",)
    without = skips.remove(model)
    assert (without.get_layer("inner").get_weights()[0] == inner.get_weights()[0]).all()


# name: number of its skips, and whether they can go. As published: 3+4+6+3 blocks of ResNet50, 3+4+23+3 of
# ResNet101, the repeats at stride 1 of MobileNetV2 and EfficientNetB0, 3+8+1 of Xception, 6+12+24+16 of DenseNet121.
APPLICATIONS = {
    "ResNet50": (16, True),
    "ResNet50V2": (16, True),
    "ResNet101": (33, True),
    "MobileNetV2": (10, True),
    "EfficientNetB0": (9, True),
    "Xception": (12, True),
    "DenseNet121": (58, False),
}


@pytest.mark.parametrize(
    "name",
    [name if name == "MobileNetV2" else pytest.param(name, marks=pytest.mark.nightly) for name in APPLICATIONS],
)
def test_models_that_others_wrote(name):
    import numpy as np
    from tensorflow import keras

    count, removable = APPLICATIONS[name]
    model = getattr(keras.applications, name)(weights=None, input_shape=(96, 96, 3), classes=10)
    found = skips.find(model)
    assert len(found) == count
    assert [skip.removable for skip in found] == [removable] * count
    without = skips.remove(model)
    assert len(skips.find(without)) == (0 if removable else count)
    outputs = without(np.zeros((1, 96, 96, 3), np.float32)).numpy()
    assert outputs.shape == (1, 10)
    assert np.isfinite(outputs).all()
    for layer in without.layers:
        for kept, own in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True):
            assert (kept == own).all()
