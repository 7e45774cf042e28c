"""Which points are tried: all, or as many as a study allows, the same whatever happens around."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from nonresnet_hls.explore import sampling
from nonresnet_hls.explore.study import Point, Study
from tests.explore.test_study import read

STUDY = """
network = "resnet8"
objectives = ["top1", "lut"]
{more}
[axes]
skips = ["residual", "short", "plain", "merged"]
bits = [16, 8, 6, 5, [4, 6], 3]
board = ["pynq-z2", "zcu104"]
"""


def tried(study: Study, judge: Callable[[Point], sampling.Outcome]) -> list[Sequence[Point]]:
    proposals = sampling.batches(study)
    batches = [next(proposals)]
    while True:
        try:
            batches.append(proposals.send([judge(point) for point in batches[-1]]))
        except StopIteration:
            return batches


def judge(point: Point) -> sampling.Outcome:
    assert point.weight_bits
    if point.skips == "plain" and point.weight_bits == 3:
        return None
    return {"top1": 1 - 1 / point.weight_bits, "lut": 100.0 * point.weight_bits + len(str(point.skips))}


def test_all_points_are_tried_at_once_where_there_are_enough_trials(tmp_path: Path) -> None:
    for more in ("", "trials = 48", "trials = 1000"):
        study = read(tmp_path, STUDY.format(more=more))
        assert tried(study, judge) == [study.points]


def test_so_many_are_chosen_as_there_are_trials_each_once(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra explore is not installed")
    study = read(tmp_path, STUDY.format(more="trials = 30\nbatch = 8"))
    batches = tried(study, judge)
    assert [len(batch) for batch in batches] == [8, 8, 8, 6]
    points = [point for batch in batches for point in batch]
    assert len(set(points)) == 30
    assert set(points) <= set(study.points)
    assert batches == tried(study, judge)


def test_the_seed_and_the_outcomes_decide(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra explore is not installed")
    one = tried(read(tmp_path, STUDY.format(more="trials = 30")), judge)
    other = tried(read(tmp_path, STUDY.format(more="trials = 30\nseed = 1")), judge)
    unlike = tried(
        read(tmp_path, STUDY.format(more="trials = 30")), lambda point: {"top1": 1.0, "lut": hash(point.board) % 7}
    )
    assert one != other
    assert one[0] == unlike[0]
    assert one != unlike


def test_all_but_one_can_be_chosen_and_all_may_fail(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra explore is not installed")
    study = read(tmp_path, STUDY.format(more="trials = 47"))
    points = [point for batch in tried(study, lambda _: None) for point in batch]
    assert len(set(points)) == 47


def test_chosen_points_come_nearer_to_what_is_wanted_than_drawn_ones(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra explore is not installed")
    text = STUDY.replace('["top1", "lut"]', '["lut"]').replace("bits = [16, 8, 6, 5, [4, 6], 3]", "reuse_factor = [%s]")
    text = text % ", ".join(map(str, range(1, 200)))
    study = read(tmp_path, text.format(more="trials = 60\nbatch = 4"))

    def far(point: Point) -> sampling.Outcome:
        assert point.reuse_factor
        return {"lut": abs(point.reuse_factor - 70) + (0 if point.board == "zcu104" else 500.0)}

    points = [point for batch in tried(study, far) for point in batch]
    late = [point.board for point in points[30:]]
    assert late.count("zcu104") > 20  # of drawn ones half
