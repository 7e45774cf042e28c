"""External programs: found on PATH or refused with the package that brings them."""

import functools
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nonresnet_hls import guardian, progress
from nonresnet_hls.errors import ToolError


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
        ToolError: it could not be run or ended with another status than 0; quotes its first error line.
    """
    status, output, errors = finished(command, directory)
    if status != 0:
        lines = (errors + output).splitlines() or ["(it printed nothing)"]
        line = next((line for line in lines if "error" in line.lower()), lines[-1])
        raise ToolError(f"{Path(command[0]).name} in {directory}: exit status {status}: {line.strip()}")
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
