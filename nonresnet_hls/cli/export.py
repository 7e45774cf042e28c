"""Write a recipe's quantized model for other tools: as QONNX, which FINN reads."""

import argparse
from pathlib import Path

from nonresnet_hls.cli import common

NAME = "export"
HELP = "write a recipe's quantized model as QONNX"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe, or path of a .toml file")
    parser.add_argument("--format", choices=("qonnx",), default="qonnx", help="of the file (default: qonnx)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="a new .onnx file (default: RECIPE.onnx)")
    parser.add_argument(
        "--prove", type=int, default=0, metavar="N", help="compare qonnx's own executor with Keras on N test samples"
    )
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write it; exit status 1 if a value differs."""
    from nonresnet_hls import api

    found = api.export(args.recipe, args.workspace, output=args.output, prove=args.prove)
    if args.json:
        common.print_json(found.rows[0])
    else:
        print(found.caption)
    return 0 if found.equal else 1
