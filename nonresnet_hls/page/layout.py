"""Where the parts of a design stand: rows from top to bottom, and lanes beside each other, by igraph."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from nonresnet_hls.page.values import Fifo, View


@dataclass(frozen=True)
class Edge:
    """A FIFO on its way: the lane that it runs in for each row, from its writer's to its reader's."""

    fifo: Fifo
    rows: tuple[int, ...]
    lanes: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Rows are the parts in their order; lanes count from 0, the leftmost."""

    lanes: tuple[int, ...]
    """Of each part."""
    edges: tuple[Edge, ...]
    width: int
    """How many lanes there are."""


def layout(view: View) -> Layout:
    """Lay out a view: Sugiyama's method with a row for each part, as few crossings as it finds.

    Of a FIFO whose ends are not both parts (a port) nothing is drawn.
    """
    import igraph

    rows = {part.name: row for row, part in enumerate(view.parts)}
    fifos = [one for one in view.fifos if one.source in rows and one.target in rows]
    pairs = [(rows[one.source], rows[one.target]) for one in fifos]
    if not pairs:
        return Layout((0,) * len(rows), (), 1)
    graph = igraph.Graph(n=len(rows), edges=pairs, directed=True)
    found = graph.layout_sugiyama(layers=list(range(len(rows))), maxiter=300)
    places: list[list[tuple[float, int, int]]] = [[] for _ in rows]
    for row in range(len(rows)):
        places[row].append((float(found.coords[row][0]), -1, row))
    ways: dict[int, dict[int, int]] = defaultdict(dict)
    for number, points in enumerate(found.edge_routing):
        for x, y in points:
            places[round(y)].append((float(x), number, round(y)))
    lanes = [0] * len(rows)
    for row, there in enumerate(places):
        for lane, (_, number, _) in enumerate(sorted(there)):
            if number < 0:
                lanes[row] = lane
            else:
                ways[number][row] = lane
    edges = tuple(_edge(one, pair, lanes, ways[n]) for n, (one, pair) in enumerate(zip(fifos, pairs, strict=True)))
    width = 1 + max([*lanes, *(lane for edge in edges for lane in edge.lanes)])
    return Layout(tuple(lanes), edges, width)


def _edge(fifo: Fifo, pair: tuple[int, int], lanes: Sequence[int], way: dict[int, int]) -> Edge:
    begin, end = pair
    rows = tuple(range(begin, end + 1))
    return Edge(fifo, rows, tuple(lanes[row] if row in pair else way.get(row, lanes[begin]) for row in rows))
