"""FINN's `estimate_*.json`: figures of a model, no synthesis has taken place.

estimate_layer_resources.json      {"MVAU_hls_0": {"BRAM_18K": 5, "LUT": 1324, "URAM": 0, "DSP": 0, ...},
"total": {...}}
estimate_layer_cycles.json         {"MVAU_hls_0": 36864, ...}
estimate_network_performance.json  {"critical_path_cycles": 252, "max_cycles": 64,
"max_cycles_node_name": "MVAU_hls_0",
"estimated_throughput_fps": 1562500.0, "estimated_latency_ns": 2520.0}
"""

import math
import re
from decimal import Decimal
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Module, Report, Stage

_RESOURCES = {"bram_18k": "BRAM_18K", "lut": "LUT", "dsp": "DSP", "uram": "URAM"}
_PERFORMANCE = frozenset({"critical_path_cycles", "max_cycles"})
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


def finn_kind(document: object) -> Kind | None:
    """Which of FINN's estimates a JSON document is; None if it is none."""
    if not isinstance(document, dict) or not document:
        return None
    if document.keys() >= _PERFORMANCE:
        return Kind.FINN_PERFORMANCE
    values = list(document.values())
    if all(isinstance(v, dict) and "BRAM_18K" in v and "LUT" in v for v in values):
        return Kind.FINN_RESOURCES
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values) and all(
        NODE.fullmatch(name) for name in document
    ):
        return Kind.FINN_CYCLES
    return None


def read_finn(source: Source, document: dict[str, Any], kind: Kind) -> Report:
    """The estimate that `finn_kind` found.

    Raises:
        ReportError: a value is no figure, or the total is not the sum of the layers.
    """
    if kind is Kind.FINN_PERFORMANCE:
        return _performance(source, document)
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
    layers = {name: value for name, value in document.items() if name != "total"}
    modules = []
    for name, figures in layers.items():
        found: dict[str, Any] = {field: _resource(source, name, figures, key) for field, key in _RESOURCES.items()}
        modules.append(Module(name=name, **found))
    total: dict[str, Any] = dict.fromkeys(_RESOURCES)
    if "total" in document:
        for field, key in _RESOURCES.items():
            total[field] = _resource(source, "total", document["total"], key)
            layered = [getattr(module, field) for module in modules]
            if total[field] is not None and None not in layered and abs(sum(layered) - total[field]) > len(layered):
                raise source.error(0, f"total {key} is {total[field]}, the layers add up to {sum(layered)}")
    return Report(
        path=source.name,
        kind=kind,
        stage=Stage.ESTIMATE,
        tool="FINN",
        modules=tuple(modules),
        **total,
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


def _number(source: Source, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < q.LARGEST:
        raise source.error(0, f"{q.quote(name)}: wanted a figure, got {q.quote(repr(value))}")
    return float(value)


def _whole(source: Source, name: str, value: object) -> int:
    number = _number(source, name, value)
    if number != math.floor(number):
        raise source.error(0, f"{q.quote(name)}: wanted whole cycles, got {value}")
    return int(number)


def _resource(source: Source, layer: str, figures: object, key: str) -> int | None:
    if not isinstance(figures, dict):
        raise source.error(0, f"{q.quote(layer)}: wanted resources, got {q.quote(repr(figures))}")
    if key not in figures:
        return None
    # Estimates may have a fraction; a part of a LUT takes a whole one.
    return math.ceil(_number(source, f"{layer}.{key}", figures[key]))
