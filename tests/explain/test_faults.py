"""Seeded faults: each is found, by layer and reason, and cured; the emulator judges, at night the C simulation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from nonresnet_hls.emulation import Emulator
from nonresnet_hls.explain import walk
from nonresnet_hls.explain.explaining import Explanation
from nonresnet_hls.explain.findings import Reason
from nonresnet_hls.hls import configured
from tests.explain import nets


@dataclass(frozen=True)
class Fault:
    """A model with something wrong, and what is to be found."""

    make: Callable[[], tuple[Any, configured.Configuration]]
    layer: str
    reasons: frozenset[Reason]
    kind: str = "first"


def _with(model: Callable[[], Any], layer: str, **keys: Any) -> Callable[[], tuple[Any, configured.Configuration]]:
    def make() -> tuple[Any, configured.Configuration]:
        built = model()
        return built, nets.changed(configured.default(built), layer, **keys)

    return make


def _as_is(model: Callable[[], Any]) -> Callable[[], tuple[Any, configured.Configuration]]:
    def make() -> tuple[Any, configured.Configuration]:
        built = model()
        return built, configured.default(built)

    return make


def _relu6() -> Any:
    from tensorflow import keras

    model = nets.residual(keras.layers.ReLU(6.0, name="relu6"))
    nets.on_grid(model, step=0.5)  # so large that it clips
    return model


FAULTS = {
    "accumulator-wraps": Fault(
        _with(nets.plain, "conv", accum="fixed<8,2>"), "conv", frozenset({Reason.ACCUMULATOR_WRAPS})
    ),
    "accumulator-cuts": Fault(
        _with(nets.plain, "conv", accum="fixed<12,8>"), "conv", frozenset({Reason.ACCUMULATOR_CUTS})
    ),
    "accumulator-saturates": Fault(
        _with(nets.plain, "conv", accum="fixed<14,2,TRN,SAT>"), "conv", frozenset({Reason.ACCUMULATOR_SATURATES})
    ),
    "result-wraps": Fault(_with(nets.plain, "conv", result="fixed<14,2>"), "conv", frozenset({Reason.RESULT_WRAPS})),
    "result-saturates": Fault(
        _with(nets.plain, "conv_relu", result="ufixed<12,1,TRN,SAT>"), "conv_relu", frozenset({Reason.RESULT_SATURATES})
    ),
    "result-rounded": Fault(
        _with(nets.residual, "relu1", result="fixed<8,6>"), "relu1", frozenset({Reason.RESULT_ROUNDED})
    ),
    "input-wraps": Fault(_with(nets.plain, "image", result="fixed<8,0>"), "image", frozenset({Reason.RESULT_WRAPS})),
    "weights-of-few-levels": Fault(
        _with(nets.plain, "conv", weight="fixed<3,1>"), "conv", frozenset({Reason.WEIGHTS_ROUNDED})
    ),
    "weights-overflow": Fault(
        _with(nets.plain, "dense", weight="fixed<8,0>"), "dense", frozenset({Reason.WEIGHTS_OVERFLOW})
    ),
    "bias-rounded": Fault(_with(nets.plain, "conv", bias="fixed<3,2>"), "conv", frozenset({Reason.BIAS_ROUNDED})),
    "softmax-table": Fault(
        _with(lambda: nets.plain(softmax=True), "dense_softmax", TableSize=16),
        "dense_softmax",
        frozenset({Reason.TABLE}),
    ),
    "sigmoid-table": Fault(
        _with(lambda: nets.plain("sigmoid"), "conv_sigmoid", TableSize=16), "conv_sigmoid", frozenset({Reason.TABLE})
    ),
    "global-pooling": Fault(
        _as_is(lambda: nets.quantized(pooled=True)),
        "mean",
        frozenset({Reason.ACCUMULATOR_CUTS, Reason.ACCUMULATOR_WRAPS, Reason.RESULT_ROUNDED, Reason.RESULT_WRAPS}),
    ),
    "dropped-quantizer": Fault(
        _as_is(lambda: nets.quantized(dropped=True)), "conv2", frozenset({Reason.QUANTIZER_DROPPED})
    ),
    "relu6": Fault(_as_is(_relu6), "relu6", frozenset({Reason.FUNCTION})),
}


def _explained(fault: Fault) -> tuple[Explanation, Any]:
    model, config = fault.make()
    inputs = nets.images()
    return nets.explained(model, config, inputs, bits=24), inputs


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_cured(name: str) -> None:
    fault = FAULTS[name]
    found, inputs = _explained(fault)
    assert found.first is not None
    assert found.first.layer == fault.layer
    assert found.first.reason in fault.reasons
    cause = found.first.causes[0]
    assert 0 < cause.values <= found.first.values
    worst = found.first.worst[0]
    assert worst.wanted != worst.got
    assert abs(worst.wanted - worst.got) == found.first.largest_made_here
    cure = found.cure
    assert cure is not None
    assert found.holds
    assert cure.beyond_bound == 0
    assert cure.bound is not None
    if "table" not in name:
        assert cure.bound == 0
        assert cure.after.different == 0
        assert not any(layer.made_here for layer in cure.layers)
    else:
        assert cure.after.largest_error < cure.before.largest_error / 10
    again = nets.hardware(cure.model or fault.make()[0], configured.checked(cure.config, "cure"))
    outputs = Emulator(again)(walk.taken_in(again, [inputs]))
    assert (outputs == Emulator(cure.network)(walk.taken_in(cure.network, [inputs]))).all()
