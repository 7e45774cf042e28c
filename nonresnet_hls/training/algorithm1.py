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
from nonresnet_hls.training.data import Data


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


def last(start: Any, distillation: Distillation) -> Any:
    """The model that Algorithm 1 ends with, with the weights of `start`.

    Raises:
        ModelError: as `run`.
    """
    return skips.remove(start, _phases(start, distillation)[-1])


def carry_over(source: Any, model: Any) -> Any:
    """`model` with the weights that layers of these names have in `source`."""
    for layer in model.layers:
        layer.set_weights(source.get_layer(layer.name).get_weights())
    return model


def _phases(start: Any, distillation: Distillation) -> tuple[tuple[int, ...], ...]:
    phases = plan(skips.find(start), distillation.order)
    if not phases:
        raise ModelError(f"model {start.name!r}: a skip that can be removed wanted, there is none")
    return phases


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
    identity: str = "",
) -> tuple[Any, tuple[Phase, ...]]:
    """Remove the skips of the trained model `start`, and return the last model and its phases.

    `network` is the trained model that is the teacher where `distillation` wants another than these.

    Each phase trains as `training` says, from the weights that the phase before ended with; its checkpoint is
    `phase-N.npz` in the folder `checkpoints`; `callbacks(N)` gives its Keras callbacks; `identity` is as for
    `fit.fit`.

    Raises:
        ModelError: the model has no skip that can be removed, or does not tell the classes of `data` apart.
        ArtefactError: a checkpoint is damaged.
    """
    phases = _phases(start, distillation)
    before, done = start, []
    for number, removed in enumerate(phases, start=1):
        model = carry_over(before, skips.remove(start, removed))
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
            identity=identity,
            epochs_to_follow=(len(phases) - number) * training.epochs,
        )
        done.append(Phase(name, removed, result.seconds, result.curve))
        before = model
    return before, tuple(done)
