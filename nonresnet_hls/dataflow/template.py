"""A design whose reuse factors are left open: its layers, each with a factor, and the whole with a choice."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nonresnet_hls.dataflow.analysis import as_hls4ml_writes, build, process_of, read_project, whole_tensors
from nonresnet_hls.dataflow.cpp_source import Config, CppSource, LayerCall
from nonresnet_hls.dataflow.graph import Dataflow, Process, Toolchain
from nonresnet_hls.errors import ConversionError

_FACTOR = "reuse_factor"


@dataclass(frozen=True)
class Weighted:
    """A layer with weights.

    Attributes:
        name: as hls4ml calls it.
        n_in: products in one sum.
        n_out: sums per output pixel.
        strategy: "latency", "resource", ...
        depthwise: each channel is summed for itself.
    """

    name: str
    n_in: int
    n_out: int
    strategy: str
    depthwise: bool

    @property
    def multiplications(self) -> int:
        """Per output pixel."""
        return self.n_in * self.n_out


def weighted(process: Process) -> Weighted | None:
    """The weights of a layer; None for one that has none, or whose kernel is not known."""
    config, kernel = process.config, process.kernel
    if not process.weight_bits or not process.known or _FACTOR not in config.constants:
        return None
    depthwise = kernel.startswith("depthwise")
    if kernel == "dense":
        n_in, n_out = config.integer("n_in"), config.integer("n_out")
    elif depthwise or kernel.startswith(("conv_", "pointwise_conv_")):
        taps = config.integer("filt_height", 1) * config.integer("filt_width", 1)
        n_in, n_out = taps * (1 if depthwise else config.integer("n_chan")), config.integer("n_filt")
    else:
        return None
    return Weighted(process.name, n_in, n_out, config.symbol("strategy", "latency"), depthwise)


class Template:
    """The design of a project, with reuse factors to choose."""

    def __init__(self, source: CppSource, toolchain: Toolchain, project: Path) -> None:
        """As `of_project` reads it."""
        self._source, self._toolchain, self._project = source, toolchain, project
        with as_hls4ml_writes(project):
            self.given = whole_tensors(build(source, toolchain))
        self._calls: dict[str, LayerCall] = {
            process.name: call for process, call in zip(self.given.processes, source.calls, strict=True)
        }
        found = (weighted(process) for process in self.given.processes)
        self.layers: dict[str, Weighted] = {layer.name: layer for layer in found if layer is not None}

    @classmethod
    def of_project(cls, project: Path, toolchain: Toolchain | None = None) -> "Template":
        """That of a project directory which hls4ml 1.x wrote, for its own toolchain or another.

        Raises:
            ConversionError: as `analyse_project`.
        """
        source, own, _, _ = read_project(project)
        return cls(source, toolchain or own, project)

    def factor(self, layer: str) -> int:
        """The reuse factor that a layer has in the project."""
        return self._process(layer).config.integer(_FACTOR, 1)

    @functools.cache  # noqa: B019 (a template lives as long as one command)
    def process(self, layer: str, factor: int) -> Process:
        """A layer with a reuse factor.

        Raises:
            ConversionError: its C++ is none that hls4ml writes.
        """
        given = self._process(layer)
        source = self._with({layer: factor})
        with as_hls4ml_writes(self._project):
            return process_of(layer, self._calls[layer], given.reads, given.writes, source, self._toolchain)

    def flow(self, factors: Mapping[str, int], part: str, clock_ns: float) -> Dataflow:
        """The design with these reuse factors, FIFOs as deep as whole tensors.

        Raises:
            ConversionError: its C++ is none that hls4ml writes.
        """
        chosen = {name: self.process(name, factor) for name, factor in factors.items()}
        processes = tuple(chosen.get(process.name, process) for process in self.given.processes)
        return replace(self.given, processes=processes, part=part, clock_ns=clock_ns)

    def _process(self, layer: str) -> Process:
        found = next((process for process in self.given.processes if process.name == layer), None)
        if found is None:
            raise ConversionError(f"{self._project}: a layer of the design wanted, not {layer!r}")
        return found

    def _with(self, factors: Mapping[str, int]) -> CppSource:
        configs = dict(self._source.configs)
        for layer, factor in factors.items():
            name = self._process(layer).config.name
            old = configs[name]
            configs[name] = Config(name, {**old.constants, _FACTOR: str(factor)}, old.types)
        return replace(self._source, configs=configs)
