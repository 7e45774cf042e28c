"""Quantizers of ours: they round as their type says, on any power of two, and come back from files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow import keras

from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding
from nonresnet_hls.networks import grids, saved

_MODES = (Rounding.RND_CONV, Overflow.SAT)
types = st.builds(
    lambda width, integer, signed: FixedPointType(width, integer, signed, *_MODES),
    st.integers(2, 16), st.integers(-20, 8), st.booleans(),
)  # fmt: skip


@settings(max_examples=100, deadline=None, derandomize=True)
@given(of=types, mantissas=st.lists(st.integers(-(2**19), 2**19), min_size=1, max_size=20))
def test_values_are_those_of_the_type(of: FixedPointType, mantissas: list[int]) -> None:
    x = np.ldexp(np.array(mantissas, np.float64), -of.fraction_bits - 3)
    assert (grids.FixedPoint(str(of))(x).numpy() == of.quantize_array(x)).all()
    assert (grids.FixedPointActivation(str(of))(x.astype(np.float32)).numpy() == of.quantize_array(x)).all()


def test_both_come_back_from_a_file(tmp_path: Path) -> None:
    import qkeras

    of, unsigned = FixedPointType(6, -4, True, *_MODES), FixedPointType(5, -6, False, *_MODES)
    x = image = keras.Input((4, 4, 1))
    x = qkeras.QConv2D(
        2, 3, kernel_quantizer=grids.FixedPoint(str(of)), bias_quantizer=grids.FixedPoint(str(of)), name="conv"
    )(x)
    model = keras.Model(image, grids.FixedPointActivation(str(unsigned), name="act")(x))
    saved.save(model, tmp_path / "model.keras")
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(tmp_path / "model.h5")
    for suffix in ("keras", "h5"):
        back = saved.load(tmp_path / f"model.{suffix}")
        samples = np.random.default_rng(0).uniform(0, 1, (3, 4, 4, 1)).astype(np.float32)
        assert (back(samples).numpy() == model(samples).numpy()).all()
        assert back.get_layer("conv").kernel_quantizer_internal.type == of
        assert back.get_layer("act").quantizer.type == unsigned


@pytest.mark.parametrize("text", ["fixed<8,2>", "fixed<8,2,RND,SAT>", "nonsense"])
def test_other_types_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="wanted, not"):
        grids.FixedPoint(text)


def test_gradients_pass_within_the_bounds() -> None:
    import tensorflow as tf

    x = tf.Variable([-1.0, 0.1, 5.0])
    with tf.GradientTape() as tape:
        y = grids.FixedPointActivation("ufixed<4,1,RND_CONV,SAT>")(x)
    assert tape.gradient(y, x).numpy().tolist() == [0.0, 1.0, 0.0]
