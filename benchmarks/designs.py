"""Real synthesized designs of other people, described by what decides their timing.

Shapes, reuse factors and strategies are recovered from the projects' hls4ml_config.yml, from the modules' names
(channels, number of the layer) and trip counts; the reports themselves lie outside this repository. A reuse factor
is the one that hls4ml made of the configured one (the nearest that comes out even).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nonresnet_hls.dataflow.cpp_source import Config, LayerCall, TokenType
from nonresnet_hls.dataflow.graph import Program, Toolchain
from nonresnet_hls.dataflow.kernels import build_program


@dataclass(frozen=True)
class Layer:
    """One module of a report: its kernel, what its instance name ends in, and the program we predict.

    `why` explains an error that we know of; `alias` is what an older version called the kernel.
    """

    kernel: str
    ending: str
    program: Program
    why: str
    config: Config
    reads: int
    writes: int
    alias: str = ""

    def names(self, instance: str) -> bool:
        """Whether a report's instance is this one."""
        kernel, ending = (re.escape(text) for text in (self.alias or self.kernel, self.ending))
        return bool(re.match(rf"{kernel}_(?:.*_)?{ending}(?:_U0)?$", instance))


class Design:
    """A chain of layers; every method adds one and keeps track of the shape of the tensor."""

    def __init__(
        self,
        report: str,
        toolchain: Toolchain,
        height: int,
        width: int,
        channels: int,
        weight_bits: int = 16,
        weight_integer_bits: int = 1,
        aliases: Mapping[str, str] = MappingProxyType({}),
        sums_saturate: bool = False,
    ) -> None:
        """`report` is relative to the folder of all reports; one-dimensional designs have height 1."""
        self.weight_bits, self.weight_integer_bits, self.aliases = weight_bits, weight_integer_bits, aliases
        self.sums_saturate = sums_saturate
        self.report = report
        self.toolchain = toolchain
        self.shape = (height, width, channels)
        self.layers: list[Layer] = []

    def shaped(self, height: int, width: int, channels: int) -> "Design":
        """Go on from a tensor of another shape."""
        self.shape = (height, width, channels)
        return self

    def pad(self, number: int, top: int, bottom: int, left: int, right: int, why: str = "") -> "Design":
        """zeropad1d_cl or zeropad2d_cl."""
        h, w, c = self.shape
        constants = {"pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right}
        constants |= {"in_height": h, "in_width": w}
        kernel = "zeropad1d_cl" if h == 1 and not top else "zeropad2d_cl"
        self._add(kernel, f"config{number}", constants, c, c, why)
        return self.shaped(h + top + bottom, w + left + right, c)

    def conv(
        self,
        number: int,
        filters: int,
        size: int = 3,
        stride: int = 1,
        reuse: int = 1,
        strategy: str = "latency",
        why: str = "",
    ) -> "Design":
        """conv_1d_cl or conv_2d_cl, without padding."""
        h, w, c = self.shape
        tall = min(h, size)
        constants = {"in_height": h, "in_width": w, "n_chan": c, "filt_height": tall, "filt_width": size}
        constants |= {"stride_height": stride, "stride_width": stride, "reuse_factor": reuse, "n_filt": filters}
        kernel = "conv_1d_cl" if h == 1 else "conv_2d_cl"
        self._add(kernel, f"config{number}", constants, c, filters, why, strategy)
        return self.shaped((h - tall) // stride + 1, (w - size) // stride + 1, filters)

    def depthwise(self, number: str, size: int, reuse: int, why: str = "") -> "Design":
        """depthwise_conv_2d_cl, Latency strategy."""
        h, w, c = self.shape
        constants = {"in_height": h, "in_width": w, "n_chan": c, "filt_height": size, "filt_width": size}
        constants |= {"stride_height": 1, "stride_width": 1, "reuse_factor": reuse, "n_filt": c}
        self._add("depthwise_conv_2d_cl", f"config{number}", constants, c, c, why, "latency")
        return self.shaped(h - size + 1, w - size + 1, c)

    def pointwise(
        self,
        number: int | str,
        filters: int,
        stride: int = 1,
        reuse: int = 1,
        strategy: str = "latency",
        why: str = "",
    ) -> "Design":
        """pointwise_conv_1d_cl or pointwise_conv_2d_cl."""
        h, w, c = self.shape
        constants = {"in_height": h, "in_width": w, "n_chan": c, "filt_height": 1, "filt_width": 1}
        constants |= {"stride_height": stride, "stride_width": stride, "reuse_factor": reuse, "n_filt": filters}
        kernel = "pointwise_conv_1d_cl" if h == 1 else "pointwise_conv_2d_cl"
        self._add(kernel, f"config{number}", constants, c, filters, why, strategy)
        return self.shaped(-(-h // stride), -(-w // stride), filters)

    def each(self, kernel: str, ending: str, why: str = "", reuse: int = 1) -> "Design":
        """An elementwise layer: relu, linear, normalize, ..."""
        h, w, c = self.shape
        limit = -(-h * w * c // reuse)
        constants = {"n_in": h * w * c, "reuse_factor": reuse, "multiplier_limit": limit}
        self._add(kernel, ending, constants, c, c, why)
        return self

    def add(self, number: int, why: str = "") -> "Design":
        """The end of a skip."""
        h, w, c = self.shape
        self._add("add", f"config{number}", {"n_elem": h * w * c}, c, c, why, inputs=2)
        return self

    def clone(self, ending: str, why: str = "") -> "Design":
        """The beginning of a skip."""
        h, w, c = self.shape
        call = LayerCall("", "clone_stream", ("", "", str(h * w * c)), ())
        token = TokenType(c, 16)
        program = build_program(call, {}, self.toolchain, (token,), (token, token))
        self._take("clone_stream", ending, program, why, Config("", {}, {}), c, c)
        return self

    def pool(self, number: int, size: int, average: bool = False, why: str = "") -> "Design":
        """pooling2d_cl."""
        h, w, c = self.shape
        constants = {"in_height": h, "in_width": w, "n_filt": c, "pool_height": size, "pool_width": size}
        constants |= {"stride_height": size, "stride_width": size}
        symbols = {"pool_op": "nnet::Average" if average else "nnet::Max"}
        self._add("pooling2d_cl", f"config{number}", constants, c, c, why, symbols=symbols)
        return self.shaped(h // size, w // size, c)

    def resize(self, number: int, ratio: int, why: str = "") -> "Design":
        """resize_nearest."""
        h, w, c = self.shape
        tall = h * ratio if h > 1 else 1
        constants = {"height": h, "width": w, "new_height": tall, "new_width": w * ratio}
        self._add("resize_nearest", f"config{number}", constants, c, c, why)
        return self.shaped(tall, w * ratio, c)

    def dense(self, number: int, outputs: int, reuse: int = 1, strategy: str = "latency", why: str = "") -> "Design":
        """A dense layer over all values of the tensor."""
        h, w, c = self.shape
        constants = {"n_in": h * w * c, "n_out": outputs, "reuse_factor": reuse}
        self._add("dense", f"config{number}", constants, c, outputs, why, strategy)
        return self.shaped(1, 1, outputs)

    def _add(
        self,
        kernel: str,
        ending: str,
        constants: dict[str, int],
        channels: int,
        filters: int,
        why: str,
        strategy: str = "",
        symbols: dict[str, str] | None = None,
        inputs: int = 1,
    ) -> None:
        texts = {key: str(value) for key, value in constants.items()} | (symbols or {})
        if strategy:
            texts["strategy"] = f"nnet::{strategy}"
        call = LayerCall("", kernel, ("layer",), ())
        reads, writes = (TokenType(channels, 16),) * inputs, (TokenType(filters, 16),)
        config = {"layer": Config("layer", texts, {})}
        program = build_program(call, config, self.toolchain, reads, writes)
        self._take(kernel, ending, program, why, config["layer"], channels, filters)

    def _take(
        self, kernel: str, ending: str, program: Program | None, why: str, config: Config, reads: int, writes: int
    ) -> None:
        if program is None:
            raise ValueError(f"{self.report}: no model of {kernel}")
        alias = self.aliases.get(kernel, "")
        self.layers.append(Layer(kernel, ending, program, why, config, reads, writes, alias))


def designs() -> Iterator[Design]:
    """All designs."""
    yield _resnet8()
    yield _autoencoder()
    yield from _poker()
    yield _poker_latency()
    yield from _tutorials()
    yield _pulse_detector()
    yield _puppi()
    yield from _encoders()
    yield _separable()


_DEEP_MULTIPLY = "products wider than a DSP take two cycles of the loop"


def _resnet8() -> Design:
    """MLPerf Tiny ResNet-8 with its skips, hls4ml 1.3.0, Vitis HLS 2024.2, 10 ns, Resource, reuse factor 72."""
    d = Design("bote05+RTL_LLM_CLAUDE/rq2_resnet8/hls4ml/myproject_csynth.rpt", Toolchain.VITIS_HLS, 32, 32, 3, 8)

    def conv(pad: int, number: int, filters: int, reuse: int = 72, stride: int = 1) -> None:
        first = 0 if stride == 2 else 1
        d.pad(pad, first, 1, first, 1).conv(number, filters, 3, stride, reuse, "resource")

    conv(49, 2, 16, 54)
    d.each("normalize", "config4").each("relu", "config5").clone("16384_U0")
    conv(50, 6, 16)
    d.each("normalize", "config8", _DEEP_MULTIPLY).each("relu", "config9")
    conv(51, 10, 16)
    d.each("normalize", "config12", _DEEP_MULTIPLY).add(14).each("relu", "config15").clone("16384_1_U0")
    d.pointwise(56, 32, 2, 16, "resource").each("linear", "config23").shaped(32, 32, 16)
    conv(52, 16, 32, stride=2)
    d.each("normalize", "config18", _DEEP_MULTIPLY).each("relu", "config19")
    conv(53, 20, 32)
    d.each("normalize", "config24", _DEEP_MULTIPLY).add(27).each("relu", "config28").clone("8192_U0")
    d.pointwise(57, 64, 2, 32, "resource").each("linear", "config36").shaped(16, 16, 32)
    conv(54, 29, 64, stride=2)
    d.each("normalize", "config31").each("relu", "config32")
    conv(55, 33, 64)
    d.each("normalize", "config37", "products wider than a DSP take three cycles of the loop").add(40)
    return d.each("relu", "config41").pool(42, 8, average=True).dense(44, 10, 64, "resource")


def _autoencoder() -> Design:
    """Denoising autoencoder, Vivado HLS 2019.2, 5 ns, Resource, reuse factor 64 (next: 72, 36, 9), 32-bit values."""
    why = "32-bit products of several DSPs: 5 cycles deeper a multiplication"
    d = Design(
        "ChiRuiChen+AutoEncoder_hls4ml/myproject_prj/solution1/syn/report/myproject_csynth.rpt",
        Toolchain.VIVADO_HLS,
        32,
        32,
        1,
        weight_bits=32,
        weight_integer_bits=16,
    )
    slow = "32-bit comparison takes two cycles a pixel"
    wide = "one cycle more for 32-bit values, in few tokens"

    def conv(pad: int, number: int, filters: int, reuse: int) -> Design:
        return d.pad(pad, 1, 1, 1, 1).conv(number, filters, reuse=reuse, strategy="resource", why=why)

    conv(22, 2, 8, 9).each("relu", "config3").pool(4, 2, why=slow)
    conv(23, 5, 4, 72).each("relu", "config6").pool(7, 2, why=slow)
    conv(24, 8, 4, 36).each("relu", "config9").pool(10, 2, why=slow)
    conv(25, 11, 4, 36).each("relu", "config12", wide).resize(13, 2)
    conv(26, 14, 4, 36).each("relu", "config15").resize(16, 2)
    conv(27, 17, 8, 36).each("relu", "config18").resize(19, 2)
    conv(28, 20, 1, 72)
    return d.each("relu", "config21")


def _poker() -> Iterator[Design]:
    """Two card classifiers, hls4ml 1.0.0, Vivado HLS 2019.2, 5 ns, Resource."""
    softmax = "its division and tables depend on the number of classes; a single token"
    for name, classes, reuse in (("Rank", 13, 784), ("Suits", 4, 196)):
        d = Design(
            f"RishThakkar+PokerML/projects/qat_hls4ml_prj_{name}/myproject_prj/solution1/syn/report/myproject_csynth.rpt",
            Toolchain.VIVADO_HLS,
            64,
            64,
            3,
            weight_bits=6,
        )
        d.conv(2, 4, reuse=108, strategy="resource").each("relu", "config4").pool(5, 2)
        d.conv(6, 4, reuse=144, strategy="resource").each("relu", "config8").pool(9, 2)
        yield d.dense(11, classes, reuse, "resource").each("softmax", "softmax_config12", softmax)


def _poker_latency() -> Design:
    """A pruned classifier of house numbers, hls4ml 1.0.0, Vivado HLS 2019.2, 5 ns, Latency, reuse factor 256."""
    d = Design(
        "RishThakkar+PokerML/quantized_pruned_cnn/myproject_prj/solution1/syn/report/myproject_csynth.rpt",
        Toolchain.VIVADO_HLS,
        32,
        32,
        3,
        weight_bits=6,
    )
    ignored = "the PIPELINE pragma (256 cycles) stands in a branch; this tool ignored it and ran the loop sequentially"
    one = "a single token: a function without a loop, its pipeline is optimized away"
    few = "a few tokens; the multiplications end before the 256 cycles that the pragma allows"
    d.conv(2, 16, reuse=256, why=ignored).each("relu", "config4").pool(5, 2)
    d.conv(6, 16, reuse=256, why=ignored).each("relu", "config8").pool(9, 2)
    d.conv(10, 24, reuse=256, why=ignored).each("relu", "config12").pool(13, 2)
    d.dense(15, 42, 256, why=few).each("normalize", "config17", one, 256).each("relu", "config18", one)
    d.dense(19, 64, 256, why=few).each("normalize", "config21", one, 256).each("relu", "config22", one)
    return d.dense(23, 10, 256, why=few).each("softmax", "softmax_config25", "reuse factor 256 in one token")


def _tutorials() -> Iterator[Design]:
    """The two CNNs of the hls4ml tutorial, Vivado HLS 2020.1, 5 ns, Latency, reuse factor 1."""
    one = "a single token: a function without a loop, its pipeline is optimized away"
    few = "a few cycles in all"
    for name, numbers in (
        ("pruned_cnn", (2, 5, 6, 7, 10, 11, 12, 15, 16, 17, None, 20, 21, None, 24, 25, 27)),
        ("quantized_pruned_cnn", (2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18, 20, 21, 22, 24)),
    ):
        d = Design(
            f"fastmachinelearning+hls4ml-tutorial/{name}/myproject_prj/solution1/syn/report/myproject_csynth.rpt",
            Toolchain.VIVADO_HLS,
            32,
            32,
            3,
            weight_bits=6 if name.startswith("quantized") else 16,
            weight_integer_bits=1 if name.startswith("quantized") else 6,
        )
        c1, r1, p1, c2, r2, p2, c3, r3, p3, d1, n1, r4, d2, n2, r5, d3, s = numbers
        d.conv(c1, 16).each("relu", f"relu_config{r1}").pool(p1, 2)
        d.conv(c2, 16).each("relu", f"relu_config{r2}").pool(p2, 2)
        d.conv(c3, 24).each("relu", f"relu_config{r3}", few).pool(p3, 2)
        d.dense(d1, 42, why=few)
        if n1 is not None:
            d.each("normalize", f"config{n1}", one)
        d.each("relu", f"relu_config{r4}", one).dense(d2, 64, why=few)
        if n2 is not None:
            d.each("normalize", f"config{n2}", one)
        yield d.each("relu", f"relu_config{r5}", one).dense(d3, 10, why=few).each("softmax", f"softmax_config{s}")


def _pulse_detector() -> Design:
    """A one-dimensional autoencoder, Vitis HLS 2023.1, 5 ns, Latency, reuse factor 1."""
    older = "two cycles more: this release does not rewind loops"
    row = "a single row of 80 tokens: reading and writing overlap"
    d = Design(
        "SpAllen0726+HG-DREAM-Pulse-Detection-Project/HLS_models/myproject_prj/solution1/syn/report/myproject_csynth.rpt",
        Toolchain.VITIS_HLS,
        1,
        80,
        1,
        weight_bits=8,
        weight_integer_bits=3,
    )
    d.pad(18, 0, 0, 1, 1).conv(2, 32).each("relu", "config4", older)
    d.pad(19, 0, 0, 0, 1).conv(5, 32, stride=2).each("relu", "config7", older)
    d.pad(20, 0, 0, 1, 1).conv(8, 64).each("relu", "config10", older).resize(11, 2, why=row)
    d.pad(21, 0, 0, 1, 1).conv(12, 32).each("relu", "config14", older)
    return d.pointwise(22, 1).each("hard_sigmoid", "config17", older)


def _puppi() -> Design:
    """A residual U-shaped network on 12x64 pixels, Vivado HLS 2019.2, 2.78 ns, Latency, reuse factor 1."""
    chain = "at 2.78 ns the products are added two by two, one cycle each: half as many cycles as products"
    rows = "without padding on the left a row is a loop of its own, one cycle longer"
    d = Design(
        "themrluke+StableDiffusionPUPPI/keras_version/hls_outputs/myproject_prj/solution1/syn/report/myproject_csynth.rpt",
        Toolchain.VIVADO_HLS,
        12,
        64,
        1,
        weight_bits=8,
        weight_integer_bits=2,
        sums_saturate=True,
    )
    d.pointwise(49, 1).shaped(12, 64, 1).add(5).pad(53, 1, 1, 1, 1).conv(6, 4).each("relu", "ReLU_config9")
    d.clone("3072_U0").pad(54, 1, 1, 1, 1).conv(10, 4, why=chain).each("relu", "ReLU_config13")
    d.pad(55, 0, 1, 0, 1, rows).conv(14, 4, stride=2, why=chain).each("relu", "ReLU_config18").add(21)
    d.pad(56, 1, 1, 1, 1).conv(22, 8, why=chain).each("relu", "ReLU_config25")
    d.pad(57, 1, 1, 1, 1).conv(26, 8, why=chain).each("relu", "ReLU_config29").resize(30, 2)
    d.pad(58, 1, 1, 1, 1).conv(31, 4, why=chain).each("relu", "ReLU_config34")
    d.pad(59, 1, 1, 1, 1).conv(38, 4, why=chain).add(37).each("relu", "ReLU_config41")
    d.pad(60, 1, 1, 1, 1).conv(42, 4, why=chain).each("relu", "ReLU_config45").pointwise(61, 1)
    d.each("relu", "ReLU_config48").shaped(12, 64, 8).pointwise(51, 4)
    return d.shaped(6, 32, 4).pointwise(50, 4)


def _encoders() -> Iterator[Design]:
    """Three one-dimensional encoders, Vivado HLS 2020.1, 10 ns: Latency, and Resource with reuse factors 2 and 3."""
    early = "at 10 ns the zeros are written in the states around the loop"
    missed = "the loop reads and writes the static window in two cycles"
    for number, strategy, first, others in ((1, "latency", 1, 1), (2, "resource", 1, 2), (3, "resource", 3, 2)):
        d = Design(
            f"Berk-Bilgin+ML-fpga/model_{number}/hls4ml_prj/Encoder_prj/solution1/syn/report/Encoder_csynth.rpt",
            Toolchain.VIVADO_HLS,
            1,
            64,
            1,
            weight_bits=12 if number == 1 else 8,
            sums_saturate=True,
        )
        alone = "reuse factor 1 leaves no loop over the weights" if number == 2 else ""
        d.pad(18, 0, 0, 1, 1, early)
        d.conv(2, 8, 3, reuse=first, strategy=strategy, why=missed if number == 1 else alone)
        d.pad(19, 0, 0, 2, 2).conv(5, 8, 5, reuse=others, strategy=strategy, why="10 ns, 28-bit sums: deeper")
        d.shaped(1, 63, 8).pad(20, 0, 0, 2, 2, early)
        d.conv(8, 4, 5, reuse=others, strategy=strategy, why="10 ns, 28-bit sums: deeper")
        d.shaped(1, 31, 4).pad(21, 0, 0, 2, 2, early)
        yield d.conv(11, 4, 5, reuse=others, strategy=strategy, why="10 ns, 28-bit sums: deeper")


def _separable() -> Design:
    """Separable convolutions, hls4ml 1.0.0, Vivado HLS 2020.1, 2.5 ns, Latency, reuse factor 16."""
    d = Design(
        "pominiq+DNNonSilicon/Folder_2_HLS4ML_Vivado_HLS/models/hls4ml_prj/myproject_prj/solution1/syn/report/"
        "myproject_csynth.rpt",
        Toolchain.VIVADO_HLS,
        30,
        30,
        32,
        weight_integer_bits=6,
    )
    division = "the average of wide sums is deeper at 2.5 ns"
    d.each("relu", "relu_config3").pool(4, 2, average=True)
    d.shaped(13, 13, 64).each("relu", "relu_config7")
    return d.pool(8, 2, average=True, why=division)


def studies() -> Iterator[Design]:
    """Designs of the study that hls4ml's line buffers came from, whose kernels were timed otherwise than today's.

    Vivado HLS 2019.2.1, 5 ns, Resource with reuse factors 25, 144 and 1024, and Latency; their resources are compared.
    """
    folder = "Keb-L+hls4ml-data/streaming_comparison"
    older = {"conv_2d_cl": "conv_2d_large_cl2", "dense": "dense_large_stream"}
    for name, report, filters, strategy, aliases in (
        ("line_buffer/model8_resource_10k/results", "csynth", 8, "resource", older),
        ("line_buffer/model64_resource_10k/results", "synth", 64, "resource", older),
        ("line_buffer/model4_latency/results", "synth", 4, "latency", older),
        ("line_buffer_merge_v1/model4_latency", "csynth", 4, "latency", {}),
    ):
        d = Design(f"{folder}/{name}/{report}.rpt", Toolchain.VIVADO_HLS, 16, 16, 3, 16, 6, aliases)
        # The reuse factors of the Latency models follow from their multipliers and intervals.
        first, others, last = (25, 144, 1024) if strategy == "resource" else (3, 10, 400)
        d.pad(18, 2, 2, 2, 2).conv(2, filters, 5, reuse=first, strategy=strategy).pool(6, 2)
        second = filters * 2
        d.pad(19, 1, 1, 1, 1).conv(7, second, reuse=others, strategy=strategy)
        d.pad(20, 1, 1, 1, 1).conv(11, second, reuse=others, strategy=strategy).pool(15, 2)
        yield d.dense(16, 8, last, strategy)
