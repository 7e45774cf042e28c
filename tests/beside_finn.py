"""What FINN+ makes of exported blocks, beside qonnx's executor on what was exported: python beside_finn.py FILE.onnx...

A program, no test module: FINN+ wants an environment of its own, where this package is not installed.
"""

import contextlib
import io
import re
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

SAMPLES = 4
INTEGER = {"MultiThreshold", "Conv", "Add"}
"""What is left of a block when every scale has gone into thresholds."""


def check(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"beside FINN+: {what}")


def outputs(model: Any, inputs: list[Any]) -> list[Any]:
    from qonnx.core.onnx_exec import execute_onnx

    (given,), (name,) = ([one.name for one in part] for part in (model.graph.input, model.graph.output))
    return [execute_onnx(model, {given: one})[name] for one in inputs]


def bits(model: Any) -> int:
    """Of the widest quantizer of an activation."""
    constants = {one.name for one in model.graph.initializer}
    nodes = [one for one in model.graph.node if one.op_type == "Quant" and one.input[0] not in constants]
    return int(max(model.get_initializer(one.input[3]).max() for one in nodes))


def with_ties_up(model: Any) -> Any:
    """The same with activations that round ties up, not to even: FINN's thresholds, x >= t, know no other."""
    from qonnx.core.modelwrapper import ModelWrapper

    constants = {one.name for one in model.graph.initializer}
    changed = ModelWrapper(model.model, make_deepcopy=True)
    for node in changed.graph.node:
        if node.op_type == "Quant" and node.input[0] not in constants:
            signed, mode = (next(a for a in node.attribute if a.name == name) for name in ("signed", "rounding_mode"))
            if not signed.i:  # QONNX's HALF_UP rounds away from zero
                mode.s = b"HALF_UP"
    return changed


def block(path: Path) -> None:
    """FINN's own list of transformations and FINN+'s, with quantizers up to 8 bits and with all, change ties alone."""
    import numpy as np
    from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
    from finn.transformation.qonnx.quant_act_to_multithreshold import default_filter_function_generator
    from finn.transformation.streamline import Streamline
    from finn.transformation.streamline.streamline_plus import StreamlinePlus
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.infer_shapes import InferShapes
    from qonnx.util.cleanup import cleanup_model

    exported = ModelWrapper(str(path)).transform(InferShapes())
    rng = np.random.default_rng(0)
    shape = exported.get_tensor_shape(exported.graph.input[0].name)
    inputs = [rng.uniform(-1, 3, shape).astype(np.float32) for _ in range(SAMPLES)]
    wanted = outputs(with_ties_up(exported), inputs)
    count = sum(one.size for one in wanted)
    to_even = zip(outputs(exported, inputs), wanted, strict=True)
    ties = sum(int((one != other).sum()) for one, other in to_even)
    print(f"{path.name}: {ties} of {count} values hang on ties, which FINN rounds up", flush=True)
    check(len(np.unique(np.concatenate(wanted))) > 2, f"{path.name}: outputs of several values wanted")
    widest = bits(exported)
    for name, streamline, most in (
        ("Streamline", Streamline, 8),
        ("StreamlinePlus", StreamlinePlus, 8),
        ("StreamlinePlus", StreamlinePlus, widest),
    ):
        began = time.perf_counter()
        converted = ConvertQONNXtoFINN(default_filter_function_generator(max_multithreshold_bit_width=most))
        with contextlib.redirect_stdout(io.StringIO()):
            model = cleanup_model(ModelWrapper(str(path))).transform(converted).transform(streamline())
        got = outputs(model, inputs)
        different = sum(int((one != other).sum()) for one, other in zip(got, wanted, strict=True))
        check(not different, f"{path.name}: {name} changes {different} of {count} values")
        kinds = [node.op_type for node in model.graph.node]
        if most >= widest and name == "StreamlinePlus":
            check(set(kinds) <= INTEGER, f"{path.name}: integers alone wanted, not {kinds}")
        seconds = time.perf_counter() - began
        print(
            f"{path.name}: {name}, {most} bits: {count} values equal, {' '.join(kinds)} ({seconds:.0f} s)", flush=True
        )


def page(path: Path) -> None:
    """The Python of docs/qonnx.md, on this file: integers alone are left."""
    text = (Path(__file__).parents[1] / "docs/qonnx.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    check(code.count('"resblock.onnx"') == 1, "docs/qonnx.md: one model named resblock.onnx wanted")
    known: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code.replace('"resblock.onnx"', repr(str(path))), "docs/qonnx.md", "exec"), known)
    kinds = {node.op_type for node in known["model"].graph.node}
    check(kinds <= INTEGER, f"docs/qonnx.md: integers alone wanted, not {kinds}")


def main(paths: list[str]) -> None:
    check(bool(paths), "exported files wanted")
    for path in paths:
        if Path(path).name == "resblock.onnx":
            page(Path(path))
    for path in paths:
        block(Path(path))
    print(f"beside FINN+ {metadata.version('finn-plus')}, qonnx {metadata.version('qonnx')}")


if __name__ == "__main__":
    main(sys.argv[1:])
