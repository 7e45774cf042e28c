"""The SystemVerilog of one unit, line by line: ports, instances of the library, chains of operations."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.arithmetic import Affine, Chain, Lookup, Piecewise, Wire, ranges, staircase
from nonresnet_hls.fixed.network import Stream
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.rtl import verilog
from nonresnet_hls.rtl.verilog import declare, extend


def identifier(name: str) -> str:
    """A name as part of a Verilog identifier."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)


def port_range(bits: int) -> str:
    """`[bits-1:0]`."""
    return f"[{bits - 1}:0]"


class UnitText:
    """A module with stream ports `in` or `in0`, `in1`, ..., `out` or `out0`, `out1`, ..., and perhaps `tap`."""

    def __init__(
        self,
        layer: str,
        sources: Sequence[Stream],
        targets: Sequence[Stream],
        most_thresholds: int,
        tap: Stream | None = None,
    ) -> None:
        """Begin the unit of a layer."""
        self.layer, self.sources, self.targets, self.tap = layer, sources, targets, tap
        self.most_thresholds = most_thresholds
        self.name = "unit_" + identifier(layer)
        self.lines: list[str] = []
        self._roms: dict[tuple[tuple[int, ...], int], str] = {}

    def module(self, comment: str) -> str:
        """The finished module."""
        body = "\n".join("    " + line for line in self.lines)
        return f"// {comment}\nmodule {self.name} (\n{self._ports()}\n);\n{body}\nendmodule\n"

    def _ports(self) -> str:
        ports = ["input wire clk", "input wire rst"]
        for index, stream in enumerate(self.sources):
            prefix = "in" if len(self.sources) == 1 else f"in{index}"
            ports += [
                f"input wire {port_range(stream.bits)} {prefix}_data",
                f"input wire {prefix}_valid",
                f"output wire {prefix}_ready",
            ]
        outputs = [("out" if len(self.targets) == 1 else f"out{at}", each) for at, each in enumerate(self.targets)]
        for prefix, stream in (*outputs, *([] if self.tap is None else [("tap", self.tap)])):
            ports += [
                f"output wire {port_range(stream.bits)} {prefix}_data",
                f"output wire {prefix}_valid",
                f"input wire {prefix}_ready",
            ]
        return ",\n".join("    " + port for port in ports)

    def emit_chain(self, chain: Chain, sources: Sequence[tuple[str, Wire]]) -> None:
        """Drive `out_data` with the chain applied to each channel's wire."""
        self.drive(self.apply(chain, sources, self.most_thresholds))

    def drive(self, results: Sequence[tuple[str, Wire]]) -> None:
        """Drive `out_data` with a wire for each channel."""
        width = self.targets[0].kind.width
        for channel, (name, wire) in enumerate(results):
            if wire.fraction != self.targets[0].kind.fraction_bits:
                raise ConversionError(f"layer {self.layer!r}: its output is not of type {self.targets[0].kind}")
            self.lines.append(f"assign out_data[{channel * width}+:{width}] = {extend(name, wire, width)};")

    def apply(
        self, chain: Chain, sources: Sequence[tuple[str, Wire]], thresholds: int = 0, prefix: str = "c"
    ) -> list[tuple[str, Wire]]:
        """The chain applied to each channel's wire: the names of the results, and their ranges.

        `thresholds`: the most comparisons that may stand for a whole chain; `prefix`: of the wires' names.
        """
        chain = tuple(operation for operation in chain if not is_identity(operation))
        results = []
        for channel, (source, wire) in enumerate(sources):
            name = f"{prefix}{channel}"
            self.lines.append(f"{declare(name, wire)} = {source};")
            stairs = staircase(chain, wire, channel, thresholds) if thresholds else None
            wires = ranges(chain, wire, channel)
            if stairs is not None:
                low, high = min(stairs.values), max(stairs.values)
                result = Wire(low, high, wires[-1].fraction)
                self.instance(
                    "thresholds",
                    {
                        "IN_WIDTH": wire.width,
                        "IN_SIGNED": int(wire.signed),
                        "OUT_WIDTH": result.width,
                        "LEVELS": len(stairs.thresholds),
                        "THRESHOLDS": constant(stairs.thresholds, wire.width),
                        "VALUES": constant(stairs.values, result.width),
                    },
                    {"in_data": name, "out_data": f"{name}_level"},
                    f"{name}_thresholds",
                    [f"{declare(f'{name}_level', result)};"],
                )
                results.append((f"{name}_level", result))
                continue
            for step, operation in enumerate(chain):
                target = f"{prefix}{channel}_{step}"
                if isinstance(operation, Lookup):
                    self._look_up(operation, target, name, wires[step], channel)
                elif isinstance(operation, Piecewise) and _looks_up(operation):
                    self._tabulate(operation, target, name, wires[step], channel)
                else:
                    self.lines += verilog.operation(operation, target, name, wires[step], channel)
                name = target
            results.append((name, wires[-1]))
        return results

    def _look_up(self, lookup: Lookup, target: str, source: str, wire: Wire, channel: int) -> None:
        """The index of a table's entry, and the entry."""
        result = lookup.range(wire, channel)
        size = len(lookup.values)
        shift = Fraction(lookup.numerator, lookup.divisor) / Fraction(2) ** wire.fraction
        exponent = verilog.exponent(abs(shift))
        if exponent is None or size & (size - 1):
            raise ConversionError(f"layer {self.layer!r}: a table of 2^n entries wanted, not {size}")
        width = max(wire.width + max(exponent, 0), size.bit_length(), lookup.offset.bit_length()) + 2
        self.lines += verilog.towards_zero(f"{target}_scaled", source, wire, exponent, width)
        sign = "-" if shift < 0 else "+"
        bits = (size - 1).bit_length()
        self.lines += [
            f"wire signed [{width - 1}:0] {target}_at = {width}'sd{lookup.offset} {sign} {target}_scaled;",
            f"wire [{bits - 1}:0] {target}_index = {target}_at < 0 ? '0 : {target}_at > {width}'sd{size - 1}"
            f" ? '1 : {target}_at[{bits - 1}:0];",
            f"{declare(target, result)} = {self._rom(lookup.values, result.width)}[{target}_index];",
        ]

    def _tabulate(self, operation: Piecewise, target: str, source: str, wire: Wire, channel: int) -> None:
        """What an operation makes of each number that comes in, as a table of its own."""
        if wire.high - wire.low >= _MOST_ENTRIES:
            wanted = f"numbers of at most {_MOST_ENTRIES.bit_length() - 1} bits wanted, not of {wire.width}"
            raise ConversionError(f"layer {self.layer!r}: {wanted}, to look them up in a table")
        result = operation.range(wire, channel)
        domain = np.arange(wire.low, wire.high + 1).astype(object)
        entries = [int(value) for value in operation.apply(domain, wire, channel)]
        # The bits of a number as it is; of what never comes in there is any entry.
        table = [0] * (1 << wire.width)
        for number, entry in zip(domain, entries, strict=True):
            table[int(number) % len(table)] = entry
        self.lines.append(f"{declare(target, result)} = {self._rom(table, result.width)}[{source}];")

    def _rom(self, values: Sequence[int], width: int) -> str:
        """The name of a memory with these numbers; one for all channels."""
        key = (tuple(values), width)
        if key not in self._roms:
            name = self._roms[key] = f"rom{len(self._roms)}"
            mask = (1 << width) - 1
            self.lines += [
                f"logic [{width - 1}:0] {name} [0:{len(values) - 1}];",
                "initial begin",
                *(f"    {name}[{at}] = {width}'h{value & mask:x};" for at, value in enumerate(values)),
                "end",
            ]
        return self._roms[key]

    def declare(self, *lines: str) -> None:
        """Add lines."""
        self.lines += lines

    def instance(
        self,
        module: str,
        parameters: Mapping[str, int | str],
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


_COMBINATIONAL = {"thresholds", "chosen_thresholds", "requantize", "divide", "adder_tree", "maximum", "stream_join"}


_MOST_ENTRIES = 1 << 14


def _looks_up(operation: Piecewise) -> bool:
    return any(isinstance(one, Lookup) for one in (*operation.positive, *operation.negative))


def is_identity(operation: object) -> bool:
    """Whether an operation leaves every number as it is."""
    return (
        isinstance(operation, Affine)
        and operation.scale == (1,)
        and operation.scale_fraction == 0
        and not any(operation.bias)
    )


def stream_ports(port: str, wires: str) -> dict[str, str]:
    """The three wires of a stream, connected to a port."""
    return {f"{port}_{side}": f"{wires}_{side}" for side in ("data", "valid", "ready")}


def numbers(data: str, kind: FixedPointType, count: int) -> list[tuple[str, Wire]]:
    """The numbers of a word."""
    return [(f"{data}[{index * kind.width}+:{kind.width}]", Wire.of(kind)) for index in range(count)]


def constant(values: Sequence[int], width: int) -> str:
    """Numbers side by side as one constant, the first in the lowest bits."""
    mask = (1 << width) - 1
    word = sum((value & mask) << (index * width) for index, value in enumerate(values))
    return f"{width * len(values)}'h{word:x}"


def unused(*names: str) -> str:
    """Tell lint that not every bit of these is read."""
    return f"wire unused_{names[0]} = &{{1'b0, {', '.join(names)}}};"
