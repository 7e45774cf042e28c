"""What a user may name as a design: a recipe, a Keras or QKeras model file, a project that hls4ml wrote."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ArtefactError, ModelError
from nonresnet_hls.pipeline import convert, runner
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Hls, Recipe


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


def find(named: str, workspace: Workspace, hls: Hls, scratch: Path) -> Design:
    """The project of a design, brought up to date for a recipe.

    Args:
        named: a recipe's name or path, a .keras or .h5 file, or a project directory.
        workspace: where recipes and their projects are.
        hls: how a model file is converted; hls4ml chooses its types.
        scratch: where the project of a model file is written.

    Raises:
        ConversionError: hls4ml cannot take the model.
        NonResNetError: as `convert.run_convert`.
    """
    path = Path(named)
    if path.is_dir():
        try:
            project = runner.load(path)
        except ArtefactError:  # edited by hand: what it has now counts
            return Design(path, None, False)
        return Design(path, None, project is not None and convert.is_sized(project))
    if path.suffix in (".keras", ".h5"):
        from nonresnet_hls.hls import plain
        from nonresnet_hls.networks import lowering, saved

        model = saved.load(path)
        _refuse_boundless(model, path)
        lowered = lowering.lower(model) if lowering.is_needed(model) else model
        return Design(scratch, None, False, plain.write_plain(lowered, hls, scratch))
    recipe = workspace.recipe(named)
    project = convert.run_convert(recipe, workspace)
    return Design(project.directory, recipe, convert.is_sized(project))


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
