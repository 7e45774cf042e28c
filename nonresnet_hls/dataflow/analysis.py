"""From a hls4ml `ModelGraph` or a generated project to a `Dataflow`."""

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from nonresnet_hls import generated
from nonresnet_hls.dataflow.cpp_source import CppSource, LayerCall, StreamDeclaration, read_firmware
from nonresnet_hls.dataflow.graph import Dataflow, Process, Program, Stream, Toolchain
from nonresnet_hls.dataflow.kernels import build_program, resolve
from nonresnet_hls.errors import ConversionError, NonResNetError, shown

# What the tools give a stream without a pragma.
_DEFAULT_DEPTH = 2


def analyse(hls_model: Any) -> Dataflow:
    """The dataflow of a hls4ml `ModelGraph` (io_stream, Vivado or Vitis backend).

    The model is not changed: its generated C++ is written to a temporary directory and read back.

    Raises:
        ConversionError: the model is not one of io_stream, or of another backend.
    """
    config = hls_model.config
    io_type = config.get_config_value("IOType")
    if io_type != "io_stream":
        raise ConversionError(f"{config.get_project_name()}: IOType io_stream wanted, not {io_type!r}")
    toolchain = _toolchain(str(config.get_config_value("Backend")), config.get_project_name())
    with tempfile.TemporaryDirectory() as directory:
        _write_sources(hls_model, Path(directory))
        source = read_firmware(Path(directory) / "firmware", config.get_project_name())
    clock = config.get_config_value("ClockPeriod")
    return build(
        source,
        toolchain,
        part=str(config.get_config_value("Part") or ""),
        clock_ns=float(clock) if clock else None,
    )


def analyse_project(project: Path) -> Dataflow:
    """The dataflow of a project directory that hls4ml 1.x wrote; only its C++ and its YAML are read.

    Raises:
        ConversionError: files are missing, or it is not a project of io_stream for Vivado or Vitis.
    """
    source, toolchain, part, clock_ns = read_project(project)
    with as_hls4ml_writes(project):
        return build(source, toolchain, part, clock_ns)


def read_project(project: Path) -> tuple[CppSource, Toolchain, str, float | None]:
    """The parsed C++ of a project directory that hls4ml 1.x wrote, with its toolchain, part and clock in ns.

    Raises:
        ConversionError: as `analyse_project`.
    """
    settings, path = generated.settings_of(project)
    part = settings.get("Part") or settings.get("XilinxPart") or ""
    # Other back ends write other C++, of which the first thing that is missing would tell nothing.
    toolchain = _toolchain(settings.get("Backend", "Vivado"), str(path))
    if (io_type := settings.get("IOType", "io_stream")) != "io_stream":
        raise ConversionError(f"{path}: IOType io_stream wanted, not {shown(io_type)}")
    source = read_firmware(project / "firmware", settings["ProjectName"])
    return source, toolchain, part if isinstance(part, str) else "", _clock(settings.get("ClockPeriod"), path)


@contextlib.contextmanager
def as_hls4ml_writes(project: Path) -> Iterator[None]:
    """Errors of an analysis tell of the project: its text can be wrong in more ways than one can name.

    Raises:
        ConversionError: for whatever an analysis stumbles over.
    """
    try:
        yield
    except (LookupError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        if isinstance(error, NonResNetError):
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ConversionError(f"{project / 'firmware'}: C++ as hls4ml writes it wanted ({reason})") from None


def _clock(value: Any, path: Path) -> float | None:
    """The clock period in ns that a project's settings name.

    Raises:
        ConversionError: it is none.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MOST_CLOCK_NS:
        wanted = f"nanoseconds above 0 and up to {_MOST_CLOCK_NS}"
        raise ConversionError(f"{path}: ClockPeriod: {wanted} wanted, not {shown(value)}")
    return float(value)


_MOST_CLOCK_NS = 1_000_000


def whole_tensors(flow: Dataflow) -> Dataflow:
    """The same design with the depths that hls4ml gives by itself: as many words as a stream has tokens."""
    return replace(flow, streams={n: replace(s, depth=s.tokens) for n, s in flow.streams.items()})


def build(source: CppSource, toolchain: Toolchain, part: str = "", clock_ns: float | None = None) -> Dataflow:
    """The dataflow of parsed C++.

    Raises:
        ConversionError: a stream has not exactly one writer and one reader, or token counts disagree.
    """
    declared = source.declarations
    layers: Counter[str] = Counter()
    drafts = []
    for call in source.calls:
        streams = [declared[name] for name in call.arguments if name in declared]
        drafts.append((_unique(call.layer, layers), call, streams))
    written: dict[str, str] = {}
    ends: dict[str, tuple[str | None, str | None]] = dict.fromkeys(declared, (None, None))
    processes = []
    outputs = _output_ports(source, drafts)
    for name, call, streams in drafts:
        # The C++ is in topological order: what nobody has written yet and is no input is written here.
        reads = tuple(s.name for s in streams if s.name in written or _is_input(s, source, outputs))
        writes = tuple(s.name for s in streams if s.name not in reads)
        for stream in reads:
            if ends[stream][1] is not None:
                raise ConversionError(f"stream {stream}: one reader wanted, got {ends[stream][1]} and {name}")
            ends[stream] = (ends[stream][0], name)
        for stream in writes:
            written[stream] = name
            ends[stream] = (name, ends[stream][1])
        processes.append(process_of(name, call, reads, writes, source, toolchain))
    if not processes:
        raise ConversionError(f"{source.top}.cpp: layers that read and write streams wanted, none found")
    processes = _fill_unknown(processes, declared)
    flow = Dataflow(
        name=source.top,
        toolchain=toolchain,
        processes=tuple(processes),
        streams=_streams(processes, declared, ends, source),
        part=part,
        clock_ns=clock_ns,
    )
    skips = streams_on_skips(flow)
    marked = {n: replace(stream, on_skip=n in skips) for n, stream in flow.streams.items()}
    return replace(flow, streams=marked)


def streams_on_skips(flow: Dataflow) -> frozenset[str]:
    """Names of the streams on the shorter branches between a fork and its join.

    For each process with several inputs, the branches run from its immediate dominator (the last process
    through which all of its data passed); the branch with most processes is the main path, the others skip.
    """
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    root = ""
    graph.add_node(root)
    for stream in flow.streams.values():
        if stream.sink is not None:
            graph.add_edge(stream.source or root, stream.sink, key=stream.name)
    for process in flow.processes:
        if not process.reads:
            graph.add_edge(root, process.name)
    dominators = nx.immediate_dominators(nx.DiGraph(graph), root)
    skips: set[str] = set()
    for process in flow.processes:
        if len(process.reads) < 2:
            continue
        fork = dominators[process.name]
        branches = [_branch(flow, fork, name) for name in process.reads]
        longest = max(range(len(branches)), key=lambda i: branches[i][1])
        main = branches[longest][0]
        for i, (names, _) in enumerate(branches):
            if i != longest:
                skips |= names - main
    return frozenset(skips)


def _branch(flow: Dataflow, fork: str, last: str) -> tuple[set[str], int]:
    """Streams between `fork` and the stream `last`, and the most processes on any way between them."""
    by_name = {process.name: process for process in flow.processes}
    names: set[str] = set()
    # Processes are in topological order, so lengths are known before they are needed.
    pending = [last]
    while pending:
        name = pending.pop()
        if name in names:
            continue
        names.add(name)
        source = flow.streams[name].source
        if source is not None and source != fork:
            pending.extend(by_name[source].reads)
    length = {name: 1 for name in names if flow.streams[name].source is None}
    for process in flow.processes:
        for name in process.writes:
            if name in names:
                inner = [length[read] for read in process.reads if read in names and process.name != fork]
                length[name] = 1 + max(inner, default=0)
    return names, length.get(last, 0)


def _write_sources(hls_model: Any, directory: Path) -> None:
    """Let hls4ml's own writer produce the three files, without weights, away from the user's directory."""
    settings = hls_model.config.config
    previous = settings["OutputDir"]
    settings["OutputDir"] = str(directory)
    try:
        writer = hls_model.config.backend.writer
        (directory / "firmware").mkdir()
        writer.write_project_cpp(hls_model)
        writer.write_defines(hls_model)
        writer.write_parameters(hls_model)
    finally:
        settings["OutputDir"] = previous


def _toolchain(backend: str, where: str) -> Toolchain:
    """Every backend of hls4ml with `Vitis` in its name builds with Vitis HLS, `Vivado` with Vivado HLS."""
    for toolchain in Toolchain:
        if backend.lower().startswith(toolchain.value.lower()):
            return toolchain
    raise ConversionError(f"{where}: backend Vivado or Vitis wanted, not {backend!r}")


def _unique(layer: str, seen: Counter[str]) -> str:
    seen[layer] += 1
    return layer if seen[layer] == 1 else f"{layer}#{seen[layer]}"


def _output_ports(source: CppSource, drafts: list[tuple[str, LayerCall, list[StreamDeclaration]]]) -> set[str]:
    """Ports of the top that are written: those that no call has as its first stream.

    hls4ml passes the inputs of a layer before its outputs, and an output port is read by nobody.
    """
    ports = {port.name for port in source.ports}
    first = {streams[0].name for _, _, streams in drafts}
    inputs = ports & first
    for _, call, streams in drafts:
        # A merge may read a second input port.
        if call.function == "clone_stream":
            continue
        inputs |= {stream.name for stream in streams[:-1]} & ports
    return ports - inputs


def _is_input(stream: StreamDeclaration, source: CppSource, outputs: set[str]) -> bool:
    return stream in source.ports and stream.name not in outputs


def process_of(
    name: str,
    call: LayerCall,
    reads: tuple[str, ...],
    writes: tuple[str, ...],
    source: CppSource,
    toolchain: Toolchain,
) -> Process:
    """One layer call as a process; `known` False where its kernel has no model."""
    types = {name: declaration.type_name for name, declaration in source.declarations.items()}
    program = build_program(
        call,
        dict(source.configs),
        toolchain,
        tuple(source.token_types[types[stream]] for stream in reads),
        tuple(source.token_types[types[stream]] for stream in writes),
    )
    config = resolve(call.types[-1] if call.types else "", dict(source.configs))
    weight_bits, accumulator_bits = (
        source.bits_of(config.types[kind]) if kind in config.types else 0 for kind in ("weight_t", "accum_t")
    )
    rounds = any(source.rounds(types[stream]) for stream in writes)
    sums_round = "accum_t" in config.types and source.rounds(config.types["accum_t"])
    if program is not None and int(program.ports.max(initial=-1)) + 1 != len(reads) + len(writes):
        program = None
    if program is None:
        empty = np.zeros(0, dtype=np.int64)
        return Process(name, call.function, reads, writes, Program(empty, empty, 1, (0, 0)), False, config)
    return Process(
        name, call.function, reads, writes, program, True, config, weight_bits, accumulator_bits, rounds, sums_round
    )


def _fill_unknown(processes: list[Process], declared: Mapping[str, StreamDeclaration]) -> list[Process]:
    """Give unknown kernels the tokens that their neighbours count, all reads before all writes."""
    tokens = _token_counts(processes)
    filled = []
    for process in processes:
        if process.known:
            filled.append(process)
            continue
        counts = [tokens.get(name, declared[name].depth or 1) for name in process.streams]
        ports = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
        cycles = np.arange(len(ports), dtype=np.int64)
        program = Program(ports, cycles, max(len(ports), 1), (len(ports), len(ports)))
        filled.append(replace(process, program=program))
    return filled


def _token_counts(processes: list[Process]) -> dict[str, int]:
    """Tokens per image of every stream with a known neighbour.

    Raises:
        ConversionError: writer and reader disagree, so that tokens would be left over or missing.
    """
    tokens: dict[str, tuple[int, str]] = {}
    for process in processes:
        if not process.known:
            continue
        counts = np.bincount(process.program.ports, minlength=len(process.streams))
        for name, count in zip(process.streams, counts.tolist(), strict=True):
            seen, by = tokens.setdefault(name, (count, process.name))
            if seen != count:
                raise ConversionError(
                    f"stream {name}: {by} passes {seen} tokens per image, {process.name} takes {count}"
                )
    return {name: count for name, (count, _) in tokens.items()}


def _streams(
    processes: list[Process],
    declared: Mapping[str, StreamDeclaration],
    ends: Mapping[str, tuple[str | None, str | None]],
    source: CppSource,
) -> dict[str, Stream]:
    tokens = _token_counts([replace(process, known=True) for process in processes])
    unknown = {process.name for process in processes if not process.known}
    streams = {}
    for name, declaration in declared.items():
        token = source.token_types[declaration.type_name]
        writer, reader = ends[name]
        if writer is None and reader is None:
            continue
        inner = declaration in source.inner_streams
        streams[name] = Stream(
            name=name,
            elements=token.elements,
            element_bits=token.element_bits,
            tokens=tokens[name],
            depth=tokens[name] if inner else declaration.depth or _DEFAULT_DEPTH,
            source=writer,
            sink=reader,
            sizable=None not in (writer, reader) and not inner and not {writer, reader} & unknown,
        )
    return streams
