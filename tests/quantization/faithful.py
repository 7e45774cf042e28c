"""Random float models, and a bound on what their quantization may change, for each value of each sample."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tensorflow import keras

from nonresnet_hls.networks import activations, graph
from nonresnet_hls.quantization.fold import fold_batch_norms, fold_into_next
from nonresnet_hls.quantization.ranges import ModelArithmetic

layers = keras.layers

Pick = Callable[[Sequence[Any]], Any]
"""One of several."""

_ACTIVATIONS = (
    None, None, None, None, "linear", "relu", "relu", "relu", layers.ReLU, lambda: layers.ReLU(1.5), layers.LeakyReLU,
    "elu", lambda: layers.Activation("relu"), lambda: layers.Activation("relu"), lambda: layers.ReLU(threshold=0.5),
    "relu6",
)  # fmt: skip
"""Of layers with weights; objects are made anew for every layer."""


def model(pick: Pick) -> Any:
    """A functional model of layers that the front end takes, and of settings that it must refuse.

    Every choice is drawn evenly: a law's library would prefer the first ones, and hardly meet what is rare.
    """
    side = pick([4, 6, 8])
    image = x = keras.Input((side, side, pick([1, 2, 3])), name="x")
    if pick(range(10)) == 9:
        x = layers.Rescaling(pick([1 / 255, 2.0]), pick([0.0, -1.0]))(x)
    for _ in range(pick([1, 2, 3, 4])):
        x = pick([_weighted, _weighted, _weighted, _block, _pooled, _other])(pick, x)
    x = pick([_head, _head, _no_head])(pick, x)
    made = keras.Model(image, x)
    _set_weights(pick, made)
    return made


def _weighted(pick: Pick, x: Any) -> Any:
    activation = pick(_ACTIVATIONS)
    options = {
        "activation": activation() if callable(activation) else activation,
        "use_bias": pick((False, True)),
        "padding": pick(["same", "same", "valid"]),
    }
    size = pick([1, 2, 3])
    size = min(size, x.shape[1])
    kind = pick(range(10))
    if kind < 7:
        x = layers.Conv2D(pick([1, 2, 3, 4]), size, strides=pick([1, 1, 2]), **options)(x)
    elif kind < 9:
        x = layers.DepthwiseConv2D(size, **options)(x)
    else:
        x = layers.Conv2D(2, size, dilation_rate=2 if x.shape[1] > 2 * size else 1, **options)(x)
    if pick((False, True)) and (options["activation"] is None or pick(range(8)) == 7):
        axis = pick([-1] * 9 + [3] * 3 + [1])
        x = layers.BatchNormalization(axis=axis, scale=pick((False, True)), center=pick((False, True)))(x)
    if pick((False, True)):
        x = pick([layers.ReLU] * 5 + [lambda: layers.Activation("relu")] * 3 + [layers.LeakyReLU])()(x)
    return x


def _block(pick: Pick, x: Any) -> Any:
    y = layers.Conv2D(x.shape[-1], 3, padding="same", activation=pick([None, "relu"]))(x)
    y = layers.BatchNormalization()(y) if pick((False, True)) else y
    joined = pick([layers.Add] * 5 + [layers.Concatenate] * 3 + [layers.Multiply])()([y, x])
    return layers.ReLU()(joined) if pick((False, True)) else joined


def _pooled(pick: Pick, x: Any) -> Any:
    pool = pick([layers.MaxPooling2D, layers.AveragePooling2D])
    size = min(pick([2, 2, 3]), x.shape[1])
    strides = pick([None] * 5 + [1])
    return pool(size, strides, padding=pick(["valid"] * 4 + ["same"]))(x)


def _other(pick: Pick, x: Any) -> Any:
    kind = pick([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4, 4, 4])
    if kind == 0:
        return layers.ZeroPadding2D(1)(x)
    if kind == 1:
        return layers.UpSampling2D(2, interpolation=pick(["nearest"] * 4 + ["bilinear"]))(x)
    if kind == 2:
        return layers.Dropout(0.5)(x)
    if kind == 3:
        return layers.BatchNormalization()(x)
    return layers.Reshape((x.shape[2], x.shape[1], x.shape[3]))(x)


def _head(pick: Pick, x: Any) -> Any:
    pooled = pick([layers.Flatten, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D])()(x)
    return layers.Dense(3, activation=pick([None] * 4 + ["softmax", "softmax", layers.Softmax(), "tanh"]))(pooled)


def _no_head(_pick: Pick, x: Any) -> Any:
    return x


def _set_weights(pick: Pick, model: Any) -> None:
    """Weights of all sizes, from far below 1 to above."""
    rng = np.random.default_rng(pick(range(1 << 32)))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            size = layer.moving_mean.shape[0]
            own = [rng.uniform(0.3, 2, size)] * layer.scale + [rng.normal(0, 0.5, size)] * layer.center
            layer.set_weights([*own, rng.normal(0, 0.5, size), rng.uniform(0.3, 2, size)])
        elif layer.get_weights():
            scale = 2.0 ** rng.integers(-7, 1)
            layer.set_weights([rng.normal(0, scale, w.shape) for w in layer.get_weights()])


def float_outputs(model: Any, x: Any) -> Any:
    """Outputs (samples, ...) of a float model; logits where it ends in a softmax."""
    last = model.outputs[0]._keras_history.layer
    if activations.of(last).name != activations.SOFTMAX:
        return model(x, training=False).numpy().astype(np.float64)
    own, last.activation = last.activation, keras.activations.linear
    try:
        return model(x, training=False).numpy().astype(np.float64)
    finally:
        last.activation = own


def bound(model: Any, quantized: Any, arithmetic: ModelArithmetic, x: Any) -> Any:
    """How far each output of the quantized model may be from the float model's, from its types and weights alone.

    A rounding is at most half a last bit, saturation is known for the float value; a layer with weights passes on
    |weights| * errors and adds |change of weights| * |values|.
    """
    folded = fold_into_next(fold_batch_norms(model))
    names = {layer.name for layer in folded.layers}
    errors: dict[str, Any] = {}
    means: dict[str, Any] = {}
    for node in graph.nodes(quantized):
        if not node.inputs:
            errors[node.name], means[node.name] = np.zeros_like(x, np.float64), x.astype(np.float64)
            continue
        sources = [errors[name] for name in node.inputs]
        before = [means[name] for name in node.inputs]
        if node.kind in ("QConv2D", "QDepthwiseConv2D", "QDense"):
            kernel, *bias = _weights(folded, node.name)
            layer = arithmetic.layers[node.name]
            changed = np.abs(layer.kernel.values - kernel)
            spread = _apply(node, np.abs(layer.kernel.values), sources[0]) + _apply(node, changed, np.abs(before[0]))
            if bias:
                spread = spread + np.abs(layer.bias.values - bias[0])
                means[node.name] = _apply(node, kernel, before[0]) + bias[0]
            else:
                means[node.name] = _apply(node, kernel, before[0])
            errors[node.name] = spread
        elif node.kind in ("QActivation", "FixedPointActivation"):
            of = arithmetic.layers[node.name].output
            passed = before[0] if of.signed else np.maximum(before[0], 0)
            kept = passed
            # A layer of ours stands for the activation of the one before it.
            own = node.name if node.name in names else node.inputs[0]
            if own in names and (clips := activations.of(folded.get_layer(own)).max_value) is not None:
                kept = np.minimum(passed, clips)
            errors[node.name] = sources[0] + float(of.lsb) / 2
            errors[node.name] += np.abs(np.clip(passed, float(of.min), float(of.max)) - kept)
            means[node.name] = kept
        else:
            copy = graph.copy_layer(node.layer)
            errors[node.name] = _plain(copy, sources)
            means[node.name] = _plain(copy, before)
    return errors[graph.output_names(quantized)[0]]


def _weights(model: Any, name: str) -> list[Any]:
    return [w.astype(np.float64) for w in model.get_layer(name).get_weights()]


def _apply(node: graph.Node, kernel: Any, x: Any) -> Any:
    """The layer's sum of products, in float64."""
    kind = getattr(layers, node.kind.removeprefix("Q"))
    keys = ("filters", "units", "kernel_size", "strides", "padding", "depth_multiplier")
    config = node.layer.get_config()
    twin = kind(**{key: config[key] for key in keys if key in config}, use_bias=False, dtype="float64")
    twin.build(x.shape)
    twin.set_weights([kernel])
    return twin(x).numpy()


def _plain(layer: Any, inputs: list[Any]) -> Any:
    """A layer without weights on float64."""
    twin = type(layer).from_config(layer.get_config() | {"dtype": "float64"})
    return twin(inputs[0] if len(inputs) == 1 else inputs).numpy()
