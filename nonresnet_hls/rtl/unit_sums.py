"""Inside units of sums of products: adder graphs, and folded matrix-vector products with their weights."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from math import ceil
from typing import NamedTuple

from nonresnet_hls.fixed.arithmetic import Chain, Wire
from nonresnet_hls.fixed.network import Matrix, Stream
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.recipe import Multipliers, RtlOptions, WeightMemory
from nonresnet_hls.rtl import adder_graph, unit_joins
from nonresnet_hls.rtl.unit_draft import Draft, Numbers
from nonresnet_hls.rtl.unit_text import constant, port_range, unused

_DSP_WIDTH = 25
"""Bits of the wider factor of a DSP48E1."""


class Folding(NamedTuple):
    """How a folded unit goes through its matrix."""

    input_folds: int
    output_folds: int
    columns: int
    """Of multipliers: inputs at a time."""
    rows: int
    """Of multipliers: outputs at a time."""

    @property
    def folds(self) -> int:
        """Cycles for each result."""
        return self.input_folds * self.output_folds


def folding(layer: Matrix, reuse_factor: int) -> Folding:
    """What a reuse factor makes of a layer: inputs are folded first, then outputs."""
    inputs, outputs = layer.kernel.shape
    input_folds = min(reuse_factor, inputs)
    output_folds = min(max(1, reuse_factor // input_folds), outputs)
    return Folding(input_folds, output_folds, ceil(inputs / input_folds), ceil(outputs / output_folds))


def is_adder_graph(layer: Matrix, reuse_factor: int) -> bool:
    """Whether the products are made by an adder graph, not folded."""
    return reuse_factor == 1 and layer.drop == 0


def interval(steps: int, layer: Matrix, folds: int) -> int:
    """Cycles an image, of the steps of its windows and of the folds of each result (0 or 1: none)."""
    products = 1 if layer.window is None else layer.window.positions
    return steps + products * (max(folds, 1) - 1)


def in_dsp_blocks(layer: Matrix, kind: FixedPointType, options: RtlOptions) -> bool:
    """Whether a folded unit's products may be made in DSP blocks; `kind` is that of its inputs."""
    choice = options.multipliers
    enough = kind.width >= 5 and layer.kernel_width >= 5
    return not layer.binary and (choice is Multipliers.DSP or (choice is not Multipliers.LUT and enough))


def is_packed(layer: Matrix, kind: FixedPointType, rows: int, options: RtlOptions) -> bool:
    """Whether two rows of a folded unit share their DSP blocks."""
    fits = kind.width + 2 * layer.kernel_width + 1 <= _DSP_WIDTH
    return options.multipliers is Multipliers.PACKED and in_dsp_blocks(layer, kind, options) and rows > 1 and fits


def in_block_ram(options: RtlOptions, words: int, bits: int) -> bool:
    """Whether the weights of a folded unit, so many words of so many bits, are kept in block RAM."""
    large = words > 64 or words * bits > 32 * 1024
    return options.weights is WeightMemory.BLOCK_RAM or (options.weights is WeightMemory.AUTO and large)


def matrix(draft: Draft, layer: Matrix) -> int:
    """Windows, their sums, what follows on the fly; returns the cycles that an image takes."""
    stream = draft.sources[0]
    adders = is_adder_graph(layer, layer.reuse_factor)
    steps = draft.window(layer, stream, "window", "window_valid", "window_ready", moving=adders)
    chain = (*layer.chain, *draft.chain)
    if adders:
        sources, chain = _adders(draft, layer, stream, chain)
        split = 0
    else:
        wires = [_sum(layer, stream.kind, channel) for channel in range(layer.kernel.shape[1])]
        split = draft.multiplications(chain, wires)
        sources = _folded(draft, layer, stream, wires, split > 0)
    if draft.group.merge is not None:
        unit_joins.joined(draft, draft.group.merge, chain, sources)
        return interval(steps, layer, draft.folds)
    if split:
        tail = draft.begin_tail()
        sources = draft.registered("s", draft.text.apply(chain[:split], sources, prefix="s"), tail)
        draft.tail_stages = 1
        draft.text.lines.append("assign own_ready = tail_ready;")
        draft.end_tail("own_valid")
    draft.text.emit_chain(chain[split:], sources)
    return interval(steps, layer, draft.folds)


def _own_results(draft: Draft, registers: bool) -> dict[str, str]:
    """Where valid and ready of what the unit computes go: out, or to the registers behind that."""
    if not registers and draft.group.merge is None:
        return {"out_valid": "out_valid", "out_ready": "out_ready"}
    draft.text.declare("wire own_valid, own_ready;")
    return {"out_valid": "own_valid", "out_ready": "own_ready"}


def _adders(draft: Draft, layer: Matrix, stream: Stream, chain: Chain) -> tuple[list[tuple[str, Wire]], Chain]:
    """The sums of an adder graph, behind the multiplications of the chain if it has some, and the chain's rest."""
    wire = Wire.of(stream.kind)
    graph = adder_graph.solve(layer.kernel, wire)
    name = f"{draft.name}_adders"
    module = adder_graph.module(name, graph, wire, stream.kind.width, draft.options.adders_per_stage)
    draft.extra.append((name, module.verilog))
    fraction = stream.kind.fraction_bits + layer.kernel_fraction
    ranges = [replace(result, fraction=fraction) for result in module.outputs]
    # Before a join sums are left as they are: with the other operand they may come to few values.
    split = draft.multiplications(chain, ranges) if draft.group.merge is None else 0
    rest = chain[split:]
    # Where each adder has a stage of its own, so has what is compared with constants.
    apart = draft.group.merge is None and draft.options.adders_per_stage == 1 and bool(rest)
    draft.stages = module.stages + (split > 0) + apart
    draft.text.declare("wire enable;", f"wire {port_range(module.width * len(module.outputs))} sums;")
    ports = {"in_valid": "window_valid", "in_ready": "window_ready", "enable": "enable"}
    # Before a join it must fill itself: what it meets may come later, out of its own way.
    control = {"STAGES": draft.stages, "WAITS": int(draft.group.merge is None)}
    draft.text.instance("pipeline_control", control, ports | _own_results(draft, registers=False))
    draft.text.lines.append(f"{name} adders (.clk(clk), .enable(enable), .x(window), .y(sums));")
    parts = [f"sums[{index * module.width}+:{result.width}]" for index, result in enumerate(ranges)]
    sources = list(zip(parts, ranges, strict=True))
    draft.text.lines.append(unused("sums"))
    if split:
        sources = draft.registered("s", draft.text.apply(chain[:split], sources, prefix="s"), "enable")
    if apart:
        done = draft.text.apply(rest, sources, draft.options.most_thresholds, prefix="t")
        return draft.registered("t", done, "enable"), ()
    return sources, rest


def _folded(draft: Draft, layer: Matrix, stream: Stream, wires: Sequence[Wire], registers: bool) -> Numbers:
    """The sums of a folded unit; `registers`: whether some follow behind it."""
    inputs, outputs = layer.kernel.shape
    folded = folding(layer, layer.reuse_factor)
    input_folds, output_folds, columns, rows = folded
    folds = draft.folds = folded.folds
    width = max(wire.width + (not wire.signed) for wire in wires)
    weight = layer.kernel_width
    draft.dsp = in_dsp_blocks(layer, stream.kind, draft.options)
    packed = is_packed(layer, stream.kind, rows, draft.options)
    every = [_fold_weights(layer, fold, input_folds, columns, rows) for fold in range(folds)]
    if packed:
        every = [_in_pairs(weights, columns, weight) for weights in every]
    bits = 2 * weight + 1 if packed else weight
    word = bits * len(every[0])
    draft.extra.append((f"{draft.name}_weights", _weight_memory(draft, [constant(each, bits) for each in every], word)))
    address = port_range(max(1, (folds - 1).bit_length()))
    draft.text.declare(
        f"wire {port_range(outputs * width)} sums;",
        "wire weights_read;",
        f"wire {address} weights_at;",
        f"wire {port_range(word)} weights;",
    )
    draft.text.lines.append(
        f"{draft.name}_weights memory (.clk(clk), .read(weights_read), .at(weights_at), .weights(weights));"
    )
    draft.text.instance(
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
            "PACKED": int(packed),
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
        | _own_results(draft, registers),
    )
    draft.text.lines.append(unused("sums"))
    return [(f"sums[{i * width}+:{wire.width}]", wire) for i, wire in enumerate(wires)]


def _sum(layer: Matrix, kind: FixedPointType, channel: int) -> Wire:
    """The range of one output's sum of products."""
    low = high = 0
    for value in layer.kernel[:, channel].tolist():
        ends = sorted((value * kind.min_mantissa, value * kind.max_mantissa))
        low += ends[0] >> layer.drop
        high += ends[1] >> layer.drop
    return Wire(low, high, kind.fraction_bits + layer.kernel_fraction - layer.drop)


def _weight_memory(draft: Draft, words: Sequence[str], bits: int) -> str:
    address = port_range(max(1, (len(words) - 1).bit_length()))
    style = "block" if in_block_ram(draft.options, len(words), bits) else "logic"
    values = "\n".join(f"        words[{fold}] = {word};" for fold, word in enumerate(words))
    return f"""// The weights of {draft.head.name}, one word a fold.
module {draft.name}_weights (
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


def _fold_weights(layer: Matrix, fold: int, input_folds: int, columns: int, rows: int) -> list[int]:
    """The weights that a folded unit uses in one fold, row by row."""
    inputs, outputs = layer.kernel.shape
    first_row, first_column = fold // input_folds * rows, fold % input_folds * columns
    found = []
    for o in range(first_row, first_row + rows):
        for i in range(first_column, first_column + columns):
            value = int(layer.kernel[i, o]) if i < inputs and o < outputs else 0
            found.append(int(value > 0) if layer.binary else value)
    return found


def _in_pairs(weights: Sequence[int], columns: int, width: int) -> list[int]:
    """Those of two rows as one number, as `matrix_vector` wants them for two products in one DSP block."""
    rows = [weights[at : at + columns] for at in range(0, len(weights), columns)]
    pairs = zip_longest(rows[::2], rows[1::2], fillvalue=[0] * columns)
    every = [pair for above, below in pairs for pair in zip(above, below, strict=True)]
    return [((lower - (upper < 0)) << width) + (upper & ((1 << width) - 1)) for upper, lower in every]
