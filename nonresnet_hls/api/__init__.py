"""The whole product as functions, for scripts and notebooks; the command line calls these very functions.

>>> import nonresnet_hls as nr
>>> recipe = nr.load_recipe("resblock")
>>> recipe.quantization.weight_bits, recipe.architecture.skips
(1, <SkipStyle.RESIDUAL: 'residual'>)

A function for each subcommand, called like it (`eval` is `evaluate`). Designs are given as they are at hand: a recipe
by name, path or as `Recipe`; a Keras model or its file; a project that hls4ml wrote; a `ModelGraph`. `workspace` is
the folder of `models/` and `hls_projects/` (default: the current one).

`docs/python.md` shows them at work. Every result shows itself in a notebook and has a `frame`, the same as a pandas
table.
"""

from nonresnet_hls import one_keras
from nonresnet_hls.api.analyses import doctor, emulate, emulator, fifos, fit, gather, models, report, skips, synth
from nonresnet_hls.api.explanations import explain
from nonresnet_hls.api.pages import page
from nonresnet_hls.api.stages import (
    convert,
    csim,
    distill,
    evaluate,
    export,
    load_recipe,
    make_recipe,
    quantize,
    quantized_model,
    table1,
    table2,
    train,
)
from nonresnet_hls.api.studies import explore

__all__ = [
    "convert",
    "csim",
    "distill",
    "doctor",
    "emulate",
    "emulator",
    "evaluate",
    "explain",
    "explore",
    "export",
    "fifos",
    "fit",
    "gather",
    "load_recipe",
    "make_recipe",
    "models",
    "page",
    "quantize",
    "quantized_model",
    "report",
    "skips",
    "synth",
    "table1",
    "table2",
    "train",
]

one_keras.quiet()
