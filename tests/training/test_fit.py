import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nonresnet_hls
from nonresnet_hls import networks
from nonresnet_hls.errors import ArtefactError, DatasetError, ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.networks import saved
from nonresnet_hls.recipe import (
    Distillation,
    DistillationLoss,
    Optimizer,
    Precision,
    Schedule,
    SkipStyle,
    Training,
)
from nonresnet_hls.training import checkpoints, fit
from nonresnet_hls.training.data import Data

KILLABLE = Path(__file__).with_name("killable.py")
CONFIG = Training(epochs=2, batch_size=8, learning_rate=0.05)


def data(samples=48, classes=3):
    """Squares whose place says their class."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, samples)
    x = rng.integers(0, 3, (samples, 8, 8, 1)).astype(np.float32) / 16
    for image, label in zip(x, y, strict=True):
        image[2 * label : 2 * label + 2] = 1.0
    return Data(x, y, x, y, FixedPointType.parse("ufixed<5,1>"), classes, "squares")


def model(seed=0, style=SkipStyle.SHORT):
    return networks.resnet(style, (8, 8, 1), 3, (4,), 1, seed)


def same(one, other):
    return all((a == b).all() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def python(*arguments):
    """Run Python with the package that is tested here."""
    env = {**os.environ, "PYTHONPATH": str(Path(nonresnet_hls.__file__).parents[1])}
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False, env=env)


def run(checkpoint, *stop_after):
    return python(KILLABLE, checkpoint, *stop_after)


@pytest.mark.nightly
def test_killed_at_three_random_moments_it_ends_with_the_same_bits(tmp_path):
    undisturbed = run(tmp_path / "undisturbed.npz").stdout
    assert len(undisturbed.split()[-1]) == 64
    for moment in np.random.default_rng(7).integers(1, 6 * 12 // 3, 3):
        killed = run(tmp_path / "killed.npz", int(moment))
        assert killed.returncode == -9
    assert "goes on after epoch" in run(tmp_path / "killed.npz").stderr
    assert run(tmp_path / "killed.npz").stdout == undisturbed


class Stopped(Exception):  # noqa: N818
    """Stands in for whatever ends a process between two epochs."""


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"precision": Precision.MIXED_BFLOAT16}, marks=pytest.mark.nightly),
        {"jitter": 0.4, "mixup": 0.5, "mixup_tail": 1},
    ],
    ids=["bfloat16", "mixed"],
)
def test_what_was_stopped_goes_on_to_the_same_bits(tmp_path, keys):
    from tensorflow import keras

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise Stopped

    config = dataclasses.replace(CONFIG, epochs=3, augment=True, optimizer=Optimizer.ADAM, learning_rate=0.01, **keys)
    whole, parts = model(), model()
    result = fit.fit(whole, data(), config, tmp_path / "whole.npz", label="whole")
    with pytest.raises(Stopped):
        fit.fit(parts, data(), config, tmp_path / "parts.npz", label="parts", callbacks=[Stop()])
    assert not same(whole, parts)
    fresh = model()
    resumed = fit.fit(fresh, data(), config, tmp_path / "parts.npz", label="parts")
    assert same(whole, fresh)
    assert [row["loss"] for row in resumed.curve] == [row["loss"] for row in result.curve]
    # A training that has ended is not done again.
    assert fit.fit(model(), data(), config, tmp_path / "parts.npz", label="parts") == resumed


def test_it_learns_and_says_how(tmp_path):
    config = dataclasses.replace(CONFIG, epochs=6, schedule=Schedule.ONE_CYCLE, label_smoothing=0.1, test_every=4)
    trained = model()
    result = fit.fit(trained, data(), config, tmp_path / "c.npz", label="learns")
    assert [row["epoch"] for row in result.curve] == [1, 2, 3, 4, 5, 6]
    assert [row["epoch"] for row in result.curve if "test_top1" in row] == [4, 6]
    assert result.curve[-1]["loss"] < result.curve[0]["loss"]
    assert result.curve[-1]["test_top1"] == fit.top1(trained, data().x_test, data().y_test)


def test_mixed_precision_trains_the_float32_model_that_it_was_given(tmp_path):
    config = dataclasses.replace(CONFIG, epochs=6, precision=Precision.MIXED_BFLOAT16)
    trained, teacher, plain = model(), model(3), model()
    described = trained.get_config()
    taught = Distillation("teacher", loss=DistillationLoss.LOGIT_MSE, weight=0.1)
    result = fit.fit(trained, data(), config, tmp_path / "c.npz", label="m", teacher=teacher, distillation=taught)
    assert trained.get_config() == described
    assert teacher.trainable
    assert {v.dtype.name for v in trained.weights} == {"float32"}
    assert result.curve[-1]["loss"] < result.curve[0]["loss"]
    assert result.curve[-1]["test_top1"] == fit.top1(trained, data().x_test, data().y_test)
    config = dataclasses.replace(config, precision=Precision.FLOAT32)
    fit.fit(plain, data(), config, tmp_path / "plain.npz", label="p", teacher=teacher, distillation=taught)
    assert not same(trained, plain)


def test_mixed_precision_leaves_the_outputs_in_float32(tmp_path):
    """Also those of a model within the model, which are another's inputs elsewhere."""
    from tensorflow import keras

    x = keras.Input((8, 8, 1))
    first = keras.Sequential([keras.layers.Flatten(input_shape=(8, 8, 1)), keras.layers.Dense(4, name="hidden")])
    last = keras.Sequential([keras.layers.Dense(5, input_shape=(4,), name="wide"), keras.layers.Dense(3, name="out")])
    dtypes = {}

    class Dtypes(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            dtypes.update({layer.name: layer.compute_dtype for layer in self.model._flatten_layers()})

    config = dataclasses.replace(CONFIG, epochs=1, precision=Precision.MIXED_BFLOAT16)
    fit.fit(keras.Model(x, last(first(x))), data(), config, tmp_path / "c.npz", label="s", callbacks=[Dtypes()])
    assert {name: dtypes[name] for name in ("hidden", "wide", "out")} == {
        "hidden": "bfloat16", "wide": "bfloat16", "out": "float32"}  # fmt: skip


def test_a_checkpoint_of_another_training_is_kept_aside(tmp_path, capsys):
    path = tmp_path / "c.npz"
    fit.fit(model(), data(), dataclasses.replace(CONFIG, epochs=1), path, label="first")
    content = path.read_bytes()
    fit.fit(model(), data(), dataclasses.replace(CONFIG, epochs=1, seed=1), path, label="second")
    assert (tmp_path / "c.kept-1.npz").read_bytes() == content
    assert "kept as" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04" + bytes(100)])
def test_a_damaged_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "c.npz"
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"c\.npz: corrupt .*; delete"):
        fit.fit(model(), data(), CONFIG, path, label="damaged")


def test_a_checkpoint_of_another_format_is_named(tmp_path):
    path = tmp_path / "c.npz"
    np.savez(path, meta=np.array('{"format": 2}'))
    with pytest.raises(ArtefactError, match="format 1 wanted, not 2"):
        checkpoints.load(path)


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    rng = np.random.default_rng(0)
    arrays = [rng.random((3, 2), dtype=np.float32) for _ in range(12)]
    saved = checkpoints.Checkpoint("d", 3, 1.5, ({"epoch": 1, "loss": 0.1},), arrays, [np.int64(7)], [])
    checkpoints.save(tmp_path / "c.npz", saved)
    found = checkpoints.load(tmp_path / "c.npz")
    assert (found.digest, found.epochs_done, found.seconds, found.curve) == ("d", 3, 1.5, saved.curve)
    assert all((a == b).all() for a, b in zip(found.weights, arrays, strict=True))
    assert found.optimizer[0] == 7
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"]


def test_keras_callbacks_are_called_as_keras_does(tmp_path):
    from tensorflow import keras

    seen = []
    log = keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))
    each = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, sorted(logs))))
    fit.fit(model(), data(), CONFIG, tmp_path / "c.npz", label="callbacks", callbacks=[log, each])
    assert seen == [(0, ["loss", "test_top1", "top1"]), (1, ["loss", "test_top1", "top1"])]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


def test_what_is_not_mixed_is_trained_as_without_mixup(tmp_path):
    """Shares of whole labels cost what the labels do, and the figures of the epochs are the same."""
    whole, shares = model(), model()
    plain = dataclasses.replace(CONFIG, label_smoothing=0.1)
    unmixed = dataclasses.replace(plain, mixup=0.4, mixup_tail=2)
    curves = [
        fit.fit(one, data(), config, tmp_path / f"{name}.npz", label=name, teacher=model(3), distillation=taught).curve
        for one, config, name in ((whole, plain, "plain"), (shares, unmixed, "unmixed"))
        for taught in [Distillation("teacher", weight=0.5)]
    ]
    told = [[{k: v for k, v in row.items() if k != "seconds"} for row in curve] for curve in curves]
    assert told[0] == told[1]
    assert same(whole, shares)


def test_jitter_of_what_is_no_image_is_refused(tmp_path):
    config = dataclasses.replace(CONFIG, jitter=0.4)
    squares = data()
    four = dataclasses.replace(squares, x_train=np.repeat(squares.x_train, 4, axis=3))
    message = r"squares: images of 1 or 3 channels wanted for training\.jitter, not samples of shape \(8, 8, 4\)"
    with pytest.raises(DatasetError, match=message):
        fit.fit(model(), four, config, tmp_path / "c.npz", label="refused")


@pytest.mark.parametrize("loss", list(DistillationLoss))
def test_a_student_follows_its_teacher(tmp_path, loss):
    teacher, student = model(1), model(2)
    config = dataclasses.replace(CONFIG, epochs=4, learning_rate=0.02)
    wanted = Distillation("any", loss=loss, weight=1.0 if loss is not DistillationLoss.NONE else 0.0)
    before = [w.copy() for w in teacher.get_weights()]
    result = fit.fit(student, data(), config, tmp_path / "c.npz", label="student", teacher=teacher, distillation=wanted)
    assert result.curve[-1]["loss"] < result.curve[0]["loss"]
    assert all((a == b).all() for a, b in zip(before, teacher.get_weights(), strict=True))
    assert teacher.trainable


def test_probabilities_are_trained_like_the_logits_that_they_come_from(tmp_path):
    from tensorflow import keras

    plain, same_weights = model(), model()
    soft = keras.Model(same_weights.input, keras.layers.Softmax()(same_weights.output))
    result = fit.fit(soft, data(), CONFIG, tmp_path / "c.npz", label="softmax")
    logits = fit.fit(plain, data(), CONFIG, tmp_path / "d.npz", label="logits")
    assert f"{result.curve[0]['loss']:.4f}" == f"{logits.curve[0]['loss']:.4f}"


def test_probabilities_are_seen_at_the_end_of_a_nested_model(tmp_path):
    from tensorflow import keras

    head = keras.Sequential([keras.layers.Softmax(input_shape=(3,))])
    losses = []
    for end in (head, keras.layers.Softmax()):
        body = model()
        whole = keras.Model(body.input, end(body.output))
        result = fit.fit(whole, data(), CONFIG, tmp_path / f"{len(losses)}.npz", label="nested")
        losses.append([row["loss"] for row in result.curve])
    assert losses[0] == losses[1]


def test_a_checkpoint_goes_on_only_for_the_same_model_and_data(tmp_path, capsys):
    """Weights and their names tell neither bits nor activations, and a few images not all."""
    one, checkpoint = data(), tmp_path / "c.npz"

    def starts(identity, images):
        capsys.readouterr()
        fit.fit(model(), images, CONFIG, checkpoint, label="x", identity=identity)
        return "epoch 1/2" in capsys.readouterr().err

    assert starts("8 bits", one)
    assert not starts("8 bits", one)
    assert starts("6 bits", one)
    other = data()
    other.x_train[1, 0, 0] = 0.25
    assert starts("6 bits", other)


def test_weight_decay_shrinks_kernels_only(tmp_path):
    config = dataclasses.replace(CONFIG, epochs=1, learning_rate=1e-6, schedule=Schedule.CONSTANT, weight_decay=1e4)
    trained = model()
    gamma, kernel = trained.get_layer("stem_bn").get_weights()[0], trained.get_layer("stem_conv").get_weights()[0]
    fit.fit(trained, data(), config, tmp_path / "c.npz", label="decay")
    # 6 steps, each of 1e-6 * 1e4 / (1 - 0.9) of the kernel, and next to no gradient.
    shrunk = trained.get_layer("stem_conv").get_weights()[0]
    assert f"{np.abs(shrunk).sum() / np.abs(kernel).sum():.2f}" == f"{0.9**6:.2f}"
    assert np.round(trained.get_layer("stem_bn").get_weights()[0] / gamma, 2).tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda k, x: k.layers.Dense(2)(k.layers.Flatten()(x)), r"output \(batch, 3 or more classes\) wanted"),
        (lambda k, x: x, r"not \(None, 8, 8, 1\)"),
        (lambda k, x: [k.layers.Dense(3, name="three")(k.layers.Flatten()(x)), x], "targets of output three wanted"),
    ],
)
def test_a_model_that_does_not_classify_is_refused(tmp_path, output, message):
    from tensorflow import keras

    x = keras.Input((8, 8, 1))
    with pytest.raises((ModelError, DatasetError), match=message):
        fit.fit(keras.Model(x, output(keras, x)), data(), CONFIG, tmp_path / "c.npz", label="refused")


def test_a_teacher_of_other_classes_is_refused(tmp_path):
    teacher = networks.resnet(SkipStyle.SHORT, (8, 8, 1), 4, (4,), 1)
    with pytest.raises(ModelError, match="3 classes wanted of a teacher, as its student has, not 4"):
        fit.fit(
            model(),
            data(),
            CONFIG,
            tmp_path / "c.npz",
            label="t",
            teacher=teacher,
            distillation=Distillation("teacher"),
        )


@pytest.mark.parametrize("schedule", list(Schedule))
def test_schedules_stay_below_the_peak_and_reach_it(schedule):
    config = Training(schedule=schedule, learning_rate=0.5)
    rates = [fit.learning_rate(config, i / 1000) for i in range(1000)]
    assert max(rates) == 0.5
    assert min(rates) >= 0
    if schedule in (Schedule.COSINE, Schedule.ONE_CYCLE):
        assert rates[-1] < 1e-4


TWO_DEVICES = """
import sys
sys.path.insert(0, {tests!r})
import dataclasses
from pathlib import Path
import test_fit
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from nonresnet_hls.recipe import Distribution
from nonresnet_hls.training import fit
config = dataclasses.replace(test_fit.CONFIG, epochs=5, distribution=Distribution.MIRRORED)
folder = Path({folder!r})
model = test_fit.model()
whole = fit.fit(model, test_fit.data(), config, folder / "c.npz", label="mirrored")
print(len(whole.curve), whole.curve[-1]["loss"] < whole.curve[0]["loss"])
print(fit.strategy(config.distribution).num_replicas_in_sync)
again = test_fit.model()
fit.fit(again, test_fit.data(), config, folder / "c.npz", label="mirrored")
print(test_fit.same(model, again))
"""


@pytest.mark.nightly
def test_two_virtual_devices_train_together(tmp_path):
    script = TWO_DEVICES.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    done = python("-c", script)
    assert done.stdout.split() == ["5", "True", "2", "True"], done.stderr


@pytest.mark.nightly
def test_two_machines_train_together(tmp_path):
    """Two processes of this machine; each must end with the same weights."""
    workers = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            workers.append(f"127.0.0.1:{free.getsockname()[1]}")
    started = []
    for index in range(2):
        models = tmp_path / str(index) / "models"
        models.mkdir(parents=True)
        squares = data()
        np.savez(models / "squares.npz", x=squares.x_train, y=squares.y_train)
        (models / "both.toml").write_text(TWO_MACHINES)
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        env = {**os.environ, "PYTHONPATH": str(Path(nonresnet_hls.__file__).parents[1]), "TF_CONFIG": json.dumps(task)}
        command = [sys.executable, "-m", "nonresnet_hls", "train", "both", "--workspace", str(models.parent)]
        started.append(subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    told = [process.communicate(timeout=240) for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    one, other = (saved.load(tmp_path / str(i) / "models" / "both" / "train" / "model.keras") for i in range(2))
    assert same(one, other)


TWO_MACHINES = """
[architecture]
family = "resnet"
skips = "short"
filters = [4]
blocks_per_group = 1
[dataset]
name = "npz"
file = "squares.npz"
input_type = "ufixed<5,1>"
[training]
epochs = 2
batch_size = 8
distribution = "multi_worker"
"""
