"""What a user may give as a design: a recipe, a Keras or QKeras model or its file, a project, a `ModelGraph`."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ArtefactError, ModelError, RecipeError
from nonresnet_hls.pipeline import convert, runner, taken
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Hls, Recipe


def _unchanged(x: Any) -> Any:
    return x


@dataclass(frozen=True)
class Design:
    """A design as a project."""

    directory: Path
    recipe: Recipe | None
    """Whose project it is, if a recipe was named."""
    sized: bool
    """Whether we sized its FIFOs when it was made."""
    notes: tuple[str, ...] = ()
    """What hls4ml dropped of a model file, a line each."""
    arranged: Callable[[Any], Any] = _unchanged
    """Samples as the model takes them, as hardware does."""


def find(design: Any, workspace: Workspace, hls: Hls, scratch: Path) -> Design:
    """The project of a design, brought up to date for a recipe.

    Args:
        design: a recipe, its name or path; a .keras, .h5 or .onnx file, or the model itself; a project directory, or a
            `ModelGraph` of hls4ml's.
        workspace: where recipes and their projects are.
        hls: how a model is converted; hls4ml chooses its types.
        scratch: where the project of a model is written.

    Raises:
        RecipeError: it is nothing of these.
        ConversionError: hls4ml cannot take the model.
        NonResNetError: as `convert.run_convert`.
    """
    if isinstance(design, str | Path):
        path = Path(design)
        if path.is_dir():
            try:
                project = runner.load(path)
            except ArtefactError:  # edited by hand: what it has now counts
                return Design(path, None, False)
            return Design(path, None, project is not None and convert.is_sized(project))
        if not taken.is_file(path):
            design = workspace.recipe(str(design))
    if isinstance(design, Recipe):
        project = convert.run_convert(design, workspace)
        return Design(project.directory, design, convert.is_sized(project))
    from nonresnet_hls.hls import plain

    found = taken.take(design, hls, scratch)
    plain.write_graph(found.graph, scratch)
    return Design(scratch, None, False, found.notes, found.arranged)


def is_keras_file(path: Path) -> bool:
    """Whether a path is called as files of Keras models are."""
    return path.suffix in taken.KERAS_FILES


def keras_model(design: Any) -> Any:
    """A Keras model, or that of a file, as hls4ml can take it.

    Raises:
        RecipeError: it is neither.
        ModelError: it cannot be read, or is of another Keras.
    """
    from nonresnet_hls.networks import lowering, saved

    if taken.is_foreign(design):
        what = design if isinstance(design, str | Path) else f"an object of {type(design).__name__}"
        raise RecipeError(
            f"{what}: a Keras model wanted here; csim, emulate, fifos and synth take those of others, too"
        )
    if isinstance(design, str | Path):
        model = saved.load(Path(design))
        _refuse_boundless(model, Path(design))
    elif saved.is_model(design):
        model = design
    else:
        kind = type(design).__name__
        raise RecipeError(f"a recipe, a project, a Keras model or a ModelGraph wanted, not an object of {kind}")
    if saved.is_keras3(model):
        return model
    return lowering.lower(model) if lowering.is_needed(model) else model


_MOST_NUMBERS = 1 << 26
"""Of a layer's output; the largest of a ResNet50 has 0.8 million."""


def _refuse_boundless(model: Any, path: Path) -> None:
    """Refuse layers with outputs that no design has: all that follows grows with them.

    Raises:
        ModelError: names the layer.
    """
    for layer in model.layers:
        for output in layer.output if isinstance(layer.output, list) else [layer.output]:
            shape = tuple(size for size in getattr(output, "shape", ()) if size is not None)
            if math.prod(shape) > _MOST_NUMBERS:
                wanted = f"an output of at most {_MOST_NUMBERS} numbers wanted"
                raise ModelError(f"{path}: layer {layer.name}: {wanted}, not {shape}")
