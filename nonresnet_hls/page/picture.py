"""The network as SVG: parts on their rows and lanes, FIFOs as lines between them, skips as such."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nonresnet_hls.page.layout import Edge, layout
from nonresnet_hls.page.values import Part, View

_MINOR = ("padding", "fork", "cast")
ROW, MINOR_ROW = 42, 26
"""Pixels of a row; those of parts that only copy or pad are lower."""
_LANE, _LEFT, _LABEL = 22, 14, 30


@dataclass(frozen=True)
class Line:
    """A FIFO as drawn."""

    fifo: int
    """Its number in the view."""
    path: str
    on_skip: bool
    label: str
    x: float
    y: float
    """Of the label."""


@dataclass(frozen=True)
class Dot:
    """A part as drawn."""

    part: int
    x: float
    y: float
    kind: str
    """"weights", "join", "fork" or "other"."""


@dataclass(frozen=True)
class Picture:
    """A view as drawn, beside a table with rows of the same heights."""

    width: int
    height: int
    heights: tuple[int, ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Arc:
    """A skip in the overview."""

    path: str


@dataclass(frozen=True)
class Bar:
    """A part in the overview: its share of the slowest part's cycles."""

    part: int
    x: float
    height: float


@dataclass(frozen=True)
class Overview:
    """The whole network in one strip: a bar for the cycles of each part, an arc for each skip."""

    width: int
    bars: tuple[Bar, ...]
    arcs: tuple[Arc, ...]


def is_minor(part: Part) -> bool:
    """Whether a part only copies, pads or casts."""
    return part.kind.startswith(_MINOR)


def draw(view: View) -> Picture:
    """Draw a view."""
    placed = layout(view)
    heights = tuple(MINOR_ROW if is_minor(part) else ROW for part in view.parts)
    tops = [sum(heights[:row]) for row in range(len(heights))]
    middles = [top + height / 2 for top, height in zip(tops, heights, strict=True)]
    numbers = {id(fifo): number for number, fifo in enumerate(view.fifos)}
    lines = [_line(edge, numbers[id(edge.fifo)], middles) for edge in placed.edges]
    lines.sort(key=lambda line: line.on_skip)
    joins = {edge.fifo.target for edge in placed.edges}
    counts = {name: sum(edge.fifo.target == name for edge in placed.edges) for name in joins}
    dots = []
    for row, part in enumerate(view.parts):
        kind = "other"
        if counts.get(part.name, 0) > 1:
            kind = "join"
        elif part.kind.startswith("fork"):
            kind = "fork"
        elif part.reuse_factor or part.kind.startswith(("conv", "dense", "depthwise", "windows")):
            kind = "weights"
        dots.append(Dot(row, _x(placed.lanes[row]), middles[row], kind))
    has_skip = any(line.label for line in lines)
    width = _LEFT * 2 + (placed.width - 1) * _LANE + (_LABEL if has_skip else 0)
    return Picture(width, sum(heights), heights, tuple(lines), tuple(dots))


def _x(lane: int) -> float:
    return float(_LEFT + lane * _LANE)


def _line(edge: Edge, number: int, middles: Sequence[float]) -> Line:
    points = [(_x(lane), middles[row]) for row, lane in zip(edge.rows, edge.lanes, strict=True)]
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for (x, y), (following, below) in pairwise(points):
        if x == following:
            path += f"V{below:g}"
        else:
            half = (y + below) / 2
            path += f"C{x:g} {half:g} {following:g} {half:g} {following:g} {below:g}"
    # Where a skip runs straight, or beside the part that stands on it.
    at = len(points) // 2
    label = ""
    if edge.fifo.on_skip and len(edge.rows) > 2:
        depth = edge.fifo.depths.get("sized") or edge.fifo.depths.get("built")
        label = "" if depth is None else f"{depth.value:,}"
    return Line(number, path, edge.fifo.on_skip, label, points[at][0] + 7, points[at][1] + 4)


_STEP, _HEIGHT, _ARCS = 10, 56, 44


def overview(view: View) -> Overview:
    """The strip of a view."""
    rows = {part.name: row for row, part in enumerate(view.parts)}
    most = max((_cycles(part) for part in view.parts), default=0) or 1
    bars = tuple(Bar(row, row * _STEP, _HEIGHT * _cycles(part) / most) for row, part in enumerate(view.parts))
    spans = set()
    for source, target in skips(view):
        spans.add((rows[source], rows[target]))
    longest = max((end - begin for begin, end in spans), default=1)
    arcs = []
    for begin, end in sorted(spans):
        x, following = (row * _STEP + _STEP / 2 - 1 for row in (begin, end))
        high = _ARCS - (_ARCS - 8) * (end - begin) / longest
        arcs.append(Arc(f"M{x:g} {_ARCS}C{x:g} {high - 10:g} {following:g} {high - 10:g} {following:g} {_ARCS}"))
    return Overview(len(rows) * _STEP, bars, tuple(arcs))


def skips(view: View) -> list[tuple[str, str]]:
    """From where to where each skip goes: along its FIFOs, through what stands on it."""
    parts = {part.name for part in view.parts}
    on_skip = [fifo for fifo in view.fifos if fifo.on_skip and fifo.source in parts and fifo.target in parts]
    sources = {fifo.source: fifo for fifo in on_skip}
    inner = {fifo.target for fifo in on_skip}
    found = []
    for fifo in on_skip:
        if fifo.source in inner and sum(one.target == fifo.source for one in view.fifos) == 1:
            continue  # goes on with a skip that began before
        end = fifo
        seen = {end.name}
        while end.target in sources and sum(one.target == end.target for one in view.fifos) == 1:
            end = sources[end.target]
            if end.name in seen:
                break
            seen.add(end.name)
        found.append((fifo.source, end.target))
    return found


def _cycles(part: Part) -> float:
    figure = part.figures.get("interval_cycles")
    return 0.0 if figure is None else float(figure.value)
