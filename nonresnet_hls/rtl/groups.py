"""Which layers of a network make one unit."""

from dataclasses import dataclass

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
    Pool,
    Repeat,
    Window,
)
from nonresnet_hls.rtl.contracts import axes, can_tap


class Group:
    """The layers of one unit: one with its padding, then element-wise ones, a join with another stream, and more."""

    def __init__(self, head: Layer, pad: Pad | None, tap: "Tap | None" = None) -> None:
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


@dataclass(frozen=True)
class Tap:
    """A skip that is fed from the window of the convolutions beside it, instead of by a copy of their input."""

    clone: Clone
    stream: str
    """Of the skip."""


def groups_of(network: Network, tapped: bool = False) -> list[Group]:
    """Every layer with what needs no stream between: its padding before it, behind it what works on the fly.

    That is element-wise layers, and a join of which it is one operand. `tapped`: and before it the copy that a skip is
    fed from, where it can be.
    """
    groups: list[Group] = []
    open_groups: dict[str, Group] = {}
    pads: dict[str, Pad] = {}
    taps: dict[str, Tap] = {}
    for layer in network.layers:
        match layer:
            case Clone() if tapped and (found := _tap(network, layer)) is not None:
                taps[found[0]] = found[1]
                continue
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
                pad = pads.pop(layer.inputs[0], None)
                group = Group(layer, pad, None if pad is None else taps.pop(pad.inputs[0], None))
                groups.append(group)
        if not isinstance(layer, Pad | Clone | Repeat):
            open_groups[layer.outputs[0]] = group
        for name in network.outputs:  # what leaves the network must leave as it is
            open_groups.pop(name, None)
    return groups


def _taken_over(network: Network, pad: Pad) -> bool:
    """Whether windows are all that reads a padded image, and their buffer can add the zeros itself."""
    window = _window(_reader(network, pad.outputs[0]))
    return window is not None and all(axis.shares for axis in axes(window, pad))


def _reader(network: Network, name: str) -> Layer | None:
    """What reads a stream, where that is one layer, and nothing outside."""
    readers = [layer for layer in network.layers if name in layer.inputs]
    return readers[0] if len(readers) == 1 and name not in network.outputs else None


def _window(layer: Layer | None) -> Window | None:
    return layer.window if isinstance(layer, Matrix | Pool) else None


def _tap(network: Network, clone: Clone) -> tuple[str, Tap] | None:
    """The copy that goes to windows, and the skip, that meet again: of the latter what the windows hand on is enough.

    It comes later than a copy would, so what the skip does alone must see no more than a pixel at once.
    """
    if len(clone.outputs) != 2:
        return None
    found = []
    for long, skip in (clone.outputs, clone.outputs[::-1]):
        pad, join = _reader(network, long), _reader(network, skip)
        while isinstance(join, Elementwise) or _of_one_pixel(join):
            assert join is not None
            join = _reader(network, join.outputs[0])
        if not isinstance(pad, Pad) or not _taken_over(network, pad) or not isinstance(join, Merge):
            continue
        window = _window(_reader(network, pad.outputs[0]))
        if window is not None and can_tap(window, pad) and _reaches(network, long, join):
            found.append((long, Tap(clone, skip)))
    return found[0] if len(found) == 1 else None


def _of_one_pixel(layer: Layer | None) -> bool:
    window = _window(layer)
    return isinstance(layer, Matrix) and window is not None and window.kernel_height == window.kernel_width == 1


def _reaches(network: Network, name: str, join: Merge) -> bool:
    """Whether a stream's words have their part in a join."""
    reached = {name}
    for layer in network.layers:  # in the order in which the data flows
        if reached.intersection(layer.inputs):
            reached.update(layer.outputs)
    return bool(reached.intersection(join.inputs))


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
