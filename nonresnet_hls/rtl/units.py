"""From the layers of a network to its units."""

from collections.abc import Mapping
from dataclasses import replace

from nonresnet_hls.fixed.network import Matrix, Network
from nonresnet_hls.recipe import RtlOptions
from nonresnet_hls.rtl.groups import groups_of
from nonresnet_hls.rtl.unit_draft import Unit
from nonresnet_hls.rtl.unit_kinds import unit_of


def build(network: Network, options: RtlOptions) -> tuple[Unit, ...]:
    """All units of a network, in the order of their first layers."""
    return tuple(unit_of(network, group, options) for group in groups_of(network, options))


def heads(network: Network, options: RtlOptions) -> dict[str, Matrix | None]:
    """By the first layer of each unit, in their order: that layer where its reuse factor can be chosen, else None."""
    found = {}
    for group in groups_of(network, options):
        head = group.head
        found[head.name] = head if isinstance(head, Matrix) and not head.depthwise else None
    return found


def build_one(network: Network, head: str, options: RtlOptions) -> Unit:
    """One unit alone, by its first layer, as `heads` names it."""
    (group,) = (group for group in groups_of(network, options) if group.head.name == head)
    return unit_of(network, group, options)


def with_factors(network: Network, reuse_factors: Mapping[str, int]) -> Network:
    """The same network with other reuse factors, by layer."""
    layers = tuple(
        replace(layer, reuse_factor=reuse_factors[layer.name])
        if isinstance(layer, Matrix) and layer.name in reuse_factors
        else layer
        for layer in network.layers
    )
    return replace(network, layers=layers)
