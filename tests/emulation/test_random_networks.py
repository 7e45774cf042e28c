"""Random networks with random types, far too narrow ones too: every value as hls4ml's C++ gives it."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls.emulation import Emulator
from nonresnet_hls.errors import ConversionError
from tests.emulation import nets


@pytest.mark.parametrize("seed", range(10))
def test_every_value_is_that_of_the_c_simulation(seed: int, tmp_path: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        compared = nets.differences(1000 + seed, tmp_path)
    assert compared is not None
    values, different = compared
    assert values > 0
    assert different == 0


@pytest.mark.nightly
def test_three_hundred_random_networks(tmp_path: Path) -> None:
    networks = values = 0
    seed = 2000
    while networks < 300:
        with contextlib.redirect_stdout(io.StringIO()):
            compared = nets.differences(seed, tmp_path / str(seed), length=4)
        seed += 1
        if compared is not None:
            networks += 1
            values += compared[0]
            assert compared[1] == 0, f"seed {seed - 1}"
    print(f"{networks} networks, {values} values compared, 0 different")


@pytest.mark.parametrize("seed", range(12))
def test_fast_kernels_give_what_integers_give(seed: int, tmp_path: Path) -> None:
    io_type = ("io_stream", "io_parallel")[seed % 2]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            graph = nets.draw_graph(seed, tmp_path, io_type, "Vivado", narrow=bool(seed % 3), length=5)
        fast = Emulator(graph)
    except (ConversionError, RuntimeError):
        return  # hls4ml, or its C++, does not take it
    slow = Emulator(fast.network, fast=False)
    inputs = nets.draw_inputs(np.random.default_rng(seed), graph, 12)
    found, wanted = fast(inputs), slow(inputs)
    for one, two in zip(*(x if isinstance(x, list) else [x] for x in (found, wanted)), strict=True):
        assert (one == two).all()
