"""The bar table of the timing model: predicted cycles of every layer against real csynth reports.

    python -m benchmarks.timing [--reports FOLDER] [--json]

A report's worst case is compared with ours: for a convolution of the Resource strategy that is a multiplication
for every pixel, padding included, which no image has; what really happens is what `nonresnet-hls fifos` counts.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.designs import designs
from nonresnet_hls import reports

REPORTS = Path(__file__).parents[1] / ".." / "shared" / "reports"
BAR_PERCENT = 2.0


@dataclass(frozen=True)
class Comparison:
    """One layer. Cycles are the largest latency; errors are relative to the report."""

    design: str
    module: str
    predicted_cycles: int
    reported_cycles: int
    error_percent: float
    why: str


def compare(folder: Path) -> Iterator[Comparison]:
    """Every layer of every design whose report is in `folder`."""
    for design in designs():
        path = folder / design.report
        (report,) = reports.read(path)
        for layer in design.layers:
            found = [m for m in report.modules if m.instance and layer.names(m.instance)]
            if len(found) != 1 or found[0].latency_max_cycles is None:
                raise SystemExit(f"{path}: one module {layer.kernel} ... {layer.ending} wanted, found {len(found)}")
            predicted, reported = layer.program.latency_cycles[1], found[0].latency_max_cycles
            yield Comparison(
                design=design.report.split("/")[0],
                module=str(found[0].instance),
                predicted_cycles=predicted,
                reported_cycles=reported,
                error_percent=100 * (predicted - reported) / max(reported, 1),
                why=layer.why,
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; exit status 1 if the median error misses the bar or an outlier has no explanation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=Path, default=REPORTS, help="folder of the real reports")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    if not args.reports.is_dir():
        raise SystemExit(f"{args.reports}: folder of the real reports wanted, none there")
    rows = list(compare(args.reports))
    median = statistics.median(abs(row.error_percent) for row in rows)
    outliers = [row for row in rows if abs(row.error_percent) > BAR_PERCENT]
    unexplained = [row for row in outliers if not row.why]
    if args.json:
        json.dump({"median_error_percent": median, "rows": [asdict(row) for row in rows]}, sys.stdout, indent=2)
        print()
    else:
        for row in rows:
            why = row.why if abs(row.error_percent) > BAR_PERCENT else ""
            print(
                f"{row.design.split('+')[0]:<20}{row.module[-58:]:<60}{row.predicted_cycles:>8}"
                f"{row.reported_cycles:>8}{row.error_percent:>9.2f} %  {why}"
            )
        print(f"\n{len(rows)} layers, median error {median:.2f} %, {len(outliers)} beyond {BAR_PERCENT} %", end="")
        print(f", {len(unexplained)} of them unexplained")
    return 0 if median < BAR_PERCENT and not unexplained else 1


if __name__ == "__main__":
    sys.exit(main())
