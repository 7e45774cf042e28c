"""Constant matrix-vector products as graphs of adders, found by `da4ml` (distributed arithmetic).

The graph is kept as plain integers, so that it can be evaluated beside the SystemVerilog that it becomes.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.arithmetic import Wire
from nonresnet_hls.rtl.cache import cached
from nonresnet_hls.rtl.verilog import declare, extend, low_bits, lowest, unused_bits


@dataclass(frozen=True)
class Adder:
    """(left << left_shift) +- (right << right_shift); a node of the graph."""

    left: int
    left_shift: int
    right: int
    right_shift: int
    subtract: bool


@dataclass(frozen=True)
class Output:
    """+-(node << shift); node None: zero. A negative shift drops bits that are always zero."""

    node: int | None
    shift: int
    negate: bool


@dataclass(frozen=True)
class AdderGraph:
    """Nodes 0 .. inputs-1 are the inputs, the adders follow in an order in which they can be evaluated."""

    inputs: int
    adders: tuple[Adder, ...]
    outputs: tuple[Output, ...]

    def evaluate(self, x: Sequence[int]) -> list[int]:
        """The product for one vector of integers."""
        nodes = list(x)
        for adder in self.adders:
            right = nodes[adder.right] << adder.right_shift
            nodes.append((nodes[adder.left] << adder.left_shift) + (-right if adder.subtract else right))
        return [
            0 if out.node is None else (-1 if out.negate else 1) * _shift(nodes[out.node], out.shift)
            for out in self.outputs
        ]


def _shift(value: int, by: int) -> int:
    return value << by if by >= 0 else value >> -by


def solve(kernel: npt.NDArray[np.int64], wire: Wire) -> AdderGraph:
    """The adder graph of `x @ kernel` for a vector of integers of the wire's range.

    Args:
        kernel: integers, inputs x outputs.
        wire: the range of every input; its fraction is of no account.
    """
    key = hashlib.sha256(
        json.dumps([version("da4ml"), 1, wire.low, wire.high, kernel.shape, kernel.tolist()]).encode()
    ).hexdigest()
    return cached(
        f"adders-{key}.json", lambda: json.dumps(asdict(_solve(kernel, wire))), lambda text: _read(text, kernel)
    )


def _read(text: str, kernel: npt.NDArray[np.int64]) -> AdderGraph:
    """A graph as it was kept.

    Raises:
        ValueError: it is none, or computes another product than that with the kernel.
    """
    raw = json.loads(text)
    graph = AdderGraph(
        raw["inputs"],
        tuple(Adder(**adder) for adder in raw["adders"]),
        tuple(Output(**output) for output in raw["outputs"]),
    )
    if not computes(graph, kernel):
        raise ValueError("an adder graph of another kernel")
    return graph


_MOST_SHIFT = 64
_MOST_WEIGHT = 1 << 62


def computes(graph: AdderGraph, kernel: npt.NDArray[np.int64]) -> bool:
    """Whether a graph computes `x @ kernel` for every vector of integers.

    Every node is a weighted sum of the inputs; an output is a column of the kernel if its weights are. A negative
    shift drops bits: the weights themselves must be multiples, so that none is lost whatever the inputs are.
    """
    inputs, outputs = kernel.shape
    if graph.inputs != inputs or len(graph.outputs) != outputs:
        return False
    weights = np.zeros((inputs + len(graph.adders), inputs), dtype=np.int64)
    weights[:inputs] = np.eye(inputs, dtype=np.int64)
    largest = [1] * inputs
    for index, adder in enumerate(graph.adders, inputs):
        operands = ((adder.left, adder.left_shift), (adder.right, adder.right_shift))
        if not all(_within(node, 0, index) and _within(shift, 0, _MOST_SHIFT) for node, shift in operands):
            return False
        # Nothing runs over: what is larger is no sum of this kernel.
        largest.append(sum(largest[node] << shift for node, shift in operands))
        if largest[-1] >= _MOST_WEIGHT:
            return False
        left, right = (weights[node] << shift for node, shift in operands)
        weights[index] = left - right if adder.subtract else left + right
    return all(_is_column(out, column, weights) for out, column in zip(graph.outputs, kernel.T, strict=True))


def _is_column(out: Output, column: npt.NDArray[np.int64], weights: npt.NDArray[np.int64]) -> bool:
    if out.node is None:
        return not column.any()
    if not _within(out.node, 0, len(weights)) or not _within(out.shift, -_MOST_SHIFT, _MOST_SHIFT):
        return False
    found, wanted = weights[out.node].astype(object), column.astype(object)
    if out.negate:
        found = -found
    return bool((found << max(out.shift, 0) == wanted << max(-out.shift, 0)).all())


def _within(value: object, least: int, end: int) -> bool:
    return type(value) is int and least <= value < end


def compile_solver() -> None:
    """Have da4ml compile itself, which takes a minute once in an environment; later calls find it compiled."""
    _solve(np.array([[1, -1], [1, 1]]), Wire(0, 3, 0))


def _solve(kernel: npt.NDArray[np.int64], wire: Wire) -> AdderGraph:
    from da4ml.cmvm import QInterval
    from da4ml.cmvm import solve as da4ml_solve

    intervals = [QInterval(float(wire.low), float(wire.high), 1.0)] * kernel.shape[0]
    # Always called with the same argument types: each other combination would be compiled anew, for a minute.
    # (A memory layout is part of a type.)
    weights = kernel.astype(np.float32, order="C")
    pipeline = da4ml_solve(weights, qintervals=intervals, adder_size=1, carry_size=-1)
    inputs = kernel.shape[0]
    adders: list[Adder] = []
    # Of every node the integer's weight: node value = integer * 2**exponent, negated where `sign` says so.
    current = [Output(i, 0, False) for i in range(inputs)]
    for stage in pipeline.solutions:
        values: list[Output] = []
        for op in stage.ops:
            if op.opcode == -1:
                source = current[op.id0]
                values.append(Output(source.node, source.shift + int(stage.inp_shifts[op.id0]), source.negate))
                continue
            if op.opcode not in (0, 1):
                raise ConversionError(f"da4ml: adders alone wanted, not operation {op.opcode}")
            left, right = values[op.id0], values[op.id1]
            right = Output(right.node, right.shift + int(op.data), right.negate ^ (op.opcode == 1))
            values.append(_add(adders, inputs, left, right))
        current = [
            Output(None, 0, False)
            if index < 0
            else Output(values[index].node, values[index].shift + int(shift), values[index].negate ^ bool(negate))
            for index, shift, negate in zip(stage.out_idxs, stage.out_shifts, stage.out_negs, strict=True)
        ]
    return AdderGraph(inputs, tuple(adders), tuple(current))


def _add(adders: list[Adder], inputs: int, left: Output, right: Output) -> Output:
    """One more adder, whose result has the sign of `left`; zero operands need none."""
    if left.node is None:
        return right
    if right.node is None:
        return left
    shift = min(left.shift, right.shift)
    subtract = left.negate ^ right.negate
    adders.append(Adder(left.node, left.shift - shift, right.node, right.shift - shift, subtract))
    return Output(inputs + len(adders) - 1, shift, left.negate)


@dataclass(frozen=True)
class AdderModule:
    """An adder graph as a SystemVerilog module."""

    name: str
    verilog: str
    outputs: tuple[Wire, ...]
    """Range of each output."""
    stages: int
    """Registers between input and output."""
    width: int
    """Bits of each output in `y`, sign-extended where the range needs fewer."""


def module(name: str, graph: AdderGraph, wire: Wire, in_width: int, adders_per_stage: int) -> AdderModule:
    """The graph as a pipeline with a register after every `adders_per_stage` adders, and one at the end.

    Ports: `clk`, `enable`, `x` (the inputs, `in_width` bits each), `y` (the outputs, `width` bits each).
    """
    wires = node_ranges(graph, wire)
    levels = [0] * graph.inputs
    for adder in graph.adders:
        levels.append(max(levels[adder.left], levels[adder.right]) + 1)
    stages = [max(0, (level - 1) // adders_per_stage) for level in levels]
    final = max((stages[out.node] for out in graph.outputs if out.node is not None), default=0)
    last_use = list(stages)
    for index, adder in enumerate(graph.adders, graph.inputs):
        for operand in (adder.left, adder.right):
            last_use[operand] = max(last_use[operand], stages[index])
    for out in graph.outputs:
        if out.node is not None:
            last_use[out.node] = final

    results = tuple(_output_range(out, wires) for out in graph.outputs)
    width = max(result.width + (not result.signed) for result in results)
    lines = [
        f"// {graph.inputs} inputs, {len(graph.adders)} adders, {len(graph.outputs)} outputs, in {final + 1} stages.",
        f"module {name} (",
        "    input wire clk,",
        "    input wire enable,",
        f"    input wire [{graph.inputs * in_width - 1}:0] x,",
        f"    output wire [{len(results) * width - 1}:0] y",
        ");",
    ]
    used = {operand for adder in graph.adders for operand in (adder.left, adder.right)}
    used |= {out.node for out in graph.outputs if out.node is not None}

    def at(node: int, stage: int) -> str:
        return f"n{node}" if stage == stages[node] else f"n{node}_{stage}"

    unread: list[int] = []
    for node, node_wire in enumerate(wires):
        if node not in used:
            unread.append(node)
            continue
        if node < graph.inputs:
            lines.append(f"    {declare(f'n{node}', node_wire)} = x[{node * in_width}+:{node_wire.width}];")
        else:
            adder = graph.adders[node - graph.inputs]
            lines += ["    " + line for line in _adder_lines(node, adder, wires, stages[node], at)]
        for stage in range(stages[node] + 1, last_use[node] + 1):
            register = declare(f"n{node}_{stage}", node_wire).replace("wire", "reg", 1)
            lines.append(f"    {register};")
            lines.append(f"    always @(posedge clk) if (enable) n{node}_{stage} <= {at(node, stage - 1)};")
    for index, (out, result) in enumerate(zip(graph.outputs, results, strict=True)):
        lines.append(f"    reg [{result.width - 1}:0] y{index};")
        lines += ["    " + line for line in _output_lines(index, out, result, wires, at, final)]
        lines.append(f"    assign y[{index * width}+:{width}] = {extend(f'y{index}', result, width)};")
    for node in unread:
        if node < graph.inputs:
            lines.append(f"    wire unused{node} = &{{1'b0, x[{node * in_width}+:{in_width}]}};")
    lines.append("endmodule")
    return AdderModule(name, "\n".join(lines) + "\n", results, final + 1, width)


def _output_range(out: Output, wires: Sequence[Wire]) -> Wire:
    if out.node is None:
        return Wire(0, 0, 0)
    low, high = _shift(wires[out.node].low, out.shift), _shift(wires[out.node].high, out.shift)
    return Wire(-high, -low, 0) if out.negate else Wire(low, high, 0)


def _adder_lines(
    node: int, adder: Adder, wires: Sequence[Wire], stage: int, at: Callable[[int, int], str]
) -> list[str]:
    """The lines of one adder: operands as wide as its result and one bit more, then the result's bits."""
    result = wires[node]

    def operand(source: int, shift: int, width: int) -> str:
        text = extend(at(source, stage), wires[source], width)
        return f"({text} <<< {shift})" if shift else text

    width = max(result.width, wires[adder.left].width + adder.left_shift, wires[adder.right].width + adder.right_shift)
    sign = "-" if adder.subtract else "+"
    left, right = operand(adder.left, adder.left_shift, width), operand(adder.right, adder.right_shift, width)
    if width == result.width:
        return [f"{declare(f'n{node}', result)} = {left} {sign} {right};"]
    return [
        f"wire [{width - 1}:0] n{node}_sum = {left} {sign} {right};",
        *lowest(f"n{node}", f"n{node}_sum", width, result),
    ]


def _output_lines(
    index: int, out: Output, result: Wire, wires: Sequence[Wire], at: Callable[[int, int], str], final: int
) -> list[str]:
    if out.node is None:
        return [f"always @(posedge clk) if (enable) y{index} <= '0;"]
    source = wires[out.node]
    width = max(result.width, source.width + max(out.shift, 0))
    text = extend(at(out.node, final), source, width)
    shifted = f"({text} <<< {out.shift})" if out.shift > 0 else f"({text} >>> {-out.shift})" if out.shift < 0 else text
    lines = [f"wire signed [{width - 1}:0] y{index}_value = {'-' if out.negate else ''}{shifted};"]
    lines += unused_bits(f"y{index}_value", width, result.width)
    lines.append(f"always @(posedge clk) if (enable) y{index} <= y{index}_value{low_bits(width, result.width)};")
    return lines


def node_ranges(graph: AdderGraph, wire: Wire) -> list[Wire]:
    """The exact range of every node: each is a weighted sum of the inputs, whatever way it was added up."""
    weights = np.zeros((graph.inputs + len(graph.adders), graph.inputs), dtype=np.int64)
    weights[: graph.inputs] = np.eye(graph.inputs, dtype=np.int64)
    for index, adder in enumerate(graph.adders, graph.inputs):
        right = weights[adder.right] << adder.right_shift
        weights[index] = (weights[adder.left] << adder.left_shift) + (-right if adder.subtract else right)
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    return [
        Wire(int(up) * wire.low + int(down) * wire.high, int(up) * wire.high + int(down) * wire.low, 0)
        for up, down in zip(positive, negative, strict=True)
    ]
