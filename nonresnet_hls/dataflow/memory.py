"""What FIFOs, line buffers and weights cost in an AMD FPGA, as Vivado HLS and Vitis HLS build them.

`fifo_bram18` and `weight_bram18` agree with every real report at hand; all LUT figures here are modelled.
"""

import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nonresnet_hls.dataflow.graph import Dataflow, Process, Stream, Toolchain

# Widest port of one BRAM18 (18 Kbit with parity) at each depth: UG573, table "Port Aspect Ratios".
_BRAM18_PORT_BITS = {1024: 18, 2048: 9, 4096: 4, 8192: 2, 16384: 1}
_BRAM18_DEEPEST = 16384
# Up to this many bits the tools build shift registers; the true edge lies between 512 and 800 bits.
_SHIFT_REGISTER_MAX_BITS = 512
# Up to this depth the multiplexers of a slice suffice behind its shift registers.
_SHIFT_REGISTER_MAX_WORDS = 128
# The fewest LUTs that a part of `parts.toml` has for each BRAM18: shift registers that take less are the smaller share.
_LUT_PER_BRAM18 = 144
# A ROM of up to 512 words uses both ports of a BRAM18 as one of 36 bits; a small one stays in LUTs.
_ROM_PORT_BITS = 36
_ROM_PORT_WORDS = 512
_ROM_MAX_LUT_WORDS = 32
_ROM_MAX_LUT_BITS = 1024
_LINE_BUFFERED = ("conv_2d_cl", "depthwise_conv_2d_cl", "pooling2d_cl")


@dataclass(frozen=True)
class Memory:
    """BRAM18 blocks and (modelled) LUTs."""

    bram_18k: int
    lut: int

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.bram_18k + other.bram_18k, self.lut + other.lut)


@dataclass(frozen=True)
class PartResources:
    """What a device has; the figures that its csynth reports print as available."""

    bram_18k: int
    dsp: int
    ff: int
    lut: int
    uram: int = 0


@functools.cache
def _parts() -> Mapping[str, PartResources]:
    table = tomllib.loads((Path(__file__).parent / "parts.toml").read_text(encoding="utf-8"))
    return {name: PartResources(**figures) for name, figures in table.items()}


def part_resources(part: str) -> PartResources | None:
    """Resources of a device by the start of its name, None for one not listed.

    >>> part_resources("xczu7ev-ffvc1156-2-e").bram_18k
    624
    """
    return next((found for name, found in _parts().items() if part.lower().startswith(name)), None)


def fifo_bram18(depth: int, bits: int) -> int:
    """BRAM18 blocks that HLS spends on one FIFO of `depth` words of `bits` bits.

    The rule is read off the FIFO tables of real csynth reports (Vivado HLS 2019.2 to Vitis HLS 2024.2, 1,867
    rows, 69 shapes) and agrees with every one of them; rows deeper than 2048 are few, and all 32 bits wide.

    >>> fifo_bram18(1024, 128)
    8
    >>> fifo_bram18(1089, 128)  # one row more than 1024 halves what a block's port can carry
    15
    >>> fifo_bram18(16, 32)  # shift registers
    0
    """
    if depth * bits <= _SHIFT_REGISTER_MAX_BITS:
        return 0
    words = 1 << max(depth - 1, 0).bit_length()
    if words > _BRAM18_DEEPEST:
        return bits * words // _BRAM18_DEEPEST
    port_bits = next(port for limit, port in _BRAM18_PORT_BITS.items() if words <= limit)
    return -(-bits // port_bits)


def shift_register_lut(depth: int, bits: int) -> int:
    """LUTs of a FIFO in shift registers (SRL16E, SRLC32E), modelled.

    A LUT of a SLICEM holds one bit 32 deep, or two bits 16 deep; four of them and the slice's own
    multiplexers make 128 (UG474, "Shift Registers"), deeper ones take a LUT per further three blocks of 128.

    >>> shift_register_lut(16, 8), shift_register_lut(32, 8), shift_register_lut(66, 8)
    (4, 8, 24)
    """
    if depth <= 1:
        return 0  # plain registers
    if depth <= 16:
        return -(-bits // 2)
    blocks = -(-depth // 128)
    return bits * (-(-depth // 32) + -(-(blocks - 1) // 3))


def lutram_lut(depth: int, bits: int) -> int:
    """LUTs of a FIFO in simple dual-port distributed RAM, modelled.

    Four LUTs hold 6 bits 32 deep (RAM32M) or 3 bits 64 deep (RAM64M) (UG474, "Distributed RAM"); deeper ones
    take a LUT per bit and further three blocks to choose among them.

    >>> lutram_lut(32, 6), lutram_lut(64, 3)
    (4, 4)
    """
    if depth <= 32:
        return 4 * -(-bits // 6)
    blocks = -(-depth // 64)
    return blocks * 4 * -(-bits // 3) + bits * -(-(blocks - 1) // 3)


def stream_memory(stream: Stream, depth: int, toolchain: Toolchain) -> Memory:
    """Memory of one stream at `depth` words.

    Vivado HLS 2019/2020 splits an `nnet::array` stream into a FIFO per channel; Vitis HLS packs it into one.
    LUTs are those of shift registers, where a FIFO is small enough to become them.
    """
    if toolchain is Toolchain.VIVADO_HLS:
        fifos, bits = stream.elements, stream.element_bits
    else:
        fifos, bits = 1, stream.bits
    bram = fifo_bram18(depth, bits)
    return Memory(fifos * bram, 0 if bram else fifos * shift_register_lut(depth, bits))


def wants_shift_register(stream: Stream, depth: int, toolchain: Toolchain) -> bool:
    """True for a shallow FIFO that the tool would put into BRAM, and that is cheaper in shift registers.

    Vitis HLS packs a token into one word, so that even two words of a wide token become BRAM. Cheaper means a
    smaller share of the device (see `_LUT_PER_BRAM18`).
    """
    if toolchain is not Toolchain.VITIS_HLS or depth > _SHIFT_REGISTER_MAX_WORDS:
        return False
    return shift_register_lut(depth, stream.bits) < _LUT_PER_BRAM18 * fifo_bram18(depth, stream.bits)


def sized_memory(stream: Stream, depth: int, toolchain: Toolchain) -> Memory:
    """As `stream_memory`, with shallow FIFOs bound to shift registers (see `wants_shift_register`)."""
    if wants_shift_register(stream, depth, toolchain):
        return Memory(0, shift_register_lut(depth, stream.bits))
    return stream_memory(stream, depth, toolchain)


def line_buffer_memory(process: Process, bits: int) -> Memory:
    """Memory of a layer's line buffer for pixels of `bits` bits: `ap_shift_reg` becomes shift registers."""
    height = process.config.integer("filt_height", process.config.integer("pool_height", 1))
    if process.kernel not in _LINE_BUFFERED or height < 2:
        return Memory(0, 0)
    return Memory(0, (height - 1) * shift_register_lut(process.config.integer("in_width"), bits))


def weight_bram18(words: int, bits: int, toolchain: Toolchain) -> int:
    """BRAM18 of a weight ROM: one word of `bits` bits for each of the `words` steps of the reuse factor.

    Up to 512 words both ports of a block work as one. A small ROM is made of LUTs, for Vitis HLS also any of up
    to 32 words.

    >>> weight_bram18(72, 256, Toolchain.VITIS_HLS), weight_bram18(32, 512, Toolchain.VITIS_HLS)
    (8, 0)
    """
    if words * bits <= _ROM_MAX_LUT_BITS or (toolchain is Toolchain.VITIS_HLS and words <= _ROM_MAX_LUT_WORDS):
        return 0
    if words <= _ROM_PORT_WORDS:
        return -(-bits // _ROM_PORT_BITS)
    return fifo_bram18(words, bits)


def weight_memory(process: Process, toolchain: Toolchain) -> Memory:
    """Memory of a layer's weights.

    With the Latency strategy they are constants in the logic. With Resource they lie in a ROM that gives
    weights / reuse_factor of them at a time; one of LUTs takes a LUT per 64 bits.
    """
    config = process.config
    if not process.weight_bits or config.symbol("strategy", "latency") not in ("resource", "compressed"):
        return Memory(0, 0)
    if "n_filt" in config.constants:
        outputs = 1 if process.kernel.startswith("depthwise") else config.integer("n_filt")
        taps = config.integer("filt_height", 1) * config.integer("filt_width", 1)
        weights = taps * config.integer("n_chan") * outputs
    else:
        weights = config.integer("n_in") * config.integer("n_out")
    words = max(config.integer("reuse_factor", 1), 1)
    bits = -(-weights // words) * process.weight_bits
    bram = weight_bram18(words, bits, toolchain)
    return Memory(bram, 0 if bram else bits * -(-words // 64))


def layer_memory(flow: Dataflow, toolchain: Toolchain) -> Memory:
    """Memory of all line buffers and weights."""
    total = Memory(0, 0)
    for process in flow.processes:
        if process.reads:
            total += line_buffer_memory(process, flow.streams[process.reads[0]].bits)
        total += weight_memory(process, toolchain)
    return total


def fifo_memory(
    streams: Iterable[Stream], depths: Mapping[str, int], toolchain: Toolchain, bound: bool = False
) -> Memory:
    """Memory of several FIFOs; `bound` as in `sized_memory`, otherwise as the tool builds them by itself."""
    total = Memory(0, 0)
    for stream in streams:
        one = sized_memory if bound else stream_memory
        total += one(stream, depths[stream.name], toolchain)
    return total


def part_names() -> list[str]:
    """What the names of the listed devices start with."""
    return sorted(_parts())
