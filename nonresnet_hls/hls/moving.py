"""hls4ml's functions that move numbers and compute none, as layers of the exact network."""

from typing import Any

import numpy as np
import numpy.typing as npt

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.network import Rearrange
from nonresnet_hls.hls.firmware import Call, Struct, numbers
from nonresnet_hls.hls.reader import Builder, Reader


def _rearrange(reader: Reader, call: Call, index: Any, source_size: int, casts: bool = True) -> None:
    """A layer whose every number is one of its input, -1 standing for zero."""
    source = reader.source(call, 0, source_size)
    target = reader.target(call, 1, call.types[1], int(np.size(index)))
    flat = np.ascontiguousarray(index, dtype=np.int64).reshape(-1)
    kind = reader.kind(call, call.types[1], "result") if casts else None
    reader.layers.append(Rearrange(call.layer, (source,), (target,), flat, kind))


def _image(call: Call, struct: Struct) -> npt.NDArray[np.int64]:
    """The places of an image's numbers: rows x columns x channels."""
    shape = (struct.integer("in_height", 1), struct.integer("in_width"), struct.integer("n_chan"))
    return np.arange(numbers(call.layer, *shape)).reshape(shape)


def _zero_pad(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[2])
    top, bottom, left, right = (struct.integer(f"pad_{side}", 0) for side in ("top", "bottom", "left", "right"))
    image = _image(call, struct)
    height, width, channels = image.shape
    numbers(call.layer, top + height + bottom, left + width + right, channels)
    padded = np.pad(image, ((top, bottom), (left, right), (0, 0)), constant_values=-1)
    _rearrange(reader, call, padded, image.size)


def _crop(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[2])
    image = _image(call, struct)
    top, left = struct.integer("crop_top", 0), struct.integer("crop_left")
    height, width = struct.integer("out_height", 1), struct.integer("out_width")
    _rearrange(reader, call, image[top : top + height, left : left + width], image.size)


def _resize(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[1])
    height, width, channels, new_height, new_width = (
        struct.integer(key) for key in ("height", "width", "n_chan", "new_height", "new_width")
    )
    numbers(call.layer, new_height, new_width, channels)
    rows, columns = (
        (np.arange(new) * ((old << 16) // new + 1)) >> 16 for old, new in ((height, new_height), (width, new_width))
    )
    image = np.arange(numbers(call.layer, height, width, channels)).reshape(height, width, channels)
    resized = Call(call.layer, call.function, (call.types[0], call.types[0]), call.arguments)
    _rearrange(reader, resized, image[rows][:, columns], image.size, casts=False)


def _transpose(reader: Reader, call: Call) -> None:
    name = call.types[2]
    lists = [reader.firmware.lists.get(f"{name}_{key}") for key in ("from_shape", "perm")]
    if None in lists:
        raise ConversionError(f"layer {call.layer!r}: the shape and order of {name} wanted in parameters.h, none found")
    shape, order = ([int(one) for one in found or ()] for found in lists)
    index = np.arange(numbers(call.layer, *shape)).reshape(shape).transpose(order)
    _rearrange(reader, call, index, index.size)


def _repack(reader: Reader, call: Call) -> None:
    size = reader.number(call, 2)
    _rearrange(reader, call, np.arange(size), size)


def _broadcast(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[2])
    before, after = (
        tuple(struct.integer(f"{side}_{axis}") for axis in ("height", "width", "chan")) for side in ("in", "out")
    )
    size = numbers(call.layer, *before)
    numbers(call.layer, *after)
    _rearrange(reader, call, np.broadcast_to(np.arange(size).reshape(before), after), size)


BUILDERS: dict[str, Builder] = {
    **{f"zeropad{n}d_cl": _zero_pad for n in (1, 2)},
    **{f"cropping{n}d_cl": _crop for n in (1, 2)},
    "resize_nearest": _resize,
    "transpose": _transpose,
    "repack_stream": _repack,
    "broadcast_stream": _broadcast,
}
"""By function of hls4ml's C++."""
