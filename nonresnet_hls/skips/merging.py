"""Merges skips into the convolutions that they bypass: no skip is left, and the function is the same.

Each convolution of the branch gets channels that pass the skip's tensor on; the last one adds them.
"""

from collections.abc import Collection, Sequence
from typing import Any

from nonresnet_hls import extras, one_keras
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import graph, passing
from nonresnet_hls.networks.additions import Additions
from nonresnet_hls.networks.fold import fold_batch_norms
from nonresnet_hls.skips.search import Join, Skip, find


def merge(model: Any, which: Collection[int] | None = None) -> Any:
    """A new model without the skips numbered in `which` (None: all that can be), of the same function.

    Batch norms behind the convolutions of the branch and of the projection are folded into them.

    Raises:
        ModelError: the model is not functional or none of Keras 2, there is no such skip, or it cannot be merged.
    """
    found, why = _found(model)
    for number in sorted(which or ()):
        if not 1 <= number <= len(found):
            raise ModelError(f"model {model.name!r}: skips 1..{len(found)} wanted, not {number}")
        if number in why:
            raise ModelError(f"skip {number} into {found[number - 1].joins!r} cannot be merged: {why[number]}")
    joins = {skip.joins for skip in found if skip.number not in why and (which is None or skip.number in which)}
    if not joins:
        return model
    folded = _folded(model, [skip for skip in found if skip.joins in joins])
    plans, _ = passing.find(folded)
    return _merged(folded, [plans[name] for name in plans if name in joins])


def not_merged(model: Any) -> dict[int, str]:
    """By number, why skips cannot be merged; those that can are not in it.

    Raises:
        ModelError: the model is not functional, or none of Keras 2.
    """
    return _found(model)[1]


def _found(model: Any) -> tuple[tuple[Skip, ...], dict[int, str]]:
    """The skips of a model, and by number why some cannot be merged."""
    if not one_keras.has_keras2():
        raise ModelError(
            f"model {model.name!r}: a model of Keras 2 wanted for merging, where {extras.install('keras2')}"
        )
    found = find(model)
    plans, refused = passing.find(_folded(model, found))
    why = {}
    for skip in found:
        if skip.join is not Join.ADD:
            why[skip.number] = "what it brings is beside the branch, not added"
        elif skip.joins not in plans:
            why[skip.number] = refused.get(skip.joins, f"{skip.joins} is no Add layer")
    return found, why


def _folded(model: Any, skips: Collection[Skip]) -> Any:
    """The model with the batch norms folded that the branches and projections of some skips have."""
    inside = {name for skip in skips for name in (*skip.bypasses, *skip.projection)}
    return fold_batch_norms(model, lambda name: name in inside)


def _merged(model: Any, plans: Sequence[passing.Passing]) -> Any:
    made: dict[str, list[Any]] = {}
    for plan in plans:
        own = None if plan.projection is None else plan.projection.layer.get_weights()
        weights = passing.weights(plan, [node.layer.get_weights() for node in plan.convolutions], own)
        made |= {node.name: own for node, own in zip(plan.convolutions, weights, strict=True)}

    def called(node: graph.Node, additions: Additions, x: Any) -> Any:
        config = graph.config_of(node.layer) | {"use_bias": len(made[node.name]) > 1}
        if "filters" in config:
            config["filters"] = made[node.name][0].shape[-1]
        return additions.call(type(node.layer).from_config(config), x, made[node.name])

    return passing.rebuilt(model, plans, called)
