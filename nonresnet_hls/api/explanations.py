"""The function that explains why hardware and Keras differ."""

from pathlib import Path
from typing import Any, Literal

from nonresnet_hls.api.results import Explained
from nonresnet_hls.api.stages import told
from nonresnet_hls.errors import ConversionError, RecipeError
from nonresnet_hls.pipeline.workspace import Workspace

_BITS = (2, 32)


@told
def explain(
    design: Any,
    workspace: str | Path = ".",
    *,
    config: Any = None,
    model: Any = None,
    data: Any = None,
    samples: int | None = None,
    max_loss: float | None = None,
    bits: int = 16,
    io: Literal["stream", "parallel"] = "stream",
    backend: str = "vivado",
    output: str | Path | None = None,
) -> Explained:
    """Why a design's hardware gives other numbers than Keras, and the types that cure it.

    Args:
        design: a Keras model or its file, a project that hls4ml wrote, or a recipe.
        workspace: where recipes are.
        config: hls4ml's configuration of a model, or its YAML file; None: hls4ml's own choice.
        model: of a project: the Keras model that it was made of (default: the one that hls4ml keeps in it).
        data: samples x input shape, a pair of these and labels, or a .npz or .npy file; of a recipe its test set.
        samples: the first so many; None: 1000, or all with `max_loss`.
        max_loss: seek the fewest bits that cost no more than so many points of accuracy.
        bits: that weights and results may have, where their values need as many.
        io: of a model: "stream" or "parallel".
        backend: of a model: "vivado" or "vitis".
        output: where the configuration that cures is written, a new .yml file; beside it, as .keras, the model where
            that must be another.

    Raises:
        RecipeError: an option that does not belong to the design.
        ModelError: the model is not that of the hardware, or cannot be evaluated.
        DatasetError: the samples cannot be read, or do not fit the model.
        ConversionError: hls4ml cannot take model and configuration, or a layer has no known arithmetic.
    """
    if samples is not None and samples < 1:
        raise RecipeError(f"--samples: at least 1 wanted, not {samples}")
    if not _BITS[0] <= bits <= _BITS[1]:
        raise RecipeError(f"--bits: {_BITS[0]} to {_BITS[1]} wanted, not {bits}")
    if max_loss is not None and not 0 <= max_loss <= 100:
        raise RecipeError(f"--max-loss: 0 to 100 points wanted, not {max_loss}")
    if io not in ("stream", "parallel") or backend not in ("vivado", "vitis"):
        raise ConversionError(f"conversion: stream or parallel, vivado or vitis wanted, not {io} and {backend}")
    from nonresnet_hls.explain.explaining import Wish
    from nonresnet_hls.hls.configured import Way
    from nonresnet_hls.pipeline import explain as stage

    if output is not None:
        stage.refuse_target(Path(output))
    way = Way(backend.capitalize(), "io_stream" if io == "stream" else "io_parallel")
    given = stage.Given(model, config, data, samples)
    found = stage.explain(design, Workspace(Path(workspace)), given, Wish(bits, max_loss), way)
    written = () if output is None else tuple(stage.save(found, Path(output)))
    return Explained(found, written)
