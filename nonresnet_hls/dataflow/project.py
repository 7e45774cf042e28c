"""Sizes the FIFOs of a project where it is made: what `pipeline.convert` is given for recipes with sized FIFOs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nonresnet_hls.dataflow.analysis import analyse_project
from nonresnet_hls.dataflow.report import fifo_report
from nonresnet_hls.dataflow.sizing import size_fifos
from nonresnet_hls.dataflow.writing import write_depths

DEPTHS = "fifo_depths.json"


def size_project(project: Path) -> dict[str, Any]:
    """Write sized depths into a project, `fifo_depths.json` beside them; returns totals, and depths by stream.

    `fifo_depths.json` is the report of `nonresnet-hls fifos --json` (see `dataflow.report.FifoReport`).

    Raises:
        ConversionError: the project is not one that hls4ml wrote with io_stream.
    """
    flow = analyse_project(project)
    depths = size_fifos(flow)
    report = asdict(fifo_report(flow, depths))
    write_depths(project, flow, depths.sized)
    (project / DEPTHS).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    totals = {
        name: report[name] for name in ("before", "after", "interval_cycles", "interval_is_lower_bound", "bottleneck")
    }
    return totals | {"depths": {row["stream"]: row["depth_after"] for row in report["rows"]}}
