"""Which layers of a network make one unit."""

from nonresnet_hls.fixed.arithmetic import Cast, Chain
from nonresnet_hls.fixed.network import (
    Clone,
    Elementwise,
    Layer,
    Matrix,
    Merge,
    MergeOperation,
    Network,
    Pad,
    Repeat,
)
from nonresnet_hls.recipe import RtlOptions, Skips
from nonresnet_hls.rtl.taps import Tap, tap_of
from nonresnet_hls.rtl.wiring import taken_over


class Group:
    """The layers of one unit: one with its padding, then element-wise ones, a join with another stream, and more."""

    def __init__(self, head: Layer, pad: Pad | None, tap: Tap | None = None) -> None:
        """Begin with a layer."""
        self.head, self.pad, self.tap = head, pad, tap
        self.layers: list[Layer] = [head]
        self.merge: Merge | None = None
        self.side = 0
        """Which operand of `merge` the unit computes itself."""
        self.chain: Chain = ()
        """Behind the head, before the join."""
        self.tail: Chain = ()
        """Behind the join."""
        if isinstance(head, Elementwise):
            self.chain = head.chain

    def add(self, layer: Elementwise) -> None:
        """One more layer."""
        self.layers.append(layer)
        if self.merge is None:
            self.chain = (*self.chain, *layer.chain)
        else:
            self.tail = (*self.tail, *layer.chain)

    def join(self, merge: Merge, side: int) -> None:
        """A join, of which this unit's own numbers are the operand `side`."""
        self.layers.append(merge)
        self.merge, self.side, self.tail = merge, side, (Cast(merge.result),)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Streams: that of the head (behind its padding), then the join's other operand."""
        own = self.head.inputs if self.pad is None else self.pad.inputs
        own = own if self.tap is None else self.tap.clone.inputs
        return own if self.merge is None else (*own, self.merge.inputs[1 - self.side])

    @property
    def names(self) -> tuple[str, ...]:
        """Of the layers."""
        before = (None if self.tap is None else self.tap.clone, self.pad)
        return tuple(layer.name for layer in (*before, *self.layers) if layer is not None)


def groups_of(network: Network, options: RtlOptions) -> list[Group]:
    """Every layer with what needs no stream between: its padding before it, behind it what works on the fly.

    That is element-wise layers, and a join of which it is one operand; where skips are tapped, before it the copy that
    one is fed from, too.
    """
    groups: list[Group] = []
    open_groups: dict[str, Group] = {}
    pads: dict[str, Pad] = {}
    taps: dict[str, Tap] = {}
    for layer in network.layers:
        match layer:
            case Clone() if options.skips is Skips.TAPPED and (found := tap_of(network, layer, options)) is not None:
                taps[found.long] = found
                continue
            case Pad() if taken_over(network, layer):
                pads[layer.outputs[0]] = layer
                continue
            case Elementwise() if layer.inputs[0] in open_groups:
                group = open_groups.pop(layer.inputs[0])
                group.add(layer)
            case Merge() if (side := _operand(layer, open_groups)) is not None:
                group = open_groups.pop(layer.inputs[side])
                group.join(layer, side)
            case _:
                pad = pads.pop(layer.inputs[0], None)
                group = Group(layer, pad, None if pad is None else taps.pop(pad.inputs[0], None))
                groups.append(group)
        if not isinstance(layer, Pad | Clone | Repeat):
            open_groups[layer.outputs[0]] = group
        for name in network.outputs:  # what leaves the network must leave as it is
            open_groups.pop(name, None)
    return groups


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
