"""What the prediction tells of the course of a run, against its own sums."""

from itertools import pairwise

import pytest

from nonresnet_hls.recipe import RtlOptions
from nonresnet_hls.rtl.design import RtlDesign, assemble
from nonresnet_hls.rtl.prediction import Trace, predict
from nonresnet_hls.rtl.units import build
from tests.rtl.test_prediction import residual


@pytest.fixture(scope="module")
def design() -> RtlDesign:
    network = residual(4)  # folded: no adder graph is sought
    return assemble(network, build(network, RtlOptions()))


@pytest.mark.parametrize("limits", [{}, {"main": 2, "skip": 20}, {"skip": 1}])
def test_a_trace_is_of_the_run_that_is_predicted(design: RtlDesign, limits: dict[str, int]) -> None:
    trace = Trace()
    predicted = predict(design, 2, limits, trace)
    assert predicted == predict(design, 2, limits)
    assert set(trace.levels) == set(predicted.high_water)
    for name, changes in trace.levels.items():
        assert [cycle for cycle, _ in changes] == sorted({cycle for cycle, _ in changes})
        assert max((level for _, level in changes), default=0) == predicted.high_water[name]
        if predicted.finished:
            assert changes[-1][1] <= 1, "the last word of all is read as the run ends"


def test_units_work_or_are_blocked_one_at_a_time_and_as_long_as_they_must(design: RtlDesign) -> None:
    trace = Trace()
    predicted = predict(design, 2, {"skip": 20}, trace)
    for unit in design.units:
        stretches = sorted([*trace.works[unit.name], *trace.blocked.get(unit.name, [])])
        assert all(begin < end for begin, end in stretches)
        assert all(end <= begin for (_, end), (begin, _) in pairwise(stretches))
        assert stretches[-1][1] <= predicted.total_cycles
        worked = sum(end - begin for begin, end in trace.works[unit.name])
        words = max(design.network.streams[name].words for name in (*unit.inputs, *unit.outputs))
        assert worked >= 2 * words


def test_a_unit_behind_which_a_fifo_is_full_is_blocked(design: RtlDesign) -> None:
    trace = Trace()
    assert not predict(design, 2, {"skip": 1}, trace).finished
    fork = next(unit for unit in design.units if unit.outputs == ("main", "skip"))
    assert trace.blocked[fork.name]
