"""Figures as the tools print them, to numbers; a text that is no figure raises `NotAFigureError`.

Some reports carry decimal commas (the tool ran under such a locale), some thousands separators. A count has
no fraction, so a comma in it separates thousands; clocks, slacks and block RAM tiles are never so large, so a
comma in them is a decimal one.
"""

import re
from decimal import Decimal

# The tools' ways to say nothing.
SAYS_NOTHING = frozenset({"", "-", "--", "---", "_", "?", "x", "na", "n/a", "undef", "undefined", "inf", "none"})
# No device has so many of anything, and no simulation runs so long; a larger figure is a corrupted one.
LARGEST = 2**53

_COUNT = re.compile(r"[0-9]{1,16}|[0-9]{1,3}(?:,[0-9]{3}){1,5}")
_LEADING_COUNT = re.compile(r"([0-9,]{1,20})\s*(?:[(\[]\s*[<~]?[0-9.,]{1,12}\s*%\s*[)\]])?")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,12}(?:[.,][0-9]{1,12})?")
_PERIOD = re.compile(r"([+-]?[0-9]{1,12}(?:[.,][0-9]{1,12})?)\s*(ps|ns|us|ms|s|sec)?")
_TILES = re.compile(r"([0-9]{1,9})(?:[.,]([05])0*)?")
_NS = {
    "ps": Decimal("0.001"),
    "ns": Decimal(1),
    "us": Decimal(1000),
    "ms": Decimal(10**6),
    "s": Decimal(10**9),
}
_NS["sec"] = _NS["s"]


class NotAFigureError(ValueError):
    """The text is neither a figure nor one of the tools' ways to say nothing."""

    def __init__(self, wanted: str, text: str) -> None:
        super().__init__(f"wanted {wanted}, got {quote(text)}")


def quote(text: str, limit: int = 60) -> str:
    """Quote what a file holds on one line of printable characters.

    >>> quote("a|b")
    "'a|b'"
    """
    return repr(text if len(text) <= limit else text[:limit] + "...").replace("\\n", " ")


def says_nothing(text: str) -> bool:
    """Whether the tool left the figure open (`-`, `?`, `NA`, `undef`)."""
    return text.strip().lower() in SAYS_NOTHING


def count(text: str) -> int | None:
    """A number of things or cycles.

    >>> count("1,234"), count("90169"), count("?")
    (1234, 90169, None)
    """
    text = text.strip()
    if says_nothing(text):
        return None
    if not _COUNT.fullmatch(text):
        raise NotAFigureError("a count", text)
    value = int(text.replace(",", ""))
    if value >= LARGEST:
        raise NotAFigureError("a count below 2^53", text)
    return value


def count_with_share(text: str) -> int | None:
    """A count followed by its share of the device.

    >>> count_with_share("16 (16%)"), count_with_share("5(0.01%)"), count_with_share("-")
    (16, 5, None)
    """
    text = text.strip()
    if says_nothing(text):
        return None
    match = _LEADING_COUNT.fullmatch(text)
    if not match:
        raise NotAFigureError("a count and its share", text)
    return count(match[1])


def count_range(text: str) -> tuple[int | None, int | None]:
    """A count, or the least and the largest of what depends on the data.

    >>> count_range("9 ~ 91"), count_range("12"), count_range("-")
    ((9, 91), (12, 12), (None, None))
    """
    low, mark, high = text.partition("~")
    least = count(low)
    largest = count(high) if mark else least
    if least is not None and largest is not None and least > largest:
        raise NotAFigureError("a range that rises", text)
    return least, largest


def tiles_as_18k(text: str) -> int | None:
    """Block RAM tiles of 36 Kbit, halves included, in blocks of 18 Kbit.

    >>> tiles_as_18k("16.5"), tiles_as_18k("16,5"), tiles_as_18k("7")
    (33, 33, 14)
    """
    text = text.strip()
    if says_nothing(text):
        return None
    match = _TILES.fullmatch(text)
    if not match:
        raise NotAFigureError("block RAM tiles in halves", text)
    return 2 * int(match[1]) + (1 if match[2] == "5" else 0)


def decimal(text: str) -> float | None:
    """A number with a fraction, with a decimal point or comma.

    >>> decimal("-1,791"), decimal("0.385"), decimal("NA")
    (-1.791, 0.385, None)
    """
    text = text.strip()
    if says_nothing(text):
        return None
    if not _DECIMAL.fullmatch(text):
        raise NotAFigureError("a number", text)
    return float(text.replace(",", "."))


def period_ns(text: str, unit: str = "ns") -> float | None:
    """A time, with its unit or in `unit`, in ns.

    >>> period_ns("0.137 us"), period_ns("4.33"), period_ns("?")
    (137.0, 4.33, None)
    """
    text = text.strip()
    if says_nothing(text):
        return None
    match = _PERIOD.fullmatch(text)
    if not match:
        raise NotAFigureError("a time", text)
    return float(Decimal(match[1].replace(",", ".")) * _NS[match[2] or unit])


def version(text: str) -> str | None:
    """The tool's version within a longer text.

    >>> version("2019.2.1 (Build 2729669 on Thu Dec 05)"), version("Vivado v.2018.2 (lin64)")
    ('2019.2.1', '2018.2')
    """
    match = re.search(r"(?<![0-9])(20[0-9]{2}\.[0-9]{1,2}(?:\.[0-9]{1,2})?)(?![0-9])", text)
    return match[1] if match else None
