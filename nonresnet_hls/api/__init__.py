"""The whole product as functions, for scripts and notebooks; the command line calls these very functions.

>>> import nonresnet_hls as nr
>>> recipe = nr.load_recipe("resblock")
>>> recipe.quantization.weight_bits, recipe.architecture.skips
(1, <SkipStyle.RESIDUAL: 'residual'>)

A function for each subcommand, called like it (`eval` is `evaluate`). Designs are given as they are at hand: a recipe
by name, path or as `Recipe`; a Keras model or its file; a project that hls4ml wrote; a `ModelGraph`. `workspace` is
the folder of `models/` and `hls_projects/` (default: the current one).

    nr.skips(model)                             # the skips of a Keras model, and what they buffer
    nr.fifos(model)                             # how deep its FIFOs must be, and what they cost
    nr.fit("resnet20", "zcu104").reuse_factors  # those that make it fastest there
    nr.emulate(model, inputs=x).outputs         # what the hardware will give, exactly
    nr.explain(model, data=(x, y)).config       # why hardware and Keras differ; the types that cure it
    nr.synth(model, engine="rtl", simulate=True)  # cycles, look-up tables, flip-flops
    nr.page("resnet20", output="resnet20.html")   # all of it to look at, in a browser or a notebook
    nr.csim("resblock").equal                   # trains, quantizes, converts and simulates what is not up to date

Every result shows itself in a notebook and has a `frame`, the same as pandas table.
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

__all__ = [
    "convert",
    "csim",
    "distill",
    "doctor",
    "emulate",
    "emulator",
    "evaluate",
    "explain",
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
