"""Table II: what the designs cost and how fast they are, by engine; printed and saved under tables/.

With --json each design's row also says what its skips cost, beside the same without skips.
"""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from nonresnet_hls.cli import common

if TYPE_CHECKING:
    from nonresnet_hls.reports.render import Table

_NOTES = {
    "assumed": (
        "Clock assumed: the recipe's target, since nothing was placed; synth --engine rtl --place-and-route finds a\n"
        "clock that the design reaches on ECP5."
    ),
    "routed on ECP5": (
        "Clock routed on ECP5: reached there by the same design (nextpnr, speed grade 6); the other figures of the\n"
        "row are of the part, on which nothing was placed."
    ),
}

NAME = "table2"
HELP = "hardware of the designs (Table II)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="default: all that have a project")
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print and save the table."""
    from nonresnet_hls import api

    place = common.workspace(args)
    frame = api.table2(args.recipes, args.workspace)
    notes = [note for basis, note in _NOTES.items() if (frame["clock_basis"] == basis).any()]
    costs = frame.costs
    text, cost_text = _text(frame), _cost_text(costs)
    if args.json:
        common.print_rows(frame.join(costs.drop(columns=frame.columns, errors="ignore")))
    else:
        print(common.table_text(text, notes), end="")
        if len(costs):
            print(f"\nWhat the skips cost, beside the same without skips:\n{common.table_text(cost_text)}", end="")
    # Not before: where nothing can be saved, the figures are there all the same.
    common.save_table(frame, text, place.tables / "table2", notes)
    if len(costs):
        common.save_table(costs, cost_text, place.tables / "table2_skips")
    else:
        common.remove_table(place.tables / "table2_skips")  # of another time
    unmeasured = [str(design) for design in frame.loc[frame["engine"].isna(), "design"]]
    if unmeasured:
        print(
            f"No engine has measured {', '.join(unmeasured)}: run 'nonresnet-hls synth' with Vivado HLS (vivado"
            " backend) or Vitis HLS (vitis backend) on PATH, or with --engine rtl, which needs no vendor tool."
            " FIFO BRAM18 is modelled, by the rule of the tools' own reports.",
            file=sys.stderr,
        )
    return 0


def _word(value: Any) -> str:
    """A text; nothing where pandas has none."""
    return value if isinstance(value, str) else ""


def _text(frame: Any) -> "Table":
    from nonresnet_hls.reports.render import Table

    headings = ["design", "W/A", "engine", "stage", "kHz", "latency", "interval", "clock ns", "clock"]
    headings += ["FF", "FF %", "LUT", "LUT %", "DSP", "DSP %", "BRAM18", "BRAM18 %"]
    headings += ["streams", "FIFO bits", "FIFO BRAM18", "weight bits", "mult/image"]
    rows = []
    row: Any
    for row in frame.itertuples():
        cells = [row.design, f"{row.weights}/{row.activations}"]
        cells += [" ".join(filter(None, (_word(row.engine), _word(row.version)))), _word(row.stage)]
        cells += [common.fixed(row.throughput_khz, 3), common.whole(row.latency_cycles)]
        cells += [common.whole(row.interval_cycles), common.fixed(row.clock_ns, 2), _word(row.clock_basis)]
        for name in ("ff", "lut", "dsp", "bram_18k"):
            cells += [common.whole(getattr(row, name)), common.fixed(getattr(row, f"{name}_percent"), 2)]
        project = (row.streams, row.fifo_bits, row.fifo_bram_18k, row.weight_bits, row.multiplications_per_image)
        rows.append((*cells, *(common.whole(value) for value in project)))
    return Table(tuple(headings), tuple(rows), (False,) * 4 + (True,) * 4 + (False,) + (True,) * 13)


def _cost_text(frame: Any) -> "Table":
    from nonresnet_hls.reports.render import Table

    names = ("lut", "ff", "bram_18k", "dsp", "interval_cycles")
    headings = ["design", "against", "engine", "stage"]
    for title in ("LUT", "FF", "BRAM18", "DSP", "interval"):
        headings += [f"+{title}", f"+{title} %"]
    rows = []
    row: Any
    for row in frame.itertuples():
        cells = [row.design, row.without_skip, row.engine, row.stage]
        for name in names:
            more, share = getattr(row, f"{name}_more"), getattr(row, f"{name}_more_percent")
            cells += [common.whole(more), common.fixed(share, 1)]
        rows.append(tuple(cells))
    return Table(tuple(headings), tuple(rows), (False,) * 4 + (True,) * 10)
