"""Skips of any Keras functional model: find them, remove them, shorten them, merge them.

`nr.skips` is this library; called, as `nr.skips(model)`, it is the function of `nonresnet_hls.api`.
"""

import importlib
import sys
import types
from typing import Any

from nonresnet_hls.skips.merging import merge, not_merged
from nonresnet_hls.skips.search import Skip, find
from nonresnet_hls.skips.surgery import not_shortened, remove, shorten

__all__ = ["Skip", "find", "merge", "not_merged", "not_shortened", "remove", "shorten"]


class _Called(types.ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # By its name, since nothing here stands on it.
        return importlib.import_module("nonresnet_hls.api").skips(*args, **kwargs)


sys.modules[__name__].__class__ = _Called
