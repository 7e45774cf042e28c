"""Trainings to other things than one class a sample: losses and metrics from the recipe, several inputs and outputs."""

import dataclasses

import numpy as np
import pytest
from tensorflow import keras

from nonresnet_hls import samples
from nonresnet_hls.errors import DatasetError, ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.recipe import Distillation, DistillationLoss, Loss, Metric, Optimizer, Training
from nonresnet_hls.training import fit, objectives
from nonresnet_hls.training.data import Data, Targets

layers = keras.layers
KIND = FixedPointType(8, 1)
CONFIG = Training(epochs=8, batch_size=16, learning_rate=0.02, optimizer=Optimizer.ADAM)


def made(outputs, several=False, samples_count=64):
    """Data whose outputs are functions of the inputs."""
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (samples_count, 4)).astype(np.float32) / 128
    x_all = samples.joined({"b": x, "a": x[:, :2]}) if several else x
    found = {name: Targets(of(x), of(x), f"own.npz: {name}") for name, of in outputs.items()}
    return Data(x_all, None, x_all, None, KIND, 0, "own", targets=found)


def network(units, activation=None, name="end"):
    keras.utils.set_random_seed(1)
    image = keras.Input((4,), name="x")
    return keras.Model(image, layers.Dense(units, activation=activation, name=name)(layers.Dense(16, "relu")(image)))


def mean(x):
    return x.mean(axis=1, keepdims=True)


def signs(x):
    return (x[:, :3] > 0).astype(np.int64)


@pytest.mark.parametrize(
    ("loss", "units", "activation", "target"),
    [
        (Loss.MEAN_SQUARED_ERROR, 1, None, mean),
        (Loss.MEAN_ABSOLUTE_ERROR, 1, None, mean),
        (Loss.HUBER, 1, None, mean),
        (Loss.BINARY_CROSS_ENTROPY, 3, "sigmoid", signs),
        (Loss.BINARY_CROSS_ENTROPY, 3, None, signs),
    ],
)
def test_a_training_lowers_the_loss_that_its_recipe_names(tmp_path, loss, units, activation, target):
    data, model = made({"y": target}), network(units, activation)
    config = dataclasses.replace(CONFIG, loss=loss)
    wanted = objectives.of(model, data, config)
    before = objectives.measured(model, wanted, data.x_test, [data.targets["y"].test])
    result = fit.fit(model, data, config, tmp_path / "c.npz", label="own")
    after = result.curve[-1]
    metric = objectives.METRICS[loss]
    assert after["test_loss"] < before["loss"] * 0.9
    assert f"test_{metric}" in after
    assert "top1" not in after
    # As NumPy computes it.
    outputs, y = model.predict(data.x_test, verbose=0).astype(np.float64), target(data.x_test)
    if metric is Metric.ACCURACY:
        assert after["test_accuracy"] == np.mean((outputs > (0.5 if activation else 0)) == y)
    else:
        assert after[f"test_{metric}"] == np.mean(np.abs(outputs - y))


def test_a_training_to_a_loss_goes_on_where_it_was_stopped_to_the_same_bits(tmp_path):
    config = dataclasses.replace(CONFIG, loss=Loss.HUBER, epochs=4)
    data = made({"y": mean})
    whole, again = network(1), network(1)
    fit.fit(whole, data, config, tmp_path / "whole.npz", label="own")

    class Stopped(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit.fit(again, data, config, tmp_path / "again.npz", label="own", callbacks=[Stopped()])
    other = network(1)
    assert len(fit.fit(other, data, config, tmp_path / "again.npz", label="own").curve) == 4
    assert all((a == b).all() for a, b in zip(whole.get_weights(), other.get_weights(), strict=True))


def test_several_inputs_and_outputs_are_trained_to_the_sum_of_their_losses(tmp_path):
    keras.utils.set_random_seed(1)
    a, b = keras.Input((2,), name="a"), keras.Input((4,), name="b")
    both = layers.Dense(16, "relu", name="flatten")(layers.Concatenate(name="concatenate")([a, b]))
    image = layers.Reshape((2, 2, 1), name="image")(layers.Dense(4)(both))
    model = keras.Model([a, b], [layers.Dense(2, "softmax", name="kind")(both), image])
    data = objectives.ordered(
        made({"kind": lambda x: (x[:, 0] > 0).astype(np.int64), "image": lambda x: x.reshape(-1, 2, 2, 1)}, True), model
    )
    assert data.x_train.dtype.names == ("a", "b")
    config = dataclasses.replace(CONFIG, losses={"image": Loss.MEAN_SQUARED_ERROR})
    teacher = keras.models.clone_model(model)
    distillation = Distillation("own", loss=DistillationLoss.LOGIT_MSE)
    for number, teaching in enumerate(({}, {"teacher": teacher, "distillation": distillation})):
        last = fit.fit(model, data, config, tmp_path / f"{number}.npz", label="own", **teaching).curve[-1]
        assert last["test_kind:top1"] > 0.9
        assert last["test_image:mean_absolute_error"] < 0.3


@pytest.mark.parametrize(
    ("config", "units", "activation", "targets", "kind", "wanted"),
    [
        ({"loss": Loss.HUBER}, 2, None, {}, DatasetError, "targets of output end wanted (y_train and y_test, or y)"),
        ({"loss": Loss.HUBER}, 2, None, {"y": mean}, DatasetError, "targets of shape (2,) wanted, as output end has"),
        ({"loss": Loss.HUBER, "metric": Metric.TOP1}, 1, None, {"y": mean}, ModelError, "top1 with cross_entropy and"),
        ({"loss": Loss.BINARY_CROSS_ENTROPY}, 1, "tanh", {"y": mean}, ModelError, "sigmoid or linear wanted"),
        ({"loss": Loss.BINARY_CROSS_ENTROPY}, 1, None, {"y": mean}, DatasetError, "targets from 0 to 1 wanted"),
        ({"losses": {"other": Loss.HUBER}}, 1, None, {"y": mean}, ModelError, "outputs of model model"),
        ({"metrics": {"end": Metric.TOP1}}, 3, None, {"y": mean}, DatasetError, "one class for each sample wanted"),
        ({"metric": Metric.TOP1}, 1, None, {"y": mean}, ModelError, "(batch, 2 or more classes) wanted"),
        ({"metric": Metric.TOP1}, 2, None, {"y": lambda x: np.arange(len(x)) % 3}, DatasetError, "labels 0..1 wanted"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_so_is_refused(config, units, activation, targets, kind, wanted):
    with pytest.raises(kind) as error:
        objectives.of(network(units, activation), made(targets), dataclasses.replace(CONFIG, **config))
    assert wanted in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [("augment", True, "false wanted"), ("jitter", 0.5, "0 wanted"), ("mixup", 0.2, "0 wanted")],
)
def test_several_inputs_are_not_augmented(key, value, wanted):
    a, b = keras.Input((2,), name="a"), keras.Input((4,), name="b")
    model = keras.Model([a, b], layers.Dense(2, name="kind")(layers.Concatenate()([a, b])))
    data = objectives.ordered(made({"kind": lambda x: (x[:, 0] > 0).astype(np.int64)}, True), model)
    config = dataclasses.replace(CONFIG, **{key: value})
    with pytest.raises(ModelError, match=rf"training\.{key}: {wanted} with several inputs or outputs, or images as"):
        objectives.of(model, data, config)


@pytest.mark.parametrize(
    ("loss", "units", "target"),
    [(Loss.CROSS_ENTROPY, 3, lambda x: signs(x).sum(axis=1) % 3), (Loss.BINARY_CROSS_ENTROPY, 3, signs)],
)
def test_mixed_targets_of_a_named_loss_are_learnt(tmp_path, loss, units, target):
    data, model = made({"y": target}), network(units)
    config = dataclasses.replace(CONFIG, loss=loss, metric=objectives.METRICS[loss], mixup=0.2, mixup_tail=2)
    curve = fit.fit(model, data, config, tmp_path / "c.npz", label="own").curve
    assert curve[-1]["test_loss"] < curve[0]["test_loss"]


def test_the_defaults_leave_the_identity_of_a_training_as_it_was():
    from nonresnet_hls.recipe import stated

    assert stated(Training()) == {}
    assert stated(Training(loss=Loss.HUBER)) == {"loss": "huber"}
