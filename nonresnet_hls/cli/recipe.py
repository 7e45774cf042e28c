"""Write a recipe for a Keras model and data of your own: models/NAME.toml, which every command takes."""

import argparse
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

from nonresnet_hls.cli import common
from nonresnet_hls.errors import RecipeError, shown

NAME = "recipe"
HELP = "write a recipe for a model and data of your own"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=".keras or .h5 file")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FILE",
        help=".npz with x (and y), or x_train, y_train, x_test, y_test",
    )
    parser.add_argument("--name", help="of the recipe (default: that of the model's file)")
    parser.add_argument(
        "--input-type", metavar="TYPE", help='as "ufixed<8,0>" (default: the narrowest that holds the data)'
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.KEY=VALUE", help="another key, as hls.reuse_factor=4"
    )
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write it, and say where."""
    from nonresnet_hls import api

    tables = _tables(args.set)
    found = api.make_recipe(args.model, args.data, args.workspace, name=args.name, input_type=args.input_type, **tables)
    path = common.workspace(args).models / f"{found.name}.toml"
    if args.json:
        common.print_json({"name": found.name, "file": str(path), "input_type": str(found.dataset.input_type)})
    else:
        print(f"{path}: input {found.dataset.input_type}; next: nonresnet-hls csim {found.name}")
    return 0


def _tables(said: list[str]) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = defaultdict(dict)
    for one in said:
        where, equals, text = one.partition("=")
        table, point, key = where.strip().partition(".")
        if not (equals and point and table and key):
            raise RecipeError(f"--set: TABLE.KEY=VALUE wanted, not {shown(one)}")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError, ValueError):
            value = text.strip()  # a word without quotes
        tables[table][key] = value
    return tables
