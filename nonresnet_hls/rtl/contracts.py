"""When a unit takes and gives words: what the first lines of the library's modules promise, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.network import Clone, Elementwise, Layer, Matrix, Merge, Pad, Pool, Repeat, Stream, Window


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
    MASK = "mask"
    """Likewise for each pixel of an image some steps after it came; none comes in steps behind an image, if need be."""


@dataclass(frozen=True)
class Contract:
    """Of one unit: its steps for an image, in their order."""

    kind: Kind
    takes: tuple[bool, ...] = (True,)
    """Whether a step takes a word; the others do without."""
    gives: tuple[bool, ...] = (True,)
    """Whether a step gives a word, or a result that leaves once it is computed."""
    gives_first: tuple[bool, ...] = (True,)
    """Likewise for the first image of all, in whose steps no earlier one ends."""
    down: int = 0
    """MASK: steps from a pixel to the one that completes its column."""
    lag: int = 0
    """MASK: steps from there to its window."""
    taps: tuple[bool, ...] = ()
    """Whether a step gives a pixel that came before, by a second output; empty where there is none."""
    taps_first: tuple[bool, ...] = ()
    """Likewise for the first image of all."""
    tap_delay: int = 0
    """MASK: steps from a pixel to the one that gives it by the second output; 0 where there is none."""

    @property
    def tapped(self) -> bool:
        """Whether it has a second output, of the pixels that it took."""
        return bool(self.taps) or self.tap_delay > 0


def contract_of(
    layer: Layer, stream: Stream, pad: Pad | None = None, masked: bool = False, tap: tuple[int, int] | None = None
) -> Contract:
    """The contract of the unit that a layer begins.

    Args:
        layer: the first of the unit, behind its padding.
        stream: what it reads.
        pad: the padding that its windows take over.
        masked: whether they mask it.
        tap: rows and columns after which they hand their pixels on, too; None: they do not.

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
            rows = layer.top * [0] + layer.height * [1] + layer.bottom * [0]
            return _padding(rows, layer.left * [0] + layer.width * [1] + layer.right * [0])
        case Repeat():
            rows = layer.height * ([1] + (layer.rows - 1) * [0])
            return _padding(rows, layer.width * ([1] + (layer.columns - 1) * [0]))
        case Matrix(window=None) | Pool(window=None):
            gives = tuple(at == stream.words - 1 for at in range(stream.words))
            return Contract(Kind.COLLECT, (True,) * stream.words, gives, gives)
        case Matrix(window=window) | Pool(window=window) if window is not None:
            return _masked_windows(window, pad, tap) if masked else _windows(window, pad, tap)
    raise ConversionError(f"layer {layer.name!r}: OpenRTL builds no {type(layer).__name__}")


def _padding(rows: Sequence[int], columns: Sequence[int]) -> Contract:
    takes: list[bool] = np.logical_and.outer(rows, columns).ravel().tolist()
    always = (True,) * len(takes)
    return Contract(Kind.PAD, tuple(takes), always, always)


@dataclass(frozen=True)
class Axis:
    """The steps of `window_buffer` along one axis: zeros that two rows (or images) share, then pixels."""

    size: int
    before: int
    """Zeros that one side wants."""
    behind: int
    kernel: int
    stride: int

    @property
    def zeros(self) -> int:
        """Shared by the end of one row and the beginning of the next."""
        return max(self.before, self.behind)

    @property
    def steps(self) -> int:
        """Of a row."""
        return self.zeros + self.size

    @property
    def ends(self) -> list[int]:
        """The step in which each window ends, counted from the beginning of its row."""
        first = self.zeros - self.before + self.kernel - 1
        many = (self.before + self.size + self.behind - self.kernel) // self.stride + 1
        return [first + index * self.stride for index in range(many)]

    @property
    def shares(self) -> bool:
        """Whether no two windows end in the same step, one of this row and one of the row before."""
        return self.ends[-1] - self.ends[0] < self.steps


def axes(window: Window, pad: Pad | None) -> tuple[Axis, Axis]:
    """Rows and columns of a window over an image, whose padding it takes over."""
    top, bottom, left, right = (pad.top, pad.bottom, pad.left, pad.right) if pad else (0, 0, 0, 0)
    return (
        Axis(window.height - top - bottom, top, bottom, window.kernel_height, window.stride_height),
        Axis(window.width - left - right, left, right, window.kernel_width, window.stride_width),
    )


def _windows(window: Window, pad: Pad | None, tap: tuple[int, int] | None) -> Contract:
    rows, columns = axes(window, pad)
    steps = rows.steps * columns.steps
    takes = np.logical_and.outer(np.arange(rows.steps) >= rows.zeros, np.arange(columns.steps) >= columns.zeros)
    first, later = _ending(steps, np.add.outer(np.array(rows.ends) * columns.steps, columns.ends).ravel())
    taps: tuple[tuple[bool, ...], ...] = ((), ())
    if tap is not None:
        taps = _ending(steps, np.flatnonzero(takes) + tap[0] * columns.steps + tap[1])
    return Contract(Kind.COLLECT, tuple(takes.ravel().tolist()), later, first, taps=taps[1], taps_first=taps[0])


def _ending(steps: int, ends: npt.NDArray[np.int64]) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """In which steps something ends, counted from the beginning of its image: in the first one, and in later ones."""
    first, later = np.zeros(steps, bool), np.zeros(steps, bool)
    first[ends[ends < steps]] = True
    later[ends % steps] = True
    return tuple(first.tolist()), tuple(later.tolist())


def can_mask(window: Window, pad: Pad | None) -> bool:
    """Whether `masked_window` builds it: every pixel that counts has a window, due before the image has ended."""
    if pad is None:
        return False
    axis_pair = rows, columns = axes(window, pad)
    inside = all(axis.before + axis.behind < axis.kernel and axis.kernel <= axis.size for axis in axis_pair)
    down, lag = ((axis.kernel - 1 - axis.before) for axis in axis_pair)
    return inside and columns.size > 1 and down * columns.size + lag < rows.size * columns.size


def _masked_windows(window: Window, pad: Pad | None, tap: tuple[int, int] | None) -> Contract:
    rows, columns = axes(window, pad)
    counts = [
        [at % axis.stride == 0 and at // axis.stride < len(axis.ends) for at in range(axis.size)]
        for axis in (rows, columns)
    ]
    gives: tuple[bool, ...] = tuple(np.logical_and.outer(*counts).ravel().tolist())
    down = (rows.kernel - 1 - rows.before) * columns.size
    delay = tap[0] * columns.size if tap is not None else 0
    lag = columns.kernel - 1 - columns.before
    return Contract(Kind.MASK, (True,) * len(gives), gives, gives, down, lag, tap_delay=delay)
