"""Inside units in which two streams meet."""

from nonresnet_hls.fixed.arithmetic import Affine, Cast, Chain, Wire
from nonresnet_hls.fixed.network import Merge, MergeOperation
from nonresnet_hls.rtl.meeting import Choice, Meeting, costs, merged_range
from nonresnet_hls.rtl.unit_draft import Draft, Numbers
from nonresnet_hls.rtl.unit_text import constant, numbers, port_range, unused
from nonresnet_hls.rtl.verilog import declare, extend, low_bits, unused_bits


def merge(draft: Draft, layer: Merge) -> int:
    """A join of two streams; returns the cycles that an image takes."""
    left, right = (numbers(f"in{side}_data", stream.kind, stream.channels) for side, stream in enumerate(draft.sources))
    if layer.operation is MergeOperation.CONCATENATE:
        _pair(draft, "in0", "out_valid", "out_ready")
        draft.text.lines.append(unused("clk", "rst"))
        draft.text.emit_chain((Cast(layer.result), *draft.chain), [*left, *right])
        return draft.sources[0].words
    tail = draft.begin_tail()
    _pair(draft, "in0", "meets", "tail_ready")
    _meet(draft, layer, (), (Cast(layer.result), *draft.chain), (left, right), tail)
    draft.end_tail("meets")
    return draft.sources[0].words


def joined(draft: Draft, layer: Merge, chain: Chain, sources: Numbers) -> None:
    """The unit's own sums, in whose chain they are not yet, beside another stream."""
    tail = draft.begin_tail()
    _pair(draft, "own", "meets", "tail_ready")
    other = numbers("in1_data", draft.sources[1].kind, draft.sources[1].channels)
    _meet(draft, layer, chain, draft.group.tail, (sources, other), tail)
    draft.end_tail("meets")


def _pair(draft: Draft, left: str, valid: str, ready: str) -> None:
    if valid == "meets":
        draft.text.declare("wire meets;")
    ports = {f"left_{side}": f"{left}_{side}" for side in ("valid", "ready")}
    ports |= {f"right_{side}": f"in1_{side}" for side in ("valid", "ready")}
    draft.text.instance("stream_join", {}, ports | {"out_valid": valid, "out_ready": ready})


def _meet(draft: Draft, layer: Merge, chain: Chain, tail: Chain, both: tuple[Numbers, Numbers], enable: str) -> None:
    """Two operands made one, in registers, and what follows: `chain` is the first's own, before that.

    Of a unit's own sums (the first) and another stream, or of two streams.
    """
    own, other = both
    if layer.operation is MergeOperation.AVERAGE:
        tail = (Affine((1,), 1, (0,), 0), *tail)
    meeting = Meeting(layer.operation, draft.group.side, chain, tail, draft.options.most_thresholds)
    chosen = [meeting.choice(channel, a[1], b[1]) for channel, (a, b) in enumerate(zip(own, other, strict=True))]
    results: Numbers = []
    if all(chosen):
        for channel, (choice, (name, _), (chooses, _)) in enumerate(zip(chosen, own, other, strict=True)):
            assert choice is not None
            results.append(_chosen(draft, f"c{channel}", choice, name, chooses))
        draft.text.drive(draft.registered("c", results, enable))
        draft.tail_stages = 1
        return
    split = draft.multiplications(chain, [wire for _, wire in own]) or len(chain)
    if costs(chain[:split], [wire for _, wire in own]):
        own = draft.registered("o", draft.text.apply(chain[:split], own, prefix="o"), enable)
        other = draft.registered("p", other, enable)
        draft.tail_stages = 1
    own = draft.text.apply(chain[split:], own, prefix="r")
    other = draft.text.apply((), other, prefix="q")
    for channel, pair in enumerate(zip(own, other, strict=True)):
        a, b = pair if meeting.side == 0 else pair[::-1]
        results.append(_merged(draft, layer.operation, f"m{channel}", a, b))
    results = draft.registered("m", results, enable)
    draft.tail_stages += 1
    if costs(tail, [wire for _, wire in results]):
        done = draft.text.apply(tail, results, draft.options.most_thresholds)
        draft.text.drive(draft.registered("t", done, enable))
        draft.tail_stages += 1
    else:
        draft.text.emit_chain(tail, results)


def _chosen(draft: Draft, name: str, choice: Choice, own: str, other: str) -> tuple[str, Wire]:
    """Thresholds of the unit's own number, which the other one chooses."""
    draft.text.declare(f"wire {port_range(choice.own.width)} {name}_own = {own};")
    draft.text.declare(f"wire {port_range(choice.other.width)} {name}_other = {other};")
    draft.text.instance(
        "chosen_thresholds",
        {
            "IN_WIDTH": choice.own.width,
            "IN_SIGNED": int(choice.own.signed),
            "CHOICE": choice.other.width,
            "OUT_WIDTH": choice.result.width,
            "LEVELS": len(choice.values) - 1,
            "THRESHOLDS": constant([each for level in choice.thresholds for each in level], choice.own.width + 1),
            "VALUES": constant(choice.values, choice.result.width),
        },
        {"in_data": f"{name}_own", "choice": f"{name}_other", "out_data": f"{name}_level"},
        f"{name}_thresholds",
        [f"{declare(f'{name}_level', choice.result)};"],
    )
    return f"{name}_level", choice.result


def _merged(
    draft: Draft, operation: MergeOperation, name: str, a: tuple[str, Wire], b: tuple[str, Wire]
) -> tuple[str, Wire]:
    """One number made of two, exact."""
    wire, shifts = merged_range(operation, a[1], b[1])
    if operation is MergeOperation.MULTIPLY:
        draft.dsp = draft.dsp or min(a[1].width, b[1].width) >= 5
    width = max(wire.width, a[1].width + shifts[0], b[1].width + shifts[1]) + 1
    for side, (source, source_wire), shift in zip("ab", (a, b), shifts, strict=True):
        shifted = f"{extend(source, source_wire, width)} <<< {shift}" if shift else extend(source, source_wire, width)
        draft.text.lines.append(f"wire signed {port_range(width)} {name}_{side} = {shifted};")
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
    draft.text.lines.append(f"wire signed {port_range(width)} {name}_wide = {expression};")
    draft.text.lines += unused_bits(f"{name}_wide", width, wire.width)
    return f"{name}_wide{low_bits(width, wire.width)}", wire
