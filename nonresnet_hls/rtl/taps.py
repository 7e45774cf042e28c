"""Skips that windows feed: a pixel passes by in a window long after it came in, and as late as the join needs it."""

from dataclasses import dataclass

from nonresnet_hls.fixed.network import Clone, Elementwise, Layer, Matrix, Merge, Network, Pad
from nonresnet_hls.recipe import Padding, RtlOptions
from nonresnet_hls.rtl.contracts import axes, can_mask
from nonresnet_hls.rtl.wiring import reader, taken_over, window_of


@dataclass(frozen=True)
class Tap:
    """A skip that is fed from the window of the convolutions beside it, instead of by a copy of their input."""

    clone: Clone
    long: str
    """The stream to the convolutions."""
    skip: str
    rows: int
    """Of the image that come in between a pixel and its leaving, and columns of the next one; zeros among them."""
    columns: int


def tap_of(network: Network, clone: Clone, options: RtlOptions) -> Tap | None:
    """The copy that goes to windows, and the skip, that meet again: of the latter what the windows hand on is enough.

    It comes later than a copy would, so what the skip does alone must see no more than a pixel at once; and it must not
    come later than it can be waited for.
    """
    if len(clone.outputs) != 2:
        return None
    found = []
    for long, skip in (clone.outputs, clone.outputs[::-1]):
        pad, join = reader(network, long), reader(network, skip)
        while isinstance(join, Elementwise) or _of_one_pixel(join):
            assert join is not None
            join = reader(network, join.outputs[0])
        if not isinstance(pad, Pad) or not taken_over(network, pad) or not isinstance(join, Merge):
            continue
        rows, columns = _delay(network, pad, join, options)
        if (rows or columns) and _reaches(network, long, join):
            found.append(Tap(clone, long, skip, rows, columns))
    return found[0] if len(found) == 1 else None


def _delay(network: Network, pad: Pad, join: Merge, options: RtlOptions) -> tuple[int, int]:
    """Rows and columns that a pixel may wait in the window behind a padding: none where it cannot."""
    window = window_of(reader(network, pad.outputs[0]))
    if window is None:
        return 0, 0
    down, right = axes(window, pad)
    due = _rows_until(network, pad, join)
    if options.padding is Padding.MASKED and can_mask(window, pad):
        # Steps are made without pixels behind an image, as far as the line memory goes.
        return min(window.kernel_height - 1, due), 0
    # No later than the zeros behind an image bring it out.
    rows = min(down.zeros, due, window.kernel_height - 1)
    columns = right.zeros if rows < due else min(right.zeros, right.kernel - 1 - right.before)
    return rows, min(columns, window.kernel_width - 1)


def _rows_until(network: Network, pad: Pad, join: Merge) -> int:
    """Rows of the image that must have come in below a pixel before the join needs it, at least."""
    rows = 0
    zeros: Pad | None = pad
    layer = reader(network, pad.outputs[0])
    while layer is not None and layer is not join:
        window = window_of(layer)
        if window is not None:
            down, _ = axes(window, zeros)
            rows += (down.kernel - 1 - down.before) * (pad.height // down.size)
        elif not isinstance(layer, Elementwise | Pad):
            break
        zeros = layer if isinstance(layer, Pad) else None
        layer = reader(network, layer.outputs[0])
    return rows


def _of_one_pixel(layer: Layer | None) -> bool:
    window = window_of(layer)
    return isinstance(layer, Matrix) and window is not None and window.kernel_height == window.kernel_width == 1


def _reaches(network: Network, name: str, join: Merge) -> bool:
    """Whether a stream's words have their part in a join."""
    reached = {name}
    for layer in network.layers:  # in the order in which the data flows
        if reached.intersection(layer.inputs):
            reached.update(layer.outputs)
    return bool(reached.intersection(join.inputs))
