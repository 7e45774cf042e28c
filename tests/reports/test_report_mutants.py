"""No corruption of a report leads to anything but a record or a refusal that names file and line."""

from collections import Counter
from pathlib import Path

import pytest

from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports.reader import read_bytes
from tests.reports.mutants import try_mutants
from tests.reports.report_fixtures import OWN, SHARED

LARGEST_SEED = 300_000


def seeds_of_mutants() -> list[Path]:
    """Our own reports and, where they are, some real ones of every kind."""
    own = sorted(path for path in OWN.rglob("*") if path.is_file())
    kinds: Counter[object] = Counter()
    real = []
    for path in sorted(SHARED.rglob("*")):
        if path.is_file() and path.stat().st_size <= LARGEST_SEED and path.suffix in {".rpt", ".xml", ".log"}:
            try:
                report = read_bytes(path.read_bytes(), "seed")
            except ReportError:
                continue
            if report and kinds[report.kind] < 12:
                kinds[report.kind] += 1
                real.append(path)
    return own + real


def show(capsys, outcomes: Counter[str]) -> None:
    unknown = outcomes["no longer known as a report"]
    with capsys.disabled():
        print(f"\n{sum(outcomes.values())} mutants: {outcomes['read']} read", end="")
        print(f", {outcomes['refused'] + unknown} refused ({unknown} of them as no report)", end="")
        print(f", {outcomes['other']} other ", end="")


def test_500_mutants(capsys):
    outcomes, others = try_mutants(seeds_of_mutants(), 500, seed=1)
    show(capsys, outcomes)
    assert others == []
    assert outcomes["read"] > 50
    assert outcomes["refused"] > 50


@pytest.mark.nightly
def test_20_000_mutants(capsys):
    outcomes, others = try_mutants(seeds_of_mutants(), 20_000, seed=2)
    show(capsys, outcomes)
    assert others == []
