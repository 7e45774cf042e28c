"""Small charts beside the tables of results: SVG text that needs no library, in the colours of the page around it."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

_COLOURS = ("#c0392b", "#2e6da4")
_BAR, _GAP, _WIDE, _TOP = 9, 8, 640, 26
_MOST_BARS = 40
_CHARACTER = 6.2
"""Width of one at 11 px, about."""


@dataclass(frozen=True)
class Bar:
    """A row of a chart."""

    label: str
    values: tuple[float, ...]
    """One for each series."""
    bold: bool = False


def bars(title: str, series: Sequence[str], rows: Sequence[Bar], unit: str = "", mark: float | None = None) -> str:
    """Lying bars, for each row one of each series.

    Args:
        title: what is shown.
        series: what the bars of a row are; at most two.
        rows: from the top; of very many the first ones.
        unit: of the numbers.
        mark: where a line stands across all bars.

    Returns:
        An `<svg>` element; nothing where there is nothing to show.
    """
    shown = rows[:_MOST_BARS]
    most = max([value for row in shown for value in row.values] + ([] if mark is None else [mark]), default=0)
    if most <= 0:
        return ""
    left = min(_CHARACTER * max(len(row.label) for row in shown) + 10, 260)
    scale = (_WIDE - left - 90) / most
    step = _BAR * len(series) + _GAP
    height = _TOP + step * len(shown) + (14 if len(rows) > len(shown) else 0)
    parts = [_text(0, 13, title, weight="bold")]
    at = _CHARACTER * len(title) + 30
    for name, colour in zip(series, _COLOURS, strict=False):
        if len(series) > 1:
            parts += [f'<rect x="{at:.0f}" y="4" width="10" height="10" fill="{colour}"/>', _text(at + 14, 13, name)]
            at += _CHARACTER * len(name) + 34
    for number, row in enumerate(shown):
        top = _TOP + step * number
        middle = top + _BAR * len(series) / 2 + 4
        weight = "bold" if row.bold else "normal"
        parts.append(_text(left - 6, middle, _short(row.label, left), "end", weight))
        for place, (value, colour) in enumerate(zip(row.values, _COLOURS, strict=False)):
            y = top + _BAR * place
            width = max(scale * value, 1 if value else 0)
            bar = f'<rect x="{left:.0f}" y="{y}" width="{width:.1f}" height="{_BAR - 1}" fill="{colour}"/>'
            parts += [
                bar,
                _text(left + width + 4, y + _BAR - 1, f"{value:,.4g}{unit}" if value % 1 else f"{value:,.0f}{unit}"),
            ]
    if mark is not None:
        x = left + scale * mark
        ends = f'x1="{x:.0f}" x2="{x:.0f}" y1="{_TOP - 4}" y2="{height}"'
        parts.append(f'<line {ends} stroke="currentColor" stroke-dasharray="3"/>')
    if len(rows) > len(shown):
        parts.append(_text(left, height - 2, f"and {len(rows) - len(shown)} more"))
    return _svg(height, title, parts)


def curve(title: str, values: Sequence[float], unit: str = "") -> str:
    """A line over 1, 2, 3 ...: how something came along; nothing for less than two values."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    height, right = 110, _WIDE - 90
    span = (high - low) or 1
    points = [
        (right * number / (len(values) - 1), height - 8 - (height - _TOP - 16) * (value - low) / span)
        for number, value in enumerate(values)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [
        _text(0, 13, title, weight="bold"),
        f'<polyline points="{path}" fill="none" stroke="{_COLOURS[1]}" stroke-width="2"/>',
        _text(right + 6, points[-1][1] + 4, f"{values[-1]:.4g}{unit}"),
    ]
    return _svg(height, title, parts)


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDE} {height:.0f}" role="img" aria-label="{html.escape(title)}"'
        f' style="display:block;width:100%;max-width:{_WIDE}px;margin:0.5em 0"'
        f' font-family="sans-serif" font-size="11" fill="currentColor">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-weight="{weight}">{html.escape(text)}</text>'


def _short(label: str, left: float) -> str:
    most = int((left - 10) / _CHARACTER)
    return label if len(label) <= most else f"{label[: most - 3]}..."
