"""The timing skeleton of a design: the same units and FIFOs with words of one bit and no arithmetic.

When a word moves depends on no data, so the skeleton behaves cycle for cycle as the design does, is built in
seconds however large the network is, and runs many times faster.
"""

from collections.abc import Sequence
from dataclasses import replace

from nonresnet_hls.fixed_point import FixedPointType
from nonresnet_hls.recipe import RtlOptions
from nonresnet_hls.synthesis.rtl.design import RtlDesign
from nonresnet_hls.synthesis.rtl.layers import (
    Elementwise,
    Layer,
    Matrix,
    Merge,
    MergeOperation,
    Network,
    Pool,
    Reduction,
)
from nonresnet_hls.synthesis.rtl.unit_kinds import Unit, UnitBuilder

_BIT = FixedPointType(1, 1, signed=False)


def skeleton(design: RtlDesign) -> RtlDesign:
    """The skeleton of a design, with its FIFO depths; not written."""
    streams = {name: replace(stream, channels=1, kind=_BIT) for name, stream in design.network.streams.items()}
    layers = {layer.name: _slim(layer) for layer in design.network.layers}
    network = replace(design.network, streams=streams, layers=tuple(layers.values()))
    units = tuple(_Builder(network, [layers[name] for name in unit.layers], unit).unit() for unit in design.units)
    fifos = tuple(replace(fifo, stream=streams[fifo.stream.name]) for fifo in design.fifos)
    return RtlDesign(network, units, fifos)


def _slim(layer: Layer) -> Layer:
    """A layer that makes one-bit words of one-bit words."""
    match layer:
        case Elementwise():
            return replace(layer, chain=())
        case Merge():
            return replace(layer, operation=MergeOperation.MAXIMUM, result=_BIT)
        case Pool():
            return replace(layer, reduction=Reduction.MAXIMUM, accumulator=_BIT, result=_BIT)
        case _:
            return layer


class _Builder(UnitBuilder):
    """Writes a unit without arithmetic."""

    def __init__(self, network: Network, layers: Sequence[Layer], original: Unit) -> None:
        super().__init__(network, layers, (), RtlOptions())
        self.original = original

    def _matrix(self, layer: Matrix) -> int:
        self.stages, self.folds = self.original.stages, self.original.folds
        self._window(layer, self.sources[0], "window", "window_valid", "window_ready")
        handshake = {
            "in_valid": "window_valid",
            "in_ready": "window_ready",
            "out_valid": "out_valid",
            "out_ready": "out_ready",
        }
        if self.stages:
            self.text.instance("pipeline_control", {"STAGES": self.stages}, handshake | {"enable": ""})
        else:
            inputs, outputs = self.folds
            self.text.instance(
                "matrix_vector",
                {
                    "INPUTS": inputs,
                    "OUTPUTS": outputs,
                    "INPUT_FOLDS": inputs,
                    "OUTPUT_FOLDS": outputs,
                    "IN_WIDTH": 1,
                    "WEIGHT": 1,
                    "BINARY": 1,
                    "SUM": 2,
                },
                handshake
                | {
                    "in_data": "'0",
                    "weights": "1'b0",
                    "weights_read": "",
                    "weights_at": "",
                    "out_data": "",
                },
            )
        self.text.lines.append("assign out_data = '0;")
        return self.original.interval_cycles
