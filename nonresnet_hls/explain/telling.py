"""What was found as plain values and as sentences."""

from dataclasses import asdict
from typing import Any

from nonresnet_hls.explain.explaining import Explanation
from nonresnet_hls.explain.findings import Cause, Difference, LayerReport, Reason

_ADVICE = {
    Reason.RESULT_WRAPS: "more integer bits, or SAT",
    Reason.RESULT_SATURATES: "more integer bits",
    Reason.RESULT_ROUNDED: "more bits behind the point, or RND",
    Reason.ACCUMULATOR_WRAPS: "more integer bits for the accumulator",
    Reason.ACCUMULATOR_SATURATES: "more integer bits for the accumulator",
    Reason.ACCUMULATOR_CUTS: "more bits behind the point for the accumulator",
    Reason.WEIGHTS_OVERFLOW: "more integer bits for the weights",
    Reason.WEIGHTS_ROUNDED: "more bits behind the point for the weights",
    Reason.BIAS_ROUNDED: "more bits behind the point for bias and accumulator",
    Reason.TABLE: "more entries or bits for the table, or fewer bits before it",
    Reason.FUNCTION: "another layer in the model: no type makes it Keras' function",
    Reason.QUANTIZER_DROPPED: "the quantizer's type, with its rounding and saturation, as type of the result",
    Reason.ORDER: "nothing: the numbers are the same but for their last bits",
}


def rows(explanation: Explanation) -> list[dict[str, Any]]:
    """A row a layer."""
    return [
        {
            "layer": layer.layer,
            "keras": layer.keras,
            "type": str(layer.kind),
            "values": layer.values,
            "different": layer.different,
            "made_here": layer.made_here,
            "largest_error": layer.largest_error,
            "largest_made_here": layer.largest_made_here,
            "loss": layer.loss,
            "reason": str(layer.reason) if layer.reason else "",
            "told": layer.causes[0].told if layer.causes else "",
            "least": None if layer.histogram is None else layer.histogram.least,
            "greatest": None if layer.histogram is None else layer.histogram.greatest,
            "proposed": _proposed(explanation, layer),
        }
        for layer in explanation.layers
    ]


def _proposed(explanation: Explanation, layer: LayerReport) -> str:
    if explanation.cure is None:
        return ""
    after = {one.layer: one for one in explanation.cure.layers}
    return str(after[layer.layer].kind) if layer.layer in after else ""


def advice(reason: Reason) -> str:
    """What helps."""
    return _ADVICE[reason]


def sentence(cause: Cause) -> str:
    """One cause."""
    told = f" ({cause.told})" if cause.told else ""
    return f"{cause.reason}{told}: {cause.values} values, by up to {cause.largest:.4g}"


def difference(one: Difference) -> str:
    """One number that differs."""
    index = ", ".join(map(str, one.index))
    wanted, got = f"{one.wanted:.8g} ({one.wanted_bits})", f"{one.got:.8g} ({one.got_bits})"
    return f"sample {one.sample} [{index}]: {wanted} wanted, {got} got"


def figures(explanation: Explanation) -> dict[str, Any]:
    """All of it as plain values, for JSON."""
    first, worst, cure = explanation.first, explanation.worst, explanation.cure
    found: dict[str, Any] = {
        "design": explanation.name,
        "data": explanation.data_told,
        "equal": explanation.equal,
        "holds": explanation.holds,
        "quantized": explanation.is_quantized,
        "first_layer": None if first is None else first.layer,
        "worst_layer": None if worst is None else worst.layer,
        "agreement": asdict(explanation.agreement),
        "keras_rounding": None if explanation.keras_rounding is None else asdict(explanation.keras_rounding),
        "layers": [
            row | {"causes": [_cause(cause) for cause in layer.causes], **_more(layer)}
            for row, layer in zip(rows(explanation), explanation.layers, strict=True)
        ],
        "notes": list(explanation.notes),
        "cure": None,
    }
    if cure is not None:
        found["cure"] = {
            "config": cure.config,
            "rewritten": list(cure.rewritten),
            "before": asdict(cure.before),
            "after": asdict(cure.after),
            "bound": cure.bound,
            "beyond_bound": cure.beyond_bound,
            "cost_before": asdict(cure.cost_before),
            "cost_after": asdict(cure.cost_after),
            "search": None if cure.search is None else asdict(cure.search),
            "notes": list(cure.notes),
        }
    return found


def _cause(cause: Cause) -> dict[str, Any]:
    return {**asdict(cause), "reason": str(cause.reason), "advice": advice(cause.reason)}


def _more(layer: LayerReport) -> dict[str, Any]:
    if layer.histogram is None:
        return {"worst": [], "histogram": None}
    histogram = layer.histogram
    return {
        "worst": [asdict(one) for one in layer.worst],
        "histogram": {
            "powers": {str(power): count for power, count in histogram.counts.items()},
            "zeros": histogram.zeros,
            "above_type": histogram.above,
            "below_type": histogram.below,
        },
    }
