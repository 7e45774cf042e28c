"""Writes FIFO depths into a generated project, or into a hls4ml model before it is written."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nonresnet_hls import files
from nonresnet_hls.dataflow.cpp_source import read_firmware
from nonresnet_hls.dataflow.graph import Dataflow
from nonresnet_hls.dataflow.memory import wants_shift_register
from nonresnet_hls.errors import ConversionError

# UG1399, pragma HLS bind_storage: the way to have Vitis HLS take shift registers for a FIFO.
_BIND = "#pragma HLS BIND_STORAGE variable={name} type=fifo impl=srl"


def write_depths(project: Path, flow: Dataflow, depths: Mapping[str, int]) -> Path:
    """Write depths into the STREAM pragmas of a project's top function; returns the file.

    For Vitis HLS a shallow FIFO also gets a pragma that keeps it out of BRAM. The file is replaced as a whole
    or not at all; writing the same depths again changes nothing.

    Raises:
        ConversionError: a stream has no pragma in the project.
    """
    path = project / "firmware" / f"{flow.name}.cpp"
    text = read_firmware(project / "firmware", flow.name).text
    for name, depth in depths.items():
        stream = flow.streams[name]
        if not stream.sizable:
            continue
        pattern = re.compile(
            rf"(?P<indent>(?<![ \t])[ \t]*+)#pragma HLS STREAM variable={re.escape(name)} depth=\d+[^\n]*"
            rf"(?:\n[ \t]*#pragma HLS BIND_STORAGE variable={re.escape(name)} [^\n]*)?"
        )
        found = pattern.search(text)
        if found is None:
            raise ConversionError(f"{path}: a STREAM pragma of {name} wanted, none found")
        lines = [f"#pragma HLS STREAM variable={name} depth={depth}"]
        if wants_shift_register(stream, depth, flow.toolchain):
            lines.append(_BIND.format(name=name))
        written = "\n".join(found["indent"] + line for line in lines)
        text = text[: found.start()] + written + text[found.end() :]
    if path.parent.is_symlink():
        raise ConversionError(f"{path.parent}: a folder of the project itself wanted, not a link to elsewhere")
    files.write_text(path, text)
    return path


def set_depths(hls_model: Any, flow: Dataflow, depths: Mapping[str, int]) -> None:
    """Set depths in a hls4ml `ModelGraph`, so that its next `write()` or `compile()` has them.

    Raises:
        ConversionError: the model has no stream of that name.
    """
    # `output_vars` of a model still holds variables of layers that hls4ml has replaced.
    nodes = hls_model.get_layers()
    variables = [node.get_output_variable(output) for node in nodes for output in node.outputs]
    streams = {variable.name: variable for variable in variables if getattr(variable, "pragma", None)}
    for name, depth in depths.items():
        if not flow.streams[name].sizable:
            continue
        variable = streams.get(name)
        if variable is None:
            raise ConversionError(f"{hls_model.config.get_project_name()}: no stream {name!r} in the model")
        variable.pragma = (variable.pragma[0], depth)
