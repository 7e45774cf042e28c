"""Layers that a model gets while it is rebuilt: their names, and their weights, which wait until they are built."""

from collections.abc import Callable
from typing import Any

from nonresnet_hls.networks import graph


class Additions:
    """What is added to one model."""

    def __init__(self, model: Any) -> None:
        """`model` is the one that is rebuilt."""
        self._model = model
        self._taken = {node.name for node in graph.nodes(model)}
        self._weights: list[tuple[Any, list[Any]]] = []

    def named(self, wanted: str) -> str:
        """A name that no layer has; it is taken then."""
        while wanted in self._taken:
            wanted += "_"
        self._taken.add(wanted)
        return wanted

    def call(self, layer: Any, inputs: Any, weights: list[Any]) -> Any:
        """What a new layer makes of its inputs; its weights are set when the model is there."""
        self._weights.append((layer, weights))
        return graph.call(layer, inputs if isinstance(inputs, list) else [inputs])

    def scaled(self, tensor: Any, scale: Any, offset: Any, name: str) -> Any:
        """A tensor times a scale for each channel, plus an offset: as a batch norm that is no more than that."""
        import numpy as np
        from tensorflow import keras

        ones = np.ones(tensor.shape[-1])
        layer = keras.layers.BatchNormalization(epsilon=0.0, trainable=False, name=name)
        return self.call(layer, tensor, [scale * ones, offset * ones, 0 * ones, ones])

    def rebuilt(self, replace: Callable[[graph.Node, list[Any]], Any]) -> Any:
        """As `graph.rebuild`, with the weights of layers that stay, and of those that were called here."""
        result = graph.rebuild(self._model, replace)
        graph.carry_weights(self._model, result)
        for layer, weights in self._weights:
            layer.set_weights(weights)
        return result
