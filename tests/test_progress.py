"""How far long work is: lines in a log, a bar on a terminal."""

import sys
import threading
from collections.abc import Iterator

import pytest

from nonresnet_hls import progress


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(progress, "_SAY_AFTER_S", 0.02)
    monkeypatch.setattr(progress, "_WORTH_SAYING_S", 0.0)


def _counted(seen: threading.Event) -> Iterator[float]:
    for number in range(1000):
        if number == 10:
            seen.set()
        yield min(number, 10)


def _watch_ten_looks() -> None:
    seen = threading.Event()
    counts = _counted(seen)
    with progress.watched("C simulation of x", 40, lambda: next(counts), "samples"):
        assert seen.wait(4)


@pytest.mark.usefixtures("quick")
def test_a_log_says_how_long_it_still_takes(capsys: pytest.CaptureFixture[str]) -> None:
    _watch_ten_looks()
    (line,) = capsys.readouterr().err.splitlines()
    assert " s] C simulation of x: " in line
    assert " of 40 samples; " in line
    assert line.endswith(" s left")


def test_a_log_says_nothing_of_what_is_soon_done(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.watched("x", 10, lambda: 5, "samples"):
        pass
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("quick")
def test_a_terminal_has_a_bar_and_lines_above_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    seen = threading.Event()
    counts = _counted(seen)
    with progress.watched("C simulation of \x1b[2J", 40, lambda: next(counts), "samples"):
        assert seen.wait(4)
        progress.say("a line")
    told = capsys.readouterr().err
    assert "C simulation of \\x1b[2J: " in told
    assert "%" in told
    assert "] a line\n" in told
    assert progress._bars == []


@pytest.mark.usefixtures("quick")
def test_an_error_within_ends_the_watch() -> None:
    before = threading.active_count()
    with pytest.raises(ValueError, match="x"), progress.watched("x", 1, lambda: 0, "samples"):
        raise ValueError("x")
    assert threading.active_count() == before
