"""Recipes: all that defines one model, as frozen dataclasses.

A recipe is a TOML file `models/NAME.toml`. `extends = "OTHER"` takes over another recipe, key by key; what the file
says itself wins.
"""

from nonresnet_hls.recipe.files import BUILT_IN, find, load, names
from nonresnet_hls.recipe.values import (
    Architecture,
    Backend,
    Csim,
    Dataset,
    DatasetName,
    Distillation,
    DistillationLoss,
    Distribution,
    Family,
    FifoDepths,
    Hls,
    Multipliers,
    Optimizer,
    Order,
    Quantization,
    Recipe,
    RtlOptions,
    Schedule,
    SkipStyle,
    Strategy,
    Teacher,
    Training,
    WeightMemory,
    stated,
)

__all__ = [
    "BUILT_IN",
    "Architecture",
    "Backend",
    "Csim",
    "Dataset",
    "DatasetName",
    "Distillation",
    "DistillationLoss",
    "Distribution",
    "Family",
    "FifoDepths",
    "Hls",
    "Multipliers",
    "Optimizer",
    "Order",
    "Quantization",
    "Recipe",
    "RtlOptions",
    "Schedule",
    "SkipStyle",
    "Strategy",
    "Teacher",
    "Training",
    "WeightMemory",
    "find",
    "load",
    "names",
    "stated",
]
