"""The trainer: fits a Keras model to a data set, epoch by epoch, and goes on where it was stopped."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls import files, progress
from nonresnet_hls.errors import ArtefactError, ModelError
from nonresnet_hls.networks import activations, graph, saved
from nonresnet_hls.networks.prediction import aborted, predicted, refusal
from nonresnet_hls.recipe import (
    Distillation,
    DistillationLoss,
    Distribution,
    Optimizer,
    Precision,
    Schedule,
    Training,
    stated,
)
from nonresnet_hls.training import checkpoints, losses, objectives, pipeline
from nonresnet_hls.training.data import Data

_SAY_EVERY_S = 5.0
_WARM_UP = 0.3
"""Part of a one-cycle schedule in which the learning rate rises."""


@dataclass(frozen=True)
class Fit:
    """How a training phase went."""

    curve: tuple[Mapping[str, float], ...]
    """For each epoch: epoch (from 1), loss, top1, learning_rate, seconds, and test_top1 where it was measured. Of other
    metrics than top-1 these have their names. With mixup top1 is that of the label with the greater share."""
    seconds: float
    """Over all sittings."""


def fit(
    model: Any,
    data: Data,
    config: Training,
    checkpoint: Path,
    *,
    label: str,
    teacher: Any = None,
    distillation: Distillation | None = None,
    callbacks: Sequence[Any] = (),
    epochs_to_follow: int = 0,
    identity: str = "",
    names: list[str] | None = None,
) -> Fit:
    """Train `model` in place as `config` says, from the last epoch that `checkpoint` holds.

    The result is a function of model, data and config alone: killed and called again, it ends with the same
    weights, bit by bit. The checkpoint stays; it is the caller's to delete.

    Args:
        model: Keras model with one output (batch, classes), logits or softmax; where `config` has other losses or there
            are several inputs or outputs, with such as `objectives.of` takes.
        data: what to train and test on.
        config: the phase.
        checkpoint: `.npz` file, written after every epoch.
        label: what the progress lines call the phase.
        teacher: Keras model whose outputs `distillation` wants to be followed.
        distillation: weights of labels and teacher.
        callbacks: Keras callbacks, called as Keras does.
        epochs_to_follow: in later phases of the same work; for the time left.
        names: what the outputs are called in `config` and `data`; None: as the model calls them.
        identity: says apart models of the same weights and names whose layers compute something else (other bits,
            other activations); a checkpoint goes on only for the same one.

    Raises:
        ModelError: the model does not tell the classes of `data` apart, or its training diverges.
        DatasetError: the labels lie outside of the model's classes, or jitter is wanted of other than images.
        ArtefactError: the checkpoint is damaged.
    """
    from tensorflow import keras

    deterministic(config.seed)
    special = objectives.needed(model, config)
    wanted = objectives.of(model, data, config, names) if special else ()
    pipeline.check(data, config)
    digest = _digest(identity, model, data, config, teacher, distillation, wanted)
    per_epoch = pipeline.steps(len(data.x_train), config)
    devices = strategy(config.distribution)
    with devices.scope() if devices else contextlib.nullcontext():
        # Other devices and precisions are a matter of variables and layers: the caller's stay as they are.
        apart = devices is not None or config.precision is not Precision.FLOAT32
        replica = _clone(model, config.precision) if apart else model
        optimizer = _optimizer(replica, config, per_epoch)
        if special:
            trained, of_outputs = _with_objectives(replica, teacher, wanted, config, distillation)
            trained.compile(optimizer, loss=of_outputs)
            classes = int(model.outputs[0].shape[-1] or 0)  # of one output of classes; else there is no use for it
        else:
            trained, loss, classes = _with_loss(replica, teacher, data, config, distillation)
            accuracy = keras.metrics.MeanMetricWrapper(losses.top1(classes), name="top1")
            trained.compile(optimizer, loss=loss, metrics=[accuracy])
        optimizer.build(trained.trainable_variables)

    def measured(which: Any) -> dict[str, float]:
        if special:
            return objectives.measured(which, wanted, data.x_test, objectives.tests(wanted))
        return {"top1": top1(which, data.x_test, data.y_test)}

    with _own_randomness(replica, config.seed) as randomness:
        state = _State(replica, optimizer, randomness)
        found = checkpoints.load(checkpoint)
        if found is not None and found.digest != digest:
            _keep(checkpoint)
            found = None
        if found is None:
            found = checkpoints.Checkpoint(digest, 0, 0.0, (), (), (), ())
        else:
            state.restore(found, checkpoint)
            if found.epochs_done < config.epochs:
                progress.say(f"{label}: goes on after epoch {found.epochs_done} of {config.epochs}")
        if found.epochs_done < config.epochs:
            recorder = _recorder(model, replica, measured, config, checkpoint, found, state, label, epochs_to_follow)
            targets = tuple(one.train for one in wanted) if special else data.y_train
            batches = pipeline.batches(data.x_train, targets, config, found.epochs_done, config.epochs, classes)
            try:
                trained.fit(
                    batches,
                    steps_per_epoch=per_epoch,
                    initial_epoch=found.epochs_done,
                    epochs=config.epochs,
                    callbacks=[recorder, *callbacks],
                    verbose=0,
                )
            except Exception as error:
                if aborted(error):
                    raise refusal(error) from error
                raise
            found = recorder.last
    if apart:
        model.set_weights(replica.get_weights())
    return Fit(found.curve, found.seconds)


def top1(model: Any, x: Any, y: Any, batch_size: int = 500) -> float:
    """Share of the samples (x, y) whose label is the model's greatest output."""
    import numpy as np

    outputs = predicted(model, x, batch_size)
    return int(np.sum(np.argmax(outputs, axis=-1) == y)) / len(y)


@dataclass(frozen=True)
class Judgement:
    """How well a classifier does on samples."""

    top1: float | None
    """None of what tells no classes."""
    loss: float
    """Mean cross-entropy with the labels, or what the recipe says."""


def judge(model: Any, x: Any, y: Any, batch_size: int = 500) -> Judgement:
    """Top-1 and cross-entropy of a model (batch, classes) on samples (x, y)."""
    import numpy as np

    outputs = predicted(losses.without_softmax(model), x, batch_size).astype(np.float64)
    logits = outputs - outputs.max(axis=-1, keepdims=True)
    chosen = np.log(np.exp(logits).sum(axis=-1)) - logits[np.arange(len(y)), y]
    return Judgement(int(np.sum(np.argmax(outputs, axis=-1) == y)) / len(y), float(chosen.mean()))


def deterministic(seed: int) -> None:
    """Make TensorFlow give the same bits in every run, and set all its seeds."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(seed)


@graph.in_float32()
def _with_loss(
    model: Any, teacher: Any, data: Data, config: Training, distillation: Distillation | None
) -> tuple[Any, losses.Loss, int]:
    """The model as it is trained (sharing its layers with `model`), its loss and its number of classes."""
    import tensorflow as tf
    from tensorflow import keras

    losses.check_labels(model, data)
    losses.classifier(model, data)
    classes = int(model.outputs[0].shape[1])

    def logits(which: Any, outputs: Any) -> Any:
        # Logarithms of probabilities are logits of the same softmax.
        return tf.math.log(outputs + keras.backend.epsilon()) if losses.ends_in_softmax(which) else outputs

    student = logits(model, model.outputs[0])
    if teacher is None or distillation is None or distillation.loss is DistillationLoss.NONE:
        return keras.Model(model.inputs, student), losses.labels(classes, config.label_smoothing), classes
    losses.classifier(teacher, data)
    if (known := int(teacher.outputs[0].shape[1])) != classes:
        raise ModelError(
            f"model {teacher.name}: {classes} classes wanted of a teacher, as its student has, not {known}"
        )
    teacher = _clone(teacher, config.precision)  # the caller's stays trainable
    teacher.trainable = False
    taught = logits(teacher, teacher(model.inputs[0], training=False))
    both = keras.layers.Concatenate(name=objectives.free_name(model, "both"))([student, taught])
    return keras.Model(model.inputs, both), losses.distilled(classes, config.label_smoothing, distillation), classes


@graph.in_float32()
def _with_objectives(
    model: Any,
    teacher: Any,
    wanted: tuple[objectives.Objective, ...],
    config: Training,
    distillation: Distillation | None,
) -> tuple[Any, list[losses.Loss]]:
    """The model as it is trained to other losses, or has several inputs or outputs; and a loss for each output."""
    from tensorflow import keras

    teaching = objectives.teaching(distillation, teacher)

    def ending(tensor: Any, one: objectives.Objective, name: str) -> Any:
        layer = keras.layers.Lambda(lambda x: objectives.trained(x, one), name=objectives.free_name(model, name))
        return layer(tensor)

    ends = [
        ending(tensor, one, f"trained_{number}")
        for number, (tensor, one) in enumerate(zip(model.outputs, wanted, strict=True))
    ]
    if teaching is not None:
        objectives.check_teacher(wanted, teaching)
        shapes = [[tuple(tensor.shape[1:]) for tensor in one.outputs] for one in (model, teacher)]
        if shapes[0] != shapes[1]:
            raise ModelError(
                f"model {teacher.name}: outputs {shapes[0]} wanted of a teacher, as its student has, not {shapes[1]}"
            )
        own = [activations.of(tensor._keras_history.layer).name for tensor in teacher.outputs]
        teacher = _clone(teacher, config.precision)  # the caller's stays trainable
        teacher.trainable = False
        taught = teacher(model.inputs if len(model.inputs) > 1 else model.inputs[0], training=False)
        taught = taught if isinstance(taught, list) else [taught]
        ends = [
            keras.layers.Concatenate(name=objectives.free_name(model, f"both_{number}"))(
                [end, ending(tensor, dataclasses.replace(one, ends=last), f"taught_{number}")]
            )
            for number, (end, tensor, one, last) in enumerate(zip(ends, taught, wanted, own, strict=True))
        ]
    return keras.Model(model.inputs, ends), [objectives.function(one, config, teaching) for one in wanted]


@functools.cache
def strategy(distribution: Distribution) -> Any:
    """What `tf.distribute` calls the devices; None for a single one.

    For several machines, call it before TensorFlow does anything else. Each machine runs the same command, with a
    workspace of its own and its place in the environment variable TF_CONFIG.
    """
    import tensorflow as tf

    if distribution is Distribution.NONE:
        return None
    if distribution is Distribution.MULTI_WORKER:
        return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _clone(model: Any, precision: Precision) -> Any:
    """The same model with variables of its own, where the strategy in scope puts them; its outputs stay float32."""
    from tensorflow import keras

    def mixed(inside: Any, last: bool) -> Any:
        ends = {tensor._keras_history.layer.name for tensor in inside.outputs} if last else set()

        def cloned(layer: Any) -> Any:
            if isinstance(layer, keras.Model):
                return mixed(layer, layer.name in ends)
            dtype = {} if layer.name in ends else {"dtype": str(precision)}
            return type(layer).from_config(layer.get_config() | dtype)

        return keras.models.clone_model(inside, clone_function=cloned)

    with keras.utils.custom_object_scope(saved.quantizers()):
        clone = keras.models.clone_model(model) if precision is Precision.FLOAT32 else mixed(model, last=True)
    clone.set_weights(model.get_weights())
    return clone


def _optimizer(model: Any, config: Training, steps_per_epoch: int) -> Any:
    from tensorflow import keras

    rate = _schedule(config, steps_per_epoch)
    if config.optimizer is Optimizer.SGD:
        # Keras subtracts rate * decay * w beside the momentum; in a penalty's gradient each step would act
        # 1 / (1 - momentum) times.
        decay = config.weight_decay / (1.0 - config.momentum)
        optimizer = keras.optimizers.SGD(rate, config.momentum, nesterov=config.momentum > 0, weight_decay=decay)
    else:
        optimizer = keras.optimizers.Adam(rate, weight_decay=config.weight_decay)
    # Kernels have two axes or more; biases and the parameters of a batch norm one.
    optimizer.exclude_from_weight_decay(var_list=[v for v in model.trainable_variables if v.shape.rank < 2])
    return optimizer


def learning_rate(config: Training, progress_share: float) -> float:
    """The learning rate when this share (0..1) of a phase is done.

    >>> learning_rate(Training(schedule=Schedule.STEPS, learning_rate=1.0), 0.6)
    0.1
    """
    peak, share = config.learning_rate, progress_share
    if config.schedule is Schedule.CONSTANT:
        return peak
    if config.schedule is Schedule.STEPS:
        return peak * (1.0 if share < 0.5 else 0.1 if share < 0.75 else 0.01)
    if config.schedule is Schedule.COSINE:
        return peak * 0.5 * (1.0 + math.cos(math.pi * share))
    if share < _WARM_UP:
        return peak * (0.04 + 0.96 * share / _WARM_UP)
    return peak * 0.5 * (1.0 + math.cos(math.pi * (share - _WARM_UP) / (1.0 - _WARM_UP)))


def _schedule(config: Training, steps_per_epoch: int) -> Any:
    import tensorflow as tf
    from tensorflow import keras

    total = config.epochs * steps_per_epoch
    rates = tf.constant([learning_rate(config, step / total) for step in range(total)] + [0.0], tf.float32)

    class Tabled(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # TensorFlow is untyped
        def __call__(self, step: Any) -> Any:
            return rates[tf.minimum(tf.cast(step, tf.int32), total)]

    return Tabled()


@contextlib.contextmanager
def _own_randomness(model: Any, seed: int) -> Iterator[list[Any]]:
    """Give random layers (dropout, noise) generators whose states can be saved, for as long as the model trains."""
    from keras.src.backend import RandomGenerator

    layers = [layer for layer in model._flatten_layers() if getattr(layer, "_random_generator", None) is not None]
    before = [layer._random_generator for layer in layers]
    states = []
    for number, layer in enumerate(layers):
        generator = RandomGenerator(seed + number, rng_type=RandomGenerator.RNG_STATEFUL)
        generator._maybe_init()
        layer._random_generator = generator
        states.append(generator._generator.state)
    try:
        yield states
    finally:
        for layer, generator in zip(layers, before, strict=True):
            layer._random_generator = generator


def _keep(checkpoint: Path) -> None:
    """Put a checkpoint of another training aside: hours may be in it."""
    aside = files.keep_aside(checkpoint)
    progress.say(f"{checkpoint} is of another training (recipe, data or start weights changed): kept as {aside}")


class _State:
    """All that changes while a model is trained."""

    def __init__(self, model: Any, optimizer: Any, randomness: list[Any]) -> None:
        self.parts = {
            "weights": list(model.weights),
            "optimizer": list(optimizer.variables),
            "random": randomness,
        }

    def now(self) -> dict[str, list[Any]]:
        return {part: [v.numpy() for v in variables] for part, variables in self.parts.items()}

    def restore(self, checkpoint: checkpoints.Checkpoint, path: Path) -> None:
        for part, variables in self.parts.items():
            values = getattr(checkpoint, part)
            if [v.shape for v in values] != [tuple(v.shape) for v in variables]:
                raise ArtefactError(f"{path}: {part} of another model; delete it to begin this training anew")
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)


def _recorder(
    model: Any,
    replica: Any,
    measured: Callable[[Any], Mapping[str, float]],
    config: Training,
    path: Path,
    start: checkpoints.Checkpoint,
    state: _State,
    label: str,
    epochs_to_follow: int,
) -> Any:
    """A Keras callback that measures, saves and says how far the training is after every epoch."""
    import numpy as np
    from tensorflow import keras

    class Recorder(keras.callbacks.Callback):  # type: ignore[misc]  # TensorFlow is untyped
        last = start
        began = 0.0
        said = 0.0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002  # Keras' signature
            self.began = time.monotonic()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            done = epoch + 1
            row = {"epoch": done, "loss": float(logs["loss"])}
            if "top1" in logs:
                row["top1"] = float(logs["top1"])
            row["learning_rate"] = learning_rate(config, epoch / config.epochs)
            if done % config.test_every == 0 or done == config.epochs:
                if replica is not model:
                    model.set_weights(replica.get_weights())
                tests = {f"test_{name}": value for name, value in measured(model).items()}
                row |= tests
                logs |= tests
            row["seconds"] = round(time.monotonic() - self.began, 3)
            before, parts = self.last, state.now()
            if not all(np.isfinite(weights).all() for weights in parts["weights"]):
                wanted = f"a learning rate below {config.learning_rate} wanted"
                raise ModelError(f"{label}: diverged in epoch {done}: not all weights are finite; {wanted}")
            self.last = checkpoints.Checkpoint(
                before.digest, done, before.seconds + row["seconds"], (*before.curve, row), **parts
            )
            checkpoints.save(path, self.last)
            now = time.monotonic()
            if done == config.epochs or now - self.said >= _SAY_EVERY_S:
                self.said = now
                tested = f", test {row['test_top1']:.2%}" if "test_top1" in row else _told(row)
                epoch_s = self.last.seconds / done
                left = f"{progress.duration((config.epochs - done) * epoch_s)} left"
                if epochs_to_follow:
                    left += f", {progress.duration((config.epochs - done + epochs_to_follow) * epoch_s)} in all"
                trained = f", top-1 {row['top1']:.2%}" if "top1" in row else ""
                found = f"loss {row['loss']:.3f}{trained}{tested}"
                progress.say(f"{label}: epoch {done}/{config.epochs}: {found}; {left}")

    return Recorder()


def _told(row: Mapping[str, float]) -> str:
    """What was measured on the test samples."""
    return "".join(
        f", {name.replace('_', ' ', 1)} {value:.4g}" for name, value in row.items() if name.startswith("test_")
    )


def _digest(
    identity: str,
    model: Any,
    data: Data,
    config: Training,
    teacher: Any,
    distillation: Distillation | None,
    wanted: tuple[objectives.Objective, ...],
) -> str:
    """Of everything that decides how a phase goes."""
    digest = hashlib.sha256()
    described = {
        "identity": identity,
        "training": repr(stated(config)),
        "distillation": repr(stated(distillation)),
        "data": [_types(data), list(data.x_train.shape), list(data.x_test.shape)],
        "model": [[v.name, list(v.shape)] for v in model.weights],
    }
    digest.update(json.dumps(described, sort_keys=True).encode())
    for weights in (model.get_weights(), teacher.get_weights() if teacher is not None else []):
        for value in weights:
            digest.update(value.tobytes())
    for values in (data.x_train, *([one.train for one in wanted] or [data.labels[0]])):
        digest.update(values.tobytes())
    return digest.hexdigest()


def _types(data: Data) -> str | dict[str, str]:
    kinds = data.input_type
    return {name: str(one) for name, one in kinds.items()} if isinstance(kinds, dict) else str(kinds)
