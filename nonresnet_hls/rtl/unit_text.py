"""The SystemVerilog of one unit, line by line: ports, instances of the library, chains of operations."""

from collections.abc import Mapping, Sequence

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.arithmetic import Affine, Chain, Wire, ranges, staircase
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
    """A module with stream ports `in` or `in0`, `in1`, ... and `out` or `out0`, `out1`, ..."""

    def __init__(self, layer: str, sources: Sequence[Stream], targets: Sequence[Stream], most_thresholds: int) -> None:
        """Begin the unit of a layer."""
        self.layer, self.sources, self.targets = layer, sources, targets
        self.most_thresholds = most_thresholds
        self.name = "unit_" + identifier(layer)
        self.lines: list[str] = []

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
        for index, stream in enumerate(self.targets):
            prefix = "out" if len(self.targets) == 1 else f"out{index}"
            ports += [
                f"output wire {port_range(stream.bits)} {prefix}_data",
                f"output wire {prefix}_valid",
                f"input wire {prefix}_ready",
            ]
        return ",\n".join("    " + port for port in ports)

    def emit_chain(self, chain: Chain, sources: Sequence[tuple[str, Wire]]) -> None:
        """Drive `out_data` with the chain applied to each channel's wire."""
        width = self.targets[0].kind.width
        results = self.apply(chain, sources, self.most_thresholds)
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
                self.instance(
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
                self.lines += verilog.operation(operation, target, name, wires[step], channel)
                name = target
            results.append((name, wires[-1]))
        return results

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


_COMBINATIONAL = {"thresholds", "requantize", "divide", "adder_tree", "maximum", "stream_join"}


def _is_identity(operation: object) -> bool:
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


def _packed(values: Sequence[int], width: int) -> str:
    """Numbers side by side as one constant, the first in the lowest bits."""
    mask = (1 << width) - 1
    word = sum((value & mask) << (index * width) for index, value in enumerate(values))
    return f"{width * len(values)}'h{word:x}"


def unused(*names: str) -> str:
    """Tell lint that not every bit of these is read."""
    return f"wire unused_{names[0]} = &{{1'b0, {', '.join(names)}}};"
