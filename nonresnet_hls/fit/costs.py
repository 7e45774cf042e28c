"""What hls4ml's kernels take of an FPGA by Vivado HLS and Vitis HLS, as their C synthesis would report it: modelled.

DSP and block RAM follow rules. LUT and FF are sums of a few terms that grow with widths, fan-in, outputs and
multipliers; their coefficients (`coefficients.toml`) were fitted to the modules of real reports, and so was the range
that 8 of 10 modules of other people's designs lie in (`make bench-costs` shows both).
"""

import functools
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls.dataflow.cpp_source import Config
from nonresnet_hls.dataflow.graph import Dataflow, Process, Toolchain
from nonresnet_hls.dataflow.memory import shift_register_lut, weight_bram18

# One DSP multiplies 25 by 18 bits (DSP48E1, 2; 27 by 18), both with sign.
_DSP_WIDE, _DSP_NARROW = 25, 18
# A product of at most so many bits a side is made of LUTs where no sum follows that a DSP could add up.
_MOST_LUT_BITS = 9


# C synthesis counts an adder with a LUT per bit and so many more.
_ADDER_LUT = 7
KNOWN_LUT = {"adders": 1.0, "inputs": 4.6, "line_buffer": 1.0, "lut_product_bits": 0.65, "outputs_in_turn": 73.0}
"""Coefficients of LUT, Resource strategy, that the tables of adders, multiplexers, shift registers and products say."""


@dataclass(frozen=True)
class Kernel:
    """What decides about the cost of one layer.

    Attributes:
        function: of nnet_utils, as "conv_2d_cl".
        toolchain: that builds it.
        config: the layer's constants.
        reads, writes: values in a token that it reads (of its first stream) and writes.
        read_bits, write_bits: of one value.
        weight_bits, accumulator_bits: of one weight and one sum; 0 for a layer without.
        rounds: what it writes is rounded or saturated.
        sums_round: so is every sum on its way.
        spare_bits: upper bits of a weight that repeat its sign, which the tools leave out of the last one in a word.
    """

    function: str
    toolchain: Toolchain
    config: Config
    reads: int
    read_bits: int
    writes: int
    write_bits: int
    weight_bits: int = 0
    accumulator_bits: int = 0
    rounds: bool = False
    sums_round: bool = False
    spare_bits: int = 0

    @property
    def strategy(self) -> str:
        """As hls4ml calls it: latency, resource, ..."""
        return self.config.symbol("strategy", "latency")

    @property
    def reuse_factor(self) -> int:
        """Uses of each multiplier per output pixel."""
        return max(self.config.integer("reuse_factor", 1), 1)

    @property
    def fan_in(self) -> int:
        """Products in one sum."""
        if self.function == "dense":
            return self.config.integer("n_in")
        taps = self.config.integer("filt_height", 1) * self.config.integer("filt_width", 1)
        return taps if self.function.startswith("depthwise") else taps * self.config.integer("n_chan")

    @property
    def outputs(self) -> int:
        """Sums per output pixel."""
        return self.config.integer("n_out" if self.function == "dense" else "n_filt")

    @property
    def multipliers(self) -> int:
        """Products made at a time."""
        return -(-self.fan_in * self.outputs // self.reuse_factor)

    @property
    def kind(self) -> str:
        """What is calibrated together, as "convolution, resource"."""
        for start, kind in _WEIGHTED.items():
            if self.function.startswith(start):
                sums = ", sums that saturate" if self.sums_round else ", rounded" if self.rounds else ""
                return f"{kind}{sums}, {'resource' if self.strategy in _RESOURCE else 'latency'}"
        return _KINDS.get(self.function, "unknown")


_RESOURCE = ("resource", "compressed", "resource_unrolled")
_WEIGHTED = {
    "conv_": "convolution",
    "depthwise_conv_": "convolution",
    "pointwise_conv_": "pointwise",
    "dense": "dense",
}
_KINDS = {
    **dict.fromkeys(("relu", "linear", "leaky_relu", "thresholded_relu", "hard_sigmoid", "hard_tanh"), "activation"),
    **dict.fromkeys(("add", "subtract", "average", "maximum", "minimum"), "merge"),
    **dict.fromkeys(("zeropad1d_cl", "zeropad2d_cl"), "padding"),
    **dict.fromkeys(("pooling1d_cl", "pooling2d_cl"), "pooling"),
    **dict.fromkeys(("global_pooling1d_cl", "global_pooling2d_cl"), "global pooling"),
    "clone_stream": "clone",
    "normalize": "normalize",
    "resize_nearest": "resize",
    "softmax": "softmax",
}


def kernel_of(process: Process, flow: Dataflow, spare_bits: int = 0) -> Kernel:
    """The kernel of a layer of a design."""
    first = flow.streams[process.reads[0]] if process.reads else flow.streams[process.writes[0]]
    last = flow.streams[process.writes[0]] if process.writes else first
    return Kernel(
        function=process.kernel,
        toolchain=flow.toolchain,
        config=process.config,
        reads=first.elements,
        read_bits=first.element_bits,
        writes=last.elements,
        write_bits=last.element_bits,
        weight_bits=process.weight_bits,
        accumulator_bits=process.accumulator_bits or last.element_bits,
        rounds=process.rounds,
        sums_round=process.sums_round,
        spare_bits=spare_bits,
    )


def multiplier_dsp(one_bits: int, other_bits: int) -> int:
    """DSPs of one product in DSPs.

    >>> multiplier_dsp(16, 8), multiplier_dsp(32, 17), multiplier_dsp(32, 32)
    (1, 2, 4)
    """
    wide, narrow = max(one_bits, other_bits), min(one_bits, other_bits)
    return math.ceil(wide / _DSP_WIDE) * math.ceil(narrow / _DSP_NARROW)


def dsp(kernel: Kernel) -> int:
    """DSPs of a layer: of the Resource strategy what the tools take, of the Latency strategy at most so many.

    The weights of the Resource strategy lie in memory, so every multiplier is one. Of narrow products that are added up
    in pairs, the tools make every other one of LUTs and let a DSP add it. In the Latency strategy each weight is a
    constant, and those that are zero, a power of two or narrow take none; which these are no report tells.
    """
    if kernel.function == "normalize":
        # Of each value one product with a constant.
        limit = kernel.config.integer("multiplier_limit", 0)
        values = kernel.writes if not limit else min(kernel.writes, limit)
        return values * multiplier_dsp(kernel.read_bits, kernel.weight_bits or kernel.read_bits)
    if not kernel.weight_bits or kernel.kind.split(",")[0] not in set(_WEIGHTED.values()):
        return 0
    narrow = max(kernel.read_bits, kernel.weight_bits) <= _MOST_LUT_BITS
    if kernel.weight_bits == 1 or kernel.read_bits == 1:
        return 0  # a sign, or a gate
    if kernel.strategy in _RESOURCE and kernel.reuse_factor > 1:
        count = kernel.multipliers
        if narrow:
            per_sum = max(count // kernel.outputs, 1)
            return count // per_sum * -(-per_sum // 2)
        last = multiplier_dsp(kernel.read_bits, kernel.weight_bits - kernel.spare_bits)
        return (count - 1) * multiplier_dsp(kernel.read_bits, kernel.weight_bits) + last
    return kernel.multipliers * multiplier_dsp(kernel.read_bits, kernel.weight_bits)


def dsp_is_bound(kernel: Kernel) -> bool:
    """Whether `dsp` is an upper bound: weights are constants, or a reuse factor of 1 makes them such."""
    return kernel.kind == "normalize" or bool(
        kernel.weight_bits and (kernel.strategy not in _RESOURCE or kernel.reuse_factor == 1)
    )


def bram_18k(kernel: Kernel) -> int:
    """BRAM18 of a layer's weights (see `dataflow.memory`); line buffers are shift registers."""
    if not kernel.weight_bits or kernel.strategy not in _RESOURCE or kernel.kind.split(",")[0] not in _HAS_ROM:
        return 0
    if kernel.reuse_factor == 1:
        return 0  # constants in the logic
    bits = kernel.multipliers * kernel.weight_bits
    whole = weight_bram18(kernel.reuse_factor, bits, kernel.toolchain)
    return weight_bram18(kernel.reuse_factor, bits - kernel.spare_bits, kernel.toolchain) if whole else 0


_HAS_ROM = ("convolution", "pointwise", "dense")


def terms(kernel: Kernel) -> dict[str, float]:
    """What LUT and FF of a layer grow with, by name; each gets a coefficient of its kind.

    C synthesis counts a multiplexer by its inputs and an adder by its bits, so that much goes with counts alone.
    """
    kind = kernel.kind.split(",")[0]
    values = float(kernel.writes)
    found = {"layer": 1.0}
    if kind in _HAS_ROM and kernel.weight_bits:
        narrow = max(kernel.read_bits, kernel.weight_bits) <= _MOST_LUT_BITS
        found["window_bits"] = float(kernel.fan_in * kernel.read_bits)
        if kernel.kind.endswith("latency"):
            products = float(kernel.fan_in * kernel.outputs)
            found["products"] = products
            found["lut_product_bits"] = products * kernel.weight_bits * kernel.read_bits if narrow else 0.0
            return found
        found["inputs"] = float(kernel.fan_in)
        found["outputs"] = float(kernel.outputs)
        found["outputs_in_turn"] = float(kernel.outputs if kernel.reuse_factor > kernel.fan_in else 0)
        found["sum_bits"] = float(kernel.outputs * kernel.accumulator_bits)
        found["adders"] = float(kernel.multipliers * (kernel.accumulator_bits + _ADDER_LUT))
        found["multiplier_bits"] = float(kernel.multipliers * (kernel.weight_bits + kernel.read_bits))
        made_of_lut = max(kernel.multipliers - dsp(kernel), 0) if narrow else 0
        found["lut_product_bits"] = float(made_of_lut * kernel.weight_bits * kernel.read_bits)
        rows = kernel.config.integer("filt_height", 1) - 1
        width = kernel.config.integer("in_width", 1)
        found["line_buffer"] = float(rows * shift_register_lut(width, kernel.reads * kernel.read_bits))
    elif kind == "pooling":
        height, width = (kernel.config.integer(f"pool_{side}", 1) for side in ("height", "width"))
        if kernel.config.symbol("pool_op", "Max") == "Average":
            found["average_bits"] = float(height * width * kernel.reads * kernel.read_bits)
        found["value"] = values
        found["value_bits"] = float(height * width * kernel.reads * kernel.read_bits)
    elif kind == "global pooling":
        found["value_bits"] = float(kernel.reads * (kernel.accumulator_bits or kernel.read_bits))
    elif kind == "resize":
        found["row_bits"] = values * kernel.write_bits * kernel.config.integer("width", 1)
        found["value_bits"] = values * kernel.write_bits
    elif kind in ("padding", "clone"):
        found["value"] = values
        if kernel.function == "zeropad2d_cl":
            found["rows"] = 1.0
    else:
        found["value"] = values
        found["value_bits"] = values * max(kernel.read_bits, kernel.write_bits)
        if kind == "activation" and kernel.rounds:
            found["rounded"] = values
            found["rounded_bits"] = values * kernel.read_bits
    return found


@dataclass(frozen=True)
class Range:
    """A modelled figure: the median, and between what 8 of 10 modules lie."""

    median: int
    low: int
    high: int

    def __add__(self, other: "Range") -> "Range":
        return Range(self.median + other.median, self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class LayerCost:
    """What one layer takes, as C synthesis would report it; all modelled.

    Attributes:
        bram_18k: of its weights, by rule.
        dsp: see `dsp`.
        dsp_is_bound: it is an upper bound.
        lut, ff: medians and ranges.
        calibrated: whether reports had layers of its kind; where not, it is counted as the mean of other kinds.
    """

    bram_18k: int
    dsp: int
    dsp_is_bound: bool
    lut: Range
    ff: Range
    calibrated: bool


def cost(kernel: Kernel) -> LayerCost:
    """What one layer takes."""
    table, calibrated = _coefficients(kernel.kind, kernel.toolchain)
    found = terms(kernel)
    lut, ff = (_range(found, table[figure]) for figure in ("lut", "ff"))
    if not calibrated:
        lut, ff = (Range(one.median, one.median // 4, one.median * 4) for one in (lut, ff))
    return LayerCost(bram_18k(kernel), dsp(kernel), dsp_is_bound(kernel), lut, ff, calibrated)


def estimate(found: Mapping[str, float], coefficients: Mapping[str, float]) -> float:
    """The sum of terms times coefficients."""
    return sum(coefficients.get(name, 0.0) * value for name, value in found.items())


def _range(found: Mapping[str, float], table: Mapping[str, float]) -> Range:
    median = estimate(found, table)
    return Range(round(median), round(median * table["low"]), round(median * table["high"]))


@functools.cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads((Path(__file__).parent / "coefficients.toml").read_text(encoding="utf-8"))


def _coefficients(kind: str, toolchain: Toolchain) -> tuple[Mapping[str, Mapping[str, float]], bool]:
    """Coefficients of a kind, and whether reports had layers of it: else those of the nearest kind."""
    kinds = _table()["kinds"]
    parts = kind.split(", ")
    near = f"convolution, {parts[-1]}" if parts[0] in _HAS_ROM else "unknown"
    tools = kinds.get(kind, kinds.get(f"{parts[0]}, {parts[-1]}", kinds[near]))
    return tools.get(toolchain.value, tools["any"]), kind in kinds and kind != "unknown"


@dataclass(frozen=True)
class Share:
    """What Vivado's logic synthesis leaves of a figure of C synthesis: median, and lowest and highest or 8 of 10."""

    median: float
    low: float
    high: float
    count: int
    """Modules or designs of which both reports are at hand."""

    def of(self, figure: Range) -> Range:
        """The figure after logic synthesis; the range covers both uncertainties as if they met."""
        return Range(round(figure.median * self.median), round(figure.low * self.low), round(figure.high * self.high))


def logic_synthesis(kind: str, figure: str) -> Share:
    """What logic synthesis leaves of "lut" or "ff" of a layer, by `Kernel.kind`; of other kinds as of whole designs."""
    shares = _table()["logic_synthesis"]
    first = kind.split(",")[0]
    group = "weights" if first in _HAS_ROM else first
    found = shares.get(group, shares["design"])[figure]
    return Share(found["median"], found["low"], found["high"], int(found["count"]))
