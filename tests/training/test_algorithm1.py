import dataclasses

import pytest

from nonresnet_hls import networks, skips
from nonresnet_hls.errors import ModelError
from nonresnet_hls.recipe import Distillation, Order, SkipStyle, Teacher
from nonresnet_hls.training import algorithm1, fit
from tests.training.test_fit import CONFIG, Stopped, data, same

ONE_EPOCH = dataclasses.replace(CONFIG, epochs=1)


def network(blocks=1, groups=(4, 4), style=SkipStyle.SHORT):
    return networks.resnet(style, (8, 8, 1), 3, groups, blocks)


@pytest.mark.parametrize(
    ("order", "phases"),
    [
        (Order.GROUPS, ((1, 2), (1, 2, 3, 4), (1, 2, 3, 4, 5, 6))),
        (Order.GROUPS_FROM_TAIL, ((5, 6), (3, 4, 5, 6), (1, 2, 3, 4, 5, 6))),
        (Order.HEAD, tuple(tuple(range(1, n + 1)) for n in range(1, 7))),
        (Order.TAIL, tuple(tuple(range(n, 7)) for n in range(6, 0, -1))),
        (Order.ALL, ((1, 2, 3, 4, 5, 6),)),
    ],
)
def test_the_plan_says_which_skips_are_gone(order, phases):
    assert algorithm1.plan(skips.find(network(2, (4, 4, 4))), order) == phases


def test_the_paper_takes_three_skips_a_phase():
    found = skips.find(networks.resnet(SkipStyle.SHORT, (32, 32, 3), 10))
    assert algorithm1.plan(found, Order.GROUPS) == (
        (1, 2, 3), (1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 5, 6, 7, 8, 9))  # fmt: skip


@pytest.mark.parametrize(
    "teacher",
    [one if one is Teacher.NETWORK else pytest.param(one, marks=pytest.mark.nightly) for one in Teacher],
)
def test_all_skips_go_and_the_network_learns_on(tmp_path, teacher):
    start = network()
    fit.fit(start, data(), dataclasses.replace(CONFIG, epochs=4), tmp_path / "start.npz", label="start")
    before = [w.copy() for w in start.get_weights()]
    another = "another" if teacher is Teacher.NETWORK else None
    wanted = Distillation("start", teacher=teacher, network=another)
    network_of_its_own = network(style=SkipStyle.RESIDUAL) if another else None
    model, phases = algorithm1.run(start, data(), ONE_EPOCH, wanted, tmp_path, label="test", network=network_of_its_own)
    assert [(phase.name, phase.removed, len(phase.curve)) for phase in phases] == [
        ("phase 1 of 2", (1,), 1), ("phase 2 of 2", (1, 2), 1)]  # fmt: skip
    assert skips.find(model) == ()
    assert {layer.name for layer in model.layers} == {layer.name for layer in network(style=SkipStyle.PLAIN).layers}
    assert all((a == b).all() for a, b in zip(before, start.get_weights(), strict=True))
    # Every layer was trained in the last phase as well.
    assert not (model.get_layer("stem_conv").get_weights()[0] == before[0]).all()


def test_stopped_between_phases_it_ends_the_same(tmp_path):
    from tensorflow import keras

    class Stop(keras.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            Stop.epochs += 1
            if Stop.epochs == 2:
                raise Stopped

    def run(folder, *callbacks):
        return algorithm1.run(
            network(), data(), ONE_EPOCH, Distillation("start"), folder, label="test", callbacks=lambda _: callbacks
        )[0]

    whole = run(tmp_path / "whole")
    with pytest.raises(Stopped):
        run(tmp_path / "parts", Stop())
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["phase-1.npz", "phase-2.npz"]
    assert same(whole, run(tmp_path / "parts"))


def test_a_network_without_skips_is_refused(tmp_path):
    with pytest.raises(ModelError, match="a skip that can be removed wanted"):
        algorithm1.run(network(style=SkipStyle.PLAIN), data(), ONE_EPOCH, Distillation("x"), tmp_path, label="refused")
