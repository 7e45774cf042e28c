"""PyTorch itself: modules and programs as the bytes of a file, and what its operators compute of a program."""

import io
import sys
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.formats.pt2 import Program, Tensor
from nonresnet_hls.formats.pt2_onnx import RULES


def is_module(value: Any) -> bool:
    """Whether a value is a module of PyTorch's, which does not know the shape of its input."""
    torch = sys.modules.get("torch")  # whoever has one has imported that
    return torch is not None and isinstance(value, torch.nn.Module)


def is_program(value: Any) -> bool:
    """Whether a value is what `torch.export.export` gives."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.export.ExportedProgram)


def exported(module: Any, shape: tuple[int, ...]) -> Any:
    """The program of a module for samples of a shape.

    Raises:
        ModelError: the module cannot be exported, or is in training.
    """
    import torch

    name = type(module).__name__
    if module.training:
        raise ModelError(f"module {name}: one that infers wanted: call eval() before")
    try:
        with torch.no_grad():
            return torch.export.export(module, (torch.zeros(1, *shape),))
    except Exception as error:  # of any kind: it runs the module's own code
        told = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ModelError(f"module {name}: torch.export cannot take it: {told}") from None


def content(program: Any) -> io.BytesIO:
    """What `torch.export.save` writes."""
    import torch

    stream = io.BytesIO()
    torch.export.save(program, stream)
    stream.seek(0)
    return stream


def execute(program: Program, x: Any) -> Any:
    """What PyTorch's operators compute of samples, one after the other, float64.

    The operators are those that `pt2_onnx` knows, called by the names of their arguments as the file has them.
    """
    import numpy as np
    import torch

    weights = {name: torch.from_numpy(np.array(values)) for name, values in program.weights.items()}
    results = []
    with torch.no_grad():
        for sample in np.asarray(x, np.float32):
            values = dict(weights)
            values[program.source] = torch.from_numpy(sample[None].copy())
            for call in program.calls:
                assert call.target in RULES
                operator = torch.ops.aten
                for part in call.target.split("."):
                    operator = getattr(operator, part)
                given = {key: _filled(value, values) for key, value in call.arguments.items()}
                values[call.output] = operator(**given)
            results.append(values[program.result].numpy())
    return np.concatenate(results).astype(np.float64)


def _filled(value: Any, values: dict[str, Any]) -> Any:
    if isinstance(value, Tensor):
        return values[value.name]
    if isinstance(value, tuple):
        return [_filled(one, values) for one in value]
    return value
