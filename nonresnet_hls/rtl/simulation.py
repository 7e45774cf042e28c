"""Cycle-accurate simulation of a design by Verilator."""

import contextlib
import hashlib
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nonresnet_hls import bounds, extras, tools
from nonresnet_hls import files as own_files
from nonresnet_hls.errors import ConversionError, ToolError
from nonresnet_hls.fixed.arithmetic import Integers, cast
from nonresnet_hls.fixed.network import Stream
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.rtl.cache import cache_directory, cached_file
from nonresnet_hls.rtl.design import RtlDesign, library
from nonresnet_hls.rtl.unit_text import identifier

FloatArray = npt.NDArray[np.float64]

_WIDEST_BITS = 1 << 26
"""Of a number that Verilator takes: all weights of a layer are one. By itself it refuses more than 65,536."""
_SMALL_BYTES = 200_000
"""Of C++ that Verilator wrote of a design, below which it is compiled as one."""


@dataclass(frozen=True)
class Stalls:
    """Random pauses of the source and the sink, drawn every cycle."""

    percent: int = 30
    seed: int = 1
    source_percent: int | None = None
    """Of the source; None: as of the sink."""

    @property
    def percents(self) -> tuple[int, int]:
        """Of source and sink."""
        return self.percent if self.source_percent is None else self.source_percent, self.percent


@dataclass(frozen=True)
class FifoUse:
    """What was seen of one FIFO."""

    stream: str
    source: str
    target: str
    depth: int
    high_water: int
    """Most words held at once."""
    level: int
    """Words held at the end."""
    writer_blocked: bool
    """Whether at the end a word could not get in."""
    reader_waits: bool
    """Whether at the end the reader would take a word and there was none."""


@dataclass(frozen=True)
class Deadlock:
    """Units that wait for each other in a circle, and the streams that they wait on."""

    circle: tuple[tuple[str, str], ...]
    """Each unit and what it waits for (`stream NAME is full` or `is empty`), up to the first again."""

    def __str__(self) -> str:
        return ", ".join(f"{unit} waits: {why}" for unit, why in self.circle)


@dataclass(frozen=True)
class Simulation:
    """What a simulation gave and what it cost."""

    mantissas: dict[str, Integers]
    """By output stream: images x words x channels; integers worth the last bit of the stream's type, of any width."""
    fraction_bits: dict[str, int]
    """Of the types of the output streams."""
    finished: bool
    """Whether all outputs came."""
    first_output_cycles: int
    """From the first word taken to the first word given; 0 where that comes before, or none came."""
    image_ends: tuple[int, ...]
    """For each image: cycles from the first word taken to its last word."""
    total_cycles: int
    fifos: tuple[FifoUse, ...]
    deadlock: Deadlock | None
    """Where it did not finish: who waits for whom."""

    @property
    def latency_cycles(self) -> int:
        """From the first word taken to the last word of the first image; 0 where it never came."""
        return self.image_ends[0] if self.image_ends else 0

    @property
    def outputs(self) -> dict[str, FloatArray]:
        """By output stream: images x words x channels; values, those of more than 53 bits rounded to float64."""
        return {name: to_values(array, self.fraction_bits[name]) for name, array in self.mantissas.items()}

    @property
    def output(self) -> FloatArray:
        """The only output."""
        (array,) = self.outputs.values()
        return array


@dataclass(frozen=True)
class Simulator:
    """A design compiled for simulation."""

    design: RtlDesign
    directory: Path

    def run(
        self,
        inputs: Mapping[str, npt.ArrayLike],
        stalls: Stalls | None = None,
        limits: Mapping[str, int] | None = None,
        patience_cycles: int | None = None,
    ) -> Simulation:
        """Simulate some images.

        Args:
            inputs: by input stream, images first: values, which are cast to the stream's type as the C simulation
                does, or an object array of its mantissas.
            stalls: pauses of source and sink; None: none.
            limits: lower depths for some FIFOs, by stream.
            patience_cycles: cycles without any word in or out after which it counts as deadlocked.

        Raises:
            ToolError: the simulator fails.
        """
        network = self.design.network
        images = {np.asarray(inputs[name]).shape[0] for name in network.inputs}
        if len(images) != 1:
            raise ConversionError(f"simulation: inputs of one number of images wanted, not {sorted(images)}")
        (count,) = images
        for name in network.inputs:
            words = pack(as_input(inputs[name]), network.streams[name])
            (self.directory / f"in_{identifier(name)}.bin").write_bytes(words.tobytes())
        if patience_cycles is None:
            patience_cycles = 2 * sum(unit.interval_cycles for unit in self.design.units) + 1000
        stalls = stalls or Stalls(0, 0)
        plus = [f"+{self.design_path(name)}={depth}" for name, depth in (limits or {}).items()]
        command = [str(self.directory / "harness"), str(count), str(stalls.seed), *map(str, stalls.percents)]
        return self._read(tools.run([*command, str(patience_cycles), *plus], self.directory))

    def design_path(self, stream: str) -> str:
        """The instance path of a stream's FIFO."""
        return f"TOP.{self.design.top}.fifo_{identifier(stream)}"

    def _read(self, text: str) -> Simulation:
        network = self.design.network
        fields: dict[str, list[str]] = {}
        marks: dict[str, list[str]] = {}
        ends: dict[str, list[int]] = {}
        words: dict[str, int] = {}
        for line in text.splitlines():
            key, *rest = line.split()
            if key == "FIFO":
                marks[rest[0].rsplit(".", 1)[-1]] = rest[1:]
            elif key == "stream":
                words[rest[0]] = int(rest[1])
                ends[rest[0]] = [int(end) for end in rest[2:]]
            else:
                fields[key] = rest
        outputs = {}
        for name in network.outputs:
            raw = np.fromfile(self.directory / f"out_{identifier(name)}.bin", dtype="<u4")
            outputs[name] = unpack(raw, network.streams[name])
        first_in, first_out = int(fields["first_input"][0]), int(fields["first_output"][0])
        any_out = any(words[identifier(name)] for name in network.outputs)
        finished = fields["done"] == ["1"]
        by_output = zip(*(ends[identifier(name)] for name in network.outputs), strict=False)
        image_ends = tuple(max(lasts) - first_in + 1 for lasts in by_output)
        uses = []
        for fifo in self.design.fifos:
            if fifo.name not in marks:  # a netlist after synthesis has no marks
                continue
            level, depth, high, bits = marks[fifo.name]
            in_valid, in_ready, out_valid, out_ready = (bit == "1" for bit in bits)
            uses.append(
                FifoUse(
                    fifo.stream.name,
                    fifo.source,
                    fifo.target,
                    int(depth),
                    int(high),
                    int(level),
                    in_valid and not in_ready,
                    out_ready and not out_valid,
                )
            )
        return Simulation(
            outputs,
            {name: network.streams[name].kind.fraction_bits for name in network.outputs},
            finished,
            max(0, first_out - first_in + 1) if any_out else 0,
            image_ends,
            int(fields["cycles"][0]),
            tuple(uses),
            None if finished else find_deadlock(uses),
        )


def find_deadlock(uses: list[FifoUse]) -> Deadlock:
    """The circle of units that wait: for the reader of a full stream, or for the writer of an empty one."""
    waits: dict[str, list[tuple[str, str]]] = {}
    for use in uses:
        if use.writer_blocked:
            waits.setdefault(use.source, []).append((f"stream {use.stream} is full", use.target))
        if use.reader_waits or (use.level == 0 and not use.writer_blocked):
            waits.setdefault(use.target, []).append((f"stream {use.stream} is empty", use.source))
    for start in waits:
        trail: list[tuple[str, str]] = []
        if _circle(start, start, waits, trail, set()):
            return Deadlock(tuple(trail))
    return Deadlock(tuple((unit, why) for unit, reasons in waits.items() for why, _ in reasons))


def _circle(
    at: str, goal: str, waits: Mapping[str, list[tuple[str, str]]], trail: list[tuple[str, str]], seen: set[str]
) -> bool:
    for why, target in waits.get(at, []):
        trail.append((at, why))
        if target == goal:
            return True
        if target not in seen:
            seen.add(target)
            if _circle(target, goal, waits, trail, seen):
                return True
        trail.pop()
    return False


def compile_simulator(design: RtlDesign, directory: Path) -> Simulator:
    """Build the simulator of a written design in a folder of its own.

    Raises:
        ToolError: Verilator or g++ is missing or fails.
    """
    if design.directory is None:
        raise ConversionError(f"simulation of {design.network.name}: a design that was written wanted")
    directory = directory.resolve()
    own = files("nonresnet_hls.rtl") / "library" / "harness.cpp"
    version = tools.run([*verilator_command(), "--version"], Path.cwd())
    parts = [design.digest, *sorted(library().values()), own.read_text(encoding="utf-8"), version]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    harness = directory / "harness"
    # In the user's own cache, not beside the program: a folder of others may bring a program that says it is ours.
    stamp = cache_directory() / f"simulator-{hashlib.sha256(str(directory).encode()).hexdigest()}"
    with contextlib.suppress(OSError, ValueError):
        if bounds.read_text(stamp) == _stamp(digest, harness):
            return Simulator(design, directory)
    tools.say_that_projects_run()
    own_files.remove(directory)
    directory.mkdir(parents=True)
    (directory / "streams.inc").write_text(_stream_list(design), encoding="utf-8")
    with as_file(own) as source:
        shutil.copy(source, directory / "harness.cpp")
    # Verilator writes the names of files into `line directives, where a quote in a folder's name ends them: relative.
    shutil.copytree(design.directory, directory / "sources")
    sources = [str(path.relative_to(directory)) for path in sorted((directory / "sources").rglob("*.sv"))]
    build = directory / "build"
    command = [
        *verilator_command(),
        *("--cc", "--no-timing", "-O3", "--x-assign", "0", "--x-initial", "0", "-Wno-fatal", "-Wno-lint"),
        *("--prefix", "Vdesign", "--top-module", design.top, "--Mdir", build.name),
        *("--output-split", "10000", "--quiet", "--max-num-width", str(_WIDEST_BITS)),
        *sources,
    ]
    tools.run(command, directory)
    _compile_cpp(directory, build)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time
        own_files.write_text(stamp, _stamp(digest, harness))
    return Simulator(design, directory)


def _stamp(digest: str, harness: Path) -> str:
    with harness.open("rb") as stream:
        return f"{digest} {hashlib.file_digest(stream, 'sha256').hexdigest()}"


def simulate(
    design: RtlDesign,
    inputs: Mapping[str, npt.ArrayLike] | npt.ArrayLike,
    directory: Path | None = None,
    stalls: Stalls | None = None,
) -> Simulation:
    """Compile and run a written design.

    Args:
        design: of `generate`, written.
        inputs: values by input stream, or of the only input; images first.
        directory: where to build; default: beside the design.
        stalls: random pauses of source and sink.
    """
    if design.directory is None:
        raise ConversionError(f"simulation of {design.network.name}: a design that was written wanted")
    beside = design.directory.with_name(design.directory.name + "_simulation")
    simulator = compile_simulator(design, directory or beside)
    named = inputs if isinstance(inputs, Mapping) else {design.network.inputs[0]: inputs}
    return simulator.run(named, stalls)


def _stream_list(design: RtlDesign) -> str:
    lines = []
    for names, is_input in ((design.network.inputs, 1), (design.network.outputs, 0)):
        for name in names:
            stream = design.network.streams[name]
            lines.append(f"X({identifier(name)}, {is_input}, {(stream.bits + 31) // 32}, {stream.words})")
    return "\n".join(lines) + "\n"


def verilator_command() -> list[str]:
    """Verilator: `$VERILATOR`, the one of this Python environment, or the one on PATH."""
    own = os.environ.get("VERILATOR")
    if own:
        return [own]
    scripts = Path(sysconfig.get_path("scripts"))
    for candidate in (scripts / "verilator-cli", Path(sys.executable).parent / "verilator-cli"):
        if candidate.is_file():
            return [str(candidate)]
    found = shutil.which("verilator")
    if found:
        return [found]
    raise ToolError(f"verilator: not found; {extras.install('rtl')}, or set VERILATOR to the program's path")


def _compile_cpp(directory: Path, build: Path) -> None:
    """Compile what Verilator wrote. Its own makefile precompiles headers, which takes longer than all the rest."""
    compiler = tools.require("g++", "the package g++")
    include = _verilator_include(directory)
    flags = ["-std=gnu++17", "-I.", f"-I{include}", f"-I{include / 'vltstd'}"]
    flags += [f"-DVM_{feature}=0" for feature in ("COVERAGE", "SC", "TIMING", "TRACE")]
    shutil.copy(directory / "harness.cpp", build / "harness.cpp")
    shutil.copy(directory / "streams.inc", build / "streams.inc")
    runtime = [include / f"{name}.cpp" for name in ("verilated", "verilated_threads")]
    parts = [(include / "verilated.cpp").read_text(encoding="utf-8"), tools.run([compiler, "--version"], build), *flags]
    version = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    kept = cache_directory() / f"verilator-{version}"

    def compile_one(source: Path) -> Path:
        level = "-O0" if source.stem.endswith("Slow") else "-O1"

        def make(target: Path) -> None:
            tools.run([compiler, level, *flags, "-c", str(source), "-o", str(target)], build)

        target = source.with_suffix(".o")
        if source not in runtime:
            make(target)
            return target
        try:
            return cached_file(kept / target.name, make)
        except OSError:  # a cache that cannot be written
            make(build / target.name)
            return build / target.name

    sources = [*runtime, *_few(sorted(build.glob("*.cpp")), build)]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        objects = list(pool.map(compile_one, sources))
    tools.run([compiler, "-o", str(directory / "harness"), *map(str, objects), "-pthread"], build)


def _few(sources: list[Path], build: Path) -> list[Path]:
    """The sources of a small design as two, since reading Verilator's headers takes longer than what each has in it."""
    if sum(source.stat().st_size for source in sources) > _SMALL_BYTES:
        return sources
    found = []
    for name, slow in (("whole", False), ("wholeSlow", True)):
        parts = [source for source in sources if source.stem.endswith("Slow") is slow]
        target = build / f"{name}.cpp"
        target.write_text("".join(f'#include "{part.name}"\n' for part in parts), encoding="utf-8")
        found.append(target)
    return found


def _verilator_include(directory: Path) -> Path:
    """The folder of Verilator's own C++, as it tells it."""
    text = tools.run([*verilator_command(), "--getenv", "VERILATOR_ROOT"], directory).strip()
    include = Path(text) / "include"
    if not (include / "verilated.cpp").is_file():
        raise ToolError(f"verilator: its C++ sources wanted in {include}, not there")
    return include


def as_input(given: npt.ArrayLike) -> FloatArray | Integers:
    """An array of mantissas as it is, anything else as float64."""
    array = np.asarray(given)
    return array if array.dtype == object else array.astype(np.float64)


def pack(values: FloatArray | Integers, stream: Stream) -> npt.NDArray[np.uint32]:
    """Values as 32-bit words of a stream, the lowest first; floats are cast to the stream's type."""
    numbers = mantissas(values, stream.kind).reshape(-1, stream.channels)
    width = stream.kind.width
    bits = ((numbers[:, :, None] >> np.arange(width).astype(object)) & 1).astype(np.uint8).reshape(len(numbers), -1)
    padded = np.zeros((len(numbers), (stream.bits + 31) // 32 * 32), dtype=np.uint8)
    padded[:, : stream.bits] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u4").reshape(-1)


def unpack(words: npt.NDArray[np.uint32], stream: Stream) -> Integers:
    """The mantissas that 32-bit words of a stream stand for: images x words x channels, whole images only."""
    each = (stream.bits + 31) // 32
    bits = np.unpackbits(words.view(np.uint8).reshape(-1, each * 4), axis=1, bitorder="little")[:, : stream.bits]
    width = stream.kind.width
    octets = np.packbits(bits.reshape(-1, width), axis=1, bitorder="little")
    plain = [int.from_bytes(row.tobytes(), "little") for row in octets]
    if stream.kind.signed:
        plain = [number - (number >> (width - 1) << width) for number in plain]
    whole = len(words) // each // stream.words
    numbers = np.array(plain, dtype=object)[: whole * stream.words * stream.channels]
    return numbers.reshape(whole, stream.words, stream.channels)


def mantissas(values: FloatArray | Integers, kind: FixedPointType) -> Integers:
    """Mantissas as they are, floats cast to a type."""
    return values.astype(object) if values.dtype == object else to_mantissas(values.astype(np.float64), kind)


def to_mantissas(values: FloatArray, kind: FixedPointType) -> Integers:
    """Floats cast to a type as `ap_fixed` does from double, as integers.

    Raises:
        ConversionError: a value is not finite.
    """
    if not np.isfinite(values).all():
        odd = values[~np.isfinite(values)][0]
        raise ConversionError(f"simulation: finite inputs wanted, not {odd}")
    # Of what lies below two more bits, rounding sees only whether there is anything.
    fraction = kind.fraction_bits + 2
    integers = []
    for value in values.reshape(-1).tolist():
        numerator, denominator = value.as_integer_ratio()
        whole, rest = divmod(numerator << max(fraction, 0), denominator << max(-fraction, 0))
        integers.append(2 * whole + (rest > 0))
    exact = np.array(integers, dtype=object).reshape(values.shape)
    return cast(exact, fraction + 1, kind)


def to_values(mantissas: Integers, fraction_bits: int) -> FloatArray:
    """What integers worth 2**-fraction_bits stand for; those of more than 53 bits are rounded."""
    values: FloatArray = np.ldexp(mantissas.astype(np.float64), -fraction_bits)
    return values
