"""A design on disk: its SystemVerilog and `design.json`, from which it is read back without hls4ml.

`design.json`, format 4: the streams (name, channels, words an image, fixed-point type), the network's inputs and
outputs, the units (with the names of their modules, each a file `NAME.sv` beside it) and the FIFOs.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nonresnet_hls import bounds
from nonresnet_hls.errors import ArtefactError
from nonresnet_hls.fixed.network import Network, Stream
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.rtl.contracts import Contract, Kind
from nonresnet_hls.rtl.design import Fifo, RtlDesign
from nonresnet_hls.rtl.unit_draft import Unit

FORMAT = 4
RECORD = "design.json"


def save(design: RtlDesign, directory: Path) -> RtlDesign:
    """Write a design into a folder, in place of what is there."""
    written = design.write(directory)
    streams = [{**asdict(stream), "kind": str(stream.kind)} for stream in design.network.streams.values()]
    units = [
        {
            **asdict(unit),
            "modules": [name for name, _ in unit.modules],
            "contract": {key: getattr(unit.contract, key) for key in ("kind", *_COUNTS)}
            | {key: _bits(unit.contract, key) for key in _STEPS},
        }
        for unit in design.units
    ]
    fifos = [{**asdict(fifo), "stream": fifo.stream.name} for fifo in design.fifos]
    record = {
        "format": FORMAT,
        "name": design.network.name,
        "inputs": design.network.inputs,
        "outputs": design.network.outputs,
        "streams": streams,
        "units": units,
        "fifos": fifos,
    }
    (directory / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return written


def load(directory: Path) -> RtlDesign:
    """The design in a folder; it holds everything but the layers' own numbers.

    Raises:
        ArtefactError: a file is missing or not of this format.
    """
    path = directory / RECORD
    try:
        record: dict[str, Any] = json.loads(bounds.read_text(path))
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']!r}, not {FORMAT}")
        streams = {
            entry["name"]: Stream(**{**entry, "kind": FixedPointType.parse(entry["kind"])})
            for entry in record["streams"]
        }
        units = tuple(_unit(entry, directory) for entry in record["units"])
        fifos = tuple(Fifo(**{**entry, "stream": streams[entry["stream"]]}) for entry in record["fifos"])
        network = Network(record["name"], streams, (), tuple(record["inputs"]), tuple(record["outputs"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ArtefactError(f"{path}: cannot be read as a design ({type(error).__name__}: {error})") from None
    return RtlDesign(network, units, fifos, directory)


def _unit(entry: dict[str, Any], directory: Path) -> Unit:
    modules = tuple((name, (directory / f"{name}.sv").read_text(encoding="utf-8")) for name in entry["modules"])
    lists = {key: tuple(entry[key]) for key in ("layers", "inputs", "outputs")}
    told = entry["contract"]
    steps = {key: tuple(bit == "1" for bit in told[key]) for key in _STEPS}
    counts = {key: int(told[key]) for key in _COUNTS}
    contract = Contract(kind=Kind(told["kind"]), **steps, **counts)  # type: ignore[arg-type]  # by name
    return Unit(**{**entry, **lists, "modules": modules, "contract": contract})


_STEPS = ("takes", "gives", "gives_first", "taps", "taps_first")
_COUNTS = ("down", "lag", "tap_delay")


def _bits(contract: Contract, key: str) -> str:
    return "".join("01"[bit] for bit in getattr(contract, key))
