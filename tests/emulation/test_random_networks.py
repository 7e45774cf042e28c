"""Random networks with random types, far too narrow ones too: every value as hls4ml's C++ gives it."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls.emulation import Emulator
from nonresnet_hls.errors import ConversionError
from tests.emulation import nets


# Of which hls4ml converts what its C++ can run.
@pytest.mark.parametrize(
    "seed",
    [
        *(1007, 1013, 1018),
        *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (1001, 1002, 1004, 1006, 1008, 1012, 1021)),
    ],
)
def test_every_value_is_that_of_the_c_simulation(seed: int, tmp_path: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        compared = nets.differences(seed, tmp_path)
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


@pytest.mark.parametrize(
    ("seed", "wanted"),
    [
        (2000, "words of 40 numbers wanted in a stream for nnet::relu, not 2"),  # behind a flatten
        (2048, "hls4ml's C++ takes no reuse factor 2 for 1 weights"),
        (2072, "hls4ml's C++ has no products of reuse factor 3 for 2"),
        (2114, "a reuse factor that divides its 3 products wanted, not 2: hls4ml's C++ reads beyond the weights"),
        (2161, "data: one argument of that name wanted, not two"),  # an output that is the input
    ],
)
def test_what_the_cpp_does_not_compute_is_refused(seed: int, wanted: str, tmp_path: Path) -> None:
    io_type, backend = ("io_stream", "io_parallel")[seed % 2], ("Vivado", "Vitis")[seed // 2 % 2]
    with contextlib.redirect_stdout(io.StringIO()):
        graph = nets.draw_graph(seed, tmp_path, io_type, backend, narrow=seed % 3 != 0)
    with pytest.raises(ConversionError, match=re.escape(wanted)):
        Emulator(graph)


def test_an_average_of_arrays_saturates_as_it_is_added_up(tmp_path: Path) -> None:
    # Signed numbers, an unsigned accumulator that saturates.
    with contextlib.redirect_stdout(io.StringIO()):
        graph = nets.draw_graph(2277, tmp_path, "io_parallel", "Vivado", narrow=False)
    fast = Emulator(graph)
    inputs = nets.draw_inputs(np.random.default_rng(2277), graph, 12)
    for one, two in zip(fast(inputs), Emulator(fast.network, fast=False)(inputs), strict=True):
        assert (one == two).all()


@pytest.mark.parametrize("seed", [1, 2, 4, 5, 8, 9, 12, 13, 14, 19, 21, 22])
def test_fast_kernels_give_what_integers_give(seed: int, tmp_path: Path) -> None:
    io_type = ("io_stream", "io_parallel")[seed % 2]
    with contextlib.redirect_stdout(io.StringIO()):
        graph = nets.draw_graph(seed, tmp_path, io_type, "Vivado", narrow=bool(seed % 3), length=5)
    fast = Emulator(graph)
    slow = Emulator(fast.network, fast=False)
    inputs = nets.draw_inputs(np.random.default_rng(seed), graph, 12)
    found, wanted = fast(inputs), slow(inputs)
    for one, two in zip(*(x if isinstance(x, list) else [x] for x in (found, wanted)), strict=True):
        assert (one == two).all()
