"""Random float models, and a bound on what their quantization may change, for each value of each sample."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tensorflow import keras

from nonresnet_hls.networks import activations, graph
from nonresnet_hls.networks.decomposition import decompose
from nonresnet_hls.networks.fold import fold_batch_norms, fold_into_next, scale_and_offset
from nonresnet_hls.networks.lowering import lower
from nonresnet_hls.quantization.ranges import ModelArithmetic

layers = keras.layers

Pick = Callable[[Sequence[Any]], Any]
"""One of several."""

_ACTIVATIONS = (
    None, None, None, None, "linear", "relu", "relu", "relu", layers.ReLU, lambda: layers.ReLU(1.5), layers.LeakyReLU,
    "elu", lambda: layers.Activation("relu"), lambda: layers.Activation("relu"), lambda: layers.ReLU(threshold=0.5),
    lambda: layers.ELU(0.5),
    "relu6", "sigmoid", "tanh", "hard_sigmoid", "softplus", "softsign", lambda: layers.ReLU(negative_slope=0.25),
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
        x = pick([_weighted, _weighted, _weighted, _block, _pooled, _other, _joined])(pick, x)
    if pick(range(4)) == 3 and x.shape[1] * x.shape[2] > 6:
        x = _series(pick, x)
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
    kind = pick(range(12))
    if kind > 9:
        x = layers.SeparableConv2D(pick([1, 2, 3]), size, **options)(x)
    elif kind < 7:
        groups = pick([2, 3]) if pick(range(6)) == 0 else 1
        groups = groups if x.shape[-1] % groups == 0 else 1
        x = layers.Conv2D(groups * pick([1, 2, 3, 4]), size, strides=pick([1, 1, 2]), groups=groups, **options)(x)
    elif kind < 9:
        x = layers.DepthwiseConv2D(size, depth_multiplier=pick([1, 1, 1, 2]), **options)(x)
    else:
        x = layers.Conv2D(2, size, dilation_rate=2 if x.shape[1] > 2 * size else 1, **options)(x)
    if pick((False, True)) and (options["activation"] is None or pick(range(8)) == 7):
        axis = pick([-1] * 9 + [3] * 3 + [1])
        x = layers.BatchNormalization(axis=axis, scale=pick((False, True)), center=pick((False, True)))(x)
    if pick((False, True)):
        shared = list(range(1, len(x.shape) - 1))
        others = [layers.LeakyReLU, lambda: layers.PReLU(shared_axes=shared), lambda: layers.ReLU(0.75)]
        others += [lambda: layers.PReLU(shared_axes=shared[1:]), layers.ELU]
        x = pick([layers.ReLU] * 5 + [lambda: layers.Activation("relu")] * 3 + others)()(x)
    return x


def _block(pick: Pick, x: Any) -> Any:
    y = layers.Conv2D(x.shape[-1], 3, padding="same", activation=pick([None, "relu"]))(x)
    y = layers.BatchNormalization()(y) if pick((False, True)) else y
    joined = pick([layers.Add] * 5 + [layers.Concatenate] * 3 + [layers.Multiply])()([y, x])
    return layers.ReLU()(joined) if pick((False, True)) else joined


def _joined(pick: Pick, x: Any) -> Any:
    """Sums, differences, products and averages, and a pixel that scales an image."""
    channels = x.shape[-1]
    y = layers.Conv2D(channels, 1, activation=pick([None, "relu", "tanh"]))(x)
    kind = pick(range(8))
    if kind < 5:
        return (layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)[kind]()([y, x])
    if kind == 5:
        return layers.Add()([y, x, layers.Conv2D(channels, 1)(x)])
    if kind == 6:
        return layers.Add()([y * 0.5, x]) - 0.25
    pixel = layers.Dense(channels, activation="sigmoid")(layers.GlobalAveragePooling2D()(y))
    return layers.Multiply()([layers.Reshape((1, 1, channels))(pixel), x])


def _series(pick: Pick, x: Any) -> Any:
    """Layers of one dimension; the result is an image again."""
    length, channels = x.shape[1] * x.shape[2], x.shape[3]
    y = layers.Reshape((length, channels))(x)
    y = layers.Conv1D(3, pick([1, 2, 3]), padding=pick(["same", "causal", "valid"]), activation=pick([None, "relu"]))(y)
    y = layers.BatchNormalization()(y) if pick((False, True)) else y
    y = layers.DepthwiseConv1D(2, padding="same")(y) if pick((False, True)) else y
    if pick((False, True)) and y.shape[1] > 3:
        y = pick([layers.MaxPooling1D, layers.AveragePooling1D])(pick([2, 3]))(y)
    y = pick([layers.ZeroPadding1D, layers.UpSampling1D])(pick([1, 2]))(y)
    return layers.Reshape((1, y.shape[1], 3))(y)


def _pooled(pick: Pick, x: Any) -> Any:
    pool = pick([layers.MaxPooling2D, layers.AveragePooling2D])
    size = min(pick([2, 2, 3]), x.shape[1], x.shape[2])
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
    return _Bound(fold_into_next(fold_batch_norms(decompose(lower(model)))), arithmetic).of(quantized, x)


class _Bound:
    """What each layer of a quantized model may be off, beside the folded float model that it was made from."""

    def __init__(self, folded: Any, arithmetic: ModelArithmetic) -> None:
        self.folded, self.arithmetic = folded, arithmetic
        self.names = {layer.name for layer in folded.layers}
        self.errors: dict[str, Any] = {}
        self.means: dict[str, Any] = {}

    def of(self, quantized: Any, x: Any) -> Any:
        for node in graph.nodes(quantized):
            if node.inputs:
                sources = [self.errors[name] for name in node.inputs]
                before = [self.means[name] for name in node.inputs]
                found = self._layer(node, sources, before)
            else:
                found = np.zeros_like(x, np.float64), x.astype(np.float64)
            self.errors[node.name], self.means[node.name] = found
        return self.errors[graph.output_names(quantized)[0]]

    def _origin(self, name: str) -> Any:
        """The float layer that a layer of ours stands for, or is a part of."""
        while name not in self.names and "_" in name:
            name = name.rpartition("_")[0]
        return self.folded.get_layer(name) if name in self.names else None

    def _layer(self, node: graph.Node, sources: list[Any], before: list[Any]) -> tuple[Any, Any]:
        layer = self.arithmetic.layers[node.name]
        error, mean = sources[0], before[0]
        lsb = float(layer.output.lsb)
        match node.kind:
            case "QConv1D" | "QConv2D" | "QDepthwiseConv1D" | "QDepthwiseConv2D" | "QDense":
                kernel, *bias = _weights(self.folded, node.name)
                changed = np.abs(layer.kernel.values - kernel)
                spread = _apply(node, np.abs(layer.kernel.values), error) + _apply(node, changed, np.abs(mean))
                passed = _apply(node, kernel, mean)
                return (spread + np.abs(layer.bias.values - bias[0]), passed + bias[0]) if bias else (spread, passed)
            case "BatchNormalization":
                return self._scaled(node, error, mean)
            case "QActivation" | "FixedPointActivation":
                return self._rounded(node, error, mean)
            case "LeakyReLU":
                slope = activations.of(self._origin(node.name)).slope
                own = float(node.layer.alpha)
                changed = abs(own - slope) * np.abs(mean)
                return max(1, abs(own)) * error + changed, np.where(mean > 0, mean, slope * mean)
            case "FixedPointTable":
                passed = keras.activations.get(node.layer.function)(mean).numpy()
                held = np.clip(passed, float(layer.output.min), float(layer.output.max))
                slope = 0.25 if node.layer.function == "sigmoid" else 1
                return slope * error + lsb / 2 + np.abs(held - passed) + 1e-6, passed
            case "FixedPointElu":
                passed = keras.activations.elu(mean, activations.of(self._origin(node.name)).slope).numpy()
                held = np.clip(passed, float(layer.output.min), float(layer.output.max))
                alpha, changed = node.layer.alpha, abs(activations.of(self._origin(node.name)).slope - node.layer.alpha)
                # The table's steps, of which the argument is cut off; its values; and its end.
                table = alpha * (node.layer.span / node.layer.size + lsb / 2 + 2.0**-11)
                return max(1, alpha) * error + table + lsb / 2 + changed + np.abs(held - passed) + 1e-6, passed
            case "PReLU":
                (own,), (slope,) = node.layer.get_weights(), self._origin(node.name).get_weights()
                changed = np.abs(own - slope) * np.abs(mean)
                return np.maximum(1, np.abs(own)) * error + changed, np.where(mean > 0, mean, slope * mean)
            case "Maximum" | "Minimum":
                choose = np.maximum if node.kind == "Maximum" else np.minimum
                return np.maximum(sources[0], sources[1]), choose(mean, before[1])
            case "Subtract":
                return sources[0] + sources[1], mean - before[1]
            case "Multiply":
                first, second = (np.abs(one) for one in before)
                spread = first * sources[1] + second * sources[0] + sources[0] * sources[1]
                return spread, before[0] * before[1]
        copy = graph.copy_layer(node.layer)
        return _plain(copy, sources) + (0 if layer.cut is None else lsb), _plain(copy, before)

    def _scaled(self, node: graph.Node, error: Any, mean: Any) -> tuple[Any, Any]:
        own_scale, own_offset = scale, offset = scale_and_offset(node.layer)
        origin = self._origin(node.name)
        more = 0.0
        if type(origin).__name__ == "BatchNormalization" and node.name == origin.name:
            scale, offset = scale_and_offset(origin)
        elif node.name.endswith("_slope") and activations.of(origin).name == activations.HARD_SIGMOID:
            scale, offset = 0.2, 0.5
        elif node.name.endswith("_rest"):
            applied = activations.of(origin)
            more = np.abs(own_offset - (1.0 if applied.max_value is None else applied.max_value))
        changed = np.abs(own_scale - scale) * np.abs(mean) + np.abs(own_offset - offset)
        return np.abs(own_scale) * error + changed + more, scale * mean + offset

    def _rounded(self, node: graph.Node, error: Any, mean: Any) -> tuple[Any, Any]:
        of = self.arithmetic.layers[node.name].output
        passed = mean if of.signed else np.maximum(mean, 0)
        if node.name.endswith("_rectified"):  # what is beyond the type is cut off behind it
            return error + float(of.lsb) / 2, passed
        kept = passed
        # A layer of ours stands for the activation of the one before it.
        own = node.name if node.name in self.names else node.inputs[0]
        if own in self.names and (clips := activations.of(self.folded.get_layer(own)).max_value) is not None:
            kept = np.minimum(passed, clips)
        beyond = np.abs(np.clip(passed, float(of.min), float(of.max)) - kept)
        return error + float(of.lsb) / 2 + beyond, kept


def _weights(model: Any, name: str) -> list[Any]:
    return [w.astype(np.float64) for w in model.get_layer(name).get_weights()]


def _apply(node: graph.Node, kernel: Any, x: Any) -> Any:
    """The layer's sum of products, in float64."""
    kind = getattr(layers, node.kind.removeprefix("Q"))
    keys = ("filters", "units", "kernel_size", "strides", "padding", "depth_multiplier", "dilation_rate")
    config = node.layer.get_config()
    twin = kind(**{key: config[key] for key in keys if key in config}, use_bias=False, dtype="float64")
    twin.build(x.shape)
    twin.set_weights([kernel])
    return twin(x).numpy()


def _plain(layer: Any, inputs: list[Any]) -> Any:
    """A layer without weights on float64."""
    twin = type(layer).from_config(layer.get_config() | {"dtype": "float64"})
    return twin(inputs[0] if len(inputs) == 1 else inputs).numpy()
