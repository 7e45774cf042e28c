"""Algorithm 1 of Weng et al. (2021): the skips of a trained network go phase by phase, and it learns on after each."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls import skips
from nonresnet_hls.errors import ModelError
from nonresnet_hls.recipe import Distillation, Order, Teacher, Training
from nonresnet_hls.skips import Skip
from nonresnet_hls.training import fit
from nonresnet_hls.training.datasets import Data


@dataclass(frozen=True)
class Phase:
    """One phase as it went."""

    name: str
    removed: tuple[int, ...]
    """Numbers of the start network's skips that were gone."""
    seconds: float
    curve: tuple[Mapping[str, float], ...]


def plan(found: Sequence[Skip], order: Order) -> tuple[tuple[int, ...], ...]:
    """Which skips are gone in each phase: all of the phase before, and some more.

    Skips that cannot be removed stay.
    """
    removable = [skip for skip in found if skip.removable]
    numbers = [skip.number for skip in removable]
    groups = list(dict.fromkeys(skip.group for skip in removable))
    by_group = [[skip.number for skip in removable if skip.group == group] for group in groups]
    steps: Sequence[list[int]] = {
        Order.GROUPS: by_group,
        Order.GROUPS_FROM_TAIL: by_group[::-1],
        Order.HEAD: [[number] for number in numbers],
        Order.TAIL: [[number] for number in numbers[::-1]],
        Order.ALL: [numbers] if numbers else [],
    }[order]
    return tuple(tuple(sorted(itertools.chain(*steps[: i + 1]))) for i in range(len(steps)))


def run(
    start: Any,
    data: Data,
    training: Training,
    distillation: Distillation,
    checkpoints: Path,
    *,
    label: str,
    network: Any = None,
    callbacks: Callable[[int], Sequence[Any]] = lambda _: (),
) -> tuple[Any, tuple[Phase, ...]]:
    """Remove the skips of the trained model `start`, and return the last model and its phases.

    `network` is the trained model that is the teacher where `distillation` wants another than these.

    Each phase trains as `training` says, from the weights that the phase before ended with; its checkpoint is
    `phase-N.npz` in the folder `checkpoints`; `callbacks(N)` gives its Keras callbacks.

    Raises:
        ModelError: the model has no skip that can be removed, or does not tell the classes of `data` apart.
        ArtefactError: a checkpoint is damaged.
    """
    phases = plan(skips.find(start), distillation.order)
    if not phases:
        raise ModelError(f"model {start.name!r}: a skip that can be removed wanted, there is none")
    before, done = start, []
    for number, removed in enumerate(phases, start=1):
        model = skips.remove(start, removed)
        for layer in model.layers:
            layer.set_weights(before.get_layer(layer.name).get_weights())
        name = f"phase {number} of {len(phases)}"
        result = fit.fit(
            model,
            data,
            training,
            checkpoints / f"phase-{number}.npz",
            label=f"{label}, {name}",
            teacher={Teacher.START: start, Teacher.PREVIOUS: before, Teacher.NETWORK: network}[distillation.teacher],
            distillation=distillation,
            callbacks=callbacks(number),
            epochs_to_follow=(len(phases) - number) * training.epochs,
        )
        done.append(Phase(name, removed, result.seconds, result.curve))
        before = model
    return before, tuple(done)
