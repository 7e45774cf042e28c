"""Vivado's `report_timing_summary` and `report_timing`.

| Design Timing Summary
WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)  ...
-------      -------  ---------------------  -------------------      -------      -------  ...
-1.791    -3552.662                   6269                77242        0.066        0.000  ...
"""

import re
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Report
from nonresnet_hls.reports.vivado import origin, read_header

_SLACK = re.compile(r"Slack(?: \((?:MET|VIOLATED)\))?\s*:\s*([-+0-9.,]+|inf)\s*(?:ns)?(?:\s.*)?")
_CLOSING = re.compile(r"slack\s+([-+0-9.,]+|inf)")
_SLACKS = {"wns(ns)": "wns_ns", "tns(ns)": "tns_ns", "whs(ns)": "whs_ns", "ths(ns)": "ths_ns"}
_MET = "all user specified timing constraints are met"


def read_timing_summary(source: Source) -> Report:
    """`report_timing_summary`.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    header = read_header(source)
    lines = source.lines
    titles = {line.strip("| \t").lower(): number for number, line in enumerate(lines) if line.startswith("| ")}
    start = titles.get("design timing summary")
    if start is None:
        raise source.truncated("the 'Design Timing Summary'")
    labels_line = start
    while labels_line < len(lines) and "ns(ns)" not in lines[labels_line].lower():
        labels_line += 1
    if labels_line + 2 >= len(lines):
        raise source.truncated("the slacks of the 'Design Timing Summary'")
    labels = [label.lower() for label in re.split(r"\s{2,}", lines[labels_line].strip())]
    cells = lines[labels_line + 2].split()
    if len(cells) != len(labels) or len(lines[labels_line + 1].split()) != len(labels):
        raise source.error(labels_line + 2, f"wanted {len(labels)} slacks and counts, got {len(cells)}")
    figures: dict[str, Any] = {}
    for label, cell in zip(labels, cells, strict=True):
        if label in _SLACKS:
            figures[_SLACKS[label]] = source.figure(labels_line + 2, label, q.decimal, cell)
        else:
            source.figure(labels_line + 2, label, q.decimal, cell)
    if "wns_ns" not in figures and "whs_ns" not in figures:
        raise source.error(labels_line, "no slack among the columns")
    for title in ("clock summary", "intra clock table"):
        if title not in titles:
            raise source.truncated(f"the {title.title()!r}")
    verdict = next((line.strip().lower() for line in lines[labels_line + 3 : labels_line + 8] if line.strip()), "")
    worst = min((value for name, value in figures.items() if value is not None), default=0.0)
    if verdict.startswith(_MET) and worst < 0:
        raise source.error(labels_line + 2, f"a slack of {worst} ns, yet the constraints are said to be met")
    if not _paths(source)[1] and figures.get("wns_ns") is not None and "-no_detailed_paths" not in header.command:
        raise source.truncated("the first path of the 'Timing Details'")
    clock_ns = _only_clock(source, titles["clock summary"])
    return Report(kind=Kind.TIMING_SUMMARY, **origin(source, header), clock_target_ns=clock_ns, **figures)


def _only_clock(source: Source, start: int) -> float | None:
    """The period of the design's clock, where it has one only.

    Clock   Waveform(ns)         Period(ns)      Frequency(MHz)
    -----   ------------         ----------      --------------
    ap_clk  {0.000 2.500}        5.000           200.000
    """
    periods: set[float] = set()
    in_table = False
    for number in range(start + 1, len(source.lines)):
        text = source.lines[number].strip()
        if text.startswith("Clock") and "Period(ns)" in text:
            in_table = True
        elif text.startswith("|") and text.strip("|- "):
            break
        elif in_table and "}" in text:
            cells = text.rpartition("}")[2].split()
            if len(cells) != 2:
                raise source.error(number, "a clock wants a period and a frequency")
            periods.add(source.required(number, "Period(ns)", q.decimal, cells[0]))
    return periods.pop() if len(periods) == 1 else None


def read_timing_paths(source: Source) -> Report:
    """`report_timing`: the worst slack among the paths it lists, which need not be the design's worst.

    Raises:
        ReportError: truncated or corrupted.
    """
    header = read_header(source)
    slacks, opened = _paths(source)
    if not opened and not any("No timing paths" in line for line in source.lines):
        raise source.truncated("the first path")
    return Report(kind=Kind.TIMING_PATHS, **origin(source, header), path_slack_ns=min(slacks, default=None))


def _paths(source: Source) -> tuple[list[float], int]:
    """The slacks of the paths listed in detail, and the number of paths; each ends with its slack again."""
    slacks: list[float] = []
    unconstrained = closed = 0
    for number, line in enumerate(source.lines):
        text = line.strip()
        if text.startswith("Slack"):
            match = _SLACK.fullmatch(text)
            if not match:
                raise source.error(number, f"wanted 'Slack (MET) : ... ns', got {q.quote(text)}")
            value = source.figure(number, "slack", q.decimal, match[1])
            if value is not None:  # "inf": an unconstrained path, which ends without a slack
                slacks.append(value)
            else:
                unconstrained += 1
        elif text.startswith("slack") and _CLOSING.fullmatch(text):
            closed += 1
    if len(slacks) > closed:
        raise source.truncated("the end of its last path")
    return slacks, len(slacks) + unconstrained
