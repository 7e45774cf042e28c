"""`vivado_hls.log`, `vitis_hls.log`: the tool, what it was run on, whether it came to its end, its errors.

    ****** Vivado(TM) HLS - High-Level Synthesis from C, C++ and SystemC v2019.1 (64-bit)
    INFO: [HLS 200-10] Setting target device to 'xcu250-figd2104-2L-e'
    ***** C/RTL SYNTHESIS *****
    ERROR: [HLS 200-70] Compilation errors found: ...
    ***** C/RTL SYNTHESIS COMPLETED IN 0h2m28s *****

A log that stops short is no corrupted report: the run was killed, or still goes on. It is `finished` False.
"""

import re

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Report

BANNER = re.compile(
    rb"(Vivado\(TM\) HLS|Vitis HLS|Vivado HLS) - High-Level Synthesis from"
    rb"|^\*{6} (?:vitis-run|Vitis Unified) v20[0-9]{2}\.[0-9]"
    rb"|^INFO: \[HLS 200-10\] Running '[^'\n]{0,500}/(?:vivado|vitis)_hls'",
    re.MULTILINE,
)

_RUNNING = re.compile(r"INFO: \[HLS 200-10\] Running '([^']{0,500})/(vivado|vitis)_hls'")
_DEVICE = re.compile(r"Setting target device to '([^']{1,100})'")
_CLOCK = re.compile(r"Setting up clock '[^']{0,100}' with a period of ([0-9.,]{1,20} ?(?:ps|ns|us)?)\.?$")
_TOP = re.compile(r"Running: set_top (\S{1,200})\s*$")
_STEP = re.compile(r"\*{5} (.{1,60}?)(?: COMPLETED IN ([0-9hms]{1,20}))? \*{5}")
_ERROR = re.compile(r"(?:ERROR|CRITICAL ERROR)(?::| \[)")
_ABORTED = ("    while executing", "invoked from within")
# hls4ml's script announces it and prints its outcome otherwise.
_ENDS_SILENTLY = frozenset({"C/RTL VALIDATION"})
_LONGEST_ERROR = 300
_LONGEST_MESSAGE = 2000  # the rest of a line says nothing that is looked for


def read_hls_log(source: Source) -> Report:
    """The whole log.

    Raises:
        ReportError: it does not say which tool wrote it.
    """
    tool = version = part = top = first_error = None
    clock: float | None = None
    errors = 0
    started: set[str] = set()
    completed: set[str] = set()
    ended = aborted = False
    for number, line in enumerate(source.lines):
        text = line[:_LONGEST_MESSAGE].strip()
        if not text:
            continue
        if tool is None or version is None:
            tool, version = _tool(text, tool, version)
        if _ERROR.match(text):
            errors += 1
            first_error = first_error or "".join(c if c.isprintable() else "?" for c in text[:_LONGEST_ERROR])
        elif text.startswith("INFO: "):
            device, period, name = _DEVICE.search(text), _CLOCK.search(text), _TOP.search(text)
            part = device[1] if device else part
            top = name[1] if name else top
            if period:
                clock = source.figure(number, "clock period", q.period_ns, period[1].rstrip("."))
            ended = ended or "Exiting v" in text or "Total elapsed time" in text or "Total CPU user time" in text
        elif text.startswith("***** "):
            step = _STEP.fullmatch(text)
            if step:
                (completed if step[2] else started).add(step[1])
        elif any(mark in line[:_LONGEST_MESSAGE] for mark in _ABORTED):
            aborted = True
    if tool is None:
        raise source.error(0, "a log that does not name its tool")
    return Report(
        path=source.name,
        kind=Kind.HLS_LOG,
        tool=tool,
        tool_version=version,
        part=part,
        top=top,
        clock_target_ns=clock,
        # An error that no step survived is the end of the run.
        finished=ended and not aborted and started - _ENDS_SILENTLY <= completed and bool(completed or not errors),
        error_count=errors,
        first_error=first_error,
    )


def _tool(text: str, tool: str | None, version: str | None) -> tuple[str | None, str | None]:
    """Tool and version by the banner (2016 on several lines), or by the program that ran."""
    running = _RUNNING.search(text)
    if running:
        return tool or ("Vivado HLS" if running[2] == "vivado" else "Vitis HLS"), version or q.version(running[1])
    if "High-Level Synthesis from" in text:
        tool = "Vitis HLS" if "Vitis" in text else "Vivado HLS"
        return tool, version or q.version(text)
    if text.startswith("****** "):
        return tool or "Vitis HLS", version or q.version(text)
    if tool and text.startswith("Version "):
        return tool, version or q.version(text)
    return tool, version
