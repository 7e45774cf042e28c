"""External programs: found on PATH or refused with the package that brings them."""

import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nonresnet_hls.errors import ToolError

# The first of these that any line matches says why a program failed: what a C library says of an assertion, compilers,
# linkers and exceptions of their errors, and programs of their end.
_TELLING = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bassertion\b.*\bfailed\b",
        r"undefined reference|multiple definition",
        r"error(-\w+)?\s*:",
        r"#error|\berror\b",
        r"\bwhat\(\):|terminate called|\baborted?\b|segmentation fault|\bfatal\b",
    )
)


def telling_line(text: str) -> str:
    r"""The line of a failed program's output that says why; the last one where none does, nothing of nothing.

    >>> telling_line("In file a.h:1:\na.h:2:1: error: no type\nsee -Werror")
    'a.h:2:1: error: no type'
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = (line for pattern in _TELLING for line in lines if pattern.search(line))
    return next(found, lines[-1] if lines else "")


def _ended(status: int) -> str:
    """An exit status, with the name of the signal where one ended the program."""
    try:
        return f"exit status {status}" + (f" ({signal.Signals(-status).name})" if status < 0 else "")
    except ValueError:
        return f"exit status {status}"


def require(program: str, package: str) -> str:
    """The path of a program.

    Raises:
        ToolError: it is not on PATH; the message names the package to install.
    """
    found = shutil.which(program)
    if found is None:
        raise ToolError(f"{program}: not found on PATH; install {package}")
    return found


def run(command: Sequence[str], directory: Path) -> str:
    """Run a command in a directory and return what it printed.

    Raises:
        ToolError: it could not be run or ended with another status than 0; quotes the line that says why.
    """
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise ToolError(f"{command[0]}: cannot be run: {error}") from None
    if done.returncode != 0:
        # What it says on stderr comes last, so that this counts where no line tells.
        line = telling_line(f"{done.stdout}\n{done.stderr}") or "(it printed nothing)"
        raise ToolError(f"{Path(command[0]).name} in {directory}: {_ended(done.returncode)}: {line}")
    return done.stdout
