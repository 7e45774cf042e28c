"""Skips of any Keras functional model: find them, remove them, shorten them."""

from nonresnet_hls.skips.search import Skip, find
from nonresnet_hls.skips.surgery import not_shortened, remove, shorten

__all__ = ["Skip", "find", "not_shortened", "remove", "shorten"]
