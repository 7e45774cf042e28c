"""Every kind of layer that is taken, through hls4ml's C++: equal in every value, on test data and at the edges."""

from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls.hls import csim
from nonresnet_hls.hls.simulate import Simulation
from nonresnet_hls.quantization import arithmetic
from nonresnet_hls.quantization.deployment import deployable
from nonresnet_hls.quantization.quantize import finish, quantize
from nonresnet_hls.quantization.quantized import Quantized
from nonresnet_hls.recipe import Backend, Csim, Hls, Quantization
from tests.hls import projects
from tests.quantization import test_kinds as kinds


@pytest.mark.nightly
@pytest.mark.parametrize("name", kinds.KINDS)
def test_a_kind_is_equal_in_its_c_simulation(name: str, tmp_path: Path) -> None:
    number = list(kinds.KINDS).index(name)
    # Both back ends and other bits take turns.
    bits = (8, 6, 12, 4)[number % 4]
    model, x = kinds.made(name)
    made = finish(quantize(model, Quantization(bits, bits), x))
    made = deployable(made, arithmetic.infer(made, kinds.INPUT))
    own = Quantized(made, kinds.INPUT, x.astype(np.float64), arithmetic.infer(made, kinds.INPUT))
    hls = Hls(backend=list(Backend)[number % 2])
    projects.write(own, hls, tmp_path / "project")
    asked = csim.question(own, Csim(samples=12), "samples")
    with Simulation(tmp_path / "project") as simulation:
        result = csim.compare(simulation, asked, lambda _: None)
    assert result.different == 0
    assert result.values > 0
