"""The C simulation in bits: a project of which every type is wider than a double, and one whose assertion fails."""

from pathlib import Path

import hls4ml
import numpy as np
import pytest

from nonresnet_hls.errors import ToolError
from nonresnet_hls.hls.bits import BitSimulation

HEADER = """
#include <cassert>
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
#include "nnet_utils/nnet_types.h"
typedef nnet::array<ap_fixed<79, 39>, 2> wide_t;
typedef nnet::array<ap_uint<5>, 3> narrow_t;
namespace mine { void tiny(hls::stream<wide_t> &x, hls::stream<wide_t> &y, hls::stream<narrow_t> &z); }
"""
SOURCE = """
#include "tiny.h"
void mine::tiny(hls::stream<wide_t> &x, hls::stream<wide_t> &y, hls::stream<narrow_t> &z) {
    narrow_t count;
    for (int i = 0; i < 3; i++) count[i] = 7 * i + 3;
    for (int i = 0; i < 2; i++) {
        wide_t token = x.read();
        assert(token[0] != 12345 && "The number is not allowed");
        token[1] = token[1] - token[0];
        y.write(token);
    }
    z.write(count);
}
"""


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> BitSimulation:
    project, scratch = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("scratch")
    firmware, templates = project / "firmware", Path(hls4ml.__file__).parent / "templates" / "vivado"
    firmware.mkdir()
    for folder in ("ap_types", "nnet_utils"):
        (firmware / folder).symlink_to(templates / folder)
    (firmware / "tiny.h").write_text(HEADER)
    (firmware / "tiny.cpp").write_text(SOURCE)
    return BitSimulation(project, "mine::tiny", [2], [2, 1], scratch)


def words(values: list[tuple[int, int]]) -> np.ndarray:
    """Two numbers of 79 bits each, side by side in five pieces of 32."""
    whole = [(a % 2**79) | (b % 2**79) << 79 for a, b in values]
    return np.frombuffer(b"".join(number.to_bytes(20, "little") for number in whole), np.uint32)


def test_every_bit_goes_in_and_comes_out(simulation: BitSimulation) -> None:
    values = [(2**78 - 1, -(2**78) + 1), (1, 2**77 + 1), (-1, -1), (3**40, 5**30)]
    wide, narrow = simulation.run(2, [words(values)])
    assert (wide == words([(a, b - a) for a, b in values])).all()
    assert narrow.tolist() == [3 | 10 << 5 | 17 << 10] * 2


def test_doubles_are_cast_by_the_cpp(simulation: BitSimulation) -> None:
    wide, _ = simulation.run(1, [np.array([1.5, -2.25, 2.0**-41, 0.0])])
    unit = 2**40
    assert (wide == words([(3 * unit // 2, -15 * unit // 4), (0, 0)])).all()


def test_an_assertion_ends_another_process(simulation: BitSimulation) -> None:
    with pytest.raises(
        ToolError, match=r"C simulation of mine::tiny: ended by SIGABRT: .*The number is not allowed"
    ) as e:
        simulation.run(1, [np.array([12345.0, 0, 0, 0])])
    assert "\n" not in str(e.value)
    simulation.run(1, [np.zeros(4)])


def test_another_number_of_values_is_refused(simulation: BitSimulation) -> None:
    with pytest.raises(ToolError, match="exit status 3: error: in_0: another number of values wanted"):
        simulation.run(2, [np.zeros(4)])
