"""What the engine builds: streams and layers as plain values, free of hls4ml."""

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
    def positions(self) -> int:
        """Windows an image."""
        rows = (self.height - self.kernel_height) // self.stride_height + 1
        return rows * ((self.width - self.kernel_width) // self.stride_width + 1)


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


@dataclass(frozen=True)
class Network:
    """All streams and layers, in the order in which the data flows."""

    name: str
    streams: dict[str, Stream]
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
