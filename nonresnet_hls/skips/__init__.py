"""Skips of any Keras functional model: find them, remove them, shorten them."""

from nonresnet_hls.skips.search import Skip, find
from nonresnet_hls.skips.surgery import remove, shorten

__all__ = ["Skip", "find", "remove", "shorten"]
