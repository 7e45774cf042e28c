"""The Pareto front against its definition."""

import hypothesis
from hypothesis import strategies as st

from nonresnet_hls.explore.figures import KINDS, Basis, Better, Figure, Row, Status
from nonresnet_hls.explore.front import front

NAMES = ("top1", "lut", "fps")


def row(values: dict[str, float], status: Status = Status.DONE) -> Row:
    figures = {name: Figure(value, Basis.MODELLED, "x", "y") for name, value in values.items()}
    return Row(1, "x", {}, status, figures=figures)


def dominates(one: Row, other: Row) -> bool:
    better = [
        (a.figures[name].value - b.figures[name].value) * (1 if KINDS[name].better is Better.MORE else -1)
        for a, b in [(one, other)]
        for name in NAMES
    ]
    return min(better) >= 0 and max(better) > 0


VALUES = st.fixed_dictionaries({name: st.integers(0, 4) for name in NAMES})


@hypothesis.given(st.lists(VALUES, max_size=8))
@hypothesis.settings(derandomize=True, max_examples=100, deadline=None)
def test_what_nothing_dominates_is_on_it_and_nothing_else(values: list[dict[str, int]]) -> None:
    rows = [row({name: float(value) for name, value in one.items()}) for one in values]
    wanted = [not any(dominates(other, one) for other in rows) for one in rows]
    assert front(rows, NAMES) == wanted


def test_more_is_better_of_some_and_less_of_others() -> None:
    better = row({"top1": 0.9, "lut": 10, "fps": 5})
    worse = row({"top1": 0.8, "lut": 20, "fps": 4})
    assert front([worse, better], NAMES) == [False, True]
    assert front([worse, better], ["lut"]) == [False, True]


def test_what_failed_or_lacks_a_figure_is_not_on_it() -> None:
    good = {"top1": 0.9, "lut": 10.0, "fps": 5.0}
    assert front([row(good, Status.FAILED), row({"top1": 1.0})], NAMES) == [False, False]
    assert front([row(good, Status.LOST), row(good)], NAMES) == [False, True]
    assert front([], NAMES) == []
