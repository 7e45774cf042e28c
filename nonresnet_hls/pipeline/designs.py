"""What a user may name as a design: a recipe, a Keras or QKeras model file, a project that hls4ml wrote."""

from dataclasses import dataclass
from pathlib import Path

from nonresnet_hls.errors import ArtefactError
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
        lowered = lowering.lower(model) if lowering.is_needed(model) else model
        return Design(scratch, None, False, plain.write_plain(lowered, hls, scratch))
    recipe = workspace.recipe(named)
    project = convert.run_convert(recipe, workspace)
    return Design(project.directory, recipe, convert.is_sized(project))
