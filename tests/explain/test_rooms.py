"""The parts of the room by themselves: types that fit, reading configurations, pairing, telling."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nonresnet_hls.errors import ConversionError, ModelError
from nonresnet_hls.explain import fitting, meaning, pairing
from nonresnet_hls.explain.findings import Histogram, in_binary
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls import configured
from tests.explain import nets

NUMBERS = st.lists(st.integers(-500, 500), min_size=1, max_size=20)


@given(NUMBERS, st.integers(-6, 6))
@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_grid_holds_its_numbers_and_no_narrower_type_does(numbers: list[int], power: int) -> None:
    values = np.array(numbers) * 2.0**power
    kind = fitting.grid(values, 64)
    assert kind is not None
    assert (kind.quantize_array(values) == values).all()
    if kind.width > 1:
        assert fitting.grid(values, kind.width - 1) is None


@given(st.floats(-1000, 1000), st.floats(-1000, 1000), st.integers(3, 20))
@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_fitted_type_holds_the_range_within_a_last_bit(one: float, other: float, bits: int) -> None:
    low, high = sorted((one, other))
    if max(abs(low), abs(high)) < 1e-6:
        return
    kind = fitting.fitted(low, high, bits)
    assert kind.width == bits
    assert kind.signed == (low < 0)
    for value in (max(low, 0.0) if not kind.signed else low, high if high > 0 else 0.0):
        assert abs(float(kind.quantize(value)) - value) <= float(kind.lsb)


def test_bits_are_shown_with_their_point() -> None:
    assert in_binary(0b1011, FixedPointType.parse("ufixed<4,2>")) == "10.11"
    assert in_binary(1, FixedPointType.parse("ufixed<2,-2>")) == ".0001"
    assert in_binary(-1, FixedPointType.parse("fixed<2,-2>")) == ".1111"


def test_a_histogram_shows_what_is_beyond_its_type() -> None:
    kind = FixedPointType.parse("ufixed<3,2>")
    histogram = Histogram(kind, {3: 1, 1: 900, 0: 40, -3: 2}, 5, 0.0, 9.0)
    assert (histogram.above, histogram.below) == (1, 2)
    assert histogram.bar() == ":.|#:.|.:"


def test_hls4mls_own_types_are_read() -> None:
    for text, wanted in (
        ("ap_fixed<16,6,AP_RND,AP_SAT,0>", "fixed<16,6,RND,SAT>"),
        ("fixed<18,8,TRN,WRAP,0>", "fixed<18,8>"),
        ("ap_uint<8>", "ufixed<8,8>"),
        ("int4", "fixed<4,4>"),
    ):
        assert str(configured.kind_of(text, "x")) == wanted
    for text in ("float", "fixed<16>", "fixed<99999,6>", 7, "fixed<16,6,UP>", "auto<3>"):
        with pytest.raises(ConversionError, match=r"x: a type as fixed<16,6> of at most 1024 bits, or auto, wanted"):
            configured.kind_of(text, "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a configuration with Model, LayerName, LayerType wanted"),
        ("- 1", "a configuration with Model, LayerName, LayerType wanted"),
        ("Optimizers: [x]", "Model, LayerName, LayerType wanted as keys, not 'Optimizers'"),
        ("Model: 3", "Model: a table wanted, not 3"),
        ("Model: {Precision: auto}", "Model: Precision: a type as default wanted, not 'auto'"),
        ("Model: {Precision: 'fixed<16,6>'}\nLayerName: {a: 3}", "LayerName: a: a table wanted, not 3"),
        (
            "Model: {Precision: 'fixed<16,6>'}\nLayerName: {a: {TableSize: 99999999}}",
            "LayerName: a: TableSize: a whole number from 1 to 1048576 wanted",
        ),
        (
            "Model: {Precision: 'fixed<16,6>'}\nLayerName: {a: {Precision: {result: double}}}",
            "LayerName: a: Precision: result: a type as fixed<16,6> of at most 1024 bits, or auto, wanted, not",
        ),
        ("a: &x {b: 1}\nc:\n  <<: *x", "YAML wanted, cannot be parsed"),
        ("{", "YAML wanted, cannot be parsed"),
    ],
)
def test_what_is_no_configuration_is_refused_by_its_key(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(text)
    with pytest.raises(ConversionError) as refusal:
        configured.read(path)
    assert message in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_configuration_survives_its_text(tmp_path: Path) -> None:
    own = configured.default(nets.plain())
    path = tmp_path / "config.yml"
    path.write_text(configured.text(own))
    assert configured.read(path) == own
    path.write_text("HLSConfig:\n" + "".join(f"  {line}\n" for line in configured.text(own).splitlines()))
    assert configured.read(path) == own


def test_a_model_of_other_hardware_is_refused() -> None:
    network = nets.hardware(nets.plain(), configured.default(nets.plain()))
    with pytest.raises(ModelError, match=r"numbers wanted as in the Keras model|that the hardware was made of"):
        pairing.pair(network, meaning.of(nets.random_model(9)))


@pytest.mark.parametrize("make", [nets.plain, nets.residual, nets.quantized, lambda: nets.quantized(pooled=True)])
def test_the_meaning_of_a_model_is_what_keras_computes(make) -> None:  # type: ignore[no-untyped-def]
    model, inputs = make(), nets.images()
    means = meaning.of(model)
    found = means.evaluate({means.inputs[0]: inputs}, means.outputs)[means.outputs[0]]
    assert (found == model.predict(inputs.astype(np.float32), verbose=0)).all()
