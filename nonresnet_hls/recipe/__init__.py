"""Recipes: all that defines one model, as frozen dataclasses.

A recipe is a TOML file `models/NAME.toml`. `extends = "OTHER"` takes over another recipe, key by key; what the file
says itself wins.
"""

from nonresnet_hls.recipe.budget import Budget
from nonresnet_hls.recipe.engine import Multipliers, Padding, RtlOptions, Skips, WeightMemory
from nonresnet_hls.recipe.files import BUILT_IN, check, find, load, names
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
    Loss,
    Metric,
    Optimizer,
    Order,
    Precision,
    Quantization,
    Recipe,
    Schedule,
    SkipStyle,
    Strategy,
    Teacher,
    Training,
    stated,
)

__all__ = [
    "BUILT_IN",
    "Architecture",
    "Backend",
    "Budget",
    "Csim",
    "Dataset",
    "DatasetName",
    "Distillation",
    "DistillationLoss",
    "Distribution",
    "Family",
    "FifoDepths",
    "Hls",
    "Loss",
    "Metric",
    "Multipliers",
    "Optimizer",
    "Order",
    "Padding",
    "Precision",
    "Quantization",
    "Recipe",
    "RtlOptions",
    "Schedule",
    "SkipStyle",
    "Skips",
    "Strategy",
    "Teacher",
    "Training",
    "WeightMemory",
    "check",
    "find",
    "load",
    "names",
    "stated",
]
