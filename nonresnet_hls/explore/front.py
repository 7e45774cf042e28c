"""The Pareto front: what no other trial is better than."""

from collections.abc import Sequence

from nonresnet_hls.explore.figures import KINDS, Better, Row, Status


def front(rows: Sequence[Row], objectives: Sequence[str]) -> list[bool]:
    """Which rows no other one dominates: is better than in one objective, and as good in all others.

    Rows that are not done, or lack an objective, are not on it. Of equal rows all are, or none.
    """
    import numpy as np

    kept = [
        index
        for index, row in enumerate(rows)
        if row.status is Status.DONE and all(name in row.figures for name in objectives)
    ]
    signs = [-1.0 if KINDS[name].better is Better.MORE else 1.0 for name in objectives]
    costs = np.array(
        [
            [sign * rows[index].figures[name].value for sign, name in zip(signs, objectives, strict=True)]
            for index in kept
        ]
    ).reshape(len(kept), len(objectives))
    found = [False] * len(rows)
    for index, cost in zip(kept, costs, strict=True):
        dominating = (costs <= cost).all(axis=1) & (costs < cost).any(axis=1)
        found[index] = not dominating.any()
    return found
