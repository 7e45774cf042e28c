"""The summaries of Quartus (fitter, timing) and of oneAPI's run of it.

<revision>.fit.summary, .map.summary         <revision>.sta.summary            acl_quartus_report.txt
Fitter Status : Successful - Wed Nov 5 ...   Type  : Slow Model Setup 'clk'    ALUTs: 188149
Top-level Entity Name : top                  Slack : -1.204                    Registers: 399,683
Device : 5CEBA4F23C7                         TNS   : -30.1                     Logic utilization: 190,304 / 427,200
Logic utilization (in ALMs) : 454 / 18,480 ( 2 % )                             RAM blocks: 2,065 / 2,713 ( 76 % )
Total registers : 350                                                          Kernel fmax: 147.73

An ALM is no LUT, and Intel's block memories are not of 18 Kbit: both are columns of their own.
"""

import re
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Report, Stage

_LINE = re.compile(r"([A-Za-z0-9][^:]{0,80}?)\s*:\s*(\S.{0,200})?")
_SHARE = re.compile(r"([0-9,]{1,20})\s*/\s*([0-9,]{1,20})\s*(?:\(\s*(<?)\s*([0-9]{1,3})\s*%\s*\))?")
_FITTER = re.compile(r"(Fitter|Analysis & Synthesis) Status")
# Labels in lower case -> field and the field of what the device has.
_USED = {
    "logic utilization (in alms)": ("alm", "available_alm"),
    "logic utilization": ("alm", "available_alm"),
    "total ram blocks": ("ram_blocks", "available_ram_blocks"),
    "ram blocks": ("ram_blocks", "available_ram_blocks"),
    "m10k blocks": ("ram_blocks", "available_ram_blocks"),
    "m20k blocks": ("ram_blocks", "available_ram_blocks"),
    "total dsp blocks": ("dsp", "available_dsp"),
    "dsp blocks": ("dsp", "available_dsp"),
    "total registers": ("ff", "available_ff"),
    "registers": ("ff", "available_ff"),
}
_SLACK = re.compile(r".{0,200}Model (Setup|Hold|Recovery|Removal|Minimum Pulse Width)\b.{0,200}")


def read_fit_summary(source: Source) -> Report:
    """`<revision>.fit.summary` and `<revision>.map.summary`.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    texts = _texts(source)
    status = next((key for key in texts if _FITTER.fullmatch(key)), None)
    if status is None:
        raise source.error(0, "no line 'Fitter Status'")
    line, version = next(((n, v) for key, (n, v) in texts.items() if key.startswith("Quartus ")), (0, ""))
    tool = next((key.removesuffix(" Version") for key in texts if key.startswith("Quartus ")), "")
    if not tool or not version:
        raise source.error(line, "no line 'Quartus Prime Version'")
    for needed in ("Device", "Top-level Entity Name"):
        if not texts.get(needed, (0, ""))[1]:
            raise source.truncated(f"the line {needed!r}")
    figures, others = _used(source, texts)
    if "ff" not in figures:
        raise source.truncated("the line 'Total registers'")
    known = {status, "Device", "Family", "Top-level Entity Name", "Revision Name", f"{tool} Version", "Timing Models"}
    done = texts[status][1].lower().startswith("successful")
    return Report(
        path=source.name,
        kind=Kind.QUARTUS_SUMMARY,
        stage=Stage.ROUTED if status.startswith("Fitter") else Stage.SYNTHESIZED,
        tool=tool,
        tool_version=version.split()[0],
        part=texts["Device"][1],
        product_family=texts.get("Family", (0, ""))[1] or None,
        top=texts["Top-level Entity Name"][1],
        finished=done,
        note=None if done else f"{status}: {texts[status][1]}",
        other_columns=tuple(text for key, text in others if key not in known),
        **figures,
    )


def read_sta_summary(source: Source) -> Report:
    """`<revision>.sta.summary`: the worst setup and hold slack over clocks and corners.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    kind = None
    found: dict[str, list[float]] = {"Setup": [], "Hold": []}
    negative: dict[str, list[float]] = {"Setup": [], "Hold": []}
    for number, line in enumerate(source.lines):
        match = _LINE.fullmatch(line.strip())
        if not match:
            continue
        key, value = match[1].strip(), (match[2] or "").strip()
        if key == "Type":
            said = _SLACK.fullmatch(value)
            if not said:
                raise source.error(number, f"Type: wanted a model and a check, got {q.quote(value)}")
            kind = said[1]
        elif key in {"Slack", "TNS"}:
            if number == source.unended:
                raise source.truncated("the end of the line")
            if kind is None:
                raise source.error(number, f"{key} without a type; mixed up")
            figure = source.required(number, key, q.decimal, value)
            if kind in found:
                (found if key == "Slack" else negative)[kind].append(figure)
    if not found["Setup"] and not found["Hold"]:
        raise source.truncated("the first slack")
    return Report(
        path=source.name,
        kind=Kind.QUARTUS_TIMING,
        stage=Stage.ROUTED,
        tool="Quartus",
        wns_ns=min(found["Setup"], default=None),
        tns_ns=min(negative["Setup"], default=None),
        whs_ns=min(found["Hold"], default=None),
        ths_ns=min(negative["Hold"], default=None),
        note="the worst of all corners",
    )


def read_oneapi_summary(source: Source) -> Report:
    """`acl_quartus_report.txt`.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    texts = _texts(source)
    figures, others = _used(source, texts)
    for field, label in (("ff", "Registers"), ("alm", "Logic utilization")):
        if field not in figures:
            raise source.truncated(f"the line {label!r}")
    line, text = next(((n, v) for key, (n, v) in texts.items() if key.lower() == "kernel fmax"), (0, ""))
    if not text:
        raise source.truncated("the line 'Kernel fmax'")
    if line == source.unended:
        raise source.truncated("the end of the line")
    frequency = source.required(line, "Kernel fmax", q.decimal, text)
    if frequency <= 0:
        raise source.error(line, f"Kernel fmax: wanted a frequency in MHz, got {text}")
    return Report(
        path=source.name,
        kind=Kind.ONEAPI_SUMMARY,
        stage=Stage.ROUTED,
        tool="oneAPI",
        clock_estimate_ns=round(1000 / frequency, 6),
        other_columns=tuple(text for _, text in others),
        **figures,
    )


def _texts(source: Source) -> dict[str, tuple[int, str]]:
    """Label -> line and text."""
    texts: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(source.lines):
        match = _LINE.fullmatch(line.strip()[:400])
        if match:
            if match[1] in texts:
                raise source.error(number, f"a second line {q.quote(match[1])}; mixed up")
            texts[match[1]] = (number, (match[2] or "").strip())
    return texts


def _used(source: Source, texts: dict[str, tuple[int, str]]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The figures that have a column, and the other lines as "label: text"."""
    figures: dict[str, Any] = {}
    others = []
    for key, (line, text) in texts.items():
        fields = _USED.get(key.lower())
        if fields is None or fields[0] in figures:
            if text and key.lower() != "kernel fmax":
                others.append((key, "".join(c if c.isprintable() else "?" for c in f"{key}: {text}")))
            continue
        share = _SHARE.fullmatch(text)
        if line == source.unended and not (share and share[4]):
            raise source.truncated("the end of the line")
        if not share:
            figures[fields[0]] = source.figure(line, key, q.count, text)
            continue
        used = source.required(line, key, q.count, share[1])
        limit = source.required(line, key, q.count, share[2])
        if share[4] and not share[3] and limit and not int(share[4]) - 1 <= 100 * used / limit <= int(share[4]) + 1:
            raise source.error(line, f"{key}: {used} of {limit} is not {share[4]} %; mixed up")
        figures |= {fields[0]: used, fields[1]: limit}
    return figures, others
