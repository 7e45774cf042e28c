"""What sizing the FIFOs of one design saves, as rows and totals of plain figures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nonresnet_hls.dataflow.graph import Dataflow, Stream, Toolchain
from nonresnet_hls.dataflow.memory import (
    Memory,
    fifo_memory,
    layer_memory,
    lutram_lut,
    part_resources,
    shift_register_lut,
    stream_memory,
)
from nonresnet_hls.dataflow.sizing import FifoDepths


@dataclass(frozen=True)
class FifoRow:
    """One stream. Depths in words; `before` is hls4ml's depth, `after` the sized one.

    `depth_least` is what the C++ itself needs (provable by execution), `depth_margin` (modelled) what it
    needs when pipelines stall with tokens in flight, `depth_after` (modelled) what keeps the throughput too.
    `lut_shift_register` and `lut_distributed_ram` are what the sized FIFO takes without BRAM.
    """

    stream: str
    source: str
    sink: str
    bits: int
    on_skip: bool
    depth_before: int
    depth_least: int
    depth_margin: int
    depth_after: int
    vivado_bram_18k_before: int
    vivado_bram_18k_after: int
    vitis_bram_18k_before: int
    vitis_bram_18k_after: int
    lut_shift_register: int
    lut_distributed_ram: int


@dataclass(frozen=True)
class FifoTotal:
    """Sums over some streams, for one choice of depths.

    `*_bram_18k` as the tool builds them by itself; `vitis_bound_*` with shallow FIFOs in shift registers.
    """

    bits: int
    vivado_bram_18k: int
    vivado_lut: int
    vitis_bram_18k: int
    vitis_bound_bram_18k: int
    vitis_bound_lut: int


@dataclass(frozen=True)
class FifoReport:
    """Everything `fifos` prints; cycles and LUTs are modelled.

    Attributes:
        before, least, margin, after: totals over all streams.
        skips_before, skips_after: totals over the streams that lie on skips.
        interval_cycles: per image, of the busiest layer (`bottleneck`).
        interval_is_lower_bound: there are `unknown_layers`, whose own cycles are in no figure.
        layers_*: line buffers and weights (`lut` modelled).
        part_*: what the device has, None where it is not one that we know.
        unknown_layers: layers without a model, whose streams keep their depth.
    """

    design: str
    toolchain: str
    rows: tuple[FifoRow, ...]
    before: FifoTotal
    least: FifoTotal
    margin: FifoTotal
    after: FifoTotal
    skips_before: FifoTotal
    skips_after: FifoTotal
    interval_cycles: int
    interval_is_lower_bound: bool
    bottleneck: str
    layers_vivado_bram_18k: int
    layers_vitis_bram_18k: int
    layers_lut: int
    part: str
    part_bram_18k: int | None
    part_lut: int | None
    unknown_layers: tuple[str, ...]


def fifo_report(flow: Dataflow, depths: FifoDepths) -> FifoReport:
    """All figures of one sized design."""
    layers = layer_memory(flow, flow.toolchain)
    resources = part_resources(flow.part)
    skips = [stream for stream in flow.internal if stream.on_skip]
    return FifoReport(
        design=flow.name,
        toolchain=flow.toolchain.value,
        rows=tuple(_row(stream, depths) for stream in flow.internal),
        before=_total(flow.internal, depths.tensor),
        least=_total(flow.internal, depths.least),
        margin=_total(flow.internal, depths.margin),
        after=_total(flow.internal, depths.sized),
        skips_before=_total(skips, depths.tensor),
        skips_after=_total(skips, depths.sized),
        interval_cycles=flow.interval_cycles,
        interval_is_lower_bound=bool(flow.unknown_layers),
        bottleneck=flow.bottleneck.name,
        layers_vivado_bram_18k=layer_memory(flow, Toolchain.VIVADO_HLS).bram_18k,
        layers_vitis_bram_18k=layer_memory(flow, Toolchain.VITIS_HLS).bram_18k,
        layers_lut=layers.lut,
        part=flow.part,
        part_bram_18k=resources.bram_18k if resources else None,
        part_lut=resources.lut if resources else None,
        unknown_layers=flow.unknown_layers,
    )


def _row(stream: Stream, depths: FifoDepths) -> FifoRow:
    before, after = depths.tensor[stream.name], depths.sized[stream.name]

    def bram(depth: int, toolchain: Toolchain) -> int:
        return stream_memory(stream, depth, toolchain).bram_18k

    return FifoRow(
        stream=stream.name,
        source=stream.source or "",
        sink=stream.sink or "",
        bits=stream.bits,
        on_skip=stream.on_skip,
        depth_before=before,
        depth_least=depths.least[stream.name],
        depth_margin=depths.margin[stream.name],
        depth_after=after,
        vivado_bram_18k_before=bram(before, Toolchain.VIVADO_HLS),
        vivado_bram_18k_after=bram(after, Toolchain.VIVADO_HLS),
        vitis_bram_18k_before=bram(before, Toolchain.VITIS_HLS),
        vitis_bram_18k_after=bram(after, Toolchain.VITIS_HLS),
        lut_shift_register=shift_register_lut(after, stream.bits),
        lut_distributed_ram=lutram_lut(after, stream.bits),
    )


def _total(streams: Iterable[Stream], depths: Mapping[str, int]) -> FifoTotal:
    streams = tuple(streams)
    vivado: Memory = fifo_memory(streams, depths, Toolchain.VIVADO_HLS)
    bound = fifo_memory(streams, depths, Toolchain.VITIS_HLS, bound=True)
    return FifoTotal(
        bits=sum(stream.bits * depths[stream.name] for stream in streams),
        vivado_bram_18k=vivado.bram_18k,
        vivado_lut=vivado.lut,
        vitis_bram_18k=fifo_memory(streams, depths, Toolchain.VITIS_HLS).bram_18k,
        vitis_bound_bram_18k=bound.bram_18k,
        vitis_bound_lut=bound.lut,
    )
