"""Remove the skips of residual Keras networks and turn them into bit-exact hls4ml projects."""

import importlib
import os
from typing import TYPE_CHECKING, Any

from nonresnet_hls import one_keras

if TYPE_CHECKING:
    from nonresnet_hls.api import (
        convert,
        csim,
        distill,
        doctor,
        emulate,
        emulator,
        evaluate,
        export,
        fifos,
        gather,
        load_recipe,
        make_recipe,
        models,
        quantize,
        quantized_model,
        report,
        synth,
        table1,
        table2,
        train,
    )

__version__ = "0.1.0"

# TensorFlow greets with a screenful about CUDA on every machine without a GPU; its errors still come as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

one_keras.install()


__all__ = [
    "convert",
    "csim",
    "distill",
    "doctor",
    "emulate",
    "emulator",
    "evaluate",
    "export",
    "fifos",
    "gather",
    "load_recipe",
    "make_recipe",
    "models",
    "quantize",
    "quantized_model",
    "report",
    "synth",
    "table1",
    "table2",
    "train",
]


_CALLED = ("explain", "explore", "fit", "page", "skips")
"""Libraries that can be called, as the functions of the same names."""


def __getattr__(name: str) -> Any:
    # `nonresnet_hls.csim` and its like live in `api`; importing the package stays cheap.
    if name in __all__:
        from nonresnet_hls import api

        return getattr(api, name)
    if name in _CALLED:
        return importlib.import_module(f"nonresnet_hls.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, *_CALLED])
