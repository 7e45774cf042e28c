"""The value types of a streaming design: streams, and processes that fire in a fixed order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nonresnet_hls.dataflow.cpp_source import Config

IntArray = npt.NDArray[np.int64]


class Toolchain(Enum):
    """Which vendor tool builds the design; it decides the memory of a stream and the overhead of loops."""

    VIVADO_HLS = "Vivado"
    VITIS_HLS = "Vitis"


@dataclass(frozen=True)
class Stream:
    """One FIFO.

    Attributes:
        name: as in the generated C++.
        elements: values in one token; `element_bits` is the width of one of them.
        tokens: tokens that pass during one image.
        depth: words that hls4ml gave it (its whole tensor, unless somebody chose otherwise).
        source, sink: names of the writing and the reading process; None at the edge of the design.
        on_skip: lies on the shorter of two branches between a fork and the join that closes it.
        sizable: False where the depth cannot be chosen (a port, or a neighbour is unknown).
    """

    name: str
    elements: int
    element_bits: int
    tokens: int
    depth: int
    source: str | None
    sink: str | None
    on_skip: bool = False
    sizable: bool = True

    @property
    def bits(self) -> int:
        """Bits of one token."""
        return self.elements * self.element_bits


@dataclass(frozen=True, eq=False)
class Program:
    """What one process does during one image, as one row per read or write of a token.

    Attributes:
        ports: index into the process's `reads + writes`, in the order of the C++. Shape (operations,).
        cycles: clock cycle of each operation when the process never has to wait. Shape (operations,).
        interval_cycles: cycles until the process can begin the next image.
        latency_cycles: smallest and largest latency that a vendor report would print; it counts every branch
            at its best and at its worst, where `interval_cycles` counts what really happens.
    """

    ports: IntArray
    cycles: IntArray
    interval_cycles: int
    latency_cycles: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Process:
    """One layer function of the generated top: reads and writes its streams in the order of its `program`.

    An unknown kernel (`known` False) is taken to read all of its input before it writes anything. `config` holds
    the layer's constants, `weight_bits` and `accumulator_bits` the widths of one of its weights and sums (0: it has
    none), `rounds` and `sums_round` whether the type that it writes, and that of its sums, rounds or saturates.
    """

    name: str
    kernel: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    program: Program = field(repr=False)
    known: bool = True
    config: Config = field(default=Config("", {}, {}), repr=False)
    weight_bits: int = 0
    accumulator_bits: int = 0
    rounds: bool = False
    sums_round: bool = False

    @cached_property
    def streams(self) -> tuple[str, ...]:
        """All streams in the order of the port numbers."""
        return self.reads + self.writes


@dataclass(frozen=True, eq=False)
class Dataflow:
    """An io_stream design: processes in topological order and the streams between them.

    Attributes:
        name: of the top function.
        toolchain: which tool will build it.
        part: device name, "" when not known.
        clock_ns: target clock period, None when not known.
    """

    name: str
    toolchain: Toolchain
    processes: tuple[Process, ...]
    streams: Mapping[str, Stream]
    part: str = ""
    clock_ns: float | None = None

    @cached_property
    def unknown_layers(self) -> tuple[str, ...]:
        """Layers whose kernel has no model; their streams keep the depth of hls4ml."""
        return tuple(f"{process.name} ({process.kernel})" for process in self.processes if not process.known)

    @cached_property
    def internal(self) -> tuple[Stream, ...]:
        """The streams between two processes, in the order of the C++."""
        return tuple(stream for stream in self.streams.values() if stream.source and stream.sink)

    @cached_property
    def interval_cycles(self) -> int:
        """Cycles per image of the busiest process, which bounds the throughput."""
        return max(process.program.interval_cycles for process in self.processes)

    @cached_property
    def bottleneck(self) -> Process:
        """The busiest process."""
        return max(self.processes, key=lambda process: process.program.interval_cycles)

    def depths(self) -> dict[str, int]:
        """The depth of every internal stream as hls4ml gave it."""
        return {stream.name: stream.depth for stream in self.internal}
