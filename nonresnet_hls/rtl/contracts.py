"""When a unit takes and gives words: what the first lines of the library's modules promise, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.network import Clone, Elementwise, Layer, Matrix, Merge, Pad, Pool, Repeat, Stream


class Kind(StrEnum):
    """How a unit treats its words."""

    PASS = "pass"
    """Hands each on."""
    FORK = "fork"
    JOIN = "join"
    PAD = "pad"
    """Hands those on that count, and gives the others without taking any."""
    COLLECT = "collect"
    """Gives a result with each that counts."""


@dataclass(frozen=True)
class Contract:
    """Of one unit. A word counts if both its row and its column do."""

    kind: Kind
    rows: tuple[bool, ...] = (True,)
    columns: tuple[bool, ...] = (True,)

    @property
    def counts(self) -> list[bool]:
        """For each word of an image, in their order."""
        found: list[bool] = np.logical_and.outer(self.rows, self.columns).ravel().tolist()
        return found


def contract_of(layer: Layer, stream: Stream) -> Contract:
    """The contract of the unit that a layer begins.

    Args:
        layer: the first of the unit.
        stream: what it reads.

    Raises:
        ConversionError: the engine does not build it.
    """
    match layer:
        case Elementwise():
            return Contract(Kind.PASS)
        case Clone():
            return Contract(Kind.FORK)
        case Merge():
            return Contract(Kind.JOIN)
        case Pad():
            return Contract(
                Kind.PAD,
                _booleans(layer.top * [0] + layer.height * [1] + layer.bottom * [0]),
                _booleans(layer.left * [0] + layer.width * [1] + layer.right * [0]),
            )
        case Repeat():
            return Contract(
                Kind.PAD,
                _booleans(layer.height * ([1] + (layer.rows - 1) * [0])),
                _booleans(layer.width * ([1] + (layer.columns - 1) * [0])),
            )
        case Matrix(window=None) | Pool(window=None):
            return Contract(Kind.COLLECT, columns=_booleans((stream.words - 1) * [0] + [1]))
        case Matrix(window=window) | Pool(window=window) if window is not None:
            return Contract(
                Kind.COLLECT,
                _ends(window.height, window.kernel_height, window.stride_height),
                _ends(window.width, window.kernel_width, window.stride_width),
            )
    raise ConversionError(f"layer {layer.name!r}: OpenRTL builds no {type(layer).__name__}")


def _ends(size: int, kernel: int, stride: int) -> tuple[bool, ...]:
    """Along one axis: where windows end."""
    return _booleans([at >= kernel - 1 and (at - kernel + 1) % stride == 0 for at in range(size)])


def _booleans(values: Sequence[int]) -> tuple[bool, ...]:
    return tuple(map(bool, values))
