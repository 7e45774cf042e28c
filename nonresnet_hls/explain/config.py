"""A proposal as the configuration that hls4ml's `convert_from_keras_model` takes."""

import copy
from typing import Any

from nonresnet_hls.explain.proposal import Proposal, Types
from nonresnet_hls.fixed.types import FixedPointType

_SEPARABLE = ("depthwise", "pointwise")
_KEPT = ("Precision", "TableSize")


def configure(own: dict[str, Any], given: dict[str, Any], proposal: Proposal) -> dict[str, Any]:
    """The configuration with a proposal's types.

    Args:
        own: hls4ml's own choice for the model, by layer.
        given: the user's, of which everything but types and tables stays.
        proposal: types.
    """
    layers: dict[str, Any] = {}
    for name, entry in own.get("LayerName", {}).items():
        layers[name] = {key: copy.deepcopy(value) for key, value in entry.items() if key in _KEPT}
    for name, entry in given.get("LayerName", {}).items():
        kept = {key: copy.deepcopy(value) for key, value in entry.items() if key not in _KEPT}
        layers[name] = layers.get(name, {"Precision": {}}) | kept
    for name, types in proposal.types.items():
        _enter(layers, name, types)
    found = {"Model": copy.deepcopy(own.get("Model", {}) | given.get("Model", {})), "LayerName": layers}
    kinds = {
        kind: {key: copy.deepcopy(value) for key, value in entry.items() if key not in _KEPT}
        for kind, entry in given.get("LayerType", {}).items()
    }
    if any(kinds.values()):
        found["LayerType"] = {kind: entry for kind, entry in kinds.items() if entry}
    return found


def _enter(layers: dict[str, Any], name: str, types: Types) -> None:
    base, _, part = name.rpartition("_")
    if part in _SEPARABLE and base in layers:
        _enter_separable(layers[base].setdefault("Precision", {}), part, types)
        if part == "pointwise":
            _enter_linear(layers, base, types)
        return
    entry = layers.setdefault(name, {})
    precision = entry["Precision"] = dict(entry.get("Precision") or {})
    weight = "scale" if types.is_scale else "weight"
    for role, kind in ((weight, types.weight), ("bias", types.bias), ("accum", types.accumulator)):
        if kind is not None:
            precision[role] = str(kind)
            if role == "weight" and "depthwise" in precision:
                precision["depthwise"] = str(kind)
    precision["result"] = _text(types.result)
    for role, kind in types.tables.items():
        precision[role] = str(kind)
        if "table" in role or role.startswith("inv"):
            entry[f"{role}_t"] = str(kind)  # where hls4ml reads it
    if types.entries is not None:
        entry["TableSize"] = types.entries
    _enter_linear(layers, name, types)


def _enter_linear(layers: dict[str, Any], name: str, types: Types) -> None:
    """hls4ml puts a linear activation behind what has weights, which goes if its type is the same."""
    linear = f"{name}_linear"
    if linear in layers:
        layers[linear]["Precision"] = layers[linear].get("Precision", {}) | {"result": _text(types.result)}


def _enter_separable(precision: dict[str, Any], part: str, types: Types) -> None:
    for role, kind in ((part, types.weight), (f"{part}_accum", types.accumulator), (f"{part}_result", types.result)):
        if kind is not None:
            precision[role] = str(kind)
    if part == "pointwise" and types.bias is not None:
        precision["bias"] = str(types.bias)


def _text(kind: FixedPointType | None) -> str:
    return "auto" if kind is None else str(kind)
