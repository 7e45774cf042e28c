"""The page as one HTML file that needs nothing else: styles, script, charts, and all figures as JSON.

Everything that comes from a model, a recipe or a path is escaped: by Jinja in the HTML, as JSON in the script's data;
the script puts text into the page as text alone. A policy in the file forbids the browser to load anything.
"""

import functools
import json
from importlib.resources import files
from typing import Any

from nonresnet_hls.page import charts, picture
from nonresnet_hls.page.values import Basis, Figure, Page, View, as_json

_UNITS = {
    "interval_cycles": "cycles",
    "latency_cycles": "cycles",
    "lut": "LUT",
    "ff": "FF",
    "dsp": "DSP",
    "bram_18k": "BRAM18",
}
RESOURCES = ("lut", "ff", "dsp", "bram_18k")
DEPTHS = {
    "sized": ("Sized", "the least that keep full throughput"),
    "margin": ("Least", "the least that finish while pipelines stall with words in flight"),
    "tensor": ("Whole tensors", "what hls4ml gives by itself: a place for every word"),
    "built": ("As built", "as in the SystemVerilog"),
}


def render(page: Page) -> str:
    """The HTML of a page."""
    template = _environment().get_template("page.html")
    return str(
        template.render(
            page=page,
            figures=_json(as_json(page)),
            specs=_json(charts.specs()),
            library=charts.library(),
            style=_asset("page.css"),
            script=_asset("page.js"),
            units=_UNITS,
            resources=RESOURCES,
            depth_titles=DEPTHS,
        )
    )


def number_text(value: int | float) -> str:
    """A figure as people read it.

    >>> number_text(26317), number_text(0.5), number_text(1234.5678), number_text(1352.0)
    ('26,317', '0.5', '1,234.57', '1,352')
    """
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    digits = 3 if abs(value) < 10 else 2
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")


def _asset(name: str) -> str:
    return (files("nonresnet_hls.page") / "assets" / name).read_text(encoding="utf-8")


def _json(value: Any) -> Any:
    """JSON that nothing in it can end the script element that it stands in."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


@functools.cache
def _environment() -> Any:
    import jinja2
    from markupsafe import Markup

    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )

    def fig(page: Page, figure: Figure | None, path: str) -> Any:
        """A figure in the page: its value, where it stands in the JSON, and how it was come by."""
        if figure is None:
            return Markup('<span class="none" title="nobody has found it out">-</span>')
        source = page.sources[figure.source]
        told = str(source)
        if figure.low is not None and figure.high is not None:
            told += f"; 8 of 10 lie from {figure.low:,} to {figure.high:,}"
        if figure.at_most:
            told += "; at most"
        text = Markup('<data class="fig {}{}" value="{}" data-path="{}" data-source="{}" title="{}">{}</data>')
        bound = " at-most" if figure.at_most else ""
        return text.format(
            source.basis, bound, json.dumps(figure.value), path, figure.source, told, number_text(figure.value)
        )

    made.globals |= {
        "fig": fig,
        "draw": picture.draw,
        "overview": picture.overview,
        "skips": picture.skips,
        "is_minor": picture.is_minor,
        "share": _share,
        "MEASURED": Basis.MEASURED,
    }
    made.filters["number"] = number_text
    return made


def _share(view: View, name: str, figure: Figure | None) -> float:
    """Percent that a figure is of the greatest of its kind in a view; at least a sliver where it is not 0."""
    most = max((float(part.figures[name].value) for part in view.parts if name in part.figures), default=0.0)
    if figure is None or not most or not figure.value:
        return 0.0
    return max(round(100 * float(figure.value) / most, 1), 1.0)
