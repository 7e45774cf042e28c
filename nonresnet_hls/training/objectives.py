"""What each output of a model is trained to, and measured by, where that is not the usual: one class for each sample.

Losses and metrics by the names that a recipe says. Several outputs are trained together, to the sum of their losses.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nonresnet_hls import samples
from nonresnet_hls.errors import DatasetError, ModelError
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.networks.prediction import predicted
from nonresnet_hls.recipe import Distillation, DistillationLoss, Loss, Metric, Training
from nonresnet_hls.training import losses, npz
from nonresnet_hls.training.data import Data

METRICS = {
    Loss.CROSS_ENTROPY: Metric.TOP1,
    Loss.BINARY_CROSS_ENTROPY: Metric.ACCURACY,
    Loss.MEAN_SQUARED_ERROR: Metric.MEAN_ABSOLUTE_ERROR,
    Loss.MEAN_ABSOLUTE_ERROR: Metric.MEAN_ABSOLUTE_ERROR,
    Loss.HUBER: Metric.MEAN_ABSOLUTE_ERROR,
}
"""By which an output is measured whose recipe does not say it."""


@dataclass(frozen=True, eq=False)
class Objective:
    """What one output is trained to."""

    output: str
    """'' of a single one."""
    loss: Loss
    metric: Metric
    ends: str
    """The activation at the output: a softmax, or a sigmoid behind a binary cross-entropy, gives no logits."""
    train: Any
    """(samples,) int64 where they are classes, else (samples, numbers) float32."""
    test: Any

    @property
    def key(self) -> str:
        """What its metric is called."""
        return f"{self.output}:{self.metric}" if self.output else str(self.metric)


def needed(model: Any, config: Training) -> bool:
    """Whether a training is other than the usual one: one input, and one output that tells classes."""
    return config.is_special or len(model.inputs) > 1 or len(model.outputs) > 1


def ordered(data: Data, model: Any) -> Data:
    """Data whose inputs stand in the order in which a model has them."""
    names = [str(tensor._keras_history.layer.name) for tensor in model.inputs]
    if not samples.several(data.x_train):
        return data
    x_train, x_test = (samples.renamed(x, names, names) for x in (data.x_train, data.x_test))
    given = None if data.x_test_given is None else samples.renamed(data.x_test_given, names, names)
    return dataclasses.replace(data, x_train=x_train, x_test=x_test, x_test_given=given)


def of(model: Any, data: Data, config: Training, names: list[str] | None = None) -> tuple[Objective, ...]:
    """What the outputs of a model are trained to, as a recipe says it, with the targets of its data.

    Args:
        model: whose outputs.
        data: with targets, by output.
        config: the recipe's.
        names: what the outputs are called in recipe and data; None: as the model calls them.

    Raises:
        DatasetError: targets are missing, or not of an output's shape.
        ModelError: an output cannot be trained by its loss; or augmentation is wanted of other than one image.
    """
    names = graph.output_names(model) if names is None else names
    one = len(names) == 1
    unknown = sorted(set(config.losses or ()) | set(config.metrics or ()) - set(names))
    unknown = [name for name in unknown if name not in names]
    if unknown:
        raise ModelError(
            f"training.losses: outputs of model {model.name} wanted ({', '.join(names)}), not {unknown[0]}"
        )
    if samples.several(data.x_train) or not one or len(model.outputs[0].shape) > 2:
        for key, off in (("augment", "false"), ("jitter", "0"), ("mixup", "0")):
            if got := getattr(config, key):
                where = "with several inputs or outputs, or images as output"
                raise ModelError(f"training.{key}: {off} wanted {where}, not {str(got).lower()}")
    found = []
    for name, tensor in zip(names, model.outputs, strict=True):
        loss = (config.losses or {}).get(name, config.loss)
        metric = (config.metrics or {}).get(name, config.metric) or METRICS[loss]
        ends = activations.of(tensor._keras_history.layer).name
        found.append(_objective(name, one, loss, metric, ends, tuple(tensor.shape[1:]), data))
    return tuple(found)


def _objective(
    name: str, one: bool, loss: Loss, metric: Metric, ends: str, shape: tuple[int, ...], data: Data
) -> Objective:
    import numpy as np

    classes = loss is Loss.CROSS_ENTROPY
    if (metric is Metric.TOP1) != classes:
        wanted = "top1 with cross_entropy and none else"
        raise ModelError(f"output {name}: training.metric: {wanted} wanted, not {metric} with {loss}")
    if classes and (len(shape) != 1 or shape[0] < 2):
        raise ModelError(f"output {name}: (batch, 2 or more classes) wanted for cross_entropy, not {shape}")
    if loss is Loss.BINARY_CROSS_ENTROPY and ends not in (activations.LINEAR, "sigmoid"):
        raise ModelError(f"output {name}: sigmoid or linear wanted for binary_cross_entropy, not {ends}")
    targets = data.targets.get("y" if one else name)
    if targets is None and one:
        targets = data.targets.get(name)
    if targets is None and classes and one and data.y_train is not None:
        return Objective("", loss, metric, ends, *data.labels)
    if targets is None:
        key = "y" if one else name
        got = ", ".join(sorted(data.targets)) or "none"
        raise DatasetError(
            f"{data.source}: targets of output {name} wanted ({key}_train and {key}_test, or {key}), not {got}"
        )
    if classes:
        labels = npz.classes_of(targets)
        if labels is None:
            raise DatasetError(f"{targets.where}: one class for each sample wanted for cross_entropy")
        greatest = int(max(part.max() for part in labels))
        if greatest >= shape[0]:
            raise DatasetError(
                f"{targets.where}: labels 0..{shape[0] - 1} wanted, as output {name} has, not {greatest}"
            )
        return Objective("" if one else name, loss, metric, ends, *labels)
    size = int(np.prod(shape))
    parts = [np.asarray(part, np.float32).reshape(len(part), -1) for part in (targets.train, targets.test)]
    if parts[0].shape[1] != size:
        has = tuple(targets.train.shape[1:])
        raise DatasetError(f"{targets.where}: targets of shape {shape} wanted, as output {name} has, not {has}")
    for part in parts:
        if not np.isfinite(part).all():
            raise DatasetError(f"{targets.where}: finite numbers wanted")
        if loss is Loss.BINARY_CROSS_ENTROPY and (part.min() < 0 or part.max() > 1):
            raise DatasetError(
                f"{targets.where}: targets from 0 to 1 wanted for binary_cross_entropy, not {part.max()}"
            )
    return Objective("" if one else name, loss, metric, ends, *parts)


def function(objective: Objective, config: Training, teaching: Distillation | None) -> Any:
    """The loss of an output (batch, numbers), or with a teacher of the student's and the teacher's side by side."""
    import tensorflow as tf

    def hard(y: Any, x: Any) -> Any:
        if objective.loss is Loss.CROSS_ENTROPY:
            return losses.labels(x.shape[-1], config.label_smoothing)(y, x)
        if objective.loss is Loss.BINARY_CROSS_ENTROPY:
            return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, x), axis=-1)
        error = x - y
        if objective.loss is Loss.MEAN_SQUARED_ERROR:
            return tf.reduce_mean(tf.square(error), axis=-1)
        if objective.loss is Loss.MEAN_ABSOLUTE_ERROR:
            return tf.reduce_mean(tf.abs(error), axis=-1)
        size = tf.abs(error)
        return tf.reduce_mean(tf.where(size <= 1.0, 0.5 * tf.square(error), size - 0.5), axis=-1)

    def taught(y: Any, both: Any) -> Any:
        assert teaching is not None
        student, teacher = tf.split(both, 2, axis=-1)
        soft = losses.taught(teaching, student, tf.stop_gradient(teacher))
        return (1.0 - teaching.weight) * hard(y, student) + teaching.weight * soft

    return hard if teaching is None else taught


def free_name(model: Any, wanted: str) -> str:
    """A name that no layer of a model has."""
    while any(layer.name == wanted for layer in model.layers):
        wanted += "_"
    return wanted


def trained(tensor: Any, objective: Objective) -> Any:
    """An output as its loss takes it: flat, float32 as targets are, logits where a softmax or sigmoid gave none."""
    import tensorflow as tf
    from tensorflow import keras

    x = tf.cast(tf.reshape(tensor, [tf.shape(tensor)[0], math.prod(tensor.shape[1:])]), tf.float32)
    epsilon = keras.backend.epsilon()
    if objective.loss is Loss.CROSS_ENTROPY and objective.ends == activations.SOFTMAX:
        return tf.math.log(x + epsilon)  # logarithms of probabilities are logits of the same softmax
    if objective.loss is Loss.BINARY_CROSS_ENTROPY and objective.ends == "sigmoid":
        clipped = tf.clip_by_value(x, epsilon, 1.0 - epsilon)
        return tf.math.log(clipped) - tf.math.log(1.0 - clipped)
    return x


def check_teacher(objectives: tuple[Objective, ...], distillation: Distillation) -> None:
    """Refuse a softened teacher of outputs that tell no classes.

    Raises:
        ModelError: names the output.
    """
    for one in objectives:
        if distillation.loss is DistillationLoss.TEMPERATURE_KL and one.loss is not Loss.CROSS_ENTROPY:
            wanted = "distillation.loss: logit_mse wanted"
            raise ModelError(f"output {one.output or 'of the model'}: {wanted} with {one.loss}, not temperature_kl")


def measured(model: Any, objectives: tuple[Objective, ...], x: Any, targets: list[Any]) -> dict[str, float]:
    """By name, what the metrics of all outputs are on samples, and `loss`, the sum of their losses."""
    import numpy as np
    import tensorflow as tf

    found = predicted(model, x, 500)
    measures: dict[str, float] = {}
    total = 0.0
    for one, given, y in zip(objectives, found if isinstance(found, list) else [found], targets, strict=True):
        outputs = given.reshape(len(given), -1)
        logits = trained(tf.constant(outputs), one)
        wanted = tf.constant(y) if one.loss is Loss.CROSS_ENTROPY else tf.constant(y, tf.float32)
        total += float(tf.reduce_mean(function(one, Training(), None)(wanted, logits)))
        measures[one.key] = _metric(one, outputs.astype(np.float64), y)
    return measures | {"loss": total}


def _metric(one: Objective, outputs: Any, y: Any) -> float:
    import numpy as np

    if one.metric is Metric.TOP1:
        return int(np.sum(np.argmax(outputs, axis=-1) == y)) / len(y)
    if one.metric is Metric.ACCURACY:
        middle = 0.0 if one.loss is Loss.BINARY_CROSS_ENTROPY and one.ends == activations.LINEAR else 0.5
        return float(np.mean((outputs > middle) == (y > 0.5)))
    if one.metric is Metric.MEAN_SQUARED_ERROR:
        return float(np.mean(np.square(outputs - y)))
    return float(np.mean(np.abs(outputs - y)))


def tests(objectives: tuple[Objective, ...]) -> list[Any]:
    """The targets of the test samples, by output."""
    return [one.test for one in objectives]


def teaching(distillation: Distillation | None, teacher: Any) -> Distillation | None:
    """The distillation that is to be, None where there is none."""
    off = teacher is None or distillation is None or distillation.loss is DistillationLoss.NONE
    return None if off else distillation


def named(values: Mapping[str, float]) -> dict[str, float]:
    """The metrics of `measured` without the loss."""
    return {name: value for name, value in values.items() if name != "loss"}
