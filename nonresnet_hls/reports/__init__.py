"""Vendor reports as typed values and as pandas tables.

    rows = reports.merge(reports.read("hls_projects/resnet20"))
    reports.frame(rows)[["design", "stage", "lut", "bram_18k"]]

`read` and `scan` find and read the reports, `merge` makes one row per design and stage, `fifos` lists FIFOs,
`compare` puts designs side by side; `frame`, `module_frame`, `loop_frame`, `fifo_frame` and `comparison_frame` make
tables. pandas is imported by these alone, so that reading a report stays quick.
"""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nonresnet_hls.reports.compare import Comparison, compare
from nonresnet_hls.reports.discover import Scan, read, scan
from nonresnet_hls.reports.merge import merge
from nonresnet_hls.reports.values import COLUMNS, DERIVED, RESOURCES, Fifo, Kind, Loop, Module, Report, Stage

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "DERIVED",
    "RESOURCES",
    "Comparison",
    "Fifo",
    "Kind",
    "Loop",
    "Module",
    "Report",
    "Scan",
    "Stage",
    "compare",
    "comparison_frame",
    "fifo_frame",
    "fifos",
    "frame",
    "loop_frame",
    "merge",
    "module_frame",
    "read",
    "scan",
]


def fifos(path: str | os.PathLike[str]) -> list[Fifo]:
    """The FIFOs of the designs in `path`, in the order of the reports.

    Raises:
        ReportError: as `read` does.
    """
    return [fifo for row in merge(read(path)) for fifo in row.fifos]


def frame(reports: Iterable[Report]) -> "pd.DataFrame":
    """One row per record, the typed columns of `COLUMNS` and `DERIVED`."""
    from nonresnet_hls.reports import frames

    return frames.frame(reports)


def module_frame(reports: Iterable[Report]) -> "pd.DataFrame":
    """One row per module: design, stage, path and the fields of `Module`."""
    from nonresnet_hls.reports import frames

    return frames.module_frame(reports)


def loop_frame(reports: Iterable[Report]) -> "pd.DataFrame":
    """One row per loop: design, stage, path and the fields of `Loop`."""
    from nonresnet_hls.reports import frames

    return frames.loop_frame(reports)


def fifo_frame(reports: Iterable[Report]) -> "pd.DataFrame":
    """One row per FIFO: design, stage, path and the fields of `Fifo`."""
    from nonresnet_hls.reports import frames

    return frames.fifo_frame(reports)


def comparison_frame(comparisons: Sequence[Comparison]) -> "pd.DataFrame":
    """One row per stage and metric: each design's value and its change from the first in percent."""
    from nonresnet_hls.reports import frames

    return frames.comparison_frame(comparisons)
