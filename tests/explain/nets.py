"""Small models whose numbers all lie on grids, so that a seeded fault is the only difference."""

import copy
from pathlib import Path
from typing import Any

import numpy as np

from nonresnet_hls.explain import explaining
from nonresnet_hls.explain.explaining import Explanation, Question, Wish
from nonresnet_hls.fixed.network import Network
from nonresnet_hls.hls import configured, network

SHAPE = (8, 8, 2)


def images(count: int = 8, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> Any:
    """Multiples of 1/16 from 0 to 1."""
    return np.random.default_rng(seed).integers(0, 16, (count, *shape)) / 16


def on_grid(model: Any, step: float = 1 / 16, most: int = 12, seed: int = 1) -> Any:
    """The model with weights that are multiples of a step."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([rng.integers(-most, most + 1, one.shape) * step for one in layer.get_weights()])
    return model


def plain(activation: str | None = "relu", softmax: bool = False) -> Any:
    """Convolution, ReLU, pooling, dense layer."""
    from tensorflow import keras

    layers = keras.layers
    image = keras.Input(SHAPE, name="image")
    x = layers.Conv2D(3, 3, padding="same", name="conv", activation=activation)(image)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Dense(4, name="dense", activation="softmax" if softmax else None)(layers.Flatten(name="flat")(x))
    return on_grid(keras.Model(image, x, name="plain"))


def residual(relu: Any = None) -> Any:
    """A residual block."""
    from tensorflow import keras

    layers = keras.layers
    image = keras.Input(SHAPE, name="image")
    x = layers.Conv2D(2, 3, padding="same", name="conv1")(image)
    x = layers.ReLU(name="relu1")(x) if relu is None else relu(x)
    x = layers.Add(name="add")([layers.Conv2D(2, 3, padding="same", name="conv2")(x), image])
    x = layers.GlobalAveragePooling2D(name="mean")(layers.ReLU(name="relu2")(x))
    return on_grid(keras.Model(image, layers.Dense(3, name="dense")(x), name="residual"))


def quantized(dropped: bool = False, pooled: bool = False, bits: int = 4) -> Any:
    """A QKeras network; with `dropped` a quantizer before its Add, which hls4ml leaves out."""
    import qkeras
    from tensorflow import keras

    from nonresnet_hls.quantization.quantizers import signed

    image = keras.Input(SHAPE, name="image")

    def conv(name: str) -> Any:
        own = {"kernel_quantizer": signed(bits, 0), "bias_quantizer": signed(bits, 0)}
        return qkeras.QConv2D(2, 3, padding="same", name=name, **own)

    x = qkeras.QActivation(f"quantized_relu({bits},1)", name="act1")(conv("conv1")(image))
    x = conv("conv2")(x)
    if dropped:
        x = qkeras.QActivation(f"quantized_bits({bits},1,alpha=1)", name="act2")(x)
    x = keras.layers.Add(name="add")([x, image])
    x = qkeras.QActivation(f"quantized_relu({bits},2)", name="act3")(x)
    layers = keras.layers
    x = layers.GlobalAveragePooling2D(name="mean")(x) if pooled else layers.Flatten(name="flat")(x)
    own = {"kernel_quantizer": signed(bits, 0), "bias_quantizer": signed(bits, 0)}
    model = keras.Model(image, qkeras.QDense(3, name="dense", **own)(x), name="quantized")
    rng = np.random.default_rng(2)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([rng.uniform(-0.9, 0.9, one.shape) for one in layer.get_weights()])
    return model


WAY = configured.Way()


def hardware(model: Any, config: configured.Configuration, way: configured.Way = WAY) -> Network:
    """What hls4ml makes of a model."""
    graph, _ = configured.to_graph(model, config, Path("never-written"), way)
    return network.of_graph(graph)


def exact_config(model: Any, inputs: Any) -> configured.Configuration:
    """A configuration in which nothing is lost: hls4ml's own choice, explained and cured."""
    own = configured.default(model)
    asked = Question(model.name, model, hardware(model, own), (inputs,), given=own)
    cure = explaining.explain(asked, Wish()).cure
    return own if cure is None else cure.config


def changed(config: configured.Configuration, layer: str, **keys: Any) -> configured.Configuration:
    """A configuration with other types (`result=`, `accum=`, ...) or keys of a layer."""
    found = copy.deepcopy(config)
    entry = found["LayerName"][layer]
    for key, value in keys.items():
        if key[0].isupper() or key.endswith("_t"):
            entry[key] = value
        else:
            entry.setdefault("Precision", {})[key] = value
    return found


def explained(model: Any, config: configured.Configuration, inputs: Any, **wish: Any) -> Explanation:
    """The explanation of a model with a configuration."""
    asked = Question(model.name, model, hardware(model, config), (inputs,), given=config)
    return explaining.explain(asked, Wish(**wish))
