"""Who reads a stream, as far as units need to know."""

from nonresnet_hls.fixed.network import Layer, Matrix, Network, Pad, Pool, Window
from nonresnet_hls.rtl.contracts import axes


def reader(network: Network, name: str) -> Layer | None:
    """What reads a stream, where that is one layer, and nothing outside."""
    readers = [layer for layer in network.layers if name in layer.inputs]
    return readers[0] if len(readers) == 1 and name not in network.outputs else None


def window_of(layer: Layer | None) -> Window | None:
    """The windows that a layer sees, if it does."""
    return layer.window if isinstance(layer, Matrix | Pool) else None


def taken_over(network: Network, pad: Pad) -> bool:
    """Whether windows are all that reads a padded image, and their buffer can add the zeros itself."""
    window = window_of(reader(network, pad.outputs[0]))
    return window is not None and all(axis.shares for axis in axes(window, pad))
