"""What becomes of functions, pools and other shapes when an ONNX graph is lowered."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nonresnet_hls.errors import shown
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.formats.onnx_arithmetic import order, pads_of, sizes, steps
from nonresnet_hls.formats.onnx_values import CHANNELS_LAST, Data, Inputs, OtherOrderError, Range

if TYPE_CHECKING:
    from nonresnet_hls.formats.onnx_lowering import _Lowering as Lowering


def relu(low: "Lowering", inputs: Inputs) -> Data:
    """What is positive."""
    source = low.computed(inputs[0])
    values = source.range
    if values is not None:
        if values.low >= 0:
            return replace(source, uses=low.uses[low.node.output[0]])
        values = Range(0, max(values.high, 0), values.fraction_bits)
    return low.emit("Relu", [source], source.shape, values, source.flattened, source.pooled)


def function(low: "Lowering", inputs: Inputs) -> Data:
    """What hardware looks up in tables."""
    source = low.computed(inputs[0])
    attributes: dict[str, Any] = {}
    if low.node.op_type == "Softmax":
        if source.is_image or source.flattened or low.attribute("axis", -1) not in (1, -1):
            raise low.refuse("a vector wanted for Softmax")
        attributes = {"axis": -1}
    if low.node.op_type == "LeakyRelu":
        attributes = {"alpha": float(low.attribute("alpha", 0.01))}
    kind = low.node.op_type
    return low.emit(kind, [source], source.shape, None, source.flattened, source.pooled, attributes=attributes)


def pool(low: "Lowering", inputs: Inputs) -> Data:
    """The greatest or the mean of each window; windows do not overlap."""
    source = low.computed(inputs[0])
    if len(source.shape) != 4:
        raise low.refuse(f"an image of two dimensions wanted, not {source.shape}")
    order(low, source)
    kernel = sizes(low, "kernel_shape", 2, None)
    strides, pads = sizes(low, "strides", 2), pads_of(low, source, kernel, sizes(low, "strides", 2))
    if strides != kernel or 0 in kernel:
        raise low.refuse(
            f"strides {kernel} as the window wanted, not {strides}: hls4ml's C++ has an assertion against it"
        )
    if any(pads) or set(sizes(low, "dilations", 2)) != {1}:
        raise low.refuse("no pads and dilations wanted: hls4ml's C++ has an assertion against them")
    if low.attribute("ceil_mode", 0) and any(size % step for size, step in zip(source.pixels, strides, strict=True)):
        raise low.refuse("ceil_mode 0 wanted: hls4ml drops it without a word")
    shape = source.shaped(steps(source, kernel, strides, pads), source.channels)
    values, precision = _pooled(source.range, math.prod(kernel), low.node.op_type.startswith("Average"))
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "dilations": (1, 1)}
    options: dict[str, Any] = {"domain": CHANNELS_LAST, "attributes": attributes, "precision": precision}
    return low.emit(low.node.op_type, [source], shape, values, **options)


def _pooled(values: Range | None, count: int, average: bool) -> tuple[Range | None, dict[str, FixedPointType]]:
    """The range of a pool, and the type of its accumulator, in which hls4ml divides."""
    if values is None:
        return None, {}
    if not average:
        return values, {"accum": values.kind}
    bits = count.bit_length() - 1
    if count != 1 << bits:
        return None, {}
    fine = values.fraction_bits + bits
    total = Range(values.low * count * count, values.high * count * count, fine)
    return Range(values.low * count, values.high * count, fine), {"accum": total.kind}


def global_pool(low: "Lowering", inputs: Inputs, average: bool | None = None) -> Data:
    """The greatest or the mean of all pixels."""
    source = low.computed(inputs[0])
    if not 3 <= len(source.shape) <= 4:
        raise low.refuse(f"an image wanted, not {source.shape}")
    if source.pooled:
        return replace(source, uses=low.uses[low.node.output[0]])
    if average is None:
        order(low, source)
        average = "Average" in low.node.op_type
    ones = tuple(1 for _ in source.pixels)
    values, precision = _pooled(source.range, math.prod(source.pixels), average)
    kind = "GlobalAveragePool" if average else "GlobalMaxPool"
    image = [1, source.channels, *source.pixels]
    options: dict[str, Any] = {"attributes": {"image": image}, "precision": precision}
    return low.emit(kind, [source], source.shaped(ones, source.channels), values, pooled=True, **options)


def mean(low: "Lowering", inputs: Inputs) -> Data:
    """Over all pixels: a global pool."""
    axes = low.attribute("axes")
    if axes is None and len(inputs) > 1 and inputs[1] is not None:
        axes = tuple(int(one) for one in low.known(inputs[1], "axes"))
    source = low.computed(inputs[0])
    rank = len(source.shape)
    wanted = tuple(range(1, rank - 1)) if source.last else tuple(range(2, rank))
    got = tuple(sorted(one % rank for one in axes or ()))
    if not source.is_image or got != wanted:
        raise low.refuse(f"a mean over the pixels {wanted} wanted, not over {axes}")
    found = global_pool(low, [source], average=True)
    return (
        found if low.attribute("keepdims", 1) else replace(found, shape=(1, source.channels), last=False, pooled=False)
    )


def reshape(low: "Lowering", inputs: Inputs) -> Data:
    """A flatten, or nothing."""
    source = low.computed(inputs[0])
    kind, total = low.node.op_type, math.prod(source.shape)
    if kind == "Flatten":
        axis = low.attribute("axis", 1)
        target: tuple[int, ...] = (1, total) if axis == 1 else (axis,)
    elif kind == "Reshape":
        said = tuple(int(size) for size in low.known(inputs[1], "shape").reshape(-1))
        keep = not low.attribute("allowzero", 0)
        target = tuple(source.shape[i] if not size and keep else size for i, size in enumerate(said))
        if target.count(-1) == 1:
            target = tuple(total // -math.prod(target) if size == -1 else size for size in target)
    else:
        said = low.attribute("axes")
        if said is None and len(inputs) > 1 and inputs[1] is not None:
            said = tuple(int(one) for one in low.known(inputs[1], "axes").reshape(-1))
        gone = {one % len(source.shape) for one in said or ()}
        target = tuple(size for i, size in enumerate(source.shape) if i not in gone)
    uses = low.uses[low.node.output[0]]
    if target == source.shape:
        return replace(source, uses=uses)
    if target != (1, total):
        raise low.refuse(f"a flatten to {(1, total)} wanted, not {shown(target)}: hls4ml builds no other in a stream")
    if source.pooled:
        return replace(source, shape=target, last=False, pooled=False, uses=uses)
    mixed = not source.last and math.prod(source.pixels) > 1 and source.channels > 1
    flattened = (source.channels, *source.pixels) if mixed else None
    return low.emit("Flatten", [source], target, source.range, flattened)


def transpose(low: "Lowering", inputs: Inputs) -> Data:
    """Channels first or last for the nodes that follow; hardware has them last."""
    source = low.computed(inputs[0])
    rank = len(source.shape)
    perm = low.attribute("perm", tuple(reversed(range(rank))))
    uses = low.uses[low.node.output[0]]
    if perm == tuple(range(rank)):
        return replace(source, uses=uses)
    to_last, to_first = (0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))
    wanted = to_first if source.last else to_last
    if not source.is_image or perm != wanted:
        if source.is_image and perm == (to_last if source.last else to_first):
            raise OtherOrderError(str(low.refuse(f"perm {wanted} wanted, not {perm}")))
        raise low.refuse(f"perm {wanted} wanted, not {shown(perm)}")
    return replace(source, shape=tuple(source.shape[i] for i in perm), last=not source.last, uses=uses)


def same(low: "Lowering", inputs: Inputs) -> Data:
    """What changes nothing."""
    return replace(low.computed(inputs[0]), uses=low.uses[low.node.output[0]])


def concatenate(low: "Lowering", inputs: Inputs) -> Data:
    """Of channels, two at a time."""
    found = low.computed(inputs[0])
    axis, rank = low.attribute("axis", 1), len(found.shape)
    for value in inputs[1:]:
        other = low.computed(value)
        channels = rank - 1 if found.last or rank == 2 else 1
        if axis % rank != channels or found.flattened or found.pooled or other.flattened or other.pooled:
            raise low.refuse(f"a concatenation of channels (axis {channels}) wanted, not along {axis}")
        if (found.pixels, found.last, len(other.shape)) != (other.pixels, other.last, rank):
            raise low.refuse(f"images of one size wanted, not {found.shape} and {other.shape}")
        values = None if found.range is None or other.range is None else found.range.union(other.range)
        total = found.channels + other.channels
        shape = found.shaped(found.pixels, total) if found.is_image else (1, total)
        found = low.emit("Concat", [found, other], shape, values, attributes={"axis": rank - 1})
    return found


def shape_of(_: "Lowering", inputs: Inputs) -> Any:
    """Sizes, for a reshape."""
    import numpy as np

    return np.asarray(inputs[0].shape, np.int64)
