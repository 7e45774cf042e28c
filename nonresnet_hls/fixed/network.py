"""The exact network: streams and layers as plain values, free of Keras and of hls4ml.

What hls4ml's C++ computes, said once: it is evaluated by `emulation`, and built by `rtl` as far as that goes.
A tensor is flat here, its last axis the channels; a layer that needs more says its sizes itself.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from nonresnet_hls.fixed.arithmetic import Chain
from nonresnet_hls.fixed.types import FixedPointType


@dataclass(frozen=True)
class Stream:
    """Words of `channels` numbers of one type, `words` of them an image."""

    name: str
    channels: int
    words: int
    kind: FixedPointType
    depth: int
    """Of its FIFO, as the hls4ml model says."""
    variable: str = ""
    """Its name in hls4ml's C++."""

    @property
    def bits(self) -> int:
        """Bits of a word."""
        return self.channels * self.kind.width


@dataclass(frozen=True)
class Window:
    """Which pixels of an image a window layer sees; the image includes its padding."""

    height: int
    width: int
    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int

    @property
    def rows(self) -> int:
        """Windows one below the other."""
        return (self.height - self.kernel_height) // self.stride_height + 1

    @property
    def columns(self) -> int:
        """Windows side by side."""
        return (self.width - self.kernel_width) // self.stride_width + 1

    @property
    def positions(self) -> int:
        """Windows an image."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Margin:
    """Pixels around an image that are no part of the tensor."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0


NO_MARGIN = Margin()


@dataclass(frozen=True)
class Layer:
    """One layer: reads the streams `inputs`, writes the streams `outputs`."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Elementwise(Layer):
    """Each number by itself: activation, batch normalization, cast."""

    chain: Chain


@dataclass(frozen=True)
class Pad(Layer):
    """Zero pixels around an image of height x width pixels."""

    height: int
    width: int
    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class Repeat(Layer):
    """Each pixel of an image several times, downwards and to the right (nearest neighbours of a larger image)."""

    height: int
    width: int
    rows: int
    """How often downwards."""
    columns: int


@dataclass(frozen=True)
class Clone(Layer):
    """The input on every output."""


@dataclass(frozen=True, eq=False)
class Matrix(Layer):
    """Convolution (with a window) or dense layer (without): a constant matrix times a vector of inputs."""

    window: Window | None
    kernel: npt.NDArray[np.int64]
    """Integers, inputs x outputs; the window's pixels row by row, then the channel."""
    kernel_width: int
    """Bits of a weight."""
    kernel_fraction: int
    binary: bool
    """Weights are +1 and -1, kept in one bit."""
    chain: Chain
    """Bias, accumulator and result type, applied to the exact sum."""
    drop: int
    """Fraction bits that the accumulator cuts off every product."""
    reuse_factor: int
    margin: Margin = NO_MARGIN
    """Zeros that the window's image has around the tensor."""
    depthwise: bool = False
    """Whether a channel's outputs see that channel alone; the kernel is zero elsewhere."""
    sequence: tuple[int, ...] = ()
    """In which order the accumulator takes the products (rows of the kernel), where that, or what each of them loses,
    matters; empty where the exact sum says all. The chain then begins behind the accumulator."""
    start: tuple[int, ...] = ()
    """With a sequence: what the accumulator begins with, for each output, in its own last bits."""
    accumulator: FixedPointType | None = None


class Reduction(StrEnum):
    """What a pooling layer makes of its pixels."""

    MAXIMUM = "maximum"
    AVERAGE = "average"


@dataclass(frozen=True)
class Pool(Layer):
    """Pooling over windows, or with `window` None over the whole image."""

    window: Window | None
    reduction: Reduction
    divisor: int
    accumulator: FixedPointType
    result: FixedPointType
    channels: int = 0
    """Of the tensor; 0: those of the stream."""
    margin: Margin = NO_MARGIN
    padding: int = 0
    """What a maximum sees in the margin, in the input's last bits."""
    counts_margin: bool = False
    """Whether an average counts pixels of the margin."""
    converts_first: bool = True
    """Whether pixels are converted to the accumulator's type before anything (streams), or as they are added up, and
    a maximum only when it is found (arrays)."""
    balanced: bool = False
    """Whether a saturating sum is built as a tree, not pixel by pixel."""


class MergeOperation(StrEnum):
    """What a layer with two inputs makes of them."""

    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    AVERAGE = "average"
    CONCATENATE = "concatenate"


@dataclass(frozen=True)
class Merge(Layer):
    """Two streams, number by number; concatenate: channel behind channel."""

    operation: MergeOperation
    result: FixedPointType
    outer: int = 0
    """Concatenation: how many pieces of each input alternate; 0: one a word."""


@dataclass(frozen=True, eq=False)
class Rearrange(Layer):
    """Each number from another place: reshaping, transposing, cropping, repeating."""

    source: npt.NDArray[np.int64]
    """For each number of the output, its place in the input; -1: zero."""
    result: FixedPointType | None = None
    """The type that the numbers are converted to; None: they stay as they are."""


@dataclass(frozen=True, eq=False)
class Embedding(Layer):
    """Each number is the row of a table."""

    table: npt.NDArray[np.object_]
    """Integers, rows x columns."""
    table_fraction: int
    result: FixedPointType


@dataclass(frozen=True)
class Dot(Layer):
    """The scalar product of two inputs."""

    accumulator: FixedPointType
    result: FixedPointType


@dataclass(frozen=True)
class Table:
    """A function by the first bits of its argument."""

    kind: FixedPointType
    """Of what is looked up."""
    values: tuple[int, ...]
    value_kind: FixedPointType

    def index_shift(self) -> int:
        """Bits of the argument that are not looked at."""
        return self.kind.width - (len(self.values) - 1).bit_length()


@dataclass(frozen=True)
class Softmax(Layer):
    """By tables of exponentials and inverses, over `slice_size` numbers at a time, `inner` apart."""

    slice_size: int
    inner: int
    exponentials: Table
    inverses: Table
    accumulator: FixedPointType
    difference: FixedPointType | None
    """The type of greatest minus each; None: the exponentials are of the numbers as they are."""
    result: FixedPointType


@dataclass(frozen=True)
class LegacySoftmax(Layer):
    """By exponentials of all differences, as hls4ml did at first."""

    slice_size: int
    inner: int
    exponentials: tuple[int, ...]
    inverses: tuple[int, ...]
    table_kind: FixedPointType
    result: FixedPointType


@dataclass(frozen=True)
class ArgMax(Layer):
    """One at the first of the greatest, zero elsewhere."""

    slice_size: int
    inner: int
    result: FixedPointType


@dataclass(frozen=True)
class Network:
    """All streams and layers, in the order in which the data flows."""

    name: str
    streams: dict[str, Stream]
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
