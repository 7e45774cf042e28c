"""From the layers of a network to its units."""

from nonresnet_hls.fixed.network import Clone, Elementwise, Matrix, Merge, MergeOperation, Network, Pad, Pool, Repeat
from nonresnet_hls.recipe import RtlOptions
from nonresnet_hls.rtl.contracts import axes
from nonresnet_hls.rtl.unit_kinds import Group, Unit, UnitBuilder


def build(network: Network, options: RtlOptions) -> tuple[Unit, ...]:
    """All units of a network, in the order of their first layers."""
    return tuple(UnitBuilder(network, group, options).unit() for group in _groups(network))


def _groups(network: Network) -> list[Group]:
    """Every layer with what needs no stream between: its padding before it, behind it what works on the fly.

    That is element-wise layers, and a join of which it is one operand.
    """
    groups: list[Group] = []
    open_groups: dict[str, Group] = {}
    pads: dict[str, Pad] = {}
    for layer in network.layers:
        match layer:
            case Pad() if _taken_over(network, layer):
                pads[layer.outputs[0]] = layer
                continue
            case Elementwise() if layer.inputs[0] in open_groups:
                group = open_groups.pop(layer.inputs[0])
                group.add(layer)
            case Merge() if (side := _operand(layer, open_groups)) is not None:
                group = open_groups.pop(layer.inputs[side])
                group.join(layer, side)
            case _:
                group = Group(layer, pads.pop(layer.inputs[0], None))
                groups.append(group)
        if not isinstance(layer, Pad | Clone | Repeat):
            open_groups[layer.outputs[0]] = group
        for name in network.outputs:  # what leaves the network must leave as it is
            open_groups.pop(name, None)
    return groups


def _taken_over(network: Network, pad: Pad) -> bool:
    """Whether windows are all that reads a padded image, and their buffer can add the zeros itself."""
    (name,) = pad.outputs
    (reader, *others) = [layer for layer in network.layers if name in layer.inputs] or [pad]
    if others or not isinstance(reader, Matrix | Pool) or reader.window is None or name in network.outputs:
        return False
    return all(axis.shares for axis in axes(reader.window, pad))


def _operand(merge: Merge, open_groups: dict[str, Group]) -> int | None:
    """Which operand of a join is a sum of products that nothing else reads; of two the one that came last."""
    if merge.operation is MergeOperation.CONCATENATE:
        return None
    found = [
        (list(open_groups).index(name), side)
        for side, name in enumerate(merge.inputs)
        if name in open_groups and isinstance(open_groups[name].head, Matrix) and open_groups[name].merge is None
    ]
    return max(found)[1] if found else None
