"""Which report a file is, by its content, and reading it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports import (
    accelerator,
    cosim,
    csynth_summary,
    csynth_text,
    export,
    finn,
    hls_data,
    hls_log,
    intel,
    nextpnr,
    power,
    timing,
    yosys,
)
from nonresnet_hls.reports.csynth_xml import is_csynth, read_csynth_xml, read_design_size_xml
from nonresnet_hls.reports.export_results import read_export_results
from nonresnet_hls.reports.source import HEAD_BYTES, Source, head_of, load
from nonresnet_hls.reports.utilization import read_utilization
from nonresnet_hls.reports.values import Report
from nonresnet_hls.reports.xmltree import read_tree

Reader = Callable[[Source], Report | None]

# The signatures stand at the beginning: a README that quotes a report is none.
_HLS_TITLE = re.compile(rb"\A\s*(?:[^\n]{0,200}\n)??==\s(?:Vivado|Vitis)(?: Unified)? HLS Report for '")
_HLS4ML_PRINT = re.compile(rb"\A\s*Found [0-9]{1,4} solution\(s\) in ")
_SUMMARY_TITLE = re.compile(rb"\A\s*(?:[^\n]{0,200}\n)??== Synthesis Summary Report of '")
_DESIGN_SIZE_TITLE = re.compile(rb"\A\s*(?:[^\n]{0,200}\n)??== Design Size Report")
_VIVADO = re.compile(rb"\A\s*(?:[^\n]{0,2000}\n){0,5}?\| Tool Version\s*:")
_COMMAND = re.compile(rb"^\| Command\s*:\s*(?:::)?([a-z_]{1,60})", re.MULTILINE)
_EXPORT_RESULTS = re.compile(rb"\A\s*(?:[^\n]{0,200}\n)??== Vivado (?:RTL Synthesis|Place & Route) Results")
_EXPORT = re.compile(rb"\A\s*Implementation tool:")
_COSIM = re.compile(rb"\A\s*Report time\s*:")
_LATENCY = re.compile(rb"\A\s*\$(?:MAX|MIN|AVER)_LATENCY\b")
_XML_REPORT = re.compile(
    rb"<(?:ReportVersion|UserAssignments|PerformanceEstimates|AreaEstimates|AreaReport|TimingReport|RunData)\s*>"
)
_QUARTUS_SUMMARY = re.compile(rb"\A\s*(?:Fitter|Analysis & Synthesis) Status : ")
_QUARTUS_TIMING = re.compile(rb"\A\s*(?:-{10,100}\s*\n)?\s*(?:TimeQuest )?Timing Analyzer Summary\s*\n")
_ONEAPI = re.compile(rb"\A\s*ALUTs: [^\n]{1,60}\n\s*Registers: ")
_YOSYS_STAT = re.compile(rb"\A\s*(?:[0-9.]{1,20} Printing statistics\.\s|=== [^\n]{1,300} ===\s)")
_YOSYS_LOG = re.compile(rb"\A\s*/-{20,}\\\s*\n\s*\|[^\n]*(?:\n\s*\|[^\n]*)?Yosys Open SYnthesis Suite")
_YOSYS_CELLS = re.compile(
    r"[ \t]{0,60}(?:Number of cells:[ \t]{1,60}[0-9]|"
    r"[0-9]{1,15}(?:[ \t]{1,60}[0-9.e+-]{1,20}){0,4}[ \t]{1,60}cells[ \t]{0,60}$)"
)
# Yosys names itself; FINN's reports are told by what their first entries look like.
_YOSYS_JSON = re.compile(rb'"creator"\s*:\s*"Yosys')
_HLS_DATA = re.compile(rb'\A\{\s*"(?:[^\n]{0,300}\n){0,40}?[^\n]{0,300}"(?:RtlTop|FunctionProtocol|ModuleInfo)"\s*:')
_FINN_JSON = re.compile(
    rb'\A\{\s*"[^"]{1,200}"\s*:\s*(?:\[\s*)?\{[^{}]{0,2000}"BRAM_18K"\s*:'
    rb'|\A\{[^{}]{0,2000}"critical_path_cycles"\s*:'
    rb'|\A\{(?=[^{}]{0,2000}"LUT"\s*:)(?=[^{}]{0,2000}"WNS"\s*:)[^{}]{0,2000}"fmax_mhz"\s*:'
    rb'|\A\{(?=[^{}]{0,2000}"latency_cycles"\s*:)[^{}]{0,2000}"fclk\[mhz\]"\s*:'
    rb'|\A\{\s*"' + finn.NODE.pattern.encode() + rb'"\s*:\s*[0-9]'
)

_VIVADO_READERS: dict[bytes, Reader] = {
    b"report_utilization": read_utilization,
    b"report_accelerator_utilization": accelerator.read_accelerator,
    b"report_sdx_utilization": accelerator.read_accelerator,
    b"report_timing_summary": timing.read_timing_summary,
    b"report_timing": timing.read_timing_paths,
    b"report_power": power.read_power,
}


def reader_for(head: bytes, name: str) -> Reader | None:
    """How to read a file called `name` that begins with `head`; None if it is no report that we know.

    Content tells the kind; the name only keeps sources that quote a log from being taken for one.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.decode("utf-16", "replace").encode("utf-8", "replace")
    head = head.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in head:
        return None
    head = head.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    start = head.lstrip()[:1]
    if start == b"<":
        return _xml if _XML_REPORT.search(head) or b"<design_size" in head else None
    if start == b"{":
        known = (
            _YOSYS_JSON.search(head)
            or _HLS_DATA.match(head.lstrip())
            or _FINN_JSON.match(head.lstrip())
            or name.endswith(finn.CYCLES_BY_NAME)
        )
        return _json if known else None
    if _VIVADO.match(head):
        command = _COMMAND.search(head)
        return _VIVADO_READERS.get(command[1]) if command else None
    for signature, reader in _SIGNATURES:
        if signature.match(head):
            return reader
    if nextpnr.is_log(head):
        return nextpnr.read_nextpnr_log
    return hls_log.read_hls_log if hls_log.is_log(head, name) else None


def read_file(path: Path, name: str) -> Report | None:
    """The report in one file; None if the file is none.

    Raises:
        ReportError: truncated, mixed up, corrupted or too large; names file and line.
    """
    try:
        reader = reader_for(head_of(path), name)
        return reader(load(path, name)) if reader else None
    except OSError as error:
        raise ReportError(f"{name}:1: cannot be read: {error.strerror or error}") from None


def read_bytes(data: bytes, name: str) -> Report | None:
    """The report in `data`, as if it were the content of a file called `name`."""
    reader = reader_for(data[:HEAD_BYTES], name)
    return reader(Source(name, data)) if reader else None


def _xml(source: Source) -> Report | None:
    root = read_tree(source)
    if is_csynth(root):
        return read_csynth_xml(source, root)
    if export.is_export(root):
        return export.read_export_xml(source, root)
    return read_design_size_xml(source, root) if root.tag == "design_size" else None


def _json(source: Source) -> Report | None:
    document = yosys.load_json(source)
    if yosys.is_yosys(document):
        return yosys.read_yosys_json(source, cast("dict[str, object]", document))
    if hls_data.is_hls_data(document):
        return hls_data.read_hls_data(source, cast("dict[str, Any]", document))
    kind = finn.finn_kind(document, source.name)
    return finn.read_finn(source, cast("dict[str, object]", document), kind) if kind else None


def _hls_text(source: Source) -> Report | None:
    # `.autopilot/db/<module>.verbose.rpt` repeats the report before the tool's notes on its schedule and
    # binding, `.verbose.sched.rpt` and `.verbose.bind.rpt` a part of it.
    if any(line.startswith("+ Verbose Summary") for line in source.lines):
        return None
    return csynth_text.read_csynth_text(source)


def _printed(source: Source) -> Report | None:
    # `hls4ml report` without a synthesis report in it says nothing of the hardware.
    if not any(csynth_text.TITLE.match(line) for line in source.lines):
        return None
    return csynth_text.read_csynth_text(source)


def _yosys_text(source: Source) -> Report | None:
    if not any(_YOSYS_CELLS.match(line) for line in source.lines):
        return None
    return yosys.read_yosys_text(source)


_SIGNATURES: tuple[tuple[re.Pattern[bytes], Reader], ...] = (
    (_HLS_TITLE, _hls_text),
    (_HLS4ML_PRINT, _printed),
    (_SUMMARY_TITLE, csynth_summary.read_csynth_summary),
    (_DESIGN_SIZE_TITLE, csynth_summary.read_design_size),
    (_EXPORT, export.read_export_text),
    (_EXPORT_RESULTS, read_export_results),
    (_COSIM, cosim.read_cosim),
    (_LATENCY, cosim.read_latencies),
    (cosim.TRANSACTION_HEADING, cosim.read_transactions),
    (_QUARTUS_SUMMARY, intel.read_fit_summary),
    (_QUARTUS_TIMING, intel.read_sta_summary),
    (_ONEAPI, intel.read_oneapi_summary),
    (_YOSYS_STAT, _yosys_text),
    (_YOSYS_LOG, _yosys_text),
)
