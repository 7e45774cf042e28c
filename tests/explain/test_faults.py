"""Seeded faults: each is found, by layer and reason, and cured; the emulator judges, at night the C simulation."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls.emulation import Emulator
from nonresnet_hls.errors import ModelError
from nonresnet_hls.explain import explaining, meaning, walk
from nonresnet_hls.explain.explaining import Explanation, Question, Wish
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


@pytest.mark.nightly
@pytest.mark.parametrize("name", FAULTS)
def test_the_cure_holds_in_the_c_simulation(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    found, inputs = _explained(fault)
    assert found.cure is not None
    model = found.cure.model or fault.make()[0]
    outputs = nets.simulated(model, found.cure.config, inputs, tmp_path / "project")
    assert (outputs == Emulator(found.cure.network)(walk.taken_in(found.cure.network, [inputs]))).all()
    if "table" not in name:
        means = meaning.of(model)
        assert (outputs == means.evaluate({means.inputs[0]: inputs}, means.outputs)[means.outputs[0]]).all()


def test_what_keras_itself_rounds_is_no_fault_of_the_hardware() -> None:
    model, inputs = nets.quantized(bits=14), nets.images()
    config = nets.exact_config(model, inputs)
    found = nets.explained(model, config, inputs)
    assert found.equal
    assert found.cure is None
    assert found.first is None
    assert found.keras_rounding is not None
    assert 0 < found.keras_rounding.different <= found.keras_rounding.values
    # The layers before it are exact in 24 bits.
    assert found.keras_rounding.layer in ("conv2", "add", "dense")
    keras = model.predict(inputs.astype(np.float32), verbose=0)
    assert (Emulator(nets.hardware(model, config))(inputs) != keras).any()


def test_what_is_propagated_is_not_made_here() -> None:
    model = nets.residual()
    own = nets.changed(configured.default(model), "conv1", accum="fixed<9,3>")
    found = nets.explained(model, own, nets.images(), bits=24)
    assert found.first is not None
    assert found.first.layer == "conv1"
    after = {layer.layer: layer for layer in found.layers}["add"]
    assert after.different > 0
    assert after.made_here == 0
    assert after.causes == ()
    assert after.passed_on == after.different


def test_two_reasons_of_one_layer_are_told_apart() -> None:
    model = nets.plain()
    own = nets.changed(configured.default(model), "conv", weight="fixed<4,1>", result="fixed<10,2>")
    found = nets.explained(model, own, nets.images(), bits=24)
    assert found.first is not None
    reasons = {cause.reason for cause in found.first.causes}
    assert {Reason.WEIGHTS_ROUNDED, Reason.RESULT_WRAPS} <= reasons


def test_arrays_are_explained_as_streams_are() -> None:
    model = nets.plain()
    way = configured.Way(io_type="io_parallel")
    own = nets.changed(configured.default(model), "conv", accum="fixed<8,2>")
    asked = Question("plain", model, nets.hardware(model, own, way), (nets.images(),), given=own, way=way)
    found = explaining.explain(asked, Wish(bits=24))
    assert found.first is not None
    assert (found.first.layer, found.first.reason) == ("conv", Reason.ACCUMULATOR_WRAPS)
    assert found.holds
    assert found.cure is not None
    assert found.cure.after.different == 0


def test_the_fewest_bits_keep_the_accuracy() -> None:
    model, inputs = nets.plain(), nets.images(64)
    labels = model.predict(inputs, verbose=0).argmax(1)
    own = configured.default(model)
    asked = Question("plain", model, nets.hardware(model, own), (inputs,), labels, own)
    found = explaining.explain(asked, Wish(max_loss=5.0))
    assert found.cure is not None
    search = found.cure.search
    assert search is not None
    assert search.kept
    assert found.holds
    assert search.keras == 1.0
    assert search.hardware >= 0.95
    weights = {row.layer: row.weight_bits for row in search.bits if row.weight_bits is not None}
    assert set(weights) == {"conv", "dense"}
    assert max(weights.values()) < 16
    assert found.cure.cost_after.weight_bits < found.cure.cost_before.weight_bits


def test_scales_that_hls4ml_keeps_apart_from_their_weights() -> None:
    model, inputs = nets.scaled(), nets.images()
    own = nets.changed(configured.default(model), "act", result="ufixed<3,0,RND_CONV,SAT>")
    found = nets.explained(model, own, inputs)
    assert found.first is not None
    assert (found.first.layer, found.first.reason) == ("act", Reason.RESULT_SATURATES)
    assert found.holds
    assert found.cure is not None
    assert (found.cure.bound, found.cure.after.different) == (0, 0)


def test_what_no_type_cures_is_said() -> None:
    from tensorflow import keras

    model = nets.on_grid(nets.residual(keras.layers.ReLU(4.0, name="relu4")), step=0.5)
    found = nets.explained(model, configured.default(model), nets.images(), bits=24)
    assert found.first is not None
    assert (found.first.layer, found.first.reason) == ("relu4", Reason.FUNCTION)
    assert not found.holds
    assert found.cure is not None
    assert found.cure.beyond_bound > 0
    assert (
        "layer relu4: relu with max_value 4 wanted, which hls4ml does not make; no type cures that" in found.cure.notes
    )


def test_slopes_that_are_rounded_are_in_the_bound() -> None:
    from tensorflow import keras

    model = nets.residual(keras.layers.LeakyReLU(0.3, name="leaky"))
    found = nets.explained(model, configured.default(model), nets.images())
    assert found.holds
    assert found.cure is not None
    assert 0 < (found.cure.bound or 0) < 0.01


def test_numbers_that_are_none_are_refused() -> None:
    model = nets.plain()
    kernel, bias = model.get_layer("dense").get_weights()
    model.get_layer("dense").set_weights([kernel, np.full_like(bias, np.inf)])
    network = nets.hardware(nets.plain(), configured.default(nets.plain()))
    asked = Question("plain", model, network, (nets.images(),))
    with pytest.raises(ModelError, match="layer dense: finite numbers wanted, Keras itself gives others"):
        explaining.explain(asked, Wish())
