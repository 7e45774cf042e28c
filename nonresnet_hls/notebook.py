"""What a notebook shows of work that goes on, and of errors, by the protocols that IPython has for it.

Nothing is registered and nothing of IPython's is changed; outside of IPython nothing here does anything.
"""

import html
import sys
import time
import traceback
from typing import Any

from nonresnet_hls.printable import printable


def shell() -> Any:
    """The IPython that runs this; None in plain Python."""
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()


def is_shown() -> bool:
    """Whether a front end (Jupyter and its like) shows what IPython displays, not a terminal."""
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell()).__mro__)


class Panel:
    """A piece of the output of the cell that runs, which can be shown anew."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, page: str, text: str) -> None:
        """Show HTML, and where a front end has none, text."""
        from IPython.display import display

        bundle = {"text/html": page, "text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


class Lines:
    """Lines that a cell says while it runs, in one place, the last ones in sight."""

    def __init__(self) -> None:
        self._cell: object = None
        self._panel = Panel()
        self._lines: list[str] = []

    def say(self, line: str) -> None:
        """Show one more line of the cell that runs."""
        cell = getattr(shell(), "execution_count", None)
        if cell != self._cell:
            self._cell, self._panel, self._lines = cell, Panel(), []
        self._lines.append(line)
        text = "\n".join(self._lines)
        inside = f"<pre style='margin:0;font-size:90%;opacity:0.75'>{html.escape(text)}</pre>"
        # Of a column that is turned upside down the end is what is seen first.
        box = "display:flex;flex-direction:column-reverse;max-height:12em;overflow:auto"
        self._panel.show(f"<div style='{box}'>{inside}</div>", text)


class Bar:
    """How far work is, as a bar; a line when it is over."""

    def __init__(self, what: str, total: float, unit: str) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._began = time.monotonic()
        self._panel: Panel | None = None
        self._done = 0.0

    def look(self, done: float) -> None:
        """Show how far it is."""
        self._done = done
        left = ""
        if done > 0:
            seconds = (time.monotonic() - self._began) * (self._total - done) / done
            left = f", {seconds:.0f} s left"
        text = f"{self._what}: {done:.0f} of {self._total:.0f} {self._unit}{left}"
        self._show(f"<progress max='{self._total:g}' value='{done:g}'></progress> ", text)

    def close(self) -> None:
        """Say how long it took, where there was a bar."""
        if self._panel is not None:
            seconds = time.monotonic() - self._began
            self._show("", f"{self._what}: {self._done:.0f} {self._unit} in {seconds:.0f} s")

    def _show(self, bar: str, text: str) -> None:
        self._panel = self._panel or Panel()
        style = "font-size:90%;opacity:0.75"
        self._panel.show(f"<div style='{style}'>{bar}{html.escape(text)}</div>", text)


_seen: list[object] = []
"""The traceback that was last folded away."""


def error_lines(error: BaseException) -> list[str]:
    """What IPython shows of an error of ours: one line, and the traceback where it is asked for.

    In a notebook the traceback lies folded above the line. `%tb`, which shows an error once more, shows all of it.
    """
    told = f"\x1b[31m{type(error).__name__}\x1b[39m: {printable(str(error))}"
    whole = "".join(traceback.format_exception(error))
    again = error.__traceback__ is not None and _seen == [error.__traceback__]
    _seen[:] = [error.__traceback__]
    if again:
        return [printable(whole, "\n\t")]
    if is_shown():
        inside = f"<pre style='font-size:90%'>{html.escape(whole)}</pre>"
        Panel().show(f"<details><summary>Traceback (folded)</summary>{inside}</details>", "")
        return [told]
    return [told, "(%tb shows the traceback)"]
