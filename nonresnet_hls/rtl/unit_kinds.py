"""What is inside each kind of unit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.arithmetic import (
    Affine,
    Cast,
    Chain,
    Wire,
    signed_digits,
    staircase,
)
from nonresnet_hls.fixed.network import (
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
    Repeat,
    Stream,
)
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.recipe import Multipliers, RtlOptions, WeightMemory
from nonresnet_hls.rtl import adder_graph
from nonresnet_hls.rtl.contracts import Contract, axes, contract_of
from nonresnet_hls.rtl.meeting import Choice, Meeting, costs, merged_range
from nonresnet_hls.rtl.unit_text import UnitText, numbers, packed, port_range, stream_ports, unused
from nonresnet_hls.rtl.verilog import declare, extend, low_bits, unused_bits

Numbers = list[tuple[str, Wire]]
"""Wires by their names, one a channel."""


@dataclass(frozen=True)
class Unit:
    """One module of the netlist."""

    name: str
    """Of the module and its instance."""
    layers: tuple[str, ...]
    """The hls4ml layers that it computes."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    modules: tuple[tuple[str, str], ...]
    """Name and SystemVerilog of the unit's module, and of those that belong to it alone."""
    interval_cycles: int
    """Cycles an image that the unit cannot go below."""
    contract: Contract
    """When it takes and gives words."""
    dsp: bool
    """Whether synthesis may use DSP blocks."""
    stages: int = 0
    """Registers of its adder graph; 0 where it has none."""
    folds: int = 0
    """Cycles in which it is folded, for each result; 0 where it is not."""
    tail_stages: int = 0
    """Registers behind that, and behind a join."""

    @property
    def verilog(self) -> str:
        """All of it."""
        return "\n".join(text for _, text in self.modules)


class Group:
    """The layers of one unit: one with its padding, then element-wise ones, a join with another stream, and more."""

    def __init__(self, head: Layer, pad: Pad | None) -> None:
        """Begin with a layer."""
        self.head, self.pad = head, pad
        self.layers: list[Layer] = [head]
        self.merge: Merge | None = None
        self.side = 0
        """Which operand of `merge` the unit computes itself."""
        self.chain: Chain = ()
        """Behind the head, before the join."""
        self.tail: Chain = ()
        """Behind the join."""
        if isinstance(head, Elementwise):
            self.chain = head.chain

    def add(self, layer: Elementwise) -> None:
        """One more layer."""
        self.layers.append(layer)
        if self.merge is None:
            self.chain = (*self.chain, *layer.chain)
        else:
            self.tail = (*self.tail, *layer.chain)

    def join(self, merge: Merge, side: int) -> None:
        """A join, of which this unit's own numbers are the operand `side`."""
        self.layers.append(merge)
        self.merge, self.side, self.tail = merge, side, (Cast(merge.result),)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Streams: that of the head (behind its padding), then the join's other operand."""
        own = self.head.inputs if self.pad is None else self.pad.inputs
        return own if self.merge is None else (*own, self.merge.inputs[1 - self.side])

    @property
    def names(self) -> tuple[str, ...]:
        """Of the layers."""
        return (*(() if self.pad is None else (self.pad.name,)), *(layer.name for layer in self.layers))


class UnitBuilder:
    """Writes the unit of a group of layers."""

    def __init__(self, network: Network, group: Group, options: RtlOptions) -> None:
        """Take the layers of one unit."""
        self.group, self.head, self.chain, self.options = group, group.head, group.chain, options
        self.sources = [network.streams[name] for name in group.inputs]
        self.source = "in" if len(self.sources) == 1 else "in0"
        names = self.head.outputs if isinstance(self.head, Clone) else group.layers[-1].outputs
        self.targets = [network.streams[name] for name in names]
        self.text = UnitText(self.head.name, self.sources, self.targets, options.most_thresholds)
        self.name = self.text.name
        self.extra: list[tuple[str, str]] = []
        self.dsp = False
        self.stages = self.folds = self.tail_stages = 0

    def unit(self) -> Unit:
        """The finished unit."""
        match self.head:
            case Clone():
                interval = self._clone()
            case Pad():
                interval = self._pad(self.head)
            case Repeat():
                interval = self._repeat(self.head)
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
        members = self.group.names
        return Unit(
            name=self.name,
            layers=members,
            inputs=self.group.inputs,
            outputs=tuple(stream.name for stream in self.targets),
            modules=((self.name, self.text.module(", ".join(members))), *self.extra),
            interval_cycles=interval,
            contract=contract_of(self.head, self.sources[0], self.group.pad),
            dsp=self.dsp,
            stages=self.stages,
            folds=self.folds,
            tail_stages=self.tail_stages,
        )

    def _clone(self) -> int:
        count, bits = len(self.targets), self.sources[0].bits
        for side in ("data", "valid", "ready"):
            width = bits * count if side == "data" else count
            self.text.lines.append(f"wire {port_range(width)} all_{side};")
        for index in range(count):
            self.text.lines.append(f"assign out{index}_data = all_data[{index * bits}+:{bits}];")
            self.text.lines.append(f"assign out{index}_valid = all_valid[{index}];")
            self.text.lines.append(f"assign all_ready[{index}] = out{index}_ready;")
        self.text.instance(
            "stream_fork",
            {"WIDTH": bits, "OUTPUTS": count},
            stream_ports("in", "in") | stream_ports("out", "all"),
        )
        return self.sources[0].words

    def _pad(self, pad: Pad) -> int:
        self.text.instance(
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
            stream_ports("in", "in") | stream_ports("out", "out"),
        )
        return (pad.top + pad.height + pad.bottom) * (pad.left + pad.width + pad.right)

    def _repeat(self, layer: Repeat) -> int:
        sizes = {"HEIGHT": layer.height, "WIDTH": layer.width, "ROWS": layer.rows, "COLUMNS": layer.columns}
        ports = stream_ports("in", "in") | stream_ports("out", "out")
        self.text.instance("repeat_pixels", {"PIXEL": self.sources[0].bits, **sizes}, ports)
        return layer.height * layer.rows * layer.width * layer.columns

    def _elementwise(self) -> int:
        self.text.lines += ["assign out_valid = in_valid;", "assign in_ready = out_ready;", unused("clk", "rst")]
        kind = self.sources[0].kind
        self.text.emit_chain(self.chain, numbers("in_data", kind, self.sources[0].channels))
        return self.sources[0].words

    def _window(self, layer: Matrix | Pool, stream: Stream, pixels: str, valid: str, ready: str) -> int:
        """The window of a layer, or the whole image; returns the steps that it takes an image."""
        ports = stream_ports("in", self.source) | {"out_data": pixels, "out_valid": valid, "out_ready": ready}
        if layer.window is None:
            words = stream.words
            self.text.declare(f"wire {port_range(words * stream.bits)} {pixels};", f"wire {valid}, {ready};")
            self.text.instance("gather", {"WIDTH": stream.bits, "WORDS": words}, ports)
            return words
        window = layer.window
        rows, columns = axes(window, self.group.pad)
        size = window.kernel_height * window.kernel_width * stream.bits
        self.text.declare(f"wire {port_range(size)} {pixels};", f"wire {valid}, {ready};")
        sizes = {
            "PIXEL": stream.bits,
            "HEIGHT": rows.size,
            "WIDTH": columns.size,
            "TOP": rows.before,
            "BOTTOM": rows.behind,
            "LEFT": columns.before,
            "RIGHT": columns.behind,
            "KERNEL_HEIGHT": rows.kernel,
            "KERNEL_WIDTH": columns.kernel,
            "STRIDE_HEIGHT": rows.stride,
            "STRIDE_WIDTH": columns.stride,
            "STYLE": 2 if columns.steps <= 64 else 3,
        }
        self.text.instance("window_buffer", sizes, ports)
        return rows.steps * columns.steps

    def _matrix(self, layer: Matrix) -> int:
        stream = self.sources[0]
        steps = self._window(layer, stream, "window", "window_valid", "window_ready")
        products = 1 if layer.window is None else layer.window.positions
        chain = (*layer.chain, *self.chain)
        if layer.reuse_factor == 1 and layer.drop == 0:
            sources, chain = self._adders(layer, stream, chain)
            split = 0
        else:
            wires = [self._sum(layer, stream.kind, channel) for channel in range(layer.kernel.shape[1])]
            split = self._multiplications(chain, wires)
            sources = self._folded(layer, stream, wires, split > 0)
        if self.group.merge is not None:
            self._joined(self.group.merge, chain, sources)
            return steps + products * (max(self.folds, 1) - 1)
        if split:
            tail = self._begin_tail()
            sources = self._registered("s", self.text.apply(chain[:split], sources, prefix="s"), tail)
            self.tail_stages = 1
            self.text.lines.append("assign own_ready = tail_ready;")
            self._end_tail("own_valid")
        self.text.emit_chain(chain[split:], sources)
        return steps + products * (max(self.folds, 1) - 1)

    def _own_results(self, registers: bool) -> dict[str, str]:
        """Where valid and ready of what the unit computes go: out, or to the registers behind that."""
        if not registers and self.group.merge is None:
            return {"out_valid": "out_valid", "out_ready": "out_ready"}
        self.text.declare("wire own_valid, own_ready;")
        return {"out_valid": "own_valid", "out_ready": "own_ready"}

    def _adders(self, layer: Matrix, stream: Stream, chain: Chain) -> tuple[list[tuple[str, Wire]], Chain]:
        """The sums of an adder graph, behind the multiplications of the chain if it has some, and the chain's rest."""
        wire = Wire.of(stream.kind)
        graph = adder_graph.solve(layer.kernel, wire)
        name = f"{self.name}_adders"
        module = adder_graph.module(name, graph, wire, stream.kind.width, self.options.adders_per_stage)
        self.extra.append((name, module.verilog))
        fraction = stream.kind.fraction_bits + layer.kernel_fraction
        ranges = [replace(result, fraction=fraction) for result in module.outputs]
        split = self._multiplications(chain, ranges)
        self.stages = module.stages + (split > 0)
        self.text.declare("wire enable;", f"wire {port_range(module.width * len(module.outputs))} sums;")
        ports = {"in_valid": "window_valid", "in_ready": "window_ready", "enable": "enable"}
        self.text.instance("pipeline_control", {"STAGES": self.stages}, ports | self._own_results(registers=False))
        self.text.lines.append(f"{name} adders (.clk(clk), .enable(enable), .x(window), .y(sums));")
        parts = [f"sums[{index * module.width}+:{result.width}]" for index, result in enumerate(ranges)]
        sources = list(zip(parts, ranges, strict=True))
        self.text.lines.append(unused("sums"))
        if split:
            sources = self._registered("s", self.text.apply(chain[:split], sources, prefix="s"), "enable")
        return sources, chain[split:]

    def _begin_tail(self) -> str:
        """Registers behind what the unit computes: the name of what enables them."""
        self.text.declare("wire tail_enable, tail_ready;")
        return "tail_enable"

    def _end_tail(self, entering: str) -> None:
        """The control of as many registers as there are by now; `entering` is valid with what goes in."""
        self.text.instance(
            "pipeline_control",
            {"STAGES": self.tail_stages},
            {
                "in_valid": entering,
                "in_ready": "tail_ready",
                "enable": "tail_enable",
                "out_valid": "out_valid",
                "out_ready": "out_ready",
            },
            "tail",
        )

    def _multiplications(self, chain: Chain, wires: Sequence[Wire]) -> int:
        """How many operations of a chain end with its first multiplication; 0 where it has none to compute."""
        for index, operation in enumerate(chain):
            if isinstance(operation, Affine) and any(len(signed_digits(scale)) > 1 for scale in operation.scale):
                most = self.options.most_thresholds
                stairs = (staircase(chain, wire, channel, most) for channel, wire in enumerate(wires))
                return 0 if all(found is not None for found in stairs) else index + 1
        return 0

    def _registered(self, prefix: str, sources: Numbers, enable: str) -> Numbers:
        """Registers of a pipeline."""
        results = []
        for index, (source, wire) in enumerate(sources):
            name = f"{prefix}{index}_q"
            self.text.declare(f"{declare(name, wire).replace('wire', 'reg', 1)};")
            self.text.declare(f"always @(posedge clk) if ({enable}) {name} <= {source};")
            results.append((name, wire))
        return results

    def _folded(self, layer: Matrix, stream: Stream, wires: Sequence[Wire], registers: bool) -> Numbers:
        """The sums of a folded unit; `registers`: whether some follow behind it."""
        inputs, outputs = layer.kernel.shape
        input_folds = min(layer.reuse_factor, inputs)
        output_folds = min(max(1, layer.reuse_factor // input_folds), outputs)
        columns, rows = ceil(inputs / input_folds), ceil(outputs / output_folds)
        folds = self.folds = input_folds * output_folds
        width = max(wire.width + (not wire.signed) for wire in wires)
        weight = layer.kernel_width
        words = [_fold_word(layer, fold, input_folds, columns, rows) for fold in range(folds)]
        self.extra.append((f"{self.name}_weights", self._weight_memory(words, rows * columns * weight)))
        choice = self.options.multipliers
        enough = stream.kind.width >= 5 and weight >= 5
        self.dsp = not layer.binary and (choice is Multipliers.DSP or (choice is Multipliers.AUTO and enough))
        address = port_range(max(1, (folds - 1).bit_length()))
        self.text.declare(
            f"wire {port_range(outputs * width)} sums;",
            "wire weights_read;",
            f"wire {address} weights_at;",
            f"wire {port_range(rows * columns * weight)} weights;",
        )
        self.text.lines.append(
            f"{self.name}_weights memory (.clk(clk), .read(weights_read), .at(weights_at), .weights(weights));"
        )
        self.text.instance(
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
            }
            | self._own_results(registers),
        )
        self.text.lines.append(unused("sums"))
        return [(f"sums[{i * width}+:{wire.width}]", wire) for i, wire in enumerate(wires)]

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
        large = len(words) > 64 or len(words) * bits > 32 * 1024
        block = choice is WeightMemory.BLOCK_RAM or (choice is WeightMemory.AUTO and large)
        style = "block" if block else "logic"
        values = "\n".join(f"        words[{fold}] = {bits}'h{word:x};" for fold, word in enumerate(words))
        return f"""// The weights of {self.head.name}, one word a fold.
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
            self.text.declare(*(f"wire {port_range(channels * width)} {name};" for name in ("addends", "totals")))
            self._accumulands(layer, numbers("in_data", stream.kind, channels), "addends", "p")
            self.text.instance(
                "global_pool",
                {
                    "CHANNELS": channels,
                    "WIDTH": width,
                    "SIGNED": signed,
                    "PIXELS": stream.words,
                    "MAXIMUM": int(maximum),
                },
                stream_ports("in", "in") | {"in_data": "addends"} | stream_ports("out", "out") | {"out_data": "totals"},
            )
            words = stream.words
        else:
            words = self._window(layer, stream, "window", "out_valid_wire", "out_ready_wire")
            self.text.lines += ["assign out_valid = out_valid_wire;", "assign out_ready_wire = out_ready;"]
            pixels = layer.window.kernel_height * layer.window.kernel_width
            self.text.declare(f"wire {port_range(channels * width)} totals;")
            every = numbers("window", stream.kind, channels * pixels)
            for channel in range(channels):
                terms = f"terms{channel}"
                self.text.declare(f"wire {port_range(pixels * width)} {terms};")
                self._accumulands(layer, every[channel::channels], terms, f"p{channel}_")
                result = f"totals[{channel * width}+:{width}]"
                parameters = {"WIDTH": width, "TERMS": pixels}
                if maximum:
                    self.text.instance(
                        "maximum",
                        parameters | {"SIGNED": signed},
                        {"terms": terms, "greatest": result},
                        f"tree{channel}",
                    )
                else:
                    self.text.instance("adder_tree", parameters, {"terms": terms, "total": result}, f"tree{channel}")
        if not maximum:
            self.text.declare(f"wire {port_range(channels * width)} means;")
            for channel in range(channels):
                part = f"[{channel * width}+:{width}]"
                self.text.instance(
                    "divide",
                    {"WIDTH": width, "SIGNED": signed, "DIVISOR": layer.divisor},
                    {"in_data": f"totals{part}", "out_data": f"means{part}"},
                    f"divide{channel}",
                )
        result = "totals" if maximum else "means"
        parts = [f"{result}[{channel * width}+:{width}]" for channel in range(channels)]
        self.text.emit_chain(tail, [(part, accumulator) for part in parts])
        return words

    def _accumulands(self, layer: Pool, sources: Sequence[tuple[str, Wire]], target: str, prefix: str) -> None:
        """The inputs cast to the accumulator's type, side by side in `target`."""
        width = layer.accumulator.width
        for index, (name, wire) in enumerate(self.text.apply((Cast(layer.accumulator),), sources, prefix=prefix)):
            self.text.lines.append(f"assign {target}[{index * width}+:{width}] = {extend(name, wire, width)};")

    def _merge(self, layer: Merge) -> int:
        left, right = (
            numbers(f"in{side}_data", stream.kind, stream.channels) for side, stream in enumerate(self.sources)
        )
        if layer.operation is MergeOperation.CONCATENATE:
            self._join("in0", "out_valid", "out_ready")
            self.text.lines.append(unused("clk", "rst"))
            self.text.emit_chain((Cast(layer.result), *self.chain), [*left, *right])
            return self.sources[0].words
        tail = self._begin_tail()
        self._join("in0", "meets", "tail_ready")
        self._meet(layer, (), (Cast(layer.result), *self.chain), (left, right), tail)
        self._end_tail("meets")
        return self.sources[0].words

    def _joined(self, layer: Merge, chain: Chain, sources: Numbers) -> None:
        """The unit's own sums, in whose chain they are not yet, beside another stream."""
        tail = self._begin_tail()
        self._join("own", "meets", "tail_ready")
        other = numbers("in1_data", self.sources[1].kind, self.sources[1].channels)
        self._meet(layer, chain, self.group.tail, (sources, other), tail)
        self._end_tail("meets")

    def _join(self, left: str, valid: str, ready: str) -> None:
        if valid == "meets":
            self.text.declare("wire meets;")
        ports = {f"left_{side}": f"{left}_{side}" for side in ("valid", "ready")}
        ports |= {f"right_{side}": f"in1_{side}" for side in ("valid", "ready")}
        self.text.instance("stream_join", {}, ports | {"out_valid": valid, "out_ready": ready})

    def _meet(self, layer: Merge, chain: Chain, tail: Chain, both: tuple[Numbers, Numbers], enable: str) -> None:
        """Two operands made one, in registers, and what follows: `chain` is the first's own, before that.

        Of a unit's own sums (the first) and another stream, or of two streams.
        """
        own, other = both
        if layer.operation is MergeOperation.AVERAGE:
            tail = (Affine((1,), 1, (0,), 0), *tail)
        meeting = Meeting(layer.operation, self.group.side, chain, tail, self.options.most_thresholds)
        chosen = [meeting.choice(channel, a[1], b[1]) for channel, (a, b) in enumerate(zip(own, other, strict=True))]
        results: Numbers = []
        if all(chosen):
            for channel, (choice, (name, _), (chooses, _)) in enumerate(zip(chosen, own, other, strict=True)):
                assert choice is not None
                results.append(self._chosen(f"c{channel}", choice, name, chooses))
            self.text.drive(self._registered("c", results, enable))
            self.tail_stages = 1
            return
        split = self._multiplications(chain, [wire for _, wire in own]) or len(chain)
        if costs(chain[:split], [wire for _, wire in own]):
            own = self._registered("o", self.text.apply(chain[:split], own, prefix="o"), enable)
            other = self._registered("p", other, enable)
            self.tail_stages = 1
        own = self.text.apply(chain[split:], own, prefix="r")
        other = self.text.apply((), other, prefix="q")
        for channel, pair in enumerate(zip(own, other, strict=True)):
            a, b = pair if meeting.side == 0 else pair[::-1]
            results.append(self._merged(layer.operation, f"m{channel}", a, b))
        results = self._registered("m", results, enable)
        self.tail_stages += 1
        if costs(tail, [wire for _, wire in results]):
            done = self.text.apply(tail, results, self.options.most_thresholds)
            self.text.drive(self._registered("t", done, enable))
            self.tail_stages += 1
        else:
            self.text.emit_chain(tail, results)

    def _chosen(self, name: str, choice: Choice, own: str, other: str) -> tuple[str, Wire]:
        """Thresholds of the unit's own number, which the other one chooses."""
        self.text.declare(f"wire {port_range(choice.own.width)} {name}_own = {own};")
        self.text.declare(f"wire {port_range(choice.other.width)} {name}_other = {other};")
        self.text.instance(
            "chosen_thresholds",
            {
                "IN_WIDTH": choice.own.width,
                "IN_SIGNED": int(choice.own.signed),
                "CHOICE": choice.other.width,
                "OUT_WIDTH": choice.result.width,
                "LEVELS": len(choice.values) - 1,
                "THRESHOLDS": packed([each for level in choice.thresholds for each in level], choice.own.width + 1),
                "VALUES": packed(choice.values, choice.result.width),
            },
            {"in_data": f"{name}_own", "choice": f"{name}_other", "out_data": f"{name}_level"},
            f"{name}_thresholds",
            [f"{declare(f'{name}_level', choice.result)};"],
        )
        return f"{name}_level", choice.result

    def _merged(
        self, operation: MergeOperation, name: str, a: tuple[str, Wire], b: tuple[str, Wire]
    ) -> tuple[str, Wire]:
        """One number made of two, exact."""
        wire, shifts = merged_range(operation, a[1], b[1])
        if operation is MergeOperation.MULTIPLY:
            self.dsp = self.dsp or min(a[1].width, b[1].width) >= 5
        width = max(wire.width, a[1].width + shifts[0], b[1].width + shifts[1]) + 1
        for side, (source, source_wire), shift in zip("ab", (a, b), shifts, strict=True):
            shifted = (
                f"{extend(source, source_wire, width)} <<< {shift}" if shift else extend(source, source_wire, width)
            )
            self.text.lines.append(f"wire signed {port_range(width)} {name}_{side} = {shifted};")
        match operation:
            case MergeOperation.MAXIMUM:
                expression = f"{name}_a >= {name}_b ? {name}_a : {name}_b"
            case MergeOperation.MINIMUM:
                expression = f"{name}_a <= {name}_b ? {name}_a : {name}_b"
            case MergeOperation.SUBTRACT:
                expression = f"{name}_a - {name}_b"
            case MergeOperation.MULTIPLY:
                expression = f"{name}_a * {name}_b"
            case _:
                expression = f"{name}_a + {name}_b"
        self.text.lines.append(f"wire signed {port_range(width)} {name}_wide = {expression};")
        self.text.lines += unused_bits(f"{name}_wide", width, wire.width)
        return f"{name}_wide{low_bits(width, wire.width)}", wire


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
