import numpy as np
import pytest

from nonresnet_hls.fixed.arithmetic import Wire
from nonresnet_hls.rtl.adder_graph import module, node_ranges, solve

CASES = [
    ((3, 2), [-1, 1], Wire(0, 3, 0)),
    ((9, 4), [-1, 1], Wire(-2, 1, 0)),
    ((18, 5), range(-8, 8), Wire(0, 15, 0)),
    ((4, 6), [0, 0, 0, 5, -3], Wire(-8, 7, 0)),
    ((1, 1), [0], Wire(0, 1, 0)),
    ((144, 16), [-1, 1], Wire(0, 3, 0)),
]


@pytest.mark.parametrize(("shape", "weights", "wire"), CASES, ids=str)
def test_the_graph_is_the_product(shape, weights, wire: Wire) -> None:
    rng = np.random.default_rng(3)
    kernel = rng.choice(list(weights), shape)
    graph = solve(kernel, wire)
    for x in [
        np.full(shape[0], wire.low),
        np.full(shape[0], wire.high),
        *rng.integers(wire.low, wire.high + 1, (20, shape[0])),
    ]:
        assert graph.evaluate([int(v) for v in x]) == (x @ kernel).tolist()


def test_ranges_of_the_outputs_are_the_exact_ones() -> None:
    rng = np.random.default_rng(4)
    kernel = rng.choice([-1, 1], (144, 16))
    wire = Wire(0, 3, 0)
    made = module("adders", solve(kernel, wire), wire, 2, 3)
    for output, column in zip(made.outputs, kernel.T, strict=True):
        assert (output.low, output.high) == (3 * column[column < 0].sum(), 3 * column[column > 0].sum())


def test_every_node_stays_in_its_range() -> None:
    rng = np.random.default_rng(5)
    kernel = rng.integers(-8, 8, (12, 4))
    wire = Wire(-4, 3, 0)
    graph = solve(kernel, wire)
    bounds = node_ranges(graph, wire)
    for x in rng.integers(wire.low, wire.high + 1, (50, 12)):
        nodes = [int(v) for v in x]
        for adder in graph.adders:
            right = nodes[adder.right] << adder.right_shift
            nodes.append((nodes[adder.left] << adder.left_shift) + (-right if adder.subtract else right))
        assert all(bound.low <= node <= bound.high for bound, node in zip(bounds, nodes, strict=True))


def test_more_stages_register_more_often() -> None:
    kernel = np.random.default_rng(6).choice([-1, 1], (32, 4))
    graph = solve(kernel, Wire(0, 3, 0))
    stages = [module("adders", graph, Wire(0, 3, 0), 2, each).stages for each in (1, 2, 100)]
    assert stages[0] > stages[1] > stages[2] == 1
