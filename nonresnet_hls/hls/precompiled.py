"""hls4ml's types, compiled once for all projects of a process.

Most of the time that g++ takes for a small project goes into the headers of `ap_fixed`, the same for all projects.
"""

import contextlib
import hashlib
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from nonresnet_hls import tools
from nonresnet_hls.errors import ToolError

# What the three sources of a project take in, none of which asks for a macro before them.
_HEADERS = (
    *("<algorithm>", "<array>", "<cmath>", "<cstddef>", "<cstdio>", "<fstream>", "<iostream>", "<map>", "<sstream>"),
    *("<string>", "<tuple>", "<vector>", '"ap_fixed.h"', '"ap_int.h"', '"hls_stream.h"'),
)
_made: dict[str, Path | None] = {}
"""By what they are made of; None: asked for once, and one project does not repay it."""
_folders: list["tempfile.TemporaryDirectory[str]"] = []
_making = threading.Lock()


def options(compiler: str, flags: Sequence[str], types: Path) -> list[str]:
    """What to add to a command of g++ so that it need not read the headers again; nothing for the first project.

    Args:
        compiler: g++.
        flags: of that command, as far as they say how C++ is to be understood.
        types: the project's folder of headers; what other projects have in theirs is the same, or made anew.
    """
    with _making:
        found = hashlib.sha256("\0".join((compiler, *flags)).encode())
        for path in sorted(types.rglob("*.h")):
            found.update(str(path.relative_to(types)).encode())
            found.update(path.read_bytes())
        digest = found.hexdigest()
        if digest not in _made:
            _made[digest] = None
            return []
        if _made[digest] is None:
            # A disk that is full, say: then the compilation of the project tells.
            with contextlib.suppress(OSError, ToolError):
                _made[digest] = _make(compiler, flags, types)
        header = _made[digest]
        return [] if header is None else ["-include", str(header)]


def _make(compiler: str, flags: Sequence[str], types: Path) -> Path:
    folder = tempfile.TemporaryDirectory(prefix="nonresnet-headers-")
    _folders.append(folder)
    header = Path(folder.name) / "types.h"
    header.write_text("".join(f"#include {name}\n" for name in _HEADERS), encoding="ascii")
    compiled = [*flags, f"-I{types}", "-x", "c++-header", header.name, "-o", f"{header.name}.gch"]
    tools.run([compiler, *compiled], header.parent)
    return header
