"""Runs the generated C++ itself on FIFOs that block when full: the proof of depths.

The top function is rewritten in one respect only: each layer call becomes a fiber, all of which then run
together. Streams are those of `cpp/hls_stream.h`. Everything else, kernels and weights included, is the
project's own text. Whether a network of such processes finishes does not depend on the order in which they
run (Kahn 1974, Parks 1995), so one run decides, without any model of time.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nonresnet_hls import progress, tools
from nonresnet_hls.dataflow.cpp_source import CppSource, LayerCall, read_firmware
from nonresnet_hls.dataflow.graph import Dataflow
from nonresnet_hls.dataflow.schedule import Deadlock
from nonresnet_hls.errors import ConversionError

FloatArray = npt.NDArray[np.float64]
_FLAGS = ("-std=c++17", "-O1", "-w", "-fno-gnu-unique", "-fpermissive")
_UNLIMITED = 2**62


@dataclass(frozen=True)
class Trial:
    """One run: depths by stream name (streams left out are unbounded), and how many images."""

    depths: Mapping[str, int]
    images: int = 1
    traced: bool = False


@dataclass(frozen=True, eq=False)
class Outcome:
    """How one run ended.

    Attributes:
        outputs: all values that left the design, image after image; None unless it finished.
        deadlock: the circle of full and empty streams, None if there was none.
        leftovers: tokens left in streams at the end of an image, which is an error.
        peaks: most tokens at any time, by stream, for an untraced run that finished.
        trace: (process, stream, "r" or "w") in the order of execution, for a traced run that finished.
    """

    outputs: FloatArray | None
    deadlock: Deadlock | None = None
    leftovers: Mapping[str, int] = field(default_factory=dict)
    peaks: Mapping[str, int] = field(default_factory=dict)
    trace: tuple[tuple[str, str, str], ...] = ()

    @property
    def finished(self) -> bool:
        """True if every image went through and nothing was left behind."""
        return self.deadlock is None and not self.leftovers


class Executable:
    """The two programs built from one project: its C simulation, and the same on bounded streams."""

    def __init__(self, project: Path, flow: Dataflow, work: Path, simulation: bool = True) -> None:
        """Compile both programs side by side in `work`.

        Args:
            project: directory that hls4ml wrote, with `firmware/`.
            flow: its analysis.
            work: scratch directory, which must exist.
            simulation: False leaves out the C simulation, and half of the time.

        Raises:
            ToolError: g++ is missing or refuses the C++.
            ConversionError: the project's C++ cannot be read, or takes weights through its ports.
        """
        self.flow = flow
        self.work = work.resolve()
        self.jobs = len(os.sched_getaffinity(0))
        firmware = (project / "firmware").resolve()
        source = read_firmware(firmware, flow.name)
        compiler = tools.require("g++", "the package g++")
        tools.say_that_projects_run()
        common = ["-I", str(firmware), "-I", str(firmware / "ap_types")]
        common.append(f"-DWEIGHTS_DIR={tools.c_string(firmware / 'weights')}")
        with as_file(files("nonresnet_hls.dataflow") / "cpp") as headers:
            # Only the bounded program finds the hls_stream.h that lies beside testbench.h.
            testbench = _testbench(source, flow)
            shutil.copyfile(headers / "testbench.h", self.work / "testbench.h")
            (self.work / "testbench.cpp").write_text(testbench, encoding="utf-8")
            (self.work / "bounded_top.cpp").write_text(bounded_top(source, flow), encoding="utf-8")
            builds = [
                ("csim", [*common, str(firmware / f"{flow.name}.cpp")]),
                ("bounded", ["-DBOUNDED", "-I", str(headers), *common, str(self.work / "bounded_top.cpp")]),
            ]
            with ThreadPoolExecutor(self.jobs) as pool:
                list(pool.map(lambda build: self._compile(compiler, *build), builds if simulation else builds[1:]))

    def _compile(self, compiler: str, name: str, arguments: Sequence[str]) -> None:
        sources = [*arguments, str(self.work / "testbench.cpp")]
        tools.run([compiler, *_FLAGS, *sources, "-o", str(self.work / name)], self.work)

    def simulate(self, inputs: FloatArray) -> FloatArray:
        """The C simulation of the untouched project; inputs and result have shape (images, values)."""
        inputs_path, outputs_path = self.work / "inputs.bin", self.work / "csim.bin"
        np.ascontiguousarray(inputs, dtype=np.float64).tofile(inputs_path)
        tools.run([str(self.work / "csim"), str(inputs_path), str(outputs_path), str(len(inputs))], self.work)
        return np.fromfile(outputs_path).reshape(len(inputs), -1)

    def run(self, trials: Sequence[Trial], inputs: FloatArray) -> list[Outcome]:
        """Run every trial on the first images of `inputs`, shape (images, values)."""
        names = [stream.name for stream in self.flow.internal]
        lines = [" ".join(names)]
        for trial in trials:
            depths = [str(trial.depths.get(name, _UNLIMITED)) for name in names]
            lines.append(" ".join([str(trial.images), str(int(trial.traced)), *depths]))
        (self.work / "trials.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        inputs_path, results = self.work / "inputs.bin", self.work / "result"
        np.ascontiguousarray(inputs, dtype=np.float64).tofile(inputs_path)
        arguments = [inputs_path, self.work / "trials.txt", results, self.work / "outputs", self.jobs]
        with progress.watched(
            f"{self.flow.name} on bounded FIFOs",
            len(trials),
            lambda: sum((self.work / f"result.{index}").is_file() for index in range(len(trials))),
            "trials",
        ):
            tools.run([str(self.work / "bounded"), *map(str, arguments)], self.work)
        return [self._outcome(index, trial) for index, trial in enumerate(trials)]

    def random_inputs(self, images: int, seed: int = 0) -> FloatArray:
        """Values spread over the range of the input types, shape (images, values)."""
        ports = [stream for stream in self.flow.streams.values() if stream.source is None]
        values = sum(stream.tokens * stream.elements for stream in ports)
        return np.random.default_rng(seed).uniform(-2.0, 2.0, (images, values))

    def _outcome(self, index: int, trial: Trial) -> Outcome:
        status, *words = (self.work / f"result.{index}").read_text(encoding="utf-8").split()
        parts = [word.split(":") for word in words]
        if status == "deadlock":
            return Outcome(None, deadlock=blocked_circle(self.flow, [(p, s, state) for p, s, state in parts]))
        if status == "leftover":
            return Outcome(None, leftovers={name: int(count) for name, count in parts})
        outputs = np.fromfile(self.work / f"outputs.{index}").reshape(trial.images, -1)
        if trial.traced:
            return Outcome(outputs, trace=tuple((p, s, kind) for p, s, kind in parts))
        return Outcome(outputs, peaks={name: int(count) for name, count in parts})


def bounded_top(source: CppSource, flow: Dataflow) -> str:
    """The text of the top function with each layer call as a fiber."""
    pieces, position = [], 0
    names = iter(process.name for process in flow.processes)
    for statement in source.statements:
        pieces.append(source.text[position : statement.start])
        if len(statement.calls) == 1:
            call = source.text[statement.start : statement.end]
            pieces.append(_spawn(next(names), call.split("//")[0]))
        else:
            depthwise, pointwise = statement.calls
            pieces.append(f'hls::stream<{depthwise.types[1]}> {depthwise.arguments[1]}("");\n')
            pieces += [_spawn(next(names), _text_of(call)) for call in (depthwise, pointwise)]
        position = statement.end
    pieces += ["\n    bounded::Scheduler::get().run();\n", source.text[position:]]
    text = "".join(pieces)
    # Streams are declared after the weights are loaded; without any, the first fiber comes next.
    first = re.search(r"hls::stream\s*<[^>]*>\s+\w+\s*\(|bounded::Scheduler", text)
    start = first.start() if first else 0
    return f"{text[:start]}if (bounded::Scheduler::get().load_only) return;\n    {text[start:]}"


def _spawn(name: str, call: str) -> str:
    return f'bounded::Scheduler::get().spawn("{name}", [&]() {{ {call} }});\n    '


def _text_of(call: LayerCall) -> str:
    *types, config = call.types
    outer, _, member = config.partition("::")
    arguments = ", ".join(call.arguments)
    return f"nnet::{call.function}<{', '.join(types)}, typename {outer}::{member}>({arguments});"


def _testbench(source: CppSource, flow: Dataflow) -> str:
    """The part of the test bench that knows the ports of this design.

    Raises:
        ConversionError: an argument of the top function is no stream.
    """
    if source.other_arguments:
        raise ConversionError(f"{source.top}.cpp: only streams wanted as arguments, got weights too")
    declare, fill, drain = [], [], []
    for port in source.ports:
        stream = flow.streams[port.name]
        declare.append(f'    hls::stream<{port.type_name}> {port.name}("{port.name}");')
        if stream.source is None:
            fill.append(f"    testbench::fill({port.name}, {stream.tokens}, inputs);")
        else:
            drain.append(f"    testbench::drain({port.name}, {stream.tokens}, outputs);")
    call = f"    {source.top}({', '.join(port.name for port in source.ports)});"
    return "\n".join(
        [
            f'#include "{source.top}.h"',
            '#include "testbench.h"',
            f"using namespace {source.namespace};" if source.namespace else "",
            "bool run_image(testbench::Values::const_iterator &inputs, testbench::Values &outputs) {",
            *declare,
            *fill,
            call,
            "#ifdef BOUNDED",
            "    if (bounded::Scheduler::get().stuck() || bounded::Scheduler::get().load_only) return false;",
            "#endif",
            *drain,
            "    return true;",
            "}",
            "",
        ]
    )


def blocked_circle(flow: Dataflow, waits: Sequence[tuple[str, str, str]]) -> Deadlock:
    """Follow who waits for whom until it comes round."""
    wait_of = {process: (stream, state) for process, stream, state in waits}
    seen: list[str] = []
    name = next(iter(wait_of))
    while name not in seen:
        seen.append(name)
        stream, state = wait_of[name]
        other = flow.streams[stream].source if state == "empty" else flow.streams[stream].sink
        if other is None or other not in wait_of:
            raise ConversionError(f"stream {stream}: {name} waits for more tokens than an image has")
        name = other
    return Deadlock(tuple((process, *wait_of[process]) for process in seen[seen.index(name) :]))
