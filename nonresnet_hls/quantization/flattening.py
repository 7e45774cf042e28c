"""Flattens of several pixels behind the layers that work number by number.

hls4ml has no C++ for a Flatten: the layer behind it reads the stream as it is, a word a pixel. A dense layer counts the
words; others take the first for all numbers there are. What works number by number does the same before it; where
another row meets it there, both are brought into one word each.
"""

import math
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import graph
from nonresnet_hls.networks.additions import Additions

_BY_NUMBER = frozenset({
    "QActivation", "FixedPointActivation", "FixedPointTable", "FixedPointElu", "Activation", "ReLU", "LeakyReLU",
    "Add", "Subtract", "Multiply", "Maximum", "Minimum",
})  # fmt: skip
TOLD = "behind it hls4ml's C++ takes the first pixel for all"
_OF_ROWS = _BY_NUMBER | {"Concatenate"}
_COUNT_WORDS = frozenset({"QDense", "Flatten", "Reshape"})


def flattened_last(model: Any) -> Any:
    """The same function with what works number by number before a Flatten, not behind, or on rows of one word.

    What changes is said.

    Args:
        model: finished QKeras model.

    Raises:
        ModelError: a layer behind a Flatten of several pixels that can be neither.
    """
    nodes = graph.nodes(model)
    if not misreading(nodes):
        return model
    moving = _Moving(model, _rows(nodes))
    return moving.additions.rebuilt(moving.replace)


def misreading(nodes: list[graph.Node]) -> list[str]:
    """Names of the layers of a model behind a Flatten of several pixels of which hls4ml's C++ reads the first alone."""
    rows = _rows(nodes)
    return [node.name for node in nodes if node.kind not in _COUNT_WORDS and rows.intersection(node.inputs)]


class _Moving:
    """Flattens that wait until a layer wants the row."""

    def __init__(self, model: Any, flat: set[str]) -> None:
        self.additions, self.flat, self.outputs = Additions(model), flat, graph.output_names(model)
        self.late: set[str] = set()
        """What stands for a row, and is not flattened yet."""
        self.rows = flat.intersection(self.outputs)
        """Outputs that are rows of several pixels."""

    def replace(self, node: graph.Node, inputs: list[Any]) -> Any:
        late = [name in self.late for name in node.inputs]
        if node.name in self.flat and node.name not in self.outputs:
            self.late.add(node.name)
            return inputs[0]
        if node.kind in _COUNT_WORDS or not (any(late) or self.rows.intersection(node.inputs)):
            return graph.copied(node, [self._row(*one) for one in zip(node.inputs, inputs, late, strict=True)])
        if node.kind not in _BY_NUMBER or not all(late) or len({tuple(one.shape) for one in inputs}) != 1:
            if node.kind not in _OF_ROWS or self.rows.intersection(node.inputs):
                raise ModelError(f"layer {node.name}: before the Flatten wanted, not behind it; {TOLD}")
            return self._of_words(node, inputs)
        progress.say(f"layer {node.name}: moved before the Flatten; {TOLD}")
        if node.name not in self.outputs:
            self.late.add(node.name)
            return graph.copied(node, inputs)
        self.rows.add(node.name)
        config = graph.config_of(node.layer) | {"name": self.additions.named(f"{node.name}_pixels")}
        made = graph.call(type(node.layer).from_config(config), inputs)
        return self._flatten(made, node.name)

    def _of_words(self, node: graph.Node, inputs: list[Any]) -> Any:
        """What a layer makes of rows that are one word each, as if each were an image of one pixel."""
        from tensorflow import keras

        progress.say(f"layer {node.name}: of rows in one word each; {TOLD}")
        words = [
            keras.layers.Reshape((1, 1, math.prod(one.shape[1:])), name=self.additions.named(f"{name}_word"))(one)
            for name, one in zip(node.inputs, inputs, strict=True)
        ]
        config = graph.config_of(node.layer) | {"name": self.additions.named(f"{node.name}_words")}
        if node.kind == "Concatenate":
            config["axis"] = -1
        return self._flatten(graph.call(type(node.layer).from_config(config), words), node.name)

    def _row(self, name: str, tensor: Any, late: bool) -> Any:
        return self._flatten(tensor, self.additions.named(f"{name}_flat")) if late else tensor

    @staticmethod
    def _flatten(tensor: Any, name: str) -> Any:
        from tensorflow import keras

        return keras.layers.Flatten(name=name)(tensor)


def _rows(nodes: list[graph.Node]) -> set[str]:
    """The layers that make one row of numbers of several pixels."""
    shapes = {node.name: node.output_shape for node in nodes}
    reshaping = [node for node in nodes if node.kind in ("Flatten", "Reshape")]
    return {node.name for node in reshaping if len(node.output_shape) == 1 < math.prod(shapes[node.inputs[0]][:-1])}
