"""From the layers of a network to its units."""

from nonresnet_hls.fixed.arithmetic import Chain
from nonresnet_hls.fixed.network import Clone, Elementwise, Layer, Network, Pad, Repeat
from nonresnet_hls.recipe import RtlOptions
from nonresnet_hls.rtl.unit_kinds import Unit, UnitBuilder


def build(network: Network, options: RtlOptions) -> tuple[Unit, ...]:
    """All units of a network, in the order of its layers."""
    return tuple(UnitBuilder(network, layers, chain, options).unit() for layers, chain in _groups(network))


def _groups(network: Network) -> list[tuple[list[Layer], Chain]]:
    """Every layer with the element-wise layers behind it; those work on the fly and need no stream between."""
    groups: list[tuple[list[Layer], Chain]] = []
    open_group: dict[str, int] = {}
    for layer in network.layers:
        if isinstance(layer, Elementwise) and layer.inputs[0] in open_group:
            index = open_group.pop(layer.inputs[0])
            members, chain = groups[index]
            groups[index] = ([*members, layer], (*chain, *layer.chain))
            open_group[layer.outputs[0]] = index
        else:
            groups.append(([layer], layer.chain if isinstance(layer, Elementwise) else ()))
            if not isinstance(layer, Pad | Clone | Repeat):
                open_group[layer.outputs[0]] = len(groups) - 1
        for name in network.outputs:  # what leaves the network must leave as it is
            open_group.pop(name, None)
    return groups
