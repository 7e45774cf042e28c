"""FINN's reports on a dataflow build, as JSON: a model's estimates, and what HLS, simulation and synthesis gave.

estimate_layer_resources.json       {"MVAU_hls_0": {"BRAM_18K": 5, "LUT": 1324, "URAM": 0, "DSP": 0, ...},
                                     "total": {...}}
estimate_layer_config_alternatives.json  {"MVAU_hls_0": [{"BRAM_18K": 5, ...}, ...]}
estimate_layer_cycles.json          {"MVAU_hls_0": 36864, ...}
estimate_network_performance.json   {"critical_path_cycles": 252, "max_cycles": 64,
                                     "max_cycles_node_name": "MVAU_hls_0",
                                     "estimated_throughput_fps": 1562500.0, "estimated_latency_ns": 2520.0}
estimate_layer_resources_hls.json   {"MVAU_hls_0": {"BRAM_18K": "12", "FF": "1500", "LUT": "2100", "DSP48E": "3", ...}}
rtlsim_performance.json             {"cycles": 50000, "N": 1, "latency_cycles": 50000, "fclk[mhz]": 100.0, ...}
post_synth_resources.json           {"(top)": {"LUT": 9100, "SRL": 700, "FF": 12000, "BRAM_36K": 40, ...},
                                     "StreamingDataflowPartition_1_MVAU_hls_0": {...}}
ooc_synth_and_timing.json           {"LUT": 8265, "LUTRAM": 12, "FF": 9000, "DSP": 0, "BRAM": 16.5, "BRAM_18K": 3,
                                     "BRAM_36K": 15, "URAM": 0, "WNS": 0.3, "fmax_mhz": 250.1, ...}
"""

import math
import re
from decimal import Decimal
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Module, Report, Stage

_RESOURCES = {
    "bram_18k": ("BRAM_18K",),
    "lut": ("LUT",),
    "ff": ("FF",),
    "dsp": (
        "DSP",
        "DSP48",
        *(f"{kind}{edition}" for kind in ("DSP48E", "DSP58", "DSP58E") for edition in ("", "1", "2")),
    ),
    "uram": ("URAM",),
    "srl": ("SRL",),
    "ramb36": ("BRAM_36K",),
}
_TOP, _TOTAL = "(top)", "total"
_PERFORMANCE = frozenset({"critical_path_cycles", "max_cycles"})
_OUT_OF_CONTEXT = frozenset({"LUT", "FF", "WNS", "fmax_mhz"})
_SIMULATED = frozenset({"cycles", "latency_cycles", "fclk[mhz]"})
_FIGURE = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,12})?")
# Numbers by name are told by the layers' names, or, with operators to come, by the file's.
CYCLES_BY_NAME = "estimate_layer_cycles.json"
# Names of FINN's layers: operator, perhaps its backend, and a running number.
NODE = re.compile(
    r"(?:\w{0,60}_)?(?:MVAU|VVAU|MatrixVectorActivation|VectorVectorActivation|StreamingFCLayer_Batch|"
    r"Vector_Vector_Activate_Batch|Thresholding\w{0,20}|ConvolutionInputGenerator\w{0,20}|SWG|FMPadding\w{0,20}|"
    r"Pool\w{0,20}|StreamingMaxPool\w{0,20}|Streaming\w{0,40}|DuplicateStreams\w{0,20}|AddStreams\w{0,20}|"
    r"ChannelwiseOp\w{0,20}|LabelSelect\w{0,20}|GlobalAccPool\w{0,20}|Eltwise\w{0,20}|Elementwise\w{0,30}|"
    r"Upsample\w{0,30}|Lookup\w{0,10}|Checksum\w{0,10}|DownSampler\w{0,10}|IODMA\w{0,10}|TLastMarker\w{0,10}|"
    r"LayerNorm\w{0,10}|Softmax\w{0,10}|Shuffle\w{0,10}|Concat\w{0,10}|StreamingConcat\w{0,10}|Split\w{0,10})"
    r"(?:_hls|_rtl)?_[0-9]{1,6}"
)

_PARTITION = re.compile(r"(?:StreamingDataflowPartition_[0-9]{1,6}_)+(?=\w)")


def finn_kind(document: object, name: str = "") -> Kind | None:
    """Which of FINN's reports a JSON document is; None if it is none."""
    if not isinstance(document, dict) or not document:
        return None
    if document.keys() >= _PERFORMANCE:
        return Kind.FINN_PERFORMANCE
    if document.keys() >= _SIMULATED:
        return Kind.FINN_RTLSIM
    if document.keys() >= _OUT_OF_CONTEXT:
        return Kind.FINN_OUT_OF_CONTEXT
    values = list(document.values())
    if all(isinstance(v, dict) and "BRAM_18K" in v and "LUT" in v for v in values):
        if _TOP in document:
            return Kind.FINN_POST_SYNTH
        # What HLS tells is text; an estimate is a number.
        spelled = all(isinstance(v, str) for figures in values for v in figures.values())
        return Kind.FINN_HLS if spelled else Kind.FINN_RESOURCES
    if all(isinstance(v, list) and v and all(isinstance(o, dict) and "BRAM_18K" in o for o in v) for v in values):
        return Kind.FINN_ALTERNATIVES
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values) and (
        name.endswith(CYCLES_BY_NAME) or all(NODE.fullmatch(name) for name in document)
    ):
        return Kind.FINN_CYCLES
    return None


def read_finn(source: Source, document: dict[str, Any], kind: Kind) -> Report:
    """The report that `finn_kind` found.

    Raises:
        ReportError: a value is no figure, or the total is not the sum of the layers.
    """
    if kind is Kind.FINN_PERFORMANCE:
        return _performance(source, document)
    if kind is Kind.FINN_RTLSIM:
        return _simulation(source, document)
    if kind is Kind.FINN_OUT_OF_CONTEXT:
        return _out_of_context(source, document)
    if kind is Kind.FINN_CYCLES:
        cycles = {name: _whole(source, name, value) for name, value in document.items()}
        return Report(
            path=source.name,
            kind=kind,
            stage=Stage.ESTIMATE,
            tool="FINN",
            modules=tuple(
                # FINN's figure is the cycles between two frames.
                Module(name=name, interval_min_cycles=value, interval_max_cycles=value)
                for name, value in cycles.items()
            ),
        )
    if kind is Kind.FINN_ALTERNATIVES:
        return Report(
            path=source.name,
            kind=kind,
            stage=Stage.ESTIMATE,
            tool="FINN",
            modules=tuple(
                _layer(source, name, figures, f"alternative {number}")
                for name, several in document.items()
                for number, figures in enumerate(several, 1)
            ),
        )
    return _resources_by_layer(source, document, kind)


def _resources_by_layer(source: Source, document: dict[str, Any], kind: Kind) -> Report:
    modules = tuple(_layer(source, name, figures) for name, figures in document.items() if name not in {_TOTAL, _TOP})
    total: dict[str, Any] = {}
    note = None
    if kind is Kind.FINN_POST_SYNTH:
        total = _found(source, _TOP, document[_TOP])
    elif _TOTAL in document:
        total = _found(source, _TOTAL, document[_TOTAL])
        for field, added in _sums(modules).items():
            said = total.get(field)
            if said is not None and abs(added - said) > len(modules):
                raise source.error(0, f"total {field} is {said}, the layers add up to {added}")
    elif kind is Kind.FINN_HLS:
        total = _sums(modules)
        note = f"the sum of the {len(modules)} layers that HLS makes; layers in RTL are not among them"
    return Report(
        path=source.name,
        kind=kind,
        stage={Kind.FINN_POST_SYNTH: Stage.SYNTHESIZED, Kind.FINN_HLS: Stage.CSYNTH}.get(kind, Stage.ESTIMATE),
        tool="FINN",
        note=note,
        modules=modules,
        **total,
    )


def _sums(modules: tuple[Module, ...]) -> dict[str, Any]:
    """The sum of the layers for each resource that all of them tell."""
    found = {}
    for field in _RESOURCES:
        layered: list[int | None] = [getattr(module, field, None) for module in modules]
        told = [count for count in layered if count is not None]
        if told and len(told) == len(layered):
            found[field] = sum(told)
    return found


def _layer(source: Source, name: str, figures: object, instance: str | None = None) -> Module:
    """A layer under its own name, without that of the partition that holds it."""
    partition = _PARTITION.match(name)
    own = name[partition.end() :] if partition else name
    found = _found(source, name, figures)
    found.pop("ramb36", None)
    found.pop("ramb18", None)
    return Module(name=own, instance=instance or (name if own != name else None), **found)


def _found(source: Source, layer: str, figures: object) -> dict[str, Any]:
    """The resources of a layer; what is not known is kept under its name."""
    if not isinstance(figures, dict):
        raise source.error(0, f"{q.quote(layer)}: wanted resources, got {q.quote(repr(figures))}")
    found: dict[str, Any] = {}
    known = set()
    for field, keys in _RESOURCES.items():
        present = [key for key in keys if key in figures]
        if len(present) > 1:
            raise source.error(0, f"{q.quote(layer)}: {' and '.join(present)}; wanted one of them")
        if present:
            known.add(present[0])
            # Estimates may have a fraction; a part of a LUT takes a whole one.
            found[field] = math.ceil(_number(source, f"{layer}.{present[0]}", figures[present[0]]))
    if "ramb36" in found:
        # After synthesis both sizes are counted.
        found["ramb18"] = found.get("bram_18k", 0)
        found["bram_18k"] = 2 * found["ramb36"] + found["ramb18"]
    others = (f"{key}: {value}" for key, value in figures.items() if key not in known and value not in (0, "0", None))
    found["other_columns"] = tuple("".join(c if c.isprintable() else "?" for c in text[:200]) for text in others)
    return found


def _out_of_context(source: Source, document: dict[str, Any]) -> Report:
    """What placing and routing the stitched design on its own gave, without a shell; all 0 where it failed."""
    known = {
        "LUT",
        "LUTRAM",
        "FF",
        "DSP",
        "BRAM",
        "BRAM_18K",
        "BRAM_36K",
        "URAM",
        "WNS",
        "fmax_mhz",
        "vivado_proj_folder",
    }
    figures: dict[str, Any] = {}
    failed = not _number(source, "LUT", document["LUT"]) and not _number(source, "FF", document["FF"])
    if not failed:
        for field, key in (("lut", "LUT"), ("lutram", "LUTRAM"), ("ff", "FF"), ("dsp", "DSP"), ("uram", "URAM")):
            if key in document:
                figures[field] = _whole(source, key, document[key], "a count")
        if "BRAM_36K" in document and "BRAM_18K" in document:
            large, small = (_whole(source, key, document[key], "a count") for key in ("BRAM_36K", "BRAM_18K"))
            figures |= {"ramb36": large, "ramb18": small, "bram_18k": 2 * large + small}
        elif "BRAM" in document:  # tiles of 36 Kbit
            figures["bram_18k"] = _whole(source, "BRAM", 2 * _number(source, "BRAM", document["BRAM"]), "half tiles")
        figures["wns_ns"] = _number(source, "WNS", document["WNS"], signed=True)
        frequency = _number(source, "fmax_mhz", document["fmax_mhz"])
        if frequency:
            figures["clock_estimate_ns"] = round(1000 / frequency, 6)
            figures["clock_target_ns"] = round(1000 / frequency + figures["wns_ns"], 6)
    others = (f"{key}: {value}" for key, value in document.items() if key not in known and value not in ("", 0, None))
    return Report(
        path=source.name,
        kind=Kind.FINN_OUT_OF_CONTEXT,
        stage=Stage.ROUTED,
        tool="FINN",
        finished=False if failed else None,
        note="the synthesis failed: no LUT, no FF" if failed else "out of context: without a shell",
        other_columns=tuple("".join(c if c.isprintable() else "?" for c in text[:200]) for text in others),
        **figures,
    )


def _simulation(source: Source, document: dict[str, Any]) -> Report:
    """What simulating the RTL of the whole design gave; `cycles` are those of all its N frames together."""
    frames = _whole(source, "N", document["N"]) if "N" in document else None
    known = {*_SIMULATED, "N", "throughput[images/s]", "runtime[ms]", "TIMEOUT", "interval_cycles"}
    failed = [name for name in ("TIMEOUT", "UNFINISHED_INS", "UNFINISHED_OUTS") if document.get(name)]
    figures: dict[str, Any] = {}
    if not failed:
        latency = _whole(source, "latency_cycles", document["latency_cycles"])
        figures = {"latency_min_cycles": latency, "latency_max_cycles": latency}
        figures["total_cycles"] = _whole(source, "cycles", document["cycles"])
        if "throughput[images/s]" in document:
            figures["throughput_fps"] = _number(source, "throughput", document["throughput[images/s]"])
        # From one frame no interval can be measured.
        if "interval_cycles" in document and frames is not None and frames > 1:
            interval = _whole(source, "interval_cycles", document["interval_cycles"])
            figures |= {"interval_min_cycles": interval, "interval_max_cycles": interval}
    frequency = _number(source, "fclk[mhz]", document["fclk[mhz]"])
    others = (f"{key}: {value}" for key, value in document.items() if key not in known and key not in failed)
    return Report(
        path=source.name,
        kind=Kind.FINN_RTLSIM,
        stage=Stage.COSIM,
        tool="FINN",
        clock_target_ns=round(1000 / frequency, 6) if frequency else None,
        transactions=frames,
        finished=False if failed else None,
        note=f"the simulation did not end: {', '.join(failed)}" if failed else None,
        other_columns=tuple("".join(c if c.isprintable() else "?" for c in text[:200]) for text in others),
        **figures,
    )


def _performance(source: Source, document: dict[str, Any]) -> Report:
    latency = _whole(source, "critical_path_cycles", document["critical_path_cycles"])
    interval = _whole(source, "max_cycles", document["max_cycles"])
    clock = None
    if "estimated_latency_ns" in document and latency:
        clock = _number(source, "estimated_latency_ns", document["estimated_latency_ns"]) / latency
        clock = float(round(Decimal(clock), 6))
    throughput = document.get("estimated_throughput_fps")
    return Report(
        path=source.name,
        kind=Kind.FINN_PERFORMANCE,
        stage=Stage.ESTIMATE,
        tool="FINN",
        latency_min_cycles=latency,
        latency_max_cycles=latency,
        interval_min_cycles=interval,
        interval_max_cycles=interval,
        clock_target_ns=clock,
        throughput_fps=None if throughput is None else _number(source, "estimated_throughput_fps", throughput),
    )


def _number(source: Source, name: str, value: object, signed: bool = False) -> float:
    if isinstance(value, str) and _FIGURE.fullmatch(value.strip()):
        value = float(value)
    least = -q.LARGEST if signed else 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < q.LARGEST:
        raise source.error(0, f"{q.quote(name)}: wanted a figure, got {q.quote(repr(value))}")
    return float(value)


def _whole(source: Source, name: str, value: object, what: str = "whole cycles") -> int:
    number = _number(source, name, value)
    if number != math.floor(number):
        raise source.error(0, f"{q.quote(name)}: wanted {what}, got {q.quote(repr(value))}")
    return int(number)
