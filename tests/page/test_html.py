"""The file of a page: all figures are those of the values, nothing is loaded from elsewhere, names stay names."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from nonresnet_hls.page import charts, html, picture
from nonresnet_hls.page.layout import layout
from nonresnet_hls.page.values import Fifo, Figure, Page, as_json
from tests.page.pages import HOSTILE, hostile_page, rounded

for _needed in ("altair", "vl_convert", "igraph", "jinja2"):
    pytest.importorskip(_needed, reason=f"{_needed}, of the extra `page`, is not installed")


class Elements(HTMLParser):
    """What a browser would see of a page: elements with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.data: list[tuple[dict[str, str | None], str]] = []
        self._open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        if tag == "data":
            self.data.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._open = None

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._open == "data":
            self.data[-1] = (self.data[-1][0], data)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    # The real library takes seconds to be put together; here it is only looked at from outside.
    monkeypatch.setattr(charts, "library", lambda: "window.vegaEmbed = null;")
    return hostile_page()


def at(document: Any, path: str) -> Any:
    for key in path.split("/")[1:]:
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document


def embedded(text: str, name: str) -> Any:
    (found,) = re.findall(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def test_the_page_carries_the_figures_of_the_values(page: Page) -> None:
    assert embedded(html.render(page), "figures") == json.loads(json.dumps(as_json(page)))


def test_every_figure_that_is_shown_is_one_that_is_carried(page: Page) -> None:
    text = html.render(page)
    figures, seen = embedded(text, "figures"), Elements(text).data
    placed = [(attributes, shown) for attributes, shown in seen if attributes.get("data-path")]
    assert len(placed) > 40
    for attributes, shown in placed:
        path = attributes["data-path"]
        assert path is not None
        figure = at(figures, path)
        assert json.loads(attributes["value"] or "") == figure["value"]
        assert float(shown.replace(",", "")) == rounded(figure["value"])
        assert isinstance(figure["value"], float) or shown.replace(",", "") == str(figure["value"])
        source = figures["sources"][figure["source"]]
        assert source["basis"] in (attributes["class"] or "").split()
        assert all(source[key] in (attributes["title"] or "") for key in ("basis", "engine", "version", "stage"))


def test_every_cell_of_a_table_and_every_figure_of_a_layer_is_shown(page: Page) -> None:
    paths = {attributes.get("data-path") for attributes, _ in Elements(html.render(page)).data}
    (view,) = page.designs[0].views
    for number, part in enumerate(view.parts):
        assert {f"/designs/0/views/0/parts/{number}/figures/{name}" for name in part.figures} <= paths
    assert "/tables/0/rows/0/top1" in paths
    assert {"/studies/0/trials/1/figures/lut", "/studies/0/trials/1/figures/top1"} <= paths


def test_names_from_models_are_texts_and_nothing_else(page: Page) -> None:
    text = html.render(page)
    seen = Elements(text)
    tags = [tag for tag, _ in seen.elements]
    assert "img" not in tags
    assert "b" not in tags
    assert tags.count("script") == 4
    assert not [attributes for _, attributes in seen.elements if any(name.startswith("on") for name in attributes)]
    links = [one for _, attributes in seen.elements for name, one in attributes.items() if name in ("href", "src")]
    assert all(one and one.startswith("#") for one in links)
    assert "49${window.owned=1}" not in text
    for name in HOSTILE:
        assert any(name in one for one in seen.texts), name


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    text = html.render(page)
    assert set(re.findall(r"\w+://[^\s\"'<>)]*", text)) <= {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"@import|url\((?!#)|<link|<iframe|<object|<embed|<base", text)
    (policy,) = [a["content"] for tag, a in Elements(text).elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_the_charts_name_data_that_the_script_fills_in() -> None:
    script = html._asset("page.js")
    for name, spec in charts.specs().items():
        text = json.dumps(spec)
        assert "://" not in text
        assert '"values": [' not in text
        assert f'"{name}"' in script
        for data in set(re.findall(r'"data": {"name": "(\w+)"}', text)):
            assert re.search(rf"\b{data}\b", script), data
        for colour in set(re.findall(r'"@(\w+)"', text)) - {"label", "fill", "x_title", "y_title"}:
            assert f"--{colour}:" in html._asset("page.css"), colour


def test_a_skip_is_drawn_as_one_beside_what_it_skips(page: Page) -> None:
    (view,) = page.designs[0].views
    drawn = picture.draw(view)
    skips = [line for line in drawn.lines if line.on_skip]
    assert [view.fifos[line.fifo].name for line in skips] == [HOSTILE[0]]
    assert skips[0].label == "43"
    assert len(drawn.lines) == len(view.fifos)
    dots = {dot.x for dot in drawn.dots}
    assert len(dots) == 1, "the chain is a straight line"
    assert skips[0].x - 7 not in dots, "the skip runs beside it"
    assert picture.skips(view) == [(HOSTILE[0], HOSTILE[3])]
    assert drawn.height == sum(drawn.heights)
    assert html.render(page).count('class="edge skip"') == 1


def test_two_skips_over_the_same_layers_run_beside_each_other(page: Page) -> None:
    (view,) = page.designs[0].views
    names = [part.name for part in view.parts]
    more = Fifo("more", names[0], names[4], 64, 8, True, {"sized": Figure(9, "s1")})
    both = dataclasses.replace(view, fifos=(*view.fifos, more))
    placed = layout(both)
    for row in range(len(names)):
        lanes = [placed.lanes[row]]
        lanes += [e.lanes[e.rows.index(row)] for e in placed.edges if row in e.rows[1:-1]]
        assert len(lanes) == len(set(lanes)), "nothing is drawn over another"
    labels = [(line.x, line.y) for line in picture.draw(both).lines if line.label]
    assert len(labels) == len(set(labels)) == 2


@pytest.mark.parametrize("value", [0, 7, 26317, 0.5, 1234.5678, -0.25, 93.27, 1e-9])
def test_a_number_is_told_as_it_is(value: float) -> None:
    assert float(html.number_text(value).replace(",", "")) == rounded(value)


def test_a_page_of_nothing_but_a_study_and_one_without_are_written(page: Page) -> None:
    assert "Click a point" in html.render(dataclasses.replace(page, designs=(), tables=()))
    assert "Click a point" not in html.render(dataclasses.replace(page, studies=()))


def test_what_is_not_known_is_said_and_not_made_up(page: Page) -> None:
    design = dataclasses.replace(page.designs[0], ranges=None)
    text = html.render(dataclasses.replace(page, designs=(design,)))
    assert "Nobody has looked yet" in text
    assert text.count('class="none"') >= 1
