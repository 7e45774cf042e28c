"""`hls_data.json` and `<solution>_data.json`, in which Vitis HLS keeps what it knows of a design.

    {"Top": "tiny", "RtlTop": "tiny", "Target": {"Device": "xczu7ev", "Package": "-ffvc1156", "Speed": "-2-e", ...},
     "ModuleInfo": {"Metrics": {"tiny": {
        "Latency": {"LatencyBest": "17", "LatencyAvg": "17", "LatencyWorst": "17", "PipelineII": "1", ...},
        "Timing": {"Target": "5.00", "Uncertainty": "1.35", "Estimate": "3.450"},
        "Loops": [{"Name": "L1", "TripCount": "8", "Latency": "10", "PipelineII": "1", ...}],
        "Area": {"BRAM_18K": "4", "AVAIL_BRAM": "624", "UTIL_BRAM": "~0", ...}}}}}

Block RAM is counted in blocks of 18 Kbit, the device's too. An empty text says nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.csynth_text import check_device
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import RESOURCES, Kind, Loop, Module, Report, Stage

_AREA = {
    "bram_18k": ("BRAM_18K", "BRAM"),
    "dsp": ("DSP", "DSP48E", "DSP48", "DSP58"),
    "ff": ("FF",),
    "lut": ("LUT",),
    "uram": ("URAM",),
}
_AVAILABLE = {
    "bram_18k": ("AVAIL_BRAM", "AVAIL_BRAM_18K"),
    "dsp": ("AVAIL_DSP", "AVAIL_DSP48E"),
    "ff": ("AVAIL_FF",),
    "lut": ("AVAIL_LUT",),
    "uram": ("AVAIL_URAM",),
}


_DEEPEST = 100


def is_hls_data(document: object) -> bool:
    """Whether a JSON document tells the metrics of a design's modules."""
    return isinstance(document, dict) and isinstance(document.get("Top"), str) and bool(_metrics(document))


def _metrics(document: Mapping[str, Any]) -> Mapping[str, Any]:
    information = document.get("ModuleInfo")
    metrics = information.get("Metrics") if isinstance(information, dict) else None
    return metrics if isinstance(metrics, dict) else {}


def read_hls_data(source: Source, document: dict[str, Any]) -> Report:
    """The whole file.

    Raises:
        ReportError: the top has no metrics, or a figure is none.
    """
    top, metrics = document["Top"], _metrics(document)
    names = [str(name) for name in (top, document.get("RtlTop")) if name in metrics]
    if not names:
        raise source.error(0, f"no metrics of the top {q.quote(top)}")
    whole = _module(source, names[0], metrics[names[0]])
    area = _part(source, names[0], metrics[names[0]], "Area")
    timing = _part(source, names[0], metrics[names[0]], "Timing")
    available: dict[str, Any] = {field: _text(source, area, labels, q.count) for field, labels in _AVAILABLE.items()}
    check_device(source, 0, available)
    for field in RESOURCES:
        _check_share(source, field, getattr(whole, field), available[field], area)
    generated, target = (part if isinstance(part := document.get(key), dict) else {} for key in ("GenData", "Target"))
    part = "".join(str(target.get(key, "")) for key in ("Device", "Package", "Speed"))
    return Report(
        path=source.name,
        kind=Kind.HLS_DATA,
        stage=Stage.CSYNTH,
        tool="Vitis HLS",  # no other tool writes it
        tool_version=q.version(str(generated.get("ToolVersion", ""))),
        part=part or None,
        product_family=str(target["Family"]) if target.get("Family") else None,
        top=top,
        latency_min_cycles=whole.latency_min_cycles,
        latency_max_cycles=whole.latency_max_cycles,
        interval_min_cycles=whole.interval_min_cycles,
        interval_max_cycles=whole.interval_max_cycles,
        pipeline_type=whole.pipeline_type,
        clock_target_ns=whole.clock_target_ns,
        clock_uncertainty_ns=_text(source, timing, ("Uncertainty",), q.period_ns),
        clock_estimate_ns=whole.clock_estimate_ns,
        bram_18k=whole.bram_18k,
        dsp=whole.dsp,
        ff=whole.ff,
        lut=whole.lut,
        uram=whole.uram,
        **{f"available_{field}": count for field, count in available.items()},
        modules=tuple(_module(source, name, figures) for name, figures in metrics.items() if name != names[0]),
        loops=tuple(loop for name, figures in metrics.items() for loop in _loops(source, name, figures)),
    )


def _part(source: Source, module: str, figures: object, key: str) -> Mapping[str, Any]:
    found = figures.get(key, {}) if isinstance(figures, dict) else None
    if not isinstance(found, dict):
        raise source.error(0, f"{q.quote(module)}: {key}: wanted figures by name, got {q.quote(repr(found))}")
    return found


def _text(source: Source, part: Mapping[str, Any], labels: tuple[str, ...], read: Callable[[str], Any]) -> Any:
    for label in labels:
        if label in part:
            value = part[label]
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise source.error(0, f"{label}: wanted a figure, got {q.quote(repr(value))}")
            return source.figure(0, label, read, str(value))
    return None


def _module(source: Source, name: str, figures: object) -> Module:
    area, latency, timing = (_part(source, name, figures, key) for key in ("Area", "Latency", "Timing"))
    cycles: dict[str, Any] = {
        "latency_min_cycles": _text(source, latency, ("LatencyBest",), q.count),
        "latency_max_cycles": _text(source, latency, ("LatencyWorst",), q.count),
    }
    interval = _text(source, latency, ("PipelineII",), q.count_range) or (None, None)
    cycles["interval_min_cycles"] = _text(source, latency, ("PipelineIIMin",), q.count) or interval[0]
    cycles["interval_max_cycles"] = _text(source, latency, ("PipelineIIMax",), q.count) or interval[1]
    source.check_order(0, cycles)
    kind = latency.get("PipelineType")
    return Module(
        name=name,
        pipeline_type=kind if isinstance(kind, str) and kind else None,
        clock_target_ns=_text(source, timing, ("Target",), q.period_ns),
        clock_estimate_ns=_text(source, timing, ("Estimate",), q.period_ns),
        **cycles,
        **{field: _text(source, area, labels, q.count) for field, labels in _AREA.items()},
    )


def _check_share(source: Source, field: str, used: int | None, of: int | None, area: Mapping[str, Any]) -> None:
    """The printed percentage belongs to the counts; where it does not, fields are mixed up."""
    text = str(area.get(f"UTIL_{'BRAM' if field == 'bram_18k' else field.upper()}", ""))
    if used and of and text.isascii() and text.isdigit() and not int(text) - 1 < 100 * used / of < int(text) + 1:
        raise source.error(0, f"{field}: {used} of {of} is not {text} %; mixed up")


def _loops(source: Source, module: str, holder: object, depth: int = 0) -> list[Loop]:
    """The loops in a module, or in a loop, each followed by those within it."""
    listed = holder.get("Loops", []) if isinstance(holder, dict) else []
    if not isinstance(listed, list) or not all(isinstance(loop, dict) for loop in listed):
        raise source.error(0, f"{q.quote(module)}: wanted a list of loops, got {q.quote(repr(listed))}")
    if depth > _DEEPEST:
        raise source.error(0, f"{q.quote(module)}: loops nested deeper than {_DEEPEST}")
    found = []
    for entry in listed:
        # What depends on the data may be told in another form; it stays open.
        loop = {key: value for key, value in entry.items() if isinstance(value, str | int | float)}
        trips, cycles, iteration, interval = (
            _text(source, loop, (key,), q.count_range) or (None, None)
            for key in ("TripCount", "Latency", "PipelineDepth", "PipelineII")
        )
        found.append(
            Loop(
                name=str(loop.get("Name", "")),
                module=module,
                depth=depth,
                trip_count_min=trips[0],
                trip_count_max=trips[1],
                latency_min_cycles=cycles[0],
                latency_max_cycles=cycles[1],
                iteration_latency_min_cycles=iteration[0],
                iteration_latency_max_cycles=iteration[1],
                ii_achieved_cycles=interval[1],
                pipelined=interval[1] is not None if "PipelineII" in loop else None,
            )
        )
        found += _loops(source, module, entry, depth + 1)
    return found
