"""Small models whose numbers all lie on grids, so that a seeded fault is the only difference."""

import copy
from pathlib import Path
from typing import Any

import numpy as np

from nonresnet_hls.explain import explaining
from nonresnet_hls.explain.explaining import Explanation, Question, Wish
from nonresnet_hls.fixed.network import Network
from nonresnet_hls.hls import configured, network
from nonresnet_hls.hls import plain as plain_conversion
from nonresnet_hls.hls.simulate import Simulation

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


def scaled() -> Any:
    """A QKeras network whose weights have a scale, which hls4ml keeps apart from them."""
    import qkeras
    from tensorflow import keras

    image = keras.Input(SHAPE, name="image")
    own = {"kernel_quantizer": "quantized_bits(4,0,alpha=0.5)", "bias_quantizer": "quantized_bits(6,1,alpha=1)"}
    x = qkeras.QConv2D(3, 3, name="conv", **own)(image)
    x = qkeras.QActivation("quantized_relu(4,1)", name="act")(x)
    x = qkeras.QDense(3, name="dense", **own)(keras.layers.Flatten(name="flat")(x))
    model = keras.Model(image, x, name="scaled")
    rng = np.random.default_rng(2)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([rng.normal(0, 0.2, one.shape) for one in layer.get_weights()])
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


def simulated(model: Any, config: configured.Configuration, inputs: Any, directory: Path) -> Any:
    """What the C simulation of a model with a configuration gives, (samples, numbers)."""
    graph, _ = configured.to_graph(model, config, directory, WAY)
    plain_conversion.write_graph(graph, directory)
    size = int(np.prod(model.outputs[0].shape[1:]))
    with Simulation(directory) as simulation:
        return simulation.library(inputs, (size,))


def random_model(seed: int) -> Any:
    """A small network of random layers and weights; another for each seed."""
    from tensorflow import keras

    rng = np.random.default_rng(seed)
    layers = keras.layers
    keras.utils.set_random_seed(seed)
    size, channels = int(rng.choice([4, 5, 8])), int(rng.integers(1, 4))
    flat = bool(rng.integers(0, 4) == 0)
    x = image = keras.Input((int(rng.integers(3, 9)),) if flat else (size, size, channels), name="image")
    for depth in range(int(rng.integers(1, 4))):
        x = _random_layer(x, f"l{depth}", rng)
    if not flat:
        pooled = rng.integers(0, 3)
        if pooled == 0:
            x = layers.GlobalAveragePooling2D(name="mean")(x)
        elif pooled == 1:
            x = layers.Flatten(name="flat")(layers.GlobalMaxPooling2D(name="most", keepdims=True)(x))
        else:
            x = layers.Flatten(name="flat")(x)
    last = "softmax" if rng.integers(0, 3) == 0 else None
    model = keras.Model(image, layers.Dense(int(rng.integers(2, 6)), name="dense", activation=last)(x), name="random")
    for layer in model.layers:
        if layer.weights:
            scale = 2.0 ** float(rng.integers(-2, 1))
            weights = [rng.normal(0, scale, one.shape) for one in layer.get_weights()]
            if isinstance(layer, keras.layers.BatchNormalization):
                weights[-1] = rng.uniform(0.2, 3, weights[-1].shape)
            layer.set_weights(weights)
    return model


def _random_layer(x: Any, name: str, rng: np.random.Generator) -> Any:
    """A layer with weights, perhaps a batch norm, perhaps an activation, perhaps a skip around them, perhaps a pool."""
    from tensorflow import keras

    layers = keras.layers
    before, width = x, int(rng.integers(2, 5))
    if len(x.shape) == 2:
        x = layers.Dense(width, name=f"{name}_dense")(x)
    else:
        kind = rng.integers(0, 4)
        padding = str(rng.choice(["same", "valid"])) if x.shape[1] > 3 else "same"
        if kind == 0:
            x = layers.DepthwiseConv2D(3, padding=padding, name=f"{name}_dw")(x)
        elif kind == 1:
            x = layers.SeparableConv2D(width, 3, padding=padding, name=f"{name}_sep")(x)
        else:
            step = int(rng.integers(1, 3))
            kernel = int(rng.choice([1, 3]))
            x = layers.Conv2D(width, kernel, strides=step, padding=padding, name=f"{name}_conv")(x)
    if rng.integers(0, 2):
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
    choice = str(rng.choice(["relu", "relu", "relu", "linear", "tanh", "sigmoid", "leaky"]))
    if choice == "leaky":
        x = layers.LeakyReLU(0.25, name=f"{name}_leaky")(x)
    elif choice != "linear":
        x = layers.Activation(choice, name=f"{name}_{choice}")(x)
    if x.shape == before.shape and rng.integers(0, 2):
        x = layers.Add(name=f"{name}_add")([x, before])
    if len(x.shape) == 4 and x.shape[1] % 2 == 0 and x.shape[1] > 2 and rng.integers(0, 2):
        make = layers.MaxPooling2D if rng.integers(0, 2) else layers.AveragePooling2D
        x = make(2, name=f"{name}_pool")(x)
    return x
