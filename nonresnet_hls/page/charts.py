"""The charts as Vega-Lite, made with Altair, and the library that draws them in the browser, as one text.

A chart names its data; the page's own script fills them in from the figures that the page carries, so that no figure is
there twice. Colours are names of the style sheet's (`@accent`), filled in by the script too, for light and dark.
"""

from typing import Any

ROW = 15
"""Pixels of a row of a chart of layers or FIFOs."""


def library() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, of the version that Altair writes for."""
    import altair as alt
    import vl_convert

    version = alt.SCHEMA_VERSION.removeprefix("v").rpartition(".")[0]
    # Nothing in it may end the script element that it is put into.
    found = vl_convert.javascript_bundle(vl_version=version)  # type: ignore[call-arg,unused-ignore]  # optional it is
    return str(found).replace("</script", "<\\/script")


def specs() -> dict[str, Any]:
    """The charts by name."""
    made = {
        "activity": _activity(),
        "fill": _fill(),
        "words": _words(),
        "resources": _resources(),
        "values": _values(),
        "front": _front(),
    }
    return {name: _spec(chart) for name, chart in made.items()}


def _spec(chart: Any) -> dict[str, Any]:
    config = {
        "background": "transparent",
        "font": "@font",
        "view": {"stroke": None},
        "axis": {
            "labelColor": "@muted",
            "titleColor": "@muted",
            "titleFontWeight": "normal",
            "titleFontSize": 12,
            "labelFontSize": 11,
            "labelLimit": "@label",
            "gridColor": "@line",
            "domainColor": "@line",
            "tickColor": "@line",
        },
        "legend": {"labelColor": "@muted", "titleColor": "@muted", "labelFontSize": 11, "titleFontSize": 11},
    }
    found: dict[str, Any] = chart.to_dict(validate=True, context={"pre_transform": False})
    found.pop("$schema", None)
    found.pop("datasets", None)
    return {**found, "config": config}


def _cycles(alt: Any, title: str = "cycles") -> Any:
    axis = alt.Axis(title=title, grid=False, tickCount=6, format="~s", orient="bottom")
    return alt.X("begin:Q", axis=axis, scale=alt.Scale(nice=False, zero=True))


def _rows(alt: Any, name: str) -> Any:
    axis = alt.Axis(title=None, domain=False, ticks=False, labelPadding=6)
    return alt.Y(f"{name}:N", sort=None, axis=axis, scale=alt.Scale(paddingInner=0.18))


def _images(alt: Any) -> Any:
    return alt.Chart(alt.NamedData("images")).mark_rule(color="@ink", strokeDash=[2, 3]).encode(x="cycle:Q")


def _activity() -> Any:
    import altair as alt

    base = alt.Chart(alt.NamedData("activity")).encode(x=_cycles(alt), x2="end:Q", y=_rows(alt, "part"))
    share = alt.Scale(domain=[0, 1000], range=[0, 1])
    back = base.mark_rect(fill="@idle", fillOpacity=0.45)
    works = base.mark_rect(fill="@accent").encode(fillOpacity=alt.FillOpacity("works:Q", scale=share, legend=None))
    full = base.mark_rect(fill="@blocked").encode(fillOpacity=alt.FillOpacity("blocked:Q", scale=share, legend=None))
    hover = base.mark_rect(fill="transparent").encode(
        tooltip=[
            alt.Tooltip("part:N", title="layer"),
            alt.Tooltip("cycles:N", title="cycles"),
            alt.Tooltip("works_percent:Q", title="works, %"),
            alt.Tooltip("starved_percent:Q", title="waits for a word, %"),
            alt.Tooltip("blocked_percent:Q", title="waits for room, %"),
        ]
    )
    return alt.layer(back, works, full, _images(alt), hover).properties(width="container", height=alt.Step(ROW))


def _fill() -> Any:
    import altair as alt

    base = alt.Chart(alt.NamedData("fill")).encode(x=_cycles(alt), x2="end:Q", y=_rows(alt, "row"))
    colour = alt.Fill("kind:N", scale=alt.Scale(domain=["skip", "other"], range=["@skip", "@accent"]), legend=None)
    share = alt.Scale(domain=[0, 1], range=[0.04, 1])
    back = base.mark_rect(fill="@idle", fillOpacity=0.45)
    held = base.mark_rect().encode(fill=colour, fillOpacity=alt.FillOpacity("share:Q", scale=share, legend=None))
    hover = base.mark_rect(fill="transparent", cursor="pointer").encode(
        tooltip=[
            alt.Tooltip("fifo:N", title="FIFO"),
            alt.Tooltip("stream:N", title="stream"),
            alt.Tooltip("cycles:N", title="cycles"),
            alt.Tooltip("level:Q", title="words held at most"),
            alt.Tooltip("depth:Q", title="depth"),
        ]
    )
    return alt.layer(back, held, _images(alt), hover).properties(width="container", height=alt.Step(ROW))


def _words() -> Any:
    import altair as alt

    x = _cycles(alt)
    y = alt.Y("level:Q", axis=alt.Axis(title="words", tickMinStep=1, tickCount=5))
    base = alt.Chart(alt.NamedData("words")).encode(x=x, y=y)
    area = base.mark_area(interpolate="step-after", fill="@fill", fillOpacity=0.25, stroke="@fill", strokeWidth=1.5)
    hover = (
        alt.Chart(alt.NamedData("words"))
        .mark_rect(fill="transparent")
        .encode(
            x=x,
            x2="end:Q",
            tooltip=[alt.Tooltip("cycles:N", title="cycles"), alt.Tooltip("level:Q", title="words held at most")],
        )
    )
    marks = alt.Chart(alt.NamedData("depths"))
    rules = marks.mark_rule(strokeDash=[4, 3], stroke="@hot").encode(y="depth:Q")
    names = marks.mark_text(align="left", baseline="bottom", dx=4, dy=-2, fill="@hot", fontSize=11).encode(
        y="depth:Q", x=alt.value(0), text="told:N"
    )
    return alt.layer(area, _images(alt), rules, names, hover).properties(width="container", height=190)


def _resources() -> Any:
    import altair as alt

    x = alt.X(
        "begin:Q",
        axis=alt.Axis(title="% of the part", format="d", tickCount=6),
        scale=alt.Scale(zero=True, nice=True),
    )
    base = alt.Chart(alt.NamedData("resources")).encode(
        x=x,
        x2="end:Q",
        y=alt.Y(
            "resource:N",
            sort=None,
            title=None,
            axis=alt.Axis(domain=False, ticks=False, labelFontSize=12, labelPadding=6),
        ),
    )
    kinds = alt.Scale(
        domain=["weights", "other layers", "FIFOs", "FIFOs on skips"],
        range=["@accent", "@other", "@fifo", "@skip"],
    )
    bars = base.mark_bar(height=24, cursor="pointer").encode(
        fill=alt.Fill("kind:N", scale=kinds, legend=alt.Legend(title=None, orient="top", symbolType="square")),
        stroke=alt.value("@surface"),
        fillOpacity=alt.FillOpacity("solid:Q", scale=None),
        strokeWidth=alt.value(0.8),
        tooltip=[
            alt.Tooltip("part:N", title="of"),
            alt.Tooltip("resource:N", title="resource"),
            alt.Tooltip("count:Q", title="count", format=","),
            alt.Tooltip("percent:Q", title="% of the part", format=".2f"),
            alt.Tooltip("basis:N", title="figure"),
        ],
    )
    full = alt.Chart(alt.NamedData("board")).mark_rule(stroke="@hot", strokeWidth=1.5).encode(x="percent:Q")
    name = (
        alt.Chart(alt.NamedData("board"))
        .mark_text(align="left", baseline="bottom", dx=4, fill="@hot", fontSize=11)
        .encode(x="percent:Q", y=alt.value(-4), text="told:N")
    )
    return alt.layer(bars, full, name).properties(width="container", height=alt.Step(38))


def _values() -> Any:
    import altair as alt

    x = alt.X(
        "bit:Q",
        axis=alt.Axis(title="power of two of the first bit", grid=False, tickMinStep=1, format="d"),
        scale=alt.Scale(reverse=True, nice=False, zero=False, padding=2),
    )
    y = _rows(alt, "layer")
    kind = (
        alt.Chart(alt.NamedData("types"))
        .mark_rect(fill="@idle", fillOpacity=0.45, stroke="@muted", strokeWidth=1)
        .encode(x=x, x2="end:Q", y=y)
    )
    cells = (
        alt.Chart(alt.NamedData("values"))
        .mark_rect()
        .encode(
            x=x,
            x2="end:Q",
            y=y,
            fill=alt.Fill(
                "where:N",
                scale=alt.Scale(domain=["inside", "above", "below"], range=["@accent", "@hot", "@blocked"]),
                legend=None,
            ),
            fillOpacity=alt.FillOpacity(
                "share:Q",
                scale=alt.Scale(type="pow", exponent=0.4, domain=[0, 0.5], range=[0.1, 1], clamp=True),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("layer:N", title="layer"),
                alt.Tooltip("type:N", title="type"),
                alt.Tooltip("told:N", title="numbers of"),
                alt.Tooltip("count:Q", title="numbers", format=","),
                alt.Tooltip("percent:Q", title="% of those not 0", format=".3f"),
                alt.Tooltip("where:N", title="range of the type"),
            ],
        )
    )
    return alt.layer(kind, cells).properties(width="container", height=alt.Step(ROW + 3))


def _front() -> Any:
    import altair as alt

    x = alt.X("x:Q", axis=alt.Axis(title="@x_title", format="~s"), scale=alt.Scale(zero=False, nice=True, padding=12))
    y = alt.Y("y:Q", axis=alt.Axis(title="@y_title", format="~s"), scale=alt.Scale(zero=False, nice=True, padding=12))
    line = (
        alt.Chart(alt.NamedData("front"))
        .mark_line(stroke="@accent", strokeWidth=1.5, interpolate="step-after", opacity=0.6)
        .encode(x=x, y=y, order="x:Q")
    )
    points = (
        alt.Chart(alt.NamedData("trials"))
        .mark_point(size=90, strokeWidth=1.6, cursor="pointer")
        .encode(
            x=x,
            y=y,
            stroke=alt.Stroke(
                "front:N",
                scale=alt.Scale(domain=["on the front", "behind it"], range=["@accent", "@muted"]),
                legend=None,
            ),
            fill=alt.Fill(
                "filled:N",
                scale=alt.Scale(domain=["measured", "front", "modelled"], range=["@accent", "@accent", "transparent"]),
                legend=None,
            ),
            fillOpacity=alt.value(0.9),
            shape=alt.Shape("shape:N", legend=alt.Legend(title=None, orient="top", symbolStrokeColor="@muted")),
            tooltip=[
                alt.Tooltip("name:N", title="trial"),
                alt.Tooltip("point:N", title="point"),
                alt.Tooltip("x_told:N", title="x"),
                alt.Tooltip("y_told:N", title="y"),
                alt.Tooltip("front:N", title="Pareto"),
            ],
        )
    )
    return alt.layer(line, points).properties(width="container", height=360)
