"""Residual networks for small images (He et al. 2016, section 4.2) in the three skip styles of the paper (Fig. 1).

Layer names say where a layer stands: `stem_*`, then `g1b2_conv1` for the first convolution of the second block
of the first resolution group. A block's convolutions are `conv1`, `conv2`, its skip ends in `add` and holds,
where the block changes shape, `proj` (1x1 convolution) and `proj_bn`. The outputs are logits.
"""

import re
from typing import Any

from nonresnet_hls import extras
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import graph
from nonresnet_hls.recipe import Architecture, Family, SkipStyle


@graph.in_float32()
def resnet(
    skips: SkipStyle,
    input_shape: tuple[int, int, int],
    classes: int,
    filters: tuple[int, ...] = (16, 32, 64),
    blocks_per_group: int = 3,
    seed: int = 0,
) -> Any:
    """A ResNet, ShortResNet or NonResNet as `keras.Model`: (batch, *input_shape) -> (batch, classes) logits.

    A merged one is the residual one: its skips are merged when it is quantized.

    Two networks that differ in `skips` alone have the same layer names and the same initial weights in all
    layers that both have.
    """
    extras.require_keras()
    from tensorflow import keras

    layers = keras.layers

    def init(name: str) -> Any:
        # Seeded by name: a layer's weights do not depend on which other layers there are.
        return keras.initializers.HeNormal(seed=_seed(seed, name))

    def conv_bn(x: Any, name: str, bn: str, count: int, size: int, stride: int) -> Any:
        x = layers.Conv2D(
            count, size, stride, padding="same", use_bias=False, kernel_initializer=init(name), name=name
        )(x)
        return layers.BatchNormalization(name=bn)(x)

    def block(x: Any, prefix: str, count: int, stride: int) -> Any:
        shortcut = x
        if skips is not SkipStyle.PLAIN and (stride != 1 or x.shape[-1] != count):
            shortcut = conv_bn(x, f"{prefix}_proj", f"{prefix}_proj_bn", count, 1, stride)
        x = conv_bn(x, f"{prefix}_conv1", f"{prefix}_bn1", count, 3, stride)
        if skips is SkipStyle.SHORT:
            x = layers.Add(name=f"{prefix}_add")([x, shortcut])
        x = layers.ReLU(name=f"{prefix}_relu1")(x)
        x = conv_bn(x, f"{prefix}_conv2", f"{prefix}_bn2", count, 3, 1)
        if skips in (SkipStyle.RESIDUAL, SkipStyle.MERGED):
            x = layers.Add(name=f"{prefix}_add")([x, shortcut])
        return layers.ReLU(name=f"{prefix}_relu2")(x)

    # hls4ml reserves the layer name "input".
    image = x = keras.Input(input_shape, name="image")
    x = conv_bn(x, "stem_conv", "stem_bn", filters[0], 3, 1)
    x = layers.ReLU(name="stem_relu")(x)
    for group, count in enumerate(filters, start=1):
        for number in range(1, blocks_per_group + 1):
            x = block(x, f"g{group}b{number}", count, 2 if group > 1 and number == 1 else 1)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    logits = layers.Dense(classes, kernel_initializer=init("logits"), name="logits")(x)
    return keras.Model(image, logits, name=f"{skips}_resnet")


def build(architecture: Architecture, input_shape: tuple[int, ...], classes: int, seed: int = 0) -> Any:
    """The untrained network that an `[architecture]` of family resnet describes.

    Raises:
        ModelError: another family, or the data are no images.
    """
    if architecture.family is not Family.RESNET or architecture.skips is None or len(input_shape) != 3:
        wanted = "family resnet and images (height, width, channels) wanted"
        raise ModelError(f"network: {wanted}, not {architecture.family} and data of shape {input_shape}")
    height, width, channels = input_shape
    return resnet(
        architecture.skips,
        (height, width, channels),
        classes,
        architecture.filters,
        architecture.blocks_per_group,
        seed,
    )


def layer_group(name: str) -> int | None:
    """The resolution group (from 1) that a layer of ours belongs to; None outside the groups.

    >>> layer_group("g2b1_add"), layer_group("stem_conv")
    (2, None)
    """
    match = re.match(r"g(\d+)b\d+_", name)
    return int(match[1]) if match else None


def _seed(seed: int, name: str) -> int:
    import zlib

    return zlib.crc32(f"{seed}:{name}".encode())
