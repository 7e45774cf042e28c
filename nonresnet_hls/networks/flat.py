"""A model without models inside: their layers stand in it by themselves."""

from typing import Any


def flattened(model: Any) -> Any:
    """The same function as one functional model; its layers are those of `model`, weights and all.

    A model that holds no other is returned as it is.
    """
    from tensorflow import keras

    if not any(hasattr(layer, "layers") for layer in model.layers):
        return model
    inputs = [keras.Input(tensor.shape[1:], name=tensor._keras_history.layer.name) for tensor in model.inputs]
    return keras.Model(inputs, _called(model, inputs), name=model.name)


def _called(model: Any, inputs: list[Any]) -> list[Any]:
    """The outputs of a model for other inputs, each layer called anew."""
    import tensorflow as tf

    tensors = {id(old): new for old, new in zip(model.inputs, inputs, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            arguments, options = tf.nest.map_structure(
                lambda value: tensors.get(id(value), value), (node.call_args, dict(node.call_kwargs))
            )
            layer = node.layer
            if hasattr(layer, "layers"):
                results = _called(layer, tf.nest.flatten(arguments))
            else:
                results = tf.nest.flatten(layer(*arguments, **options))
            outputs = [id(old) for old in tf.nest.flatten(node.outputs)]
            tensors.update(zip(outputs, results, strict=True))
    return [tensors[id(output)] for output in model.outputs]
