"""What a model is trained to: the labels, and a teacher's outputs."""

from collections.abc import Callable
from typing import Any

from nonresnet_hls.errors import DatasetError, ModelError
from nonresnet_hls.networks import activations
from nonresnet_hls.recipe import Distillation, DistillationLoss
from nonresnet_hls.training.data import Data, Spec

Loss = Callable[[Any, Any], Any]


def classifier(model: Any, data: Data) -> None:
    """Refuse a model that does not tell the classes of `data` apart.

    Raises:
        ModelError: it has several inputs or outputs, its input is not such as the data, or its output is not
            (batch, classes).
        DatasetError: the data has no classes.
    """
    _ = data.labels
    classes, images = data.classes, tuple(data.x_train.shape[1:])
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        counts = f"{len(model.inputs)} inputs and {len(model.outputs)} outputs"
        raise ModelError(f"model {model.name}: one input and one output wanted for training, not {counts}")
    taken = tuple(model.inputs[0].shape[1:])
    if len(taken) != len(images) or any(t not in (None, i) for t, i in zip(taken, images, strict=True)):
        raise ModelError(f"model {model.name}: input of shape {images} wanted, as the data has, not {taken}")
    shape = tuple(model.outputs[0].shape)
    if len(shape) != 2 or shape[1] is None or shape[1] < classes:
        raise ModelError(f"model {model.name}: output (batch, {classes} or more classes) wanted, not {shape}")


def classifies(model: Any, data: Data) -> bool:
    """Whether a model tells apart classes that the data has labels for: others have no top-1."""
    shapes = [tuple(tensor.shape) for tensor in model.outputs]
    return bool(data.classes) and len(shapes) == 1 and len(shapes[0]) == 2 and shapes[0][1] >= max(data.classes, 2)


def check_labels(model: Any, data: Data | Spec) -> None:
    """Refuse data of the user's own with labels for which a model that classifies has no output.

    Raises:
        DatasetError: names file and key, the greatest label and the model's number of classes.
    """
    shape = tuple(model.outputs[0].shape)
    classes = shape[1] if len(model.outputs) == 1 and len(shape) == 2 else None
    # (One output tells no classes apart: its targets are numbers.)
    if data.greatest_label and classes is not None and 1 < classes < data.classes:
        wanted = f"labels 0..{classes - 1} wanted, since model {model.name} has {classes} classes"
        raise DatasetError(f"{data.greatest_label}: {wanted}, not {data.classes - 1}")


def ends_in_softmax(model: Any) -> bool:
    """Whether the output is probabilities, not logits."""
    layer = model
    while outputs := getattr(layer, "outputs", None):  # the last layer can be a model, too
        layer = outputs[0]._keras_history.layer
    return activations.of(layer).name == activations.SOFTMAX


def without_softmax(model: Any) -> Any:
    """A model up to its logits: `model` itself where no output ends in a softmax."""
    from tensorflow import keras

    lasts = [tensor._keras_history.layer for tensor in model.outputs]
    soft = [activations.of(last).name == activations.SOFTMAX for last in lasts]
    if len(lasts) == 1:
        soft = [ends_in_softmax(model)]  # the last layer can be a model, too
    if not any(soft):
        return model
    ends, linears = [], []
    for last, tensor, ends_so in zip(lasts, model.outputs, soft, strict=True):
        if not ends_so:
            ends.append(tensor)
        elif type(last).__name__ in ("Softmax", "Activation"):
            ends.append(last.input)
        else:  # a layer with weights of its own: the same one, linear, on the same weights
            linear = type(last).from_config(last.get_config() | {"activation": "linear", "name": f"{last.name}_logits"})
            ends.append(linear(last.input))
            linears.append((linear, last))
    logits = keras.Model(model.inputs, ends if len(ends) > 1 else ends[0])
    for linear, last in linears:
        linear.set_weights(last.get_weights())
    return logits


def are_shares(y: Any, classes: int) -> bool:
    """Whether labels are shares of the classes (batch, classes), as mixup makes them; else (batch,) or (batch, 1)."""
    return len(y.shape) == 2 and y.shape[1] == classes > 1


def labels(classes: int, label_smoothing: float) -> Loss:
    """Cross-entropy of logits (batch, classes) with integer labels (batch,), or with shares (batch, classes)."""
    import tensorflow as tf

    def loss(y: Any, logits: Any) -> Any:
        wanted = y if are_shares(y, classes) else tf.one_hot(tf.cast(tf.reshape(y, [-1]), tf.int32), classes)
        if label_smoothing:
            wanted = wanted * (1.0 - label_smoothing) + label_smoothing / classes
        return tf.nn.softmax_cross_entropy_with_logits(wanted, logits)

    return loss


def distilled(classes: int, label_smoothing: float, config: Distillation) -> Loss:
    """Of logits (batch, 2*classes), the student's and the teacher's side by side, with labels as `labels` takes.

    Logit mean squared error after Tailor (TRETS 2023), softened Kullback-Leibler divergence times T^2 after
    Hinton, Vinyals and Dean (2015).
    """
    import tensorflow as tf

    hard = labels(classes, label_smoothing)

    def loss(y: Any, both: Any) -> Any:
        student, teacher = both[:, :classes], tf.stop_gradient(both[:, classes:])
        return (1.0 - config.weight) * hard(y, student) + config.weight * taught(config, student, teacher)

    return loss


def taught(config: Distillation, student: Any, teacher: Any) -> Any:
    """What a student's outputs (batch, numbers) lose to those of its teacher: (batch,)."""
    import tensorflow as tf

    if config.loss is DistillationLoss.LOGIT_MSE:
        return tf.reduce_mean(tf.square(student - teacher), axis=-1)
    t = config.temperature
    teacher_log, student_log = tf.nn.log_softmax(teacher / t), tf.nn.log_softmax(student / t)
    return t * t * tf.reduce_sum(tf.exp(teacher_log) * (teacher_log - student_log), axis=-1)


def top1(classes: int) -> Loss:
    """Share of the samples whose greatest of the first `classes` outputs is the label's, of shares the greatest's."""
    import tensorflow as tf

    def accuracy(y: Any, outputs: Any) -> Any:
        chosen = tf.argmax(outputs[:, :classes], axis=-1, output_type=tf.int64)
        label = tf.argmax(y, axis=-1) if are_shares(y, classes) else tf.cast(tf.reshape(y, [-1]), tf.int64)
        return tf.cast(chosen == label, tf.float32)

    return accuracy
