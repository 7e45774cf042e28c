"""C simulation in bits: what a project's top function makes of its input words, at any width and whatever happens.

hls4ml's bridge gives and takes doubles, which hold 53 bits; here the words of all streams are passed as they are.
The C++ runs as a process of its own: where one of its assertions fails, that process ends and nobody else's.
"""

import signal
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from nonresnet_hls import tools
from nonresnet_hls.errors import ToolError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# C++17 for the bench; the project's own C++ is compiled as Vivado HLS would.
_BENCH_FLAGS = ("-std=c++17", "-O1", "-w", "-fno-gnu-unique")
_PROJECT_FLAGS = ("-std=c++11", "-O2", "-w", "-fPIC", "-fno-gnu-unique")


class BitSimulation:
    """The compiled top function of a project."""

    def __init__(
        self,
        project: Path,
        top: str,
        input_words: Sequence[int],
        output_words: Sequence[int],
        scratch: Path,
        library: Path | None = None,
    ) -> None:
        """Compile it.

        Args:
            project: directory that hls4ml wrote, with `firmware/`.
            top: name of the top function, with its namespace if it has one.
            input_words: words an image of each input stream, in the order of the function's arguments.
            output_words: the same of the output streams, which follow the inputs.
            scratch: an existing folder for what is built.
            library: a shared library that holds the compiled top function; None: compile it.

        Raises:
            ToolError: g++ is missing or refuses the C++.
        """
        self._scratch = scratch.resolve()
        self._input_words, self._output_words = tuple(input_words), tuple(output_words)
        compiler = tools.require("g++", "the package g++")
        firmware = (project / "firmware").resolve()
        self._top = top
        name = top.rpartition("::")[2]
        include = ["-I", str(firmware), "-I", str(firmware / "ap_types")]
        linked = library
        if linked is None:
            linked = self._scratch / f"{name}.o"
            weights = f"-DWEIGHTS_DIR={tools.c_string(firmware / 'weights')}"
            source = str(firmware / f"{name}.cpp")
            tools.run([compiler, *_PROJECT_FLAGS, *include, weights, "-c", source, "-o", str(linked)], self._scratch)
        defines = [f'-DPROJECT_HEADER="{name}.h"', f"-DTOP={top}", f"-DINPUTS={len(self._input_words)}"]
        with as_file(files("nonresnet_hls.hls") / "cpp" / "bit_bench.cpp") as bench:
            command = [compiler, *_BENCH_FLAGS, *include, *defines, str(bench), str(linked.resolve())]
            tools.run([*command, "-o", str(self._scratch / "bit_bench")], self._scratch)

    def run(
        self, images: int, inputs: "Sequence[npt.NDArray[np.uint32] | npt.NDArray[np.float64]]"
    ) -> "list[npt.NDArray[np.uint32]]":
        """The words of the output streams, as flat 32-bit pieces, the lowest first, a word beginning a new piece.

        Args:
            images: how many.
            inputs: of each input stream its words as flat 32-bit pieces, or its values, which the C++ casts.

        Raises:
            ToolError: the C++ ends in another way than well; quotes the assertion that failed.
        """
        import numpy as np

        for index, data in enumerate(inputs):
            for suffix in ("bin", "f64"):
                (self._scratch / f"in_{index}.{suffix}").unlink(missing_ok=True)
            suffix = "bin" if data.dtype == np.uint32 else "f64"
            data.tofile(self._scratch / f"in_{index}.{suffix}")
        words = [str(count) for count in (*self._input_words, *self._output_words)]
        status, _, errors = tools.finished([str(self._scratch / "bit_bench"), str(images), *words], self._scratch)
        if status != 0:
            raise ToolError(f"C simulation of {self._top}: {_reason(status, errors)}")
        return [
            np.fromfile(self._scratch / f"out_{index}.bin", dtype="<u4") for index in range(len(self._output_words))
        ]


def _reason(code: int, errors: str) -> str:
    """How a process ended, and the line that tells why."""
    how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    telling = [line for line in lines if "Assertion" in line or line.startswith("error: ")]
    return f"{how}: {(telling or lines or ['(it printed nothing)'])[-1]}"
