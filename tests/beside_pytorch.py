"""The installed package beside PyTorch and hls4ml, without TensorFlow: python -I beside_pytorch.py.

A program, no test module: where it runs there is no pytest.
"""

import contextlib
import io
import pickle
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")


def check(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"beside PyTorch: {what}")


def refused(call: Callable[[], object], said: str) -> None:
    """Check that something is refused in one line."""
    import nonresnet_hls as nr

    try:
        call()
    except nr.errors.NonResNetError as error:
        check(said in str(error) and "\n" not in str(error), f"{said!r} wanted, not {error}")
    else:
        check(False, f"a refusal wanted: {said}")


def block(torch: Any, quantized: bool = True, **options: Any) -> Any:
    """A residual block with a stem and a classifier, its weights on a grid; skips from the input with `from_input`."""
    nn = torch.nn
    channels = options.get("channels", 3)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(2, channels, 3, padding=1)
            self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
            self.activation = options.get("activation", nn.ReLU)()
            self.logits = nn.Linear(channels * 4, 3)

        def rounded(self, x: Any, scale: float, low: int, high: int) -> Any:
            return torch.fake_quantize_per_tensor_affine(x, scale, 0, low, high) if quantized else x

        def forward(self, x: Any) -> Any:
            x = self.rounded(x, 2**-4, -32, 31)
            if not options.get("from_input"):
                x = self.rounded(self.activation(self.stem(x)), 2**-3, 0, 15)
            y = self.rounded(self.activation(self.first(x)), 2**-3, 0, 15)
            x = self.rounded(self.activation(self.second(y) + x), 2**-3, 0, 15)
            return self.logits(nn.functional.max_pool2d(x, 2).flatten(1))

    torch.manual_seed(0)
    made = Block().eval().requires_grad_(False)
    for values in made.parameters():
        values.copy_(torch.round(values * 16) / 16)
    return made


def exported(torch: Any, model: Any) -> Any:
    return torch.export.export(model, (torch.zeros(1, 2, 4, 4),))


def designs(folder: Path, torch: Any) -> None:
    """A quantized block: PyTorch, emulator, C simulation and RTL agree; FIFOs are sized."""
    import numpy as np

    import nonresnet_hls as nr
    from nonresnet_hls.pipeline import taken
    from nonresnet_hls.recipe import Hls
    from nonresnet_hls.rtl import flow

    x = np.random.default_rng(0).uniform(-2.5, 2.5, (32, 2, 4, 4)).astype(np.float32)
    model = block(torch)
    compared = nr.csim(model, data=x)
    check(compared.equal, compared.caption)
    check([row["name"] for row in compared.rows] == ["PyTorch", "emulator"], str(compared.rows))
    program = exported(torch, model)
    torch.export.save(program, folder / "block.pt2")
    np.savez(folder / "x.npz", x_test=x)
    check(nr.csim(folder / "block.pt2", data=folder / "x.npz").equal, "the file gives other values")
    wanted = model(torch.from_numpy(x)).numpy()
    check(bool((nr.emulate(program, inputs=x).outputs == wanted).all()), "the emulator's are not PyTorch's")
    sized = nr.fifos(program, prove=True)
    check(sized.report.after.bits < sized.report.before.bits, "sizing saves nothing")
    check(sized.proof is not None and sized.proof.holds, "the proof does not hold")
    found = taken.take(program, Hls(), folder / "project")
    # Without the synthesis, which takes many minutes.
    figures = flow.build(found.graph, folder / "project", x=found.arranged(x[:4]), synth=False).simulation
    check(figures is not None and figures.values_compared == 2 * 4 * 3, f"all values wanted, twice: {figures}")
    print(f"PyTorch: {compared.caption}; RTL: {2 * 4 * 3} values equal")
    direct = block(torch, from_input=True, channels=2)
    check(nr.csim(direct, data=x).equal, "a skip from the input gives other values")
    print("PyTorch: a skip from the network's input is taken")


def floating_point(torch: Any) -> None:
    """Without quantizers hls4ml's own types count, which is said; a batch of any size is one."""
    import numpy as np

    import nonresnet_hls as nr

    x = np.random.default_rng(0).uniform(-1, 1, (16, 2, 4, 4)).astype(np.float32)
    pytorch, emulator = nr.csim(block(torch, quantized=False), data=x).evaluators
    check(emulator.different == 0 and pytorch.name == "PyTorch", "the emulator's values are others")
    check(pytorch.different > 0, "what hls4ml's types cost is not seen")
    any_size = torch.export.Dim("batch", min=1, max=64)
    model = block(torch, quantized=False)
    program = torch.export.export(model, (torch.zeros(2, 2, 4, 4),), dynamic_shapes=({0: any_size},))
    sized = nr.fifos(program)
    check(sized.report.after.bits < sized.report.before.bits, "sizing saves nothing")
    cost = f"{pytorch.different} of {pytorch.values} values, at most {pytorch.largest_difference:.2g}"
    print(f"PyTorch: hls4ml's own types cost {cost}")


def refusals(folder: Path, torch: Any) -> None:
    """What cannot be taken, and files that bring more than numbers."""
    import numpy as np

    import nonresnet_hls as nr

    x = np.zeros((2, 2, 4, 4), np.float32)
    refused(lambda: nr.csim(block(torch).train(), data=x), "call eval() before")
    refused(lambda: nr.fifos(block(torch)), "what torch.export.export(model, (example,)) gives wanted")
    odd = block(torch, activation=torch.nn.GELU)
    refused(lambda: nr.csim(odd, data=x), "node 'gelu': an operator that hls4ml has a layer for wanted")
    torch.save(block(torch).state_dict(), folder / "weights.pt")
    refused(lambda: nr.fifos(folder / "weights.pt"), "a file of torch.export wanted, not a pickle")

    marker = folder / "ran"

    class Evil:
        def __reduce__(self) -> Any:
            return exec, (f"open({str(marker)!r}, 'w')",)

    good = folder / "good.pt2"
    torch.export.save(exported(torch, block(torch)), good)
    with zipfile.ZipFile(good) as archive, zipfile.ZipFile(folder / "evil.pt2", "w") as target:
        for name in archive.namelist():
            target.writestr(name, pickle.dumps(Evil()) if name.endswith(".pt") else archive.read(name))
    check(nr.csim(folder / "evil.pt2", data=np.ones((2, 2, 4, 4))).equal, "the good part of the file is not read")
    check(not marker.exists(), "a pickle was run")
    print("PyTorch: files are read without their pickles")


def main(folder: Path) -> None:
    import hls4ml  # noqa: F401
    import torch

    for part in (
        lambda: designs(folder, torch),
        lambda: floating_point(torch),
        lambda: refusals(folder, torch),
    ):
        began, told = time.perf_counter(), io.StringIO()
        with contextlib.redirect_stdout(told):  # hls4ml's own words, too
            part()
        print("\n".join(line for line in told.getvalue().splitlines() if line.startswith("PyTorch: ")))
        print(f"  {time.perf_counter() - began:.1f} s")
    names = ("torch", "onnx", "hls4ml", "numpy", "da4ml")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    print(f"beside PyTorch: Python {sys.version.split()[0]}, {versions}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
