"""The page in a real browser, its network cut off: `make test-page`.

Chromium is that of $NONRESNET_CHROMIUM, or the first of Debian's names on PATH; Playwright drives it.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nonresnet_hls.page import html
from nonresnet_hls.page.values import Page, as_json
from nonresnet_hls.pipeline import page as stage
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Hls
from tests.page.pages import HOSTILE, hostile_page, rounded, write_study

pytestmark = pytest.mark.nightly

for _needed in ("altair", "vl_convert", "igraph", "jinja2", "playwright"):
    pytest.importorskip(_needed, reason=f"{_needed} is not installed; make test-page installs it")

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("NONRESNET_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
if CHROMIUM is None:
    pytest.skip("no chromium on PATH; make test-page installs Debian's as root", allow_module_level=True)

_PATIENCE_MS = 60_000
"""A machine with much else to do takes its time."""
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A project with skips, and a study."""
    from tests.dataflow.nets import convert, resnet

    folder = tmp_path_factory.mktemp("page")
    convert(resnet(), folder / "project", "Vitis", "Resource")
    study = write_study(folder / "studies" / "small")
    return stage.gather([folder / "project"], Workspace(folder), Hls(), study)


@pytest.fixture(scope="module")
def file(gathered: Page, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("html") / "page.html"
    path.write_text(html.render(gathered), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def hostile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("html") / "hostile.html"
    path.write_text(html.render(hostile_page()), encoding="utf-8")
    return path


class Tab:
    """A page that was opened offline, with all that it complained about and asked for."""

    def __init__(self, browser: Any, path: Path, width: int, scheme: str) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, offline=True, reduced_motion="reduce"
        )
        self.context.set_default_timeout(_PATIENCE_MS)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda one: self.complaints.append(one.text) if one.type != "log" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda one: self.requests.append(one.url))
        self.page.goto(path.as_uri(), wait_until="load")

    def draw_all(self) -> None:
        """Scroll through, so that every chart is drawn."""
        for chart in self.page.locator("figure.chart").all():
            if chart.is_visible():
                chart.scroll_into_view_if_needed()
                chart.locator("canvas").first.wait_for()


@pytest.fixture
def open_tab(browser: Any) -> Iterator[Any]:
    tabs: list[Tab] = []

    def opened(path: Path, width: int = 1280, scheme: str = "light") -> Tab:
        tabs.append(Tab(browser, path, width, scheme))
        return tabs[-1]

    yield opened
    for tab in tabs:
        tab.context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_offline_without_a_complaint_at_any_width(
    open_tab: Any, file: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    tab = open_tab(file, width, scheme)
    tab.draw_all()
    assert tab.complaints == []
    assert tab.requests == [file.as_uri()]
    assert tab.page.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out at the side"
    background = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in background[4:-1].split(","))
    assert (brightness > 600) == (scheme == "light")
    shot = tmp_path / "page.png"
    tab.page.screenshot(path=shot, full_page=True)
    assert shot.stat().st_size > 50_000


def test_the_figures_in_the_document_are_those_of_the_values(open_tab: Any, file: Path, gathered: Page) -> None:
    tab = open_tab(file)
    carried = tab.page.evaluate("window.page.figures")
    assert carried == json.loads(json.dumps(as_json(gathered)))
    shown = tab.page.eval_on_selector_all(
        "data[data-path]", "all => all.map(one => [one.dataset.path, one.value, one.textContent, one.className])"
    )
    assert len(shown) > 100
    for path, value, text, classes in shown:
        figure = carried
        for key in path.split("/")[1:]:
            figure = figure[int(key)] if isinstance(figure, list) else figure[key]
        assert json.loads(value) == figure["value"]
        assert float(text.replace(",", "")) == rounded(figure["value"])
        assert carried["sources"][figure["source"]]["basis"] in classes.split()


def test_what_the_charts_show_is_what_the_page_carries(open_tab: Any, file: Path, gathered: Page) -> None:
    tab = open_tab(file)
    tab.draw_all()
    (view,) = gathered.designs[0].views
    course = view.timelines[0]

    def data(chart: str, name: str) -> list[dict[str, Any]]:
        script = (
            "([chart, name]) => window.page.drawn.get(document.querySelector(`[data-chart=${chart}]`)).view.data(name)"
        )
        found: list[dict[str, Any]] = tab.page.evaluate(script, [chart, name])
        return found

    for row in data("fill", "fill"):
        levels, begin = course.levels[row["stream"]], course.edges.index(row["begin"])
        assert {levels[n] for n in range(begin, course.edges.index(row["end"]))} == {row["level"]}
    for row in data("activity", "activity"):
        one, begin = course.activity[row["part"]], course.edges.index(row["begin"])
        assert row["blocked"] == one.blocked[begin]
        assert row["works"] == max(0, 1000 - one.blocked[begin] - one.starved[begin])
    lut = sum(row["count"] for row in data("resources", "resources") if row["resource"].startswith("LUT"))
    assert lut == view.totals["lut"].value
    points = {row["name"]: (row["x"], row["y"]) for row in data("front", "trials")}
    study = gathered.studies[0]
    across, up = study.objectives[1].name, study.objectives[0].name
    assert points == {
        one.name: (one.figures[across].value, one.figures[up].value) for one in study.trials if one.figures
    }


def test_a_layer_says_all_of_itself_when_it_is_clicked(open_tab: Any, file: Path, gathered: Page) -> None:
    tab = open_tab(file)
    (view,) = gathered.designs[0].views
    slow = next(number for number, part in enumerate(view.parts) if part.bottleneck)
    tab.page.locator(f"tr[data-part='{slow}']").click()
    panel = tab.page.locator("#panel")
    text = panel.inner_text()
    assert view.parts[slow].name in text
    assert "bottleneck" in text
    assert f"{view.parts[slow].figures['lut'].value:,}" in text
    tab.page.keyboard.press("Escape")
    assert panel.is_hidden()
    assert tab.complaints == []


def test_hovering_over_a_chart_tells_of_what_is_there(open_tab: Any, file: Path) -> None:
    tab = open_tab(file)
    tab.draw_all()
    canvas = tab.page.locator("[data-chart=activity] canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 12)
    tooltip = tab.page.locator("#vg-tooltip-element")
    tooltip.wait_for(state="visible")
    assert "waits for a word" in tooltip.inner_text()


def test_other_depths_another_fifo_and_other_layers_are_shown_on_a_click(
    open_tab: Any, file: Path, gathered: Page
) -> None:
    tab = open_tab(file)
    tab.draw_all()
    (view,) = gathered.designs[0].views
    for number, course in enumerate(view.timelines):
        tab.page.locator(f"[data-depths='{number}']").click()
        tab.page.wait_for_function(
            f"document.querySelector('[data-course]').innerText.includes('{course.image_ends[0]:,}')"
        )
    depths = tab.page.locator("[data-fifo-depths]")
    before = depths.inner_text()
    canvas = tab.page.locator("[data-chart=fill] canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    tab.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] - 60)
    tab.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 8)
    tab.page.wait_for_function("text => document.querySelector('[data-fifo-depths]').innerText !== text", arg=before)
    rows = "window.page.drawn.get(document.querySelector('[data-chart=activity]')).view.data('activity').length"
    few = tab.page.evaluate(rows)
    tab.page.locator("[data-all]").check()
    tab.page.wait_for_function(f"{rows} > {few}")
    assert tab.complaints == []


def test_a_deadlock_is_told_step_by_step(open_tab: Any, file: Path, gathered: Page) -> None:
    tab = open_tab(file, 390)
    (view,) = gathered.designs[0].views
    for number, deadlock in enumerate(view.deadlocks):
        tab.page.locator("[data-deadlock]").select_option(str(number))
        story = tab.page.locator("[data-story]")
        steps = story.locator("li").all()
        assert len(steps) == len(deadlock.steps)
        for item, step in zip(steps, deadlock.steps, strict=True):
            text = item.inner_text()
            assert all(name in text for name in (step.part, step.fifo, step.other, step.state))
            assert f"{step.level:,} of {step.depth:,} held" in text
        assert f"{deadlock.depth:,} word" in story.locator(".intro").inner_text()
        assert f"With {deadlock.least:,} words in {deadlock.fifo} every word goes through" in story.inner_text()
        assert tab.page.locator("[data-ring] circle").count() == len(deadlock.steps)


def test_a_point_of_a_study_shows_its_recipe(open_tab: Any, file: Path, gathered: Page) -> None:
    tab = open_tab(file)
    tab.draw_all()
    chart = tab.page.locator("[data-chart=front]")
    chart.scroll_into_view_if_needed()
    # Where the first trial is drawn: by Vega's own scales, from the corner of its plot.
    where = tab.page.evaluate(
        """() => {
          const view = window.page.drawn.get(document.querySelector('[data-chart=front]')).view;
          const one = view.data('trials')[0];
          // The origin is told without the padding.
          const [left, top] = view.origin(), { left: beside, top: above } = view.padding();
          return [beside + left + view.scale('x')(one.x), above + top + view.scale('y')(one.y)];
        }"""
    )
    box = chart.locator("canvas").bounding_box()
    tab.page.mouse.click(box["x"] + where[0], box["y"] + where[1])
    recipe = tab.page.locator(".recipe")
    recipe.locator("pre").wait_for()
    trial = gathered.studies[0].trials[0]
    assert recipe.locator("pre").inner_text().rstrip("\n") == trial.recipe_text.rstrip("\n")
    assert trial.name in recipe.inner_text()
    assert "0.973" in recipe.inner_text()
    tab.page.locator("[data-axis=x]").select_option("dsp")
    tab.page.locator("summary").click()
    tab.page.locator("tr[data-trial='1']").click()
    assert gathered.studies[0].trials[1].name in recipe.inner_text()
    assert tab.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_names_run_nothing_wherever_they_are_shown(open_tab: Any, hostile_file: Path, width: int) -> None:
    tab = open_tab(hostile_file, width)
    tab.draw_all()
    page = tab.page
    page.locator("[data-all]").check()
    for number in range(5):
        page.locator(f"tr[data-part='{number}']").click()
        assert HOSTILE[number].replace("\u2028", "")[:20] in page.locator("#panel").inner_text()
        page.keyboard.press("Escape")
    page.locator("summary").click()
    for number in range(4):
        page.locator(f"tr[data-trial='{number}']").click()
        assert HOSTILE[0] in page.locator(".recipe").inner_text()
    for name in ("activity", "fill", "values", "resources", "front"):
        canvas = page.locator(f"[data-chart={name}] canvas").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        for step in range(1, 8):
            page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * step / 8)
    assert page.evaluate("window.owned") is None
    assert page.locator("img").count() == 0
    assert page.locator("main script").count() == 0
    assert tab.complaints == []
    assert tab.requests == [hostile_file.as_uri()]


def test_it_shows_itself_in_a_frame_as_in_a_notebook(browser: Any, gathered: Page, tmp_path: Path) -> None:
    from nonresnet_hls.api.pages import PageFile

    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><body>{PageFile(gathered)._repr_html_()}</body>", encoding="utf-8")
    tab = Tab(browser, path, 1280, "light")
    frame = tab.page.frame_locator("iframe")
    frame.locator("h1").wait_for()
    assert frame.locator("tr[data-part]").count() == len(gathered.designs[0].views[0].parts)
    frame.locator("tr[data-part='1']").click()
    assert gathered.designs[0].views[0].parts[1].name in frame.locator("#panel").inner_text()
    assert tab.complaints == []
    tab.context.close()
