"""External programs: found on PATH or refused with the package that brings them."""

import functools
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nonresnet_hls import guardian, progress
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


def c_string(path: Path) -> str:
    """A path as a string literal of C and C++, whatever characters its folders have."""
    escaped = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in str(path).encode()
    )
    return f'"{escaped}"'


def run(command: Sequence[str], directory: Path) -> str:
    """Run a command in a directory and return what it printed.

    Raises:
        ToolError: it could not be run or ended with another status than 0; quotes the line that says why.
    """
    status, output, errors = finished(command, directory)
    if status != 0:
        # What it says on stderr comes last, so that this counts where no line tells.
        line = telling_line(f"{output}\n{errors}") or "(it printed nothing)"
        raise ToolError(f"{Path(command[0]).name} in {directory}: {_ended(status)}: {line}")
    return output


def finished(command: Sequence[str], directory: Path) -> tuple[int, str, str]:
    """Run a command in a directory to its end: its status, and what it printed as results and as errors.

    It ends with this process, however that ends.

    Raises:
        ToolError: it could not be run.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    try:
        with guardian.started(command, cwd=directory, text=True, errors="replace", **pipes) as process:
            output, errors = process.communicate()
    except OSError as error:
        raise ToolError(f"{command[0]}: cannot be run: {error}") from None
    return process.returncode, output, errors


@functools.cache
def say_that_projects_run() -> None:
    """Say, once, whose code is about to run."""
    progress.say("the project's own C++ is compiled and run, with all your rights")
