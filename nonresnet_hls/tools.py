"""External programs: found on PATH or refused with the package that brings them."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

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
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise ToolError(f"{command[0]}: cannot be run: {error}") from None
    if done.returncode != 0:
        lines = (done.stderr + done.stdout).splitlines() or ["(it printed nothing)"]
        line = next((line for line in lines if "error" in line.lower()), lines[-1])
        raise ToolError(f"{Path(command[0]).name} in {directory}: exit status {done.returncode}: {line.strip()}")
    return done.stdout
