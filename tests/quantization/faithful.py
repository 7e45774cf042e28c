"""Random float models, and a bound on what their quantization may change, for each value of each sample."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from tensorflow import keras

from nonresnet_hls.networks import activations, graph
from nonresnet_hls.quantization.arithmetic import ModelArithmetic
from nonresnet_hls.quantization.fold import fold_batch_norms, fold_into_next

layers = keras.layers

_ACTIVATIONS = (
    None, None, "linear", "relu", "relu", layers.ReLU, lambda: layers.ReLU(1.5), layers.LeakyReLU, "tanh", "elu",
    lambda: layers.Activation("relu"), lambda: layers.ReLU(threshold=0.5), "relu6",
)  # fmt: skip
"""Of layers with weights; objects are made anew for every layer."""


def model(draw: st.DrawFn) -> Any:
    """A functional model of layers that the front end takes, and of settings that it must refuse.

    Args:
        draw: as `st.data` has it (Keras, which has a random generator of its own, does not work inside strategies).
    """
    side = draw(st.sampled_from([4, 6, 8]))
    image = x = keras.Input((side, side, draw(st.integers(1, 3))), name="x")
    if draw(st.integers(0, 5)) == 0:
        x = layers.Rescaling(draw(st.sampled_from([1 / 255, 2.0])), draw(st.sampled_from([0.0, -1.0])))(x)
    for _ in range(draw(st.integers(1, 4))):
        x = draw(st.sampled_from([_weighted, _weighted, _weighted, _block, _pooled, _other]))(draw, x)
    x = draw(st.sampled_from([_head, _head, _no_head]))(draw, x)
    made = keras.Model(image, x)
    _set_weights(draw, made)
    return made


def _weighted(draw: st.DrawFn, x: Any) -> Any:
    activation = draw(st.sampled_from(_ACTIVATIONS))
    options = {
        "activation": activation() if callable(activation) else activation,
        "use_bias": draw(st.booleans()),
        "padding": draw(st.sampled_from(["same", "same", "valid"])),
    }
    size = draw(st.sampled_from([1, 2, 3]))
    size = min(size, x.shape[1])
    kind = draw(st.integers(0, 9))
    if kind < 7:
        x = layers.Conv2D(draw(st.integers(1, 4)), size, strides=draw(st.sampled_from([1, 1, 2])), **options)(x)
    elif kind < 9:
        x = layers.DepthwiseConv2D(size, **options)(x)
    else:
        x = layers.Conv2D(2, size, dilation_rate=2 if x.shape[1] > 2 * size else 1, **options)(x)
    if draw(st.booleans()):
        axis = draw(st.sampled_from([-1, -1, -1, 3, 1]))
        x = layers.BatchNormalization(axis=axis, scale=draw(st.booleans()), center=draw(st.booleans()))(x)
    if draw(st.booleans()):
        x = draw(st.sampled_from([layers.ReLU, lambda: layers.Activation("relu"), layers.LeakyReLU]))()(x)
    return x


def _block(draw: st.DrawFn, x: Any) -> Any:
    y = layers.Conv2D(x.shape[-1], 3, padding="same", activation=draw(st.sampled_from([None, "relu"])))(x)
    y = layers.BatchNormalization()(y) if draw(st.booleans()) else y
    joined = draw(st.sampled_from([layers.Add, layers.Add, layers.Concatenate, layers.Multiply]))()([y, x])
    return layers.ReLU()(joined) if draw(st.booleans()) else joined


def _pooled(draw: st.DrawFn, x: Any) -> Any:
    pool = draw(st.sampled_from([layers.MaxPooling2D, layers.AveragePooling2D]))
    size = min(draw(st.sampled_from([2, 2, 3])), x.shape[1])
    strides = draw(st.sampled_from([None, None, 1]))
    return pool(size, strides, padding=draw(st.sampled_from(["valid", "valid", "same"])))(x)


def _other(draw: st.DrawFn, x: Any) -> Any:
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return layers.ZeroPadding2D(1)(x)
    if kind == 1:
        return layers.UpSampling2D(2, interpolation=draw(st.sampled_from(["nearest", "bilinear"])))(x)
    if kind == 2:
        return layers.Dropout(0.5)(x)
    if kind == 3:
        return layers.BatchNormalization()(x)
    return layers.Reshape((x.shape[2], x.shape[1], x.shape[3]))(x)


def _head(draw: st.DrawFn, x: Any) -> Any:
    pooled = draw(st.sampled_from([layers.Flatten, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D]))()(x)
    return layers.Dense(3, activation=draw(st.sampled_from([None, None, "softmax", layers.Softmax(), "tanh"])))(pooled)


def _no_head(_draw: st.DrawFn, x: Any) -> Any:
    return x


def _set_weights(draw: st.DrawFn, model: Any) -> None:
    """Weights of all sizes, from far below 1 to above."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
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

    A rounding is at most half a last bit, a saturation what the float value lies beyond the type; a layer with weights
    passes on |weights| * errors and adds |change of weights| * |values|.
    """
    folded = fold_into_next(fold_batch_norms(model))
    values = _values(folded, x)
    errors: dict[str, Any] = {}
    means: dict[str, Any] = {}
    for node in graph.nodes(quantized):
        if not node.inputs:
            errors[node.name], means[node.name] = np.zeros_like(x, np.float64), x.astype(np.float64)
            continue
        sources = [errors[name] for name in node.inputs]
        before = [means[name] for name in node.inputs]
        own = values.get(node.name)
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
            kept = np.maximum(before[0], 0) if not arithmetic.layers[node.name].output.signed else before[0]
            if own is not None and node.name in values:
                kept = own  # where the float model clips, too
            of = arithmetic.layers[node.name].output
            beyond = np.maximum(kept - float(of.max), 0) + np.maximum(float(of.min) - kept, 0)
            errors[node.name] = (
                sources[0] + float(of.lsb) / 2 + beyond + np.abs(np.maximum(before[0], 0) - kept) * (not of.signed)
            )
            means[node.name] = kept
        else:
            copy = graph.copy_layer(node.layer)
            errors[node.name] = _plain(copy, sources)
            means[node.name] = _plain(copy, before)
    return errors[graph.output_names(quantized)[0]]


def _values(model: Any, x: Any) -> dict[str, Any]:
    wanted = [node for node in graph.nodes(model) if node.inputs]
    probe = keras.Model(model.inputs, [node.layer.output for node in wanted])
    found = probe(x, training=False)
    found = found if len(wanted) > 1 else [found]
    return {node.name: value.numpy().astype(np.float64) for node, value in zip(wanted, found, strict=True)}


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
