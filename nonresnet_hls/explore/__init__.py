"""Trade-offs of a network in hardware: the axes of a study, which points are tried, and the Pareto front.

`nr.explore` is this library; called, as `nr.explore("study.toml")`, it is the function of `nonresnet_hls.api`.
"""

import importlib
import sys
import types
from typing import Any


class _Called(types.ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # By its name, since nothing here stands on it.
        return importlib.import_module("nonresnet_hls.api").explore(*args, **kwargs)


sys.modules[__name__].__class__ = _Called
