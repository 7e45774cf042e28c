import json

import numpy as np
import pytest

from nonresnet_hls.fixed.arithmetic import Wire
from nonresnet_hls.rtl.adder_graph import computes, module, node_ranges, solve

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


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NONRESNET_CACHE", str(tmp_path))
    return tmp_path


KERNEL = np.random.default_rng(7).integers(-4, 5, (6, 3))


def solved():
    graph = solve(KERNEL, Wire(0, 3, 0))
    assert graph.evaluate([3, 1, 2, 0, 1, 3]) == (np.array([3, 1, 2, 0, 1, 3]) @ KERNEL).tolist()
    return graph


FORGERIES = {
    "no outputs": lambda raw: raw["outputs"].clear(),
    "no adders": lambda raw: raw["adders"].clear(),
    "zero": lambda raw: raw["outputs"][0].update(node=None),
    "another shift": lambda raw: raw["outputs"][0].update(shift=raw["outputs"][0]["shift"] + 1),
    "dropped bits": lambda raw: raw["outputs"][0].update(shift=-1),
    "sign": lambda raw: raw["adders"][-1].update(subtract=not raw["adders"][-1]["subtract"]),
    "a node of later": lambda raw: raw["adders"][0].update(left=10**6),
    "a negative node": lambda raw: raw["adders"][0].update(left=-1),
    "a huge shift": lambda raw: raw["adders"][0].update(left_shift=10**9),
    "a text": lambda raw: raw["adders"][0].update(left="0"),
    "a key": lambda raw: raw["adders"][0].update(extra=1),
    "inputs": lambda raw: raw.update(inputs=7),
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_graph_is_made_anew(cache, how):
    """Whoever forges the entry forges its digest, too: the graph is held to the kernel."""
    from nonresnet_hls.rtl.cache import _seal

    right = solved()
    (path,) = cache.iterdir()
    raw = json.loads(path.read_text().rpartition("\n")[0])
    FORGERIES[how](raw)
    text = json.dumps(raw)
    path.write_text(f"{text}\n{_seal(path.name, text)}")
    assert solved() == right
    assert path.read_text() != f"{text}\n{_seal(path.name, text)}"


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 10**5, b"\xff\xfe", b'{"inputs": 6}\n' + b"0" * 64, None])
def test_a_broken_entry_is_made_anew(cache, content):
    right = solved()
    (path,) = cache.iterdir()
    if content is None:
        path.unlink()
        path.mkdir()  # and cannot be written either
    else:
        path.write_bytes(content)
    assert solved() == right


def test_a_graph_is_held_to_its_kernel_for_every_vector(cache):
    graph = solved()
    assert computes(graph, KERNEL)
    for where in np.ndindex(KERNEL.shape):
        other = KERNEL.copy()
        other[where] += 1
        assert not computes(graph, other)


def test_a_kernel_in_another_memory_layout_has_nothing_compiled_anew(cache):
    """Which takes a minute, and has numba warn."""
    from da4ml.cmvm import api

    solved()
    compiled = list(api.solve.signatures)
    assert solve(np.asfortranarray(KERNEL), Wire(0, 2, 0)).evaluate([1, 2, 0, 1, 2, 0])
    assert list(api.solve.signatures) == compiled
