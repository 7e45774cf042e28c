"""Random models with hls4ml's own configuration: what is proposed makes them their quantized twins, as it states."""

from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls.emulation import Emulator
from nonresnet_hls.explain import explaining, meaning, pairing, twin, walk
from nonresnet_hls.explain.explaining import Question, Wish
from nonresnet_hls.hls import configured
from tests.explain import nets


def _cured(seed: int) -> tuple[explaining.Cure, np.ndarray, np.ndarray, float]:
    """The cure of a random model, inputs, the outputs of the twin, and how far the hardware may be from them."""
    model = nets.random_model(seed)
    inputs = np.random.default_rng(seed).normal(0, 1, (8, *model.inputs[0].shape[1:])).astype(np.float32)
    own = configured.default(model)
    asked = Question(model.name, model, nets.hardware(model, own), (inputs,), given=own)
    found = explaining.explain(asked, Wish())
    cure = found.cure
    assert cure is not None
    assert found.holds
    assert cure.bound is not None
    means = meaning.of(model)
    pairs = pairing.pair(cure.network, means)
    wanted = twin.Twin(cure.network, pairs, means)(walk.taken_in(cure.network, [inputs]))[0]
    (bound,) = twin.bounds(cure.network, pairs, means)
    assert bound == cure.bound
    return cure, inputs, wanted, bound


@pytest.mark.parametrize("seed", range(4))
def test_the_emulator_is_within_the_bound(seed: int) -> None:
    cure, inputs, wanted, bound = _cured(seed)
    outputs = Emulator(cure.network)(walk.taken_in(cure.network, [inputs]))
    assert (np.abs(outputs - wanted) <= bound).all()


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(100))
def test_the_c_simulation_is_within_the_bound(seed: int, tmp_path: Path) -> None:
    cure, inputs, wanted, bound = _cured(seed)
    given = walk.taken_in(cure.network, [inputs])
    # The compiled library gets the numbers as they are, and casts them itself.
    outputs = nets.simulated(nets.random_model(seed), cure.config, np.asarray(inputs, np.float64), tmp_path / "project")
    assert (outputs == Emulator(cure.network)(given)).all()
    assert (np.abs(outputs - wanted) <= bound).all()
    before, after = cure.cost_before, cure.cost_after
    print(f"{seed} bits {before.weight_bits} {before.result_bits} {before.accumulator_bits}", end=" ")
    print(f"{after.weight_bits} {after.result_bits} {after.accumulator_bits} bound {bound:.3g}")
