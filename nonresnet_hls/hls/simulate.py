"""C simulation of a project: its C++ compiled with g++ and run, in two ways.

As library: through hls4ml's bridge, from Python, in double precision. As test bench: the project's own
`myproject_test.cpp`, which reads and writes text files, as csim_design of the vendor's tool would run it.
Both are built outside the project, which stays as it is, from one object file of the firmware.
"""

import contextlib
import ctypes
import itertools
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nonresnet_hls import guardian, progress, tools
from nonresnet_hls import samples as tensors
from nonresnet_hls.errors import ArtefactError, ToolError
from nonresnet_hls.hls import precompiled
from nonresnet_hls.hls.convert import PROJECT, write_rows
from nonresnet_hls.hls.worker import pointers

_RESULTS = "csim_results.log"
# -O2: a fraction of the running time of -O0 for a few seconds more of compiling. C++11 is what Vivado HLS speaks.
_FLAGS = ("-O2", "-fPIC", "-std=c++11", "-fno-gnu-unique")


class Simulation:
    """A compiled project; a context manager, since it lives in a temporary folder."""

    def __init__(self, project: Path) -> None:
        """Compile the project in `project`.

        Raises:
            ToolError: there is no g++, or it fails.
            ArtefactError: the project lacks a source file.
        """
        self._project = project.resolve()
        compiler = tools.require("g++", "the package g++")
        tools.say_that_projects_run()
        firmware = self._project / "firmware"
        sources = [
            firmware / f"{PROJECT}.cpp",
            self._project / f"{PROJECT}_bridge.cpp",
            self._project / f"{PROJECT}_test.cpp",
        ]
        for source in sources:
            if not source.is_file():
                raise ArtefactError(f"{source}: missing; convert the model again")
        self._folder = tempfile.TemporaryDirectory(prefix="nonresnet-csim-")
        self._scratch = Path(self._folder.name)
        weights = tools.c_string(firmware / "weights")
        types = firmware / "ap_types"
        command = [compiler, *_FLAGS, f"-I{types}", f"-DWEIGHTS_DIR={weights}"]
        try:
            command += precompiled.options(compiler, _FLAGS, types)
            # Each takes seconds and one core.
            with ThreadPoolExecutor() as pool:
                objects = list(pool.map(lambda source: self._compile(command, source), sources))
            shared = [compiler, "-shared", objects[0].name, objects[1].name, "-o", "library.so"]
            tools.run(shared, self._scratch)
            tools.run([compiler, objects[0].name, objects[2].name, "-o", "bench"], self._scratch)
        except BaseException:
            self._folder.cleanup()
            raise

    def _compile(self, command: list[str], source: Path) -> Path:
        target = self._scratch / f"{source.stem}.o"
        tools.run([*command, "-c", str(source), "-o", str(target)], self._scratch)
        return target

    def __enter__(self) -> "Simulation":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def library(self, inputs: Any, output_shape: tensors.Shapes, jobs: int = 1) -> Any:
        """Outputs (samples, *output_shape) float64 of the compiled library for (samples, *input shape).

        Args:
            inputs: the samples; of several inputs records.
            output_shape: of one sample's output, or of several by name.
            jobs: processes that share the library, each taking the next sample when it is done with one.

        Raises:
            ToolError: a process ended before its last sample, which the message names.
        """
        import numpy as np

        sizes = [tensors.sizes(tensors.shapes(inputs)), tensors.sizes(output_shape)]
        samples = np.ascontiguousarray(tensors.flat(inputs))
        if jobs > 1:
            return tensors.shaped(self._in_processes(samples, sizes, jobs), output_shape)
        top = getattr(ctypes.CDLL(str(self._scratch / "library.so")), f"{PROJECT}_double")
        results = np.empty((len(inputs), sum(sizes[1])), np.float64)
        done = 0
        with progress.watched(self._what("library"), len(samples), lambda: done, "samples"):
            for sample, result in zip(samples, results, strict=True):
                top(*pointers(sample, sizes[0]), *pointers(result, sizes[1]))
                done += 1
        return tensors.shaped(results, output_shape)

    def _what(self, how: str) -> str:
        return f"C simulation of {self._project.name} as {how}"

    def _in_processes(self, inputs: Any, sizes: list[list[int]], jobs: int) -> Any:
        import numpy as np

        folder = Path(tempfile.mkdtemp(prefix="jobs-", dir=self._scratch))
        source, target = folder / "inputs.npy", folder / "outputs.npy"
        np.save(source, inputs)
        np.save(target, np.empty((len(inputs), sum(sizes[1])), np.float64))
        jobs, following = min(jobs, len(inputs)), folder / "next"
        following.write_bytes(np.int64(0).tobytes())
        # The package as this process has found it, and no TensorFlow: a worker starts in a moment.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with contextlib.ExitStack() as stack:
            running = []
            for job in range(jobs):
                mark, log = folder / f"progress-{job}", folder / f"log-{job}"
                mark.write_bytes(np.int64(-1).tobytes())
                command = [sys.executable, "-m", "nonresnet_hls.hls.worker", str(self._scratch / "library.so")]
                command += [f"{PROJECT}_double", str(source), str(target), str(mark), str(following)]
                command += [",".join(map(str, one)) for one in sizes]
                output = stack.enter_context(log.open("wb"))
                pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
                started = guardian.started(command, cwd=self._scratch, env=environment, **pipes)
                running.append(stack.enter_context(started))
            with progress.watched(
                self._what("library"), len(inputs), lambda: _rows_done(following, len(inputs)), "samples"
            ):
                statuses = [process.wait() for process in running]
        for job, status in enumerate(statuses):
            if status != 0:
                image = int(np.frombuffer((folder / f"progress-{job}").read_bytes(), np.int64)[0])
                lines = (folder / f"log-{job}").read_text(errors="replace").strip().splitlines() or [
                    "(it said nothing)"
                ]
                ended = f"signal {-status}" if status < 0 else f"exit status {status}"
                where = f"image {image}" if image >= 0 else "before the first image"
                raise ToolError(
                    f"C simulation of {self._project.name}: {where}: the process ended with {ended}: {lines[-1]}"
                )
        return np.load(target)

    def bench(self, inputs: Any, expected: Any, jobs: int = 1) -> Any:
        """Outputs (as `expected`, float64) that the project's test bench writes to `csim_results.log`.

        Args:
            inputs: the samples; of several inputs records.
            expected: their outputs, which the test bench reads beside them.
            jobs: processes, each with a part of the samples.

        Raises:
            ToolError: it ends with another status than 0, or writes another number of values.
        """
        import numpy as np

        jobs = max(1, min(jobs, len(inputs)))
        bounds = [len(inputs) * job // jobs for job in range(jobs + 1)]
        parts = [slice(first, last) for first, last in itertools.pairwise(bounds)]
        folders = [Path(tempfile.mkdtemp(prefix="bench-", dir=self._scratch)) for _ in parts]
        logs = [folder / "tb_data" / _RESULTS for folder in folders]
        with (
            progress.watched(self._what("test bench"), len(inputs), lambda: sum(map(_lines, logs)), "samples"),
            ThreadPoolExecutor(max_workers=jobs) as pool,
        ):
            results = pool.map(lambda part, folder: self._bench(inputs[part], expected[part], folder), parts, folders)
            return np.concatenate(list(results))

    def _bench(self, inputs: Any, expected: Any, folder: Path) -> Any:
        import numpy as np

        data = folder / "tb_data"
        data.mkdir()
        write_rows(data / "tb_input_features.dat", inputs)
        write_rows(data / "tb_output_predictions.dat", expected)
        tools.run([str(self._scratch / "bench")], folder)
        log = data / _RESULTS
        values = np.array(log.read_text(encoding="ascii").split(), dtype=np.float64)
        wanted = len(expected) * sum(tensors.sizes(tensors.shapes(expected)))
        if values.size != wanted:
            raise ToolError(f"{PROJECT}_test.cpp: {wanted} values wanted in {log.name}, got {values.size}")
        return tensors.shaped(values.reshape(len(expected), -1), tensors.shapes(expected))


def _rows_done(following: Path, count: int) -> int:
    """How many samples the processes have taken so far."""
    return min(int.from_bytes(following.read_bytes(), sys.byteorder), count)


def _lines(path: Path) -> int:
    """How many lines a program has written so far."""
    return path.read_bytes().count(b"\n") if path.is_file() else 0
