"""Explore trade-offs: a network with other skips, bits, boards and speeds, and the Pareto front of what comes out.

A study is a TOML file: a network, axes, objectives. Each trial is quantized, its top-1 counted on the whole test set by
exact emulation, and its hardware fitted to the board or synthesised by the open engine. Tables (CSV, Parquet) are
written beside the study.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nonresnet_hls.cli import common

if TYPE_CHECKING:
    from nonresnet_hls.pipeline.explore import Explored

NAME = "explore"
HELP = "try skips, bits and boards, and show the Pareto front"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("study", type=Path, metavar="STUDY.toml", help="what is varied, and what is wanted")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="processes of this machine (default: 1)")
    where.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask scheduler, whose workers do it instead")
    parser.add_argument("--resume", action="store_true", help="go on with a study that was begun")
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the Pareto front, and which trials failed; 1 where a trial was lost, or none is done."""
    from nonresnet_hls import api
    from nonresnet_hls.explore.figures import Status

    found = api.explore(
        args.study, args.workspace, workers=args.workers, scheduler=args.scheduler, resume=args.resume
    ).explored
    if args.json:
        common.print_json({**found.as_dict(), "rows": found.table})
    else:
        _print(found)
    return 0 if found.count(Status.DONE) and not found.count(Status.LOST) else 1


def _print(found: "Explored") -> None:
    from nonresnet_hls.explore.figures import KINDS, SETTINGS, Status
    from nonresnet_hls.reports.render import Table

    study = found.study
    rows = [row for row, on in zip(found.rows, found.on_front, strict=True) if on]
    settings = [name for name in SETTINGS if any(row.settings[name] is not None for row in found.rows)]
    figures = [name for name in KINDS if name in study.objectives]
    headings = ("trial", *(_HEADINGS.get(name, name) for name in settings), *(KINDS[name].title for name in figures))
    cells = [
        (
            str(row.trial),
            *(
                ""
                if row.settings[name] is None
                else f"{row.settings[name]:g}"
                if name == "wanted_fps"
                else str(row.settings[name])
                for name in settings
            ),
            *(_text(name, row.figures[name].value) for name in figures),
        )
        for row in rows
    ]
    numeric = (True, *(name not in ("skips", "board", "engine") for name in settings), *(True for _ in figures))
    print(common.table_text(Table(headings, tuple(cells), numeric), [_basis(found, figures)] if rows else []))
    counts = ", ".join(f"{found.count(status)} {status}" for status in Status if found.count(status))
    print(f"{study.name}: {counts} of {study.planned} trials; {len(rows)} on the Pareto front, above")
    for row in found.rows:
        if row.status is not Status.DONE:
            print(f"trial {row.trial}, {row.name}: {row.status}: {row.reason}")
    if found.ran < len(found.rows):
        print(f"{found.ran} of them ran now, the others had ended before")
    print(f"all trials: {study.folder / 'trials.csv'}")
    if found.count(Status.LOST):
        print(f"lost trials are tried again by: nonresnet-hls explore {study.file} --resume")


_HEADINGS = {
    "weight_bits": "weights",
    "activation_bits": "activations",
    "wanted_fps": "wanted fps",
    "wanted_reuse_factor": "reuse",
}


def _text(name: str, value: float) -> str:
    return f"{100 * value:.2f} %" if name == "top1" else f"{value:,.0f}"


def _basis(found: "Explored", figures: list[str]) -> str:
    """Which figures are measured and which are modelled."""
    from nonresnet_hls.explore.figures import KINDS

    told: dict[str, list[str]] = {}
    for name in figures:
        bases = {str(row.figures[name].basis) for row, on in zip(found.rows, found.on_front, strict=True) if on}
        told.setdefault(" or ".join(sorted(bases)), []).append(KINDS[name].title)
    return "; ".join(f"{', '.join(names)}: {basis}" for basis, names in told.items())
