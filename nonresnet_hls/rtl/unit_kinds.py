"""What is inside each kind of unit."""

from collections.abc import Sequence

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.arithmetic import Cast, Chain, Wire
from nonresnet_hls.fixed.network import Clone, Elementwise, Matrix, Merge, Network, Pad, Pool, Reduction, Repeat
from nonresnet_hls.recipe import RtlOptions
from nonresnet_hls.rtl import unit_joins, unit_sums
from nonresnet_hls.rtl.groups import Group
from nonresnet_hls.rtl.unit_draft import Draft, Unit
from nonresnet_hls.rtl.unit_text import numbers, port_range, stream_ports, unused
from nonresnet_hls.rtl.verilog import extend


def unit_of(network: Network, group: Group, options: RtlOptions) -> Unit:
    """The unit of a group of layers."""
    draft = Draft(network, group, options)
    match draft.head:
        case Clone():
            interval = _clone(draft)
        case Pad():
            interval = _pad(draft, draft.head)
        case Repeat():
            interval = _repeat(draft, draft.head)
        case Matrix():
            interval = unit_sums.matrix(draft, draft.head)
        case Pool():
            interval = _pool(draft, draft.head)
        case Merge():
            interval = unit_joins.merge(draft, draft.head)
        case Elementwise():
            interval = _elementwise(draft)
        case _:
            raise ConversionError(f"layer {draft.head.name!r}: OpenRTL builds no {type(draft.head).__name__}")
    return draft.finished(interval)


def _clone(draft: Draft) -> int:
    count, bits = len(draft.targets), draft.sources[0].bits
    for side in ("data", "valid", "ready"):
        width = bits * count if side == "data" else count
        draft.text.lines.append(f"wire {port_range(width)} all_{side};")
    for index in range(count):
        draft.text.lines.append(f"assign out{index}_data = all_data[{index * bits}+:{bits}];")
        draft.text.lines.append(f"assign out{index}_valid = all_valid[{index}];")
        draft.text.lines.append(f"assign all_ready[{index}] = out{index}_ready;")
    draft.text.instance(
        "stream_fork",
        {"WIDTH": bits, "OUTPUTS": count},
        stream_ports("in", "in") | stream_ports("out", "all"),
    )
    return draft.sources[0].words


def _pad(draft: Draft, pad: Pad) -> int:
    draft.text.instance(
        "zero_pad",
        {
            "PIXEL": draft.sources[0].bits,
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


def _repeat(draft: Draft, layer: Repeat) -> int:
    sizes = {"HEIGHT": layer.height, "WIDTH": layer.width, "ROWS": layer.rows, "COLUMNS": layer.columns}
    ports = stream_ports("in", "in") | stream_ports("out", "out")
    draft.text.instance("repeat_pixels", {"PIXEL": draft.sources[0].bits, **sizes}, ports)
    return layer.height * layer.rows * layer.width * layer.columns


def _elementwise(draft: Draft) -> int:
    draft.text.lines += ["assign out_valid = in_valid;", "assign in_ready = out_ready;", unused("clk", "rst")]
    kind = draft.sources[0].kind
    draft.text.emit_chain(draft.chain, numbers("in_data", kind, draft.sources[0].channels))
    return draft.sources[0].words


def _pool(draft: Draft, layer: Pool) -> int:
    stream = draft.sources[0]
    accumulator = Wire.of(layer.accumulator)
    channels, width = stream.channels, layer.accumulator.width
    signed, maximum = int(layer.accumulator.signed), layer.reduction is Reduction.MAXIMUM
    tail: Chain = (Cast(layer.result), *draft.chain)
    if layer.window is None:
        draft.text.declare(*(f"wire {port_range(channels * width)} {name};" for name in ("addends", "totals")))
        _accumulands(draft, layer, numbers("in_data", stream.kind, channels), "addends", "p")
        draft.text.instance(
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
        words = draft.window(layer, stream, "window", "out_valid_wire", "out_ready_wire")
        draft.text.lines += ["assign out_valid = out_valid_wire;", "assign out_ready_wire = out_ready;"]
        pixels = layer.window.kernel_height * layer.window.kernel_width
        draft.text.declare(f"wire {port_range(channels * width)} totals;")
        every = numbers("window", stream.kind, channels * pixels)
        for channel in range(channels):
            terms = f"terms{channel}"
            draft.text.declare(f"wire {port_range(pixels * width)} {terms};")
            _accumulands(draft, layer, every[channel::channels], terms, f"p{channel}_")
            result = f"totals[{channel * width}+:{width}]"
            parameters = {"WIDTH": width, "TERMS": pixels}
            if maximum:
                draft.text.instance(
                    "maximum",
                    parameters | {"SIGNED": signed},
                    {"terms": terms, "greatest": result},
                    f"tree{channel}",
                )
            else:
                draft.text.instance("adder_tree", parameters, {"terms": terms, "total": result}, f"tree{channel}")
    if not maximum:
        draft.text.declare(f"wire {port_range(channels * width)} means;")
        for channel in range(channels):
            part = f"[{channel * width}+:{width}]"
            draft.text.instance(
                "divide",
                {"WIDTH": width, "SIGNED": signed, "DIVISOR": layer.divisor},
                {"in_data": f"totals{part}", "out_data": f"means{part}"},
                f"divide{channel}",
            )
    result = "totals" if maximum else "means"
    parts = [f"{result}[{channel * width}+:{width}]" for channel in range(channels)]
    draft.text.emit_chain(tail, [(part, accumulator) for part in parts])
    return words


def _accumulands(draft: Draft, layer: Pool, sources: Sequence[tuple[str, Wire]], target: str, prefix: str) -> None:
    """The inputs cast to the accumulator's type, side by side in `target`."""
    width = layer.accumulator.width
    for index, (name, wire) in enumerate(draft.text.apply((Cast(layer.accumulator),), sources, prefix=prefix)):
        draft.text.lines.append(f"assign {target}[{index * width}+:{width}] = {extend(name, wire, width)};")
