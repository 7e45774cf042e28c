"""The exact network with probes: beside each layer what it would leave without its result's type, or its accumulator's.

All probes read what the hardware's own layers leave, so that what differs in one is made in that layer.
"""

from dataclasses import dataclass, replace
from typing import Any

from nonresnet_hls.emulation import Emulator
from nonresnet_hls.emulation.integers import hull, sum_wire
from nonresnet_hls.fixed.arithmetic import Affine, Cast, Chain, Wire
from nonresnet_hls.fixed.network import (
    Elementwise,
    Layer,
    Matrix,
    Merge,
    MergeOperation,
    Network,
    Pool,
    Rearrange,
    Stream,
)
from nonresnet_hls.fixed.types import FixedPointType

_EXACT, _ACCUMULATED = "exact", "accumulated"
_ROOM_BITS = 2


@dataclass(frozen=True, eq=False)
class Values:
    """What a layer leaves, (samples, numbers) float64 each."""

    own: Any
    """As it is."""
    accumulated: Any
    """Before the result's type; None where there is no probe."""
    exact: Any
    """Before the accumulator's type, too: with the hardware's weights and function alone."""


class Probed:
    """A network that tells what all its layers leave."""

    def __init__(self, network: Network) -> None:
        """Prepare it.

        Raises:
            ConversionError: as `Emulator`.
        """
        self.network = network
        streams, layers = dict(network.streams), []
        self._names: dict[str, dict[str, str]] = {}
        wanted = list(network.inputs)
        for layer in network.layers:
            layers.append(layer)
            wanted += layer.outputs
            for which, probe, wire in _probes(layer, network):
                name = f"{layer.outputs[0]}~{which}"
                own = network.streams[layer.outputs[0]]
                width = wire.width + _ROOM_BITS
                kind = FixedPointType(width, width - wire.fraction)
                streams[name] = Stream(name, own.channels, own.words, kind, 1)
                layers.append(replace(probe, name=f"{layer.name}~{which}", outputs=(name,)))
                self._names.setdefault(layer.outputs[0], {})[which] = name
                wanted.append(name)
        self._wanted = tuple(dict.fromkeys(wanted))
        self._emulator = Emulator(Network(network.name, streams, tuple(layers), network.inputs, self._wanted))

    def __call__(self, inputs: list[Any]) -> dict[str, Values]:
        """The values by stream of a batch, (samples, numbers) float64 of the inputs' types."""
        found = self._emulator(inputs)
        by_name = dict(zip(self._wanted, found if isinstance(found, list) else [found], strict=True))
        values = {}
        for name in self._wanted:
            if "~" in name:
                continue
            probes = self._names.get(name, {})
            accumulated = by_name.get(probes.get(_ACCUMULATED, ""))
            exact = by_name.get(probes.get(_EXACT, ""), accumulated)
            values[name] = Values(by_name[name], exact if accumulated is None else accumulated, exact)
        return values


def _probes(layer: Layer, network: Network) -> list[tuple[str, Layer, Wire]]:
    """The probes of a layer, and what range their outputs have."""
    wires = [Wire.of(network.streams[name].kind) for name in layer.inputs]
    match layer:
        case Elementwise(chain=(*before, Cast())):
            chain = tuple(before)
            return [(_EXACT, replace(layer, chain=chain), _behind(chain, wires[0]))]
        case Matrix(accumulator=FixedPointType() as accumulator):
            return _of_matrix(layer, accumulator, wires[0])
        case Pool():
            return [(_ACCUMULATED, replace(layer, result=layer.accumulator), Wire.of(layer.accumulator))]
        case Merge():
            kind = _wide(layer.operation, wires)
            return [(_EXACT, replace(layer, result=kind), Wire.of(kind))]
        case Rearrange(result=FixedPointType()):
            return [(_EXACT, replace(layer, result=None), wires[0])]
    return []


def _of_matrix(layer: Matrix, accumulator: FixedPointType, wire: Wire) -> list[tuple[str, Layer, Wire]]:
    sums = sum_wire(layer, wire)
    if layer.sequence:
        bias: Chain = (Affine((1,), 0, layer.start, accumulator.fraction_bits),)
        after = Wire.of(accumulator)
        exact: Layer = replace(layer, chain=bias, sequence=(), start=())
        found = [(_EXACT, exact, _behind(bias, sums))]
        return [*found, (_ACCUMULATED, replace(layer, chain=layer.chain[:-1]), _behind(layer.chain[:-1], after))]
    bias, ends = layer.chain[:1], layer.chain[2:-1]
    before = _behind(bias, sums)
    chain = (*bias, *ends)
    found = [(_EXACT, replace(layer, chain=chain), _behind(ends, before))]
    if not before.fits(accumulator):
        found.append((_ACCUMULATED, replace(layer, chain=layer.chain[:-1]), _behind(layer.chain[1:-1], before)))
    return found


def _behind(chain: Chain, wire: Wire) -> Wire:
    for operation in chain:
        wire = hull(operation, wire)
    return wire


def _wide(operation: MergeOperation, wires: list[Wire]) -> FixedPointType:
    """A type that holds whatever two inputs make."""
    if operation is MergeOperation.MULTIPLY:
        width, fraction = sum(wire.width for wire in wires) + 1, sum(wire.fraction for wire in wires)
    else:
        fraction = max(wire.fraction for wire in wires)
        width = max(wire.refined(fraction).width for wire in wires) + 2
        if operation is MergeOperation.AVERAGE:
            width, fraction = width + 1, fraction + 1
    return FixedPointType(width, width - fraction)
