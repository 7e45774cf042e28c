"""Units: the modules that a network is built of, one for a layer and the element-wise layers that follow it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed_point import FixedPointType
from nonresnet_hls.synthesis.rtl import adder_graph
from nonresnet_hls.synthesis.rtl.arithmetic import (
    Affine,
    Cast,
    Chain,
    Wire,
    declare,
    extend,
    low_bits,
    ranges,
    staircase,
    unused_bits,
)
from nonresnet_hls.synthesis.rtl.layers import (
    Clone,
    Elementwise,
    Layer,
    Matrix,
    Merge,
    MergeOperation,
    Network,
    Pad,
    Pool,
    Reduction,
    Stream,
)


class Multipliers(StrEnum):
    """What the multiplications of a folded unit are made of."""

    AUTO = "auto"
    """DSP blocks where both factors have at least 5 bits."""
    DSP = "dsp"
    LUT = "lut"


class Weights(StrEnum):
    """Where the weights of a folded unit are kept."""

    AUTO = "auto"
    """Constants up to 64 folds (one LUT a bit), block RAM above."""
    CONSTANT = "constant"
    BLOCK_RAM = "block_ram"


@dataclass(frozen=True)
class Options:
    """The choices that the hls4ml model leaves open."""

    adders_per_stage: int = 3
    """Adders between two registers of an adder graph."""
    most_thresholds: int = 3
    """Steps up to which a bias, scale and activation become comparisons."""
    multipliers: Multipliers = Multipliers.AUTO
    weights: Weights = Weights.AUTO


@dataclass(frozen=True)
class Unit:
    """One module of the netlist."""

    name: str
    """Of the module and its instance."""
    layers: tuple[str, ...]
    """The hls4ml layers that it computes."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    verilog: str
    """The module and those that belong to it alone."""
    interval_cycles: int
    """Cycles an image that the unit cannot go below."""
    dsp: bool
    """Whether synthesis may use DSP blocks."""

    @property
    def digest(self) -> str:
        """Of the content, whatever the unit is called."""
        return hashlib.sha256(self.verilog.replace(self.name, "unit").encode()).hexdigest()


def build(network: Network, options: Options) -> tuple[Unit, ...]:
    """All units of a network, in the order of its layers."""
    units: list[Unit] = []
    for head, chain, layers in _groups(network):
        output = layers[-1].outputs[0]
        builder = _Builder(network, head, chain, network.streams[output], options, layers)
        units.append(builder.unit())
    return tuple(units)


def _groups(network: Network) -> list[tuple[Layer, Chain, list[Layer]]]:
    """Every layer with the element-wise layers behind it; those work on the fly and need no stream between."""
    groups: list[tuple[Layer, Chain, list[Layer]]] = []
    open_group: dict[str, int] = {}
    for layer in network.layers:
        if isinstance(layer, Elementwise) and layer.inputs[0] in open_group:
            index = open_group.pop(layer.inputs[0])
            head, chain, members = groups[index]
            groups[index] = (head, (*chain, *layer.chain), [*members, layer])
            open_group[layer.outputs[0]] = index
            continue
        groups.append((layer, layer.chain if isinstance(layer, Elementwise) else (), [layer]))
        if not isinstance(layer, Pad | Clone):
            open_group[layer.outputs[0]] = len(groups) - 1
        for name in network.outputs:  # what leaves the network must leave as it is
            open_group.pop(name, None)
    return groups


def identifier(name: str) -> str:
    """A name as part of a Verilog identifier."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)


def port_range(bits: int) -> str:
    """`[bits-1:0]`."""
    return f"[{bits - 1}:0]"


class _Builder:
    """Writes one unit."""

    def __init__(
        self,
        network: Network,
        head: Layer,
        chain: Chain,
        output: Stream,
        options: Options,
        layers: Sequence[Layer],
    ) -> None:
        self.head, self.chain, self.output, self.options = head, chain, output, options
        self.sources = [network.streams[name] for name in head.inputs]
        self.targets = [network.streams[name] for name in head.outputs] if isinstance(head, Clone) else [output]
        self.layers = layers
        self.name = "unit_" + identifier(head.name)
        self.lines: list[str] = []
        self.extra: list[str] = []
        self.dsp = False

    def unit(self) -> Unit:
        """The finished unit."""
        match self.head:
            case Clone():
                interval = self._clone()
            case Pad():
                interval = self._pad(self.head)
            case Matrix():
                interval = self._matrix(self.head)
            case Pool():
                interval = self._pool(self.head)
            case Merge():
                interval = self._merge(self.head)
            case Elementwise():
                interval = self._elementwise()
            case _:
                raise ConversionError(f"layer {self.head.name!r}: OpenRTL builds no {type(self.head).__name__}")
        body = "\n".join("    " + line for line in self.lines)
        names = ", ".join(layer.name for layer in self.layers)
        text = f"// {names}\nmodule {self.name} (\n{self._ports()}\n);\n{body}\nendmodule\n" + "".join(self.extra)
        outputs = tuple(stream.name for stream in self.targets)
        members = tuple(layer.name for layer in self.layers)
        return Unit(self.name, members, self.head.inputs, outputs, text, interval, self.dsp)

    def _ports(self) -> str:
        ports = ["input wire clk", "input wire rst"]
        for index, stream in enumerate(self.sources):
            prefix = "in" if len(self.sources) == 1 else f"in{index}"
            ports += [
                f"input wire {port_range(stream.bits)} {prefix}_data",
                f"input wire {prefix}_valid",
                f"output wire {prefix}_ready",
            ]
        for index, stream in enumerate(self.targets):
            prefix = "out" if len(self.targets) == 1 else f"out{index}"
            ports += [
                f"output wire {port_range(stream.bits)} {prefix}_data",
                f"output wire {prefix}_valid",
                f"input wire {prefix}_ready",
            ]
        return ",\n".join("    " + port for port in ports)

    def _clone(self) -> int:
        count, bits = len(self.targets), self.sources[0].bits
        for side in ("data", "valid", "ready"):
            width = bits * count if side == "data" else count
            self.lines.append(f"wire {port_range(width)} all_{side};")
        for index in range(count):
            self.lines.append(f"assign out{index}_data = all_data[{index * bits}+:{bits}];")
            self.lines.append(f"assign out{index}_valid = all_valid[{index}];")
            self.lines.append(f"assign all_ready[{index}] = out{index}_ready;")
        self._instance(
            "stream_fork",
            {"WIDTH": bits, "OUTPUTS": count},
            _stream_ports("in", "in") | _stream_ports("out", "all"),
        )
        return self.sources[0].words

    def _pad(self, pad: Pad) -> int:
        self._instance(
            "zero_pad",
            {
                "PIXEL": self.sources[0].bits,
                "HEIGHT": pad.height,
                "WIDTH": pad.width,
                "TOP": pad.top,
                "BOTTOM": pad.bottom,
                "LEFT": pad.left,
                "RIGHT": pad.right,
            },
            _stream_ports("in", "in") | _stream_ports("out", "out"),
        )
        return (pad.top + pad.height + pad.bottom) * (pad.left + pad.width + pad.right)

    def _elementwise(self) -> int:
        self.lines += ["assign out_valid = in_valid;", "assign in_ready = out_ready;", _unused("clk", "rst")]
        kind = self.sources[0].kind
        self._emit_chain(self.chain, _channels("in_data", kind, self.sources[0].channels))
        return self.sources[0].words

    def _emit_chain(self, chain: Chain, sources: Sequence[tuple[str, Wire]]) -> None:
        """Drive `out_data` with the chain applied to each channel's wire."""
        width = self.output.kind.width
        results = self._apply(chain, sources, self.options.most_thresholds)
        for channel, (name, wire) in enumerate(results):
            if wire.fraction != self.output.kind.fraction_bits:
                raise ConversionError(f"layer {self.head.name!r}: its output is not of type {self.output.kind}")
            self.lines.append(f"assign out_data[{channel * width}+:{width}] = {extend(name, wire, width)};")

    def _apply(
        self, chain: Chain, sources: Sequence[tuple[str, Wire]], thresholds: int = 0, prefix: str = "c"
    ) -> list[tuple[str, Wire]]:
        chain = tuple(operation for operation in chain if not _is_identity(operation))
        results = []
        for channel, (source, wire) in enumerate(sources):
            name = f"{prefix}{channel}"
            self.lines.append(f"{declare(name, wire)} = {source};")
            stairs = staircase(chain, wire, channel, thresholds) if thresholds else None
            wires = ranges(chain, wire, channel)
            if stairs is not None:
                low, high = min(stairs.values), max(stairs.values)
                result = Wire(low, high, wires[-1].fraction)
                self._instance(
                    "thresholds",
                    {
                        "IN_WIDTH": wire.width,
                        "IN_SIGNED": int(wire.signed),
                        "OUT_WIDTH": result.width,
                        "LEVELS": len(stairs.thresholds),
                        "THRESHOLDS": _packed(stairs.thresholds, wire.width),
                        "VALUES": _packed(stairs.values, result.width),
                    },
                    {"in_data": name, "out_data": f"{name}_level"},
                    f"{name}_thresholds",
                    [f"{declare(f'{name}_level', result)};"],
                )
                results.append((f"{name}_level", result))
                continue
            for step, operation in enumerate(chain):
                target = f"{prefix}{channel}_{step}"
                self.lines += operation.verilog(target, name, wires[step], channel)
                name = target
            results.append((name, wires[-1]))
        return results

    def _window(self, layer: Matrix | Pool, stream: Stream, pixels: str, valid: str, ready: str) -> int:
        """The window of a layer, or the whole image; returns the words that it takes an image."""
        if layer.window is None:
            words = stream.words
            self._declare(f"wire {port_range(words * stream.bits)} {pixels};", f"wire {valid}, {ready};")
            self._instance(
                "gather",
                {"WIDTH": stream.bits, "WORDS": words},
                _stream_ports("in", "in") | {"out_data": pixels, "out_valid": valid, "out_ready": ready},
            )
            return words
        window = layer.window
        size = window.kernel_height * window.kernel_width * stream.bits
        self._declare(f"wire {port_range(size)} {pixels};", f"wire {valid}, {ready};")
        self._instance(
            "window_buffer",
            {
                "PIXEL": stream.bits,
                "HEIGHT": window.height,
                "WIDTH": window.width,
                "KERNEL_HEIGHT": window.kernel_height,
                "KERNEL_WIDTH": window.kernel_width,
                "STRIDE_HEIGHT": window.stride_height,
                "STRIDE_WIDTH": window.stride_width,
                "STYLE": 2 if window.width <= 64 else 3,
            },
            _stream_ports("in", "in") | {"out_data": pixels, "out_valid": valid, "out_ready": ready},
        )
        return window.height * window.width

    def _matrix(self, layer: Matrix) -> int:
        stream = self.sources[0]
        words = self._window(layer, stream, "window", "window_valid", "window_ready")
        products = 1 if layer.window is None else layer.window.positions
        if layer.reuse_factor == 1 and layer.drop == 0:
            sources = self._adders(layer, stream)
            folds = 1
        else:
            sources, folds = self._folded(layer, stream)
        self._emit_chain((*layer.chain, *self.chain), sources)
        return words + products * (folds - 1)

    def _adders(self, layer: Matrix, stream: Stream) -> list[tuple[str, Wire]]:
        wire = Wire.of(stream.kind)
        graph = adder_graph.solve(layer.kernel, wire)
        name = f"{self.name}_adders"
        module = adder_graph.module(name, graph, wire, stream.kind.width, self.options.adders_per_stage)
        self.extra.append("\n" + module.verilog)
        self._declare("wire enable;", f"wire {port_range(module.width * len(module.outputs))} sums;")
        self._instance(
            "pipeline_control",
            {"STAGES": module.stages},
            {
                "in_valid": "window_valid",
                "in_ready": "window_ready",
                "enable": "enable",
                "out_valid": "out_valid",
                "out_ready": "out_ready",
            },
        )
        self.lines.append(f"{name} adders (.clk(clk), .enable(enable), .x(window), .y(sums));")
        fraction = stream.kind.fraction_bits + layer.kernel_fraction
        sources = []
        for index, result in enumerate(module.outputs):
            sources.append((f"sums[{index * module.width}+:{result.width}]", replace(result, fraction=fraction)))
        self.lines.append(_unused("sums"))
        return sources

    def _folded(self, layer: Matrix, stream: Stream) -> tuple[list[tuple[str, Wire]], int]:
        inputs, outputs = layer.kernel.shape
        input_folds = min(layer.reuse_factor, inputs)
        output_folds = min(max(1, layer.reuse_factor // input_folds), outputs)
        columns, rows = ceil(inputs / input_folds), ceil(outputs / output_folds)
        folds = input_folds * output_folds
        wires = [self._sum(layer, stream.kind, channel) for channel in range(outputs)]
        width = max(wire.width + (not wire.signed) for wire in wires)
        weight = layer.kernel_width
        words = [_fold_word(layer, fold, input_folds, columns, rows) for fold in range(folds)]
        self.extra.append(self._weight_memory(words, rows * columns * weight))
        choice = self.options.multipliers
        enough = stream.kind.width >= 5 and weight >= 5
        self.dsp = not layer.binary and (choice is Multipliers.DSP or (choice is Multipliers.AUTO and enough))
        address = port_range(max(1, (folds - 1).bit_length()))
        self._declare(
            f"wire {port_range(outputs * width)} sums;",
            "wire weights_read;",
            f"wire {address} weights_at;",
            f"wire {port_range(rows * columns * weight)} weights;",
        )
        self.lines.append(
            f"{self.name}_weights memory (.clk(clk), .read(weights_read), .at(weights_at), .weights(weights));"
        )
        self._instance(
            "matrix_vector",
            {
                "INPUTS": inputs,
                "OUTPUTS": outputs,
                "INPUT_FOLDS": input_folds,
                "OUTPUT_FOLDS": output_folds,
                "IN_WIDTH": stream.kind.width,
                "IN_SIGNED": int(stream.kind.signed),
                "WEIGHT": weight,
                "BINARY": int(layer.binary),
                "DROP": layer.drop,
                "SUM": width,
            },
            {
                "in_data": "window",
                "in_valid": "window_valid",
                "in_ready": "window_ready",
                "weights_read": "weights_read",
                "weights_at": "weights_at",
                "weights": "weights",
                "out_data": "sums",
                "out_valid": "out_valid",
                "out_ready": "out_ready",
            },
        )
        self.lines.append(_unused("sums"))
        return [(f"sums[{i * width}+:{wire.width}]", wire) for i, wire in enumerate(wires)], folds

    def _sum(self, layer: Matrix, kind: FixedPointType, channel: int) -> Wire:
        """The range of one output's sum of products."""
        low = high = 0
        for value in layer.kernel[:, channel].tolist():
            ends = sorted((value * kind.min_mantissa, value * kind.max_mantissa))
            low += ends[0] >> layer.drop
            high += ends[1] >> layer.drop
        return Wire(low, high, kind.fraction_bits + layer.kernel_fraction - layer.drop)

    def _weight_memory(self, words: Sequence[int], bits: int) -> str:
        address = port_range(max(1, (len(words) - 1).bit_length()))
        choice = self.options.weights
        block = choice is Weights.BLOCK_RAM or (choice is Weights.AUTO and len(words) > 64)
        style = "block" if block else "logic"
        values = "\n".join(f"        words[{fold}] = {bits}'h{word:x};" for fold, word in enumerate(words))
        return f"""
// The weights of {self.head.name}, one word a fold.
module {self.name}_weights (
    input wire clk,
    input wire read,
    input wire {address} at,
    output wire {port_range(bits)} weights
);
    (* ram_style = "{style}", rom_style = "{style}" *) reg {port_range(bits)} words[{len(words)}];
    reg {port_range(bits)} word;
    initial begin
{values}
    end
    always @(posedge clk) if (read) word <= words[at];
    assign weights = word;
endmodule
"""

    def _pool(self, layer: Pool) -> int:
        stream = self.sources[0]
        accumulator = Wire.of(layer.accumulator)
        channels, width = stream.channels, layer.accumulator.width
        signed, maximum = int(layer.accumulator.signed), layer.reduction is Reduction.MAXIMUM
        tail: Chain = (Cast(layer.result), *self.chain)
        if layer.window is None:
            self._declare(*(f"wire {port_range(channels * width)} {name};" for name in ("addends", "totals")))
            self._accumulands(layer, _channels("in_data", stream.kind, channels), "addends", "p")
            self._instance(
                "global_pool",
                {
                    "CHANNELS": channels,
                    "WIDTH": width,
                    "SIGNED": signed,
                    "PIXELS": stream.words,
                    "MAXIMUM": int(maximum),
                },
                _stream_ports("in", "in") | {"in_data": "addends"} | _stream_ports("out", "out") | {"out_data": "totals"},
            )
            words = stream.words
        else:
            words = self._window(layer, stream, "window", "out_valid_wire", "out_ready_wire")
            self.lines += ["assign out_valid = out_valid_wire;", "assign out_ready_wire = out_ready;"]
            pixels = layer.window.kernel_height * layer.window.kernel_width
            self._declare(f"wire {port_range(channels * width)} totals;")
            every = _channels("window", stream.kind, channels * pixels)
            for channel in range(channels):
                terms = f"terms{channel}"
                self._declare(f"wire {port_range(pixels * width)} {terms};")
                self._accumulands(layer, every[channel::channels], terms, f"p{channel}_")
                result = f"totals[{channel * width}+:{width}]"
                parameters = {"WIDTH": width, "TERMS": pixels}
                if maximum:
                    self._instance(
                        "maximum", parameters | {"SIGNED": signed}, {"terms": terms, "greatest": result}, f"tree{channel}"
                    )
                else:
                    self._instance("adder_tree", parameters, {"terms": terms, "total": result}, f"tree{channel}")
        if not maximum:
            self._declare(f"wire {port_range(channels * width)} means;")
            for channel in range(channels):
                part = f"[{channel * width}+:{width}]"
                self._instance(
                    "divide",
                    {"WIDTH": width, "SIGNED": signed, "DIVISOR": layer.divisor},
                    {"in_data": f"totals{part}", "out_data": f"means{part}"},
                    f"divide{channel}",
                )
        result = "totals" if maximum else "means"
        self._emit_chain(
            tail, [(f"{result}[{channel * width}+:{width}]", accumulator) for channel in range(channels)]
        )
        return words

    def _accumulands(self, layer: Pool, sources: Sequence[tuple[str, Wire]], target: str, prefix: str) -> None:
        """The inputs cast to the accumulator's type, side by side in `target`."""
        width = layer.accumulator.width
        for index, (name, wire) in enumerate(self._apply((Cast(layer.accumulator),), sources, prefix=prefix)):
            self.lines.append(f"assign {target}[{index * width}+:{width}] = {extend(name, wire, width)};")

    def _merge(self, layer: Merge) -> int:
        self._instance(
            "stream_join",
            {},
            {
                "left_valid": "in0_valid",
                "left_ready": "in0_ready",
                "right_valid": "in1_valid",
                "right_ready": "in1_ready",
                "out_valid": "out_valid",
                "out_ready": "out_ready",
            },
            clocked=False,
        )
        self.lines.append(_unused("clk", "rst"))
        left, right = (
            self._apply((), _channels(f"in{i}_data", stream.kind, stream.channels), prefix=f"x{i}_")
            for i, stream in enumerate(self.sources)
        )
        tail: Chain = (Cast(layer.result), *self.chain)
        if layer.operation is MergeOperation.CONCATENATE:
            self._emit_chain(tail, [*left, *right])
            return self.sources[0].words
        sums = []
        for channel, (a, b) in enumerate(zip(left, right, strict=True)):
            sums.append(self._merged(layer.operation, f"m{channel}", a, b))
        if layer.operation is MergeOperation.AVERAGE:
            tail = (Affine((1,), 1, (0,), 0), *tail)
        self._emit_chain(tail, sums)
        return self.sources[0].words

    def _merged(
        self, operation: MergeOperation, name: str, a: tuple[str, Wire], b: tuple[str, Wire]
    ) -> tuple[str, Wire]:
        """One number made of two, exact."""
        fraction = max(a[1].fraction, b[1].fraction)
        if operation is MergeOperation.MULTIPLY:
            corners = [x * y for x in (a[1].low, a[1].high) for y in (b[1].low, b[1].high)]
            wire = Wire(min(corners), max(corners), a[1].fraction + b[1].fraction)
            shifts, symbol = (0, 0), "*"
            self.dsp = min(a[1].width, b[1].width) >= 5
        else:
            shifts = (fraction - a[1].fraction, fraction - b[1].fraction)
            low = [w.low << shift for (_, w), shift in zip((a, b), shifts, strict=True)]
            high = [w.high << shift for (_, w), shift in zip((a, b), shifts, strict=True)]
            match operation:
                case MergeOperation.SUBTRACT:
                    wire, symbol = Wire(low[0] - high[1], high[0] - low[1], fraction), "-"
                case MergeOperation.MAXIMUM:
                    wire, symbol = Wire(max(low), max(high), fraction), ">="
                case MergeOperation.MINIMUM:
                    wire, symbol = Wire(min(low), min(high), fraction), "<="
                case _:
                    wire, symbol = Wire(low[0] + low[1], high[0] + high[1], fraction), "+"
        width = max(wire.width, a[1].width + shifts[0], b[1].width + shifts[1]) + 1
        for side, (source, source_wire), shift in zip("ab", (a, b), shifts, strict=True):
            shifted = f"{extend(source, source_wire, width)} <<< {shift}" if shift else extend(source, source_wire, width)
            self.lines.append(f"wire signed {port_range(width)} {name}_{side} = {shifted};")
        if symbol in (">=", "<="):
            expression = f"{name}_a {symbol} {name}_b ? {name}_a : {name}_b"
        else:
            expression = f"{name}_a {symbol} {name}_b"
        self.lines.append(f"wire signed {port_range(width)} {name}_wide = {expression};")
        self.lines += unused_bits(f"{name}_wide", width, wire.width)
        return f"{name}_wide{low_bits(width, wire.width)}", wire

    def _declare(self, *lines: str) -> None:
        self.lines += lines

    def _instance(
        self,
        module: str,
        parameters: dict[str, int | str],
        ports: dict[str, str],
        name: str | None = None,
        before: Sequence[str] = (),
        clocked: bool | None = None,
    ) -> None:
        """An instance of a library module."""
        if clocked is None:
            clocked = module not in _COMBINATIONAL
        connected = ({"clk": "clk", "rst": "rst"} if clocked else {}) | ports
        self.lines += before
        settings = ", ".join(f".{key}({value})" for key, value in parameters.items())
        self.lines.append(f"{module} {f'#({settings}) ' if settings else ''}{name or module + '_i'} (")
        self.lines.append("    " + ", ".join(f".{key}({value})" for key, value in connected.items()))
        self.lines.append(");")


_COMBINATIONAL = {"thresholds", "requantize", "divide", "adder_tree", "maximum", "stream_join"}


def _is_identity(operation: object) -> bool:
    return isinstance(operation, Affine) and operation.scale == (1,) and operation.scale_fraction == 0 and not any(operation.bias)


def _stream_ports(port: str, wires: str) -> dict[str, str]:
    return {f"{port}_{side}": f"{wires}_{side}" for side in ("data", "valid", "ready")}


def _channels(data: str, kind: FixedPointType, count: int) -> list[tuple[str, Wire]]:
    """The numbers of a word."""
    return [(f"{data}[{index * kind.width}+:{kind.width}]", Wire.of(kind)) for index in range(count)]


def _packed(values: Sequence[int], width: int) -> str:
    """Numbers side by side as one constant, the first in the lowest bits."""
    mask = (1 << width) - 1
    word = sum((value & mask) << (index * width) for index, value in enumerate(values))
    return f"{width * len(values)}'h{word:x}"


def _fold_word(layer: Matrix, fold: int, input_folds: int, columns: int, rows: int) -> int:
    """The weights that a folded unit uses in one fold."""
    inputs, outputs = layer.kernel.shape
    first_row, first_column = fold // input_folds * rows, fold % input_folds * columns
    mask = (1 << layer.kernel_width) - 1
    word = 0
    for row in range(rows):
        for column in range(columns):
            i, o = first_column + column, first_row + row
            value = int(layer.kernel[i, o]) if i < inputs and o < outputs else 0
            bits = int(value > 0) if layer.binary else value & mask
            word |= bits << ((row * columns + column) * layer.kernel_width)
    return word


def _unused(*names: str) -> str:
    """Tell lint that not every bit of these is read."""
    return f"wire unused_{names[0]} = &{{1'b0, {', '.join(names)}}};"
