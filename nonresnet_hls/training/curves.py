"""Training curves as files: every epoch as a row, and a picture."""

import csv
import io
import warnings
from collections.abc import Sequence
from pathlib import Path

from nonresnet_hls import bounds, progress
from nonresnet_hls.training.algorithm1 import Phase

_COLUMNS = ("phase", "epoch", "learning_rate", "loss", "top1", "test_top1", "seconds")


def write_csv(path: Path, phases: Sequence[Phase]) -> None:
    """A row an epoch; `test_top1` is empty where it was not measured, `epoch` counts from 1 in each phase.

    Of other metrics than top-1 there is a column each instead.
    """
    rows = [row for phase in phases for row in phase.curve]
    others = dict.fromkeys(key for row in rows for key in row if key not in _COLUMNS)
    columns = [key for key in _COLUMNS if not (others and "top1" in key and not any(key in row for row in rows))]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [*columns, *others], lineterminator="\n")
        writer.writeheader()
        for phase in phases:
            for row in phase.curve:
                writer.writerow({"phase": phase.name, **row, "epoch": int(row["epoch"])})


def losses(path: Path) -> list[float]:
    """The loss of each epoch in what `write_csv` wrote; none where it cannot be read."""
    try:
        rows = list(csv.DictReader(io.StringIO(bounds.read_text(path))))
        return [float(row["loss"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []


def plot(path: Path, title: str, phases: Sequence[Phase]) -> None:
    """Top-1 of training and test samples over all epochs, phase after phase; SVG, the same bytes in every run.

    Of other metrics than top-1 it shows the loss.

    A picture that cannot be drawn is said to be missing: hours of training must not end with it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # characters that the font does not have
            _plot(path, title, phases)
    except Exception as error:  # whatever matplotlib stumbles over, an installation without fonts too
        path.unlink(missing_ok=True)
        progress.say(f"{path.name} was not drawn: {type(error).__name__}: {error}")


def _plot(path: Path, title: str, phases: Sequence[Phase]) -> None:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasSVG(figure)
    rows = [row for phase in phases for row in phase.curve]
    classes = not rows or any("top1" in row for row in rows)
    shown, unit, factor = ("top1", "top-1 [%]", 100) if classes else ("loss", "loss", 1)
    axes = figure.add_subplot(xlabel="epoch", ylabel=unit)
    axes.set_title(progress.printable(title), parse_math=False)  # `$` is a character like others
    for key, label in ((shown, "training samples (augmented)"), (f"test_{shown}", "test samples")):
        points = [(i, factor * row[key]) for i, row in enumerate(rows, start=1) if key in row]
        marker = "." if len(points) < len(rows) else None
        axes.plot([x for x, _ in points], [y for _, y in points], label=label, marker=marker)
    end = 0
    for phase in phases[:-1]:
        end += len(phase.curve)
        axes.axvline(end + 0.5, color="grey", linestyle=":")
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    with rc_context({"svg.hashsalt": "nonresnet_hls"}):
        figure.savefig(path, metadata={"Date": None})
