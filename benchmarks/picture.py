"""The picture of README: what skips cost, and what removing them saves.

    python -m benchmarks.picture [--check]

Drawn of committed figures alone: top-1 of `models/*/train/metrics.json`, all else of `docs/results.csv`, a line for
each figure with the command that it comes from. `--check` draws nothing, and says whether the picture is of these.
"""

import argparse
import csv
import html
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs/results.csv"
PICTURE = ROOT / "docs/results.svg"

STYLES = ("residual", "short", "plain")
_NETWORKS = dict(zip(STYLES, ("resnet20", "shortresnet20", "nonresnet20"), strict=True))
_COLOURS = dict(zip(STYLES, ("#c0392b", "#d8a13a", "#2e6da4"), strict=True))
_TITLES = dict(zip(STYLES, ("residual", "short skips", "no skips"), strict=True))


@dataclass(frozen=True)
class Panel:
    """One group of three bars."""

    title: str
    below: str
    digits: int
    values: dict[str, float]


def panels() -> Iterator[Panel]:
    """What is drawn, left to right."""
    top1 = {
        style: 100 * json.loads((ROOT / "models" / name / "train/metrics.json").read_text())["top1"]
        for style, name in _NETWORKS.items()
    }
    yield Panel("top-1 in %", "20 layers, CIFAR-10, float", 2, top1)
    with RESULTS.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for title, below, figure in (
        ("FIFO BRAM18", "20 layers, 8 bits, as hls4ml makes them", "fifo_bram_18k"),
        ("look-up tables", "a block, 1/2 bits, measured", "lut"),
        ("flip-flops", "a block, 1/2 bits, measured", "ff"),
        ("1000 images/s", "a block, 1/2 bits, placed on ECP5", "images_khz"),
    ):
        yield Panel(title, below, 0, {row["skips"]: float(row["value"]) for row in rows if row["figure"] == figure})


_PANEL, _BAR, _HEIGHT, _TOP = 176, 44, 150, 66


def draw() -> str:
    """The picture as SVG."""
    drawn = list(panels())
    width = _PANEL * len(drawn)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 282" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="282" fill="#fff"/>',
    ]
    for number, style in enumerate(STYLES):
        x = width / 2 - 170 + 120 * number
        lines.append(f'<rect x="{x:g}" y="10" width="12" height="12" fill="{_COLOURS[style]}"/>')
        lines.append(f'<text x="{x + 18:g}" y="21">{_TITLES[style]}</text>')
    for number, panel in enumerate(drawn):
        lines += _panel(panel, number * _PANEL)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _panel(panel: Panel, left: float) -> Iterator[str]:
    middle = left + _PANEL / 2
    yield f'<text x="{middle:g}" y="48" text-anchor="middle" font-weight="bold">{html.escape(panel.title)}</text>'
    greatest = max(panel.values.values())
    bottom = _TOP + 14 + _HEIGHT
    for number, style in enumerate(STYLES):
        value = panel.values[style]
        height = _HEIGHT * value / greatest
        x = middle - 1.5 * _BAR + _BAR * number
        yield (
            f'<rect x="{x + 3:g}" y="{bottom - height:.1f}" width="{_BAR - 6}" height="{height:.1f}"'
            f' fill="{_COLOURS[style]}"/>'
        )
        at = f'x="{x + _BAR / 2:g}" y="{bottom - height - 4:.1f}" text-anchor="middle" font-size="11"'
        yield f"<text {at}>{value:,.{panel.digits}f}</text>"
    yield f'<path d="M{left + 12:g} {bottom}H{left + _PANEL - 12:g}" stroke="#444"/>'
    small = 'text-anchor="middle" font-size="9.5" fill="#555"'
    for line, text in enumerate(panel.below.split(", ", 1)):
        yield f'<text x="{middle:g}" y="{bottom + 16 + 13 * line}" {small}>{html.escape(text)}</text>'


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the picture, or check that it is of today's figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args(argv)
    if not args.check:
        PICTURE.write_text(draw(), encoding="utf-8")
        return 0
    if PICTURE.read_text(encoding="utf-8") == draw():
        return 0
    print(f"{PICTURE}: drawn of other figures; make picture", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
