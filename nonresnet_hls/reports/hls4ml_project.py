"""What an hls4ml project's sources say of its FIFOs: the layer that writes each, and which lie on a skip.

hls4ml writes one call per layer into `firmware/<project>.cpp`, in the order of the data, with streams:

    nnet::clone_stream<layer5_t, layer5_t, 16384>(layer5_out, layer5_cpy1, layer5_cpy2); // clone_relu
    nnet::conv_2d_cl<layer5_t, layer6_t, config6>(layer5_cpy1, layer6_out, w6, b6); // conv2d_1
    nnet::add<layer6_t, layer5_t, layer7_t, config7>(layer6_out, layer5_cpy2, layer7_out); // add

A stream has one writer and one reader: the first call that names it writes it.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from nonresnet_hls.reports.layout import project_root
from nonresnet_hls.reports.values import Fifo, Report

_CALL = re.compile(r"\s*nnet::(\w{1,100})\s*<[^;]{1,2000}>\s*\(([^();]{1,4000})\)\s*;\s*(?://\s*(\S{1,200}))?")
_STREAM = re.compile(r"hls::stream<\s*[\w:]{1,100}\s*>\s*&?\s*(\w{1,200})")
_ALIAS = re.compile(r"\bauto\s*&\s*(\w{1,200})\s*=\s*(\w{1,200})\s*;")
_COMMENT = re.compile(r"\s*//\s*(\w{1,200})\s*$")
_JOINS = frozenset({"add", "add_pointwise"})
_LARGEST_SOURCE = 4 * 2**20
# How much a call delays its branch; the branch of the skip is the one with less of it.
_LONG = {"pointwise": 1, "conv": 4, "dense": 4}


@dataclass(frozen=True)
class Stream:
    """One stream of the project: the layer that writes it and whether it lies on a skip."""

    layer: str | None
    on_skip: bool | None


@dataclass(frozen=True)
class _Call:
    function: str
    streams: tuple[str, ...]
    layer: str | None


def annotate(report: Report, path: Path) -> Report:
    """The report with layer and skip of its FIFOs filled in, where a project lies around `path`."""
    if not report.fifos:
        return report
    streams = _streams_of(project_root(path.resolve()))
    if not streams:
        return report
    return replace(report, fifos=tuple(_annotated(fifo, streams) for fifo in report.fifos))


def _annotated(fifo: Fifo, streams: dict[str, Stream]) -> Fifo:
    """By the longest stream's name that the FIFO's begins with: `layer10_out_V_data_0_V_U`."""
    name = fifo.name
    while name:
        if name in streams:
            return replace(fifo, layer=streams[name].layer, on_skip=streams[name].on_skip)
        name = name.rpartition("_")[0]
    return fifo


@lru_cache(maxsize=256)
def _streams_of(root: Path) -> dict[str, Stream]:
    found: dict[str, Stream] = {}
    folder = root / "firmware"
    if not folder.is_dir():
        return found
    for file in sorted(folder.glob("*.cpp")):
        if file.is_file() and file.stat().st_size <= _LARGEST_SOURCE:
            found |= streams_of_source(file.read_text(encoding="utf-8", errors="replace"))
    return found


def streams_of_source(text: str) -> dict[str, Stream]:
    """The streams in a project's C++ source, by name."""
    declared = set(_STREAM.findall(text))
    calls = _calls(text, declared)
    writers: dict[str, int] = {}
    readers: dict[str, int] = {}
    for number, call in enumerate(calls):
        for stream in call.streams:
            if stream in writers or _is_read_first(call, stream, calls[:number]):
                readers[stream] = number
            else:
                writers[stream] = number
    skips = _skips(calls, writers, readers)
    return {
        stream: Stream(
            layer=calls[writers[stream]].layer if stream in writers else None,
            on_skip=skips.get(stream, False),
        )
        for stream in declared
    }


def _calls(text: str, declared: set[str]) -> list[_Call]:
    calls = []
    aliases: dict[str, str] = dict(_ALIAS.findall(text))  # a reshape is none in hardware
    heading: str | None = None
    for line in text.splitlines():
        match = _CALL.match(line[:8000])
        if not match:
            comment = _COMMENT.fullmatch(line)
            heading = comment[1] if comment else heading if line.strip() else None
            continue
        names = (argument.strip() for argument in match[2].split(","))
        arguments = [aliases.get(name, name) for name in names]
        streams = tuple(argument for argument in arguments if argument in declared)
        if streams and match[1] not in {"save_layer_output", "load_weights_from_txt"}:
            calls.append(_Call(match[1], streams, match[3] or heading))
    return calls


def _is_read_first(call: _Call, stream: str, before: list[_Call]) -> bool:
    """Whether `stream` is an input of the design: its first mention, and not among the call's outputs."""
    position = call.streams.index(stream)
    inputs = 2 if call.function in _JOINS or call.function.startswith(("concatenate", "multiply", "subtract")) else 1
    seen = {name for earlier in before for name in earlier.streams}
    return position < inputs and stream not in seen


def _skips(calls: list[_Call], writers: dict[str, int], readers: dict[str, int]) -> dict[str, bool | None]:
    """True for the streams of each Add's shorter branch, None where both branches are as long."""
    inputs: list[list[str]] = [[] for _ in calls]
    for stream, reader in readers.items():
        inputs[reader].append(stream)
    ancestors: list[set[int]] = []
    for number in range(len(calls)):
        above: set[int] = set()
        for stream in inputs[number]:
            writer = writers.get(stream)
            if writer is not None and writer < number:
                above |= {writer} | ancestors[writer]
        ancestors.append(above)
    verdicts: dict[str, bool | None] = {}
    for number, call in enumerate(calls):
        ends = [stream for stream in inputs[number] if stream in writers]
        if call.function not in _JOINS or len(ends) != 2:
            continue
        branches = [{writers[end]} | ancestors[writers[end]] for end in ends]
        common = branches[0] & branches[1]
        if not common:
            continue
        fork = max(common)
        own = [{n for n in branch if n > fork and n not in common} for branch in branches]
        lengths = [(sum(_length(calls[n]) for n in nodes), len(nodes)) for nodes in own]
        shorter = 0 if lengths[0] < lengths[1] else 1
        verdict = None if lengths[0] == lengths[1] else True
        for which, (end, nodes) in enumerate(zip(ends, own, strict=True)):
            if verdict is None or which == shorter:
                on_branch = {end} | {s for n in nodes for s in inputs[n] if writers.get(s) in nodes | {fork}}
                verdicts |= dict.fromkeys(on_branch, verdict)
    return verdicts


def _length(call: _Call) -> int:
    return next((cost for word, cost in _LONG.items() if word in call.function), 0)
