"""A user's Keras model as the later stages know models: layers in place of operators, C++ names, float32."""

from collections.abc import Callable, Mapping
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import graph, names
from nonresnet_hls.networks.flat import flattened

_OPERATORS = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty")


def lower(model: Any) -> Any:
    """The model with the same outputs, made of layers that can be quantized and converted; itself where it is so.

    Models inside the model are flattened. `x + y`, `x - y` and `x * y`, also with numbers for y, `tf.nn.relu` and its
    like, `tf.concat` of channels and `tf.reduce_mean` over an image become the layers that do the same. Layers whose
    names hls4ml's C++ cannot bear get others. What computed in other numbers (mixed precision, float64) computes in
    float32. The last two are said.

    Raises:
        ModelError: an operator has no layer that does the same, or the model is none that `graph.nodes` reads.
    """
    model = flattened(model)
    network = graph.nodes(model)
    renamed = names.replacements([(node.name, not node.inputs) for node in network if node.kind not in _OPERATORS])
    for old, new in renamed.items():
        progress.say(f"layer {old!r} is called {new} from here on: hls4ml's C++ cannot bear its name")
    apart = [node.name for node in network if node.inputs and _policy(node.layer) != "float32"]
    if apart:
        policies = sorted({_policy(node.layer) for node in network if node.name in apart})
        progress.say(f"model {model.name}: computes in {', '.join(policies)}; taken in float32 from here on")
    operators = [node.name for node in network if node.kind in _OPERATORS]
    if not (renamed or apart or operators):
        return model
    taken = {renamed.get(node.name, node.name) for node in network if node.name not in operators}
    made: dict[str, str] = {}

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        if node.name in operators:
            layer = _layer(model, node)
            made[node.name] = _free(type(layer).__name__.lower(), taken)
            config = graph.config_of(layer) | {"name": made[node.name]}
        else:
            made[node.name] = renamed.get(node.name, node.name)
            layer, config = node.layer, graph.config_of(node.layer) | {"name": made[node.name]}
            if node.name in apart:
                config["dtype"] = "float32"
        return graph.call(type(layer).from_config(config), inputs)

    result = graph.rebuild(model, replace, rename=renamed)
    for node in network:
        if node.inputs and node.layer.weights:
            result.get_layer(made[node.name]).set_weights(node.layer.get_weights())
    return result


def is_needed(model: Any) -> bool:
    """Whether a model has operators, or names that hls4ml's C++ cannot bear."""
    own = [layer for layer in model.layers if type(layer).__name__ not in _OPERATORS]
    called = [(layer.name, type(layer).__name__ == "InputLayer") for layer in own]
    return len(own) < len(model.layers) or bool(names.replacements(called))


def _policy(layer: Any) -> str:
    """In what a layer computes; float32 for what only passes numbers on."""
    policy = str(layer.dtype_policy.name if hasattr(layer, "dtype_policy") else layer.dtype)
    return "float32" if policy in ("_infer", "None") else policy


def _free(name: str, taken: set[str]) -> str:
    """A name that no layer has yet; it is taken then."""
    new, number = name, 0
    while new in taken:
        number += 1
        new = f"{name}_{number}"
    taken.add(new)
    return new


def _layer(model: Any, node: graph.Node) -> Any:
    """The Keras layer that does what an operator does.

    Raises:
        ModelError: there is none; names the operator.
    """
    symbol = str(getattr(node.layer, "symbol", node.kind))
    names_of, make = _TWINS.get(symbol, ((), lambda _: None))
    (call,) = graph.calls(model, node.layer)
    layer = make(dict(zip(names_of, call.call_args, strict=False)) | dict(call.call_kwargs))
    if layer is None:
        taken = "+, - and * of two tensors or a tensor and a number, tf.nn.relu, relu6, leaky_relu, sigmoid and tanh,"
        taken += " tf.concat of channels, tf.reduce_mean over an image"
        raise ModelError(
            f"layer {node.name}: a Keras layer wanted in place of the operator {symbol} as it is used here"
            f" (taken are {taken})"
        )
    return layer


_Arguments = Mapping[str, Any]


def _binary(kind: str) -> Callable[[_Arguments], Any]:
    """A sum, difference or product of two tensors, or of a tensor and a number."""

    def make(arguments: _Arguments) -> Any:
        from tensorflow import keras

        operands = arguments["inputs"] if "inputs" in arguments else [arguments.get("x"), arguments.get("y")]
        if all(graph.is_tensor(one) for one in operands):
            return getattr(keras.layers, kind)()
        first, second = operands
        factors = _numbers(second if graph.is_tensor(first) else first)
        if factors is None:
            return None
        if kind == "Multiply":
            return keras.layers.Rescaling(factors.tolist())
        if kind == "Add":
            return keras.layers.Rescaling(1.0, factors.tolist())
        turned = not graph.is_tensor(first)
        return keras.layers.Rescaling(*((-1.0, factors.tolist()) if turned else (1.0, (-factors).tolist())))

    return make


def _numbers(value: Any) -> Any:
    """A constant as one float64, or as one for each channel; None where it is none of the two."""
    import numpy as np

    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, NotImplementedError):
        return None
    squeezed = array.reshape(array.shape[-1:]) if array.ndim and array.size == array.shape[-1] else array
    return squeezed if squeezed.ndim < 2 and np.isfinite(squeezed).all() else None


def _quotient(arguments: _Arguments) -> Any:
    from tensorflow import keras

    divisor = _numbers(arguments.get("y"))
    if divisor is None or not divisor.all() or not graph.is_tensor(arguments.get("x")):
        return None
    return keras.layers.Rescaling((1.0 / divisor).tolist())


def _negative(_: _Arguments) -> Any:
    from tensorflow import keras

    return keras.layers.Rescaling(-1.0)


def _activation(name: str) -> Callable[[_Arguments], Any]:
    def make(_: _Arguments) -> Any:
        from tensorflow import keras

        return keras.layers.Activation(name)

    return make


def _leaky_relu(arguments: _Arguments) -> Any:
    from tensorflow import keras

    return keras.layers.LeakyReLU(float(arguments.get("alpha", 0.2)))


def _relu6(_: _Arguments) -> Any:
    from tensorflow import keras

    return keras.layers.ReLU(6.0)


def _relu(_: _Arguments) -> Any:
    from tensorflow import keras

    return keras.layers.ReLU()


def _concatenate(arguments: _Arguments) -> Any:
    from tensorflow import keras

    parts, axis = arguments["values"], arguments.get("axis")
    tensors = isinstance(parts, list | tuple) and all(graph.is_tensor(part) for part in parts)
    return keras.layers.Concatenate() if tensors and len(parts) > 1 and axis in (-1, len(parts[0].shape) - 1) else None


def _mean(arguments: _Arguments) -> Any:
    from tensorflow import keras

    image, axes = arguments["input_tensor"], arguments.get("axis")
    over = sorted(axis % 4 for axis in axes) if isinstance(axes, list | tuple) else None
    if len(image.shape) != 4 or over != [1, 2]:
        return None
    return keras.layers.GlobalAveragePooling2D(keepdims=bool(arguments.get("keepdims")))


# By operator: what its arguments are called, and what makes the layer of them; None where no layer does the same.
_TWINS: dict[str, tuple[tuple[str, ...], Callable[[_Arguments], Any]]] = {
    "__operators__.add": (("x", "y"), _binary("Add")),
    "__operators__.sub": (("x", "y"), _binary("Subtract")),
    "__operators__.mul": (("x", "y"), _binary("Multiply")),
    "math.add": (("x", "y"), _binary("Add")),
    "math.add_n": (("inputs",), _binary("Add")),
    "math.subtract": (("x", "y"), _binary("Subtract")),
    "math.multiply": (("x", "y"), _binary("Multiply")),
    "math.divide": (("x", "y"), _quotient),
    "math.truediv": (("x", "y"), _quotient),
    "math.negative": (("x",), _negative),
    "math.sigmoid": (("x",), _activation("sigmoid")),
    "math.tanh": (("x",), _activation("tanh")),
    "nn.sigmoid": (("x",), _activation("sigmoid")),
    "nn.tanh": (("x",), _activation("tanh")),
    "nn.relu": (("features",), _relu),
    "nn.relu6": (("features",), _relu6),
    "nn.leaky_relu": (("features", "alpha"), _leaky_relu),
    "concat": (("values", "axis"), _concatenate),
    "math.reduce_mean": (("input_tensor", "axis", "keepdims"), _mean),
}
