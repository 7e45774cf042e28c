"""Which points are tried, batch by batch: all of them, or as many as the study allows, chosen by Optuna."""

import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nonresnet_hls.explore.figures import KINDS
from nonresnet_hls.explore.study import Point, Study

Outcome = Mapping[str, float] | None
"""The objectives of a trial by name; None: it has none."""

Batches = Iterator[Sequence[Point]]
"""Batches of points; `send` the outcomes of one to have the next."""

_TIRED = 20
"""So often in a row a point that was tried before is proposed, until another is drawn."""


def batches(study: Study) -> Any:
    """A generator of batches of points, each to be sent the outcomes of its points, in their order.

    What it proposes depends on the study and the outcomes alone, not on how many workers there are or how fast.
    """
    return _grid(study.points) if study.planned == study.size else _chosen(study)


def _grid(points: Sequence[Point]) -> Any:
    yield points


def _chosen(study: Study) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is called experimental
        sampler = optuna.samplers.TPESampler(seed=study.seed, multivariate=True, constant_liar=True)
        proposals = optuna.create_study(
            sampler=sampler, directions=[_DIRECTION[KINDS[name].better] for name in study.objectives]
        )
    draw = random.Random(study.seed)
    sizes = [len(axis.values) for axis in study.axes]
    tried: dict[tuple[int, ...], Outcome] = {}

    def ask() -> tuple[Any, tuple[int, ...]]:
        trial = proposals.ask()
        choice = tuple(
            trial.suggest_categorical(axis.name, list(range(size)))
            for axis, size in zip(study.axes, sizes, strict=True)
        )
        return trial, choice

    def tell(trial: Any, outcome: Outcome) -> None:
        if outcome is None:
            proposals.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            proposals.tell(trial, [outcome[name] for name in study.objectives])

    def fresh(pending: Sequence[tuple[int, ...]]) -> tuple[Any, tuple[int, ...]]:
        for _ in range(_TIRED):
            trial, choice = ask()
            if choice not in tried and choice not in pending:
                return trial, choice
            tell(trial, tried.get(choice))
        while (choice := tuple(draw.randrange(size) for size in sizes)) in tried or choice in pending:
            pass
        names = [axis.name for axis in study.axes]
        proposals.enqueue_trial(dict(zip(names, choice, strict=True)))
        return ask()

    while len(tried) < study.planned:
        asked: list[tuple[Any, tuple[int, ...]]] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(min(study.batch, study.planned - len(tried))):
                asked.append(fresh([choice for _, choice in asked]))
        values = [tuple(axis.values[i] for axis, i in zip(study.axes, choice, strict=True)) for _, choice in asked]
        outcomes = yield [study.point(one) for one in values]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for (trial, choice), outcome in zip(asked, outcomes, strict=True):
                tried[choice] = outcome
                tell(trial, outcome)


_DIRECTION = {"max": "maximize", "min": "minimize"}
