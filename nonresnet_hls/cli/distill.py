"""Run Algorithm 1: take the skips out of a recipe's start network phase by phase, training on after each."""

import argparse

from nonresnet_hls.cli import common, train
from nonresnet_hls.errors import RecipeError

NAME = "distill"
HELP = "remove skips by Algorithm 1 (a recipe with [distillation])"

configure = train.configure


def run(args: argparse.Namespace) -> int:
    """Train recipes that say how to distill, and no other."""
    from nonresnet_hls import api

    for recipe in common.recipes(args):
        if recipe.distillation is None:  # of several, before hours of training
            raise RecipeError(f"recipe {recipe.name}: a [distillation] table wanted, there is none")
    return train.show(args, api.distill)
