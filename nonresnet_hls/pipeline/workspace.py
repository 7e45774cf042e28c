"""Where things are on disk: one folder holds `models/`, `hls_projects/` and `tables/`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nonresnet_hls import recipe as recipes
from nonresnet_hls.errors import ArtefactError, RecipeError
from nonresnet_hls.pipeline import runner


@dataclass(frozen=True)
class Workspace:
    """The folder that the stages work in (the command line's `--workspace`; default: the current one)."""

    root: Path = Path()

    @property
    def models(self) -> Path:
        """The user's recipes, and a folder of artefacts for each recipe that has been worked on."""
        return self.root / "models"

    @property
    def projects(self) -> Path:
        """The generated HLS projects."""
        return self._own(self.root / "hls_projects")

    @property
    def tables(self) -> Path:
        """Table I and Table II as files."""
        return self._own(self.root / "tables")

    def artefact(self, name: str, stage: str) -> Path:
        """The folder of the artefact that a stage leaves for a recipe: `models/NAME/STAGE`."""
        return self._own(self.models / name) / stage

    def checkpoints(self, name: str) -> Path:
        """The folder of what unfinished trainings of a recipe have come to."""
        return self._own(self.models / name / "checkpoints")

    def _own(self, folder: Path) -> Path:
        """A folder that is written in, unless it is a link that leads out of the workspace: git brings such, too.

        Raises:
            ArtefactError: it is.
        """
        try:
            inside = folder.resolve().is_relative_to(self.root.resolve())
        except (OSError, RuntimeError):  # a circle of links
            inside = False
        if not inside:
            raise ArtefactError(f"{folder}: a folder within {self.root} wanted, not over a link to elsewhere")
        return folder

    def existing(self, name: str, stage: str, digest: str) -> runner.Artefact | None:
        """The artefact of that digest, in the workspace or shipped with the recipe; None if there is none.

        Raises:
            ArtefactError: it is there, but one of its files is missing or changed.
        """
        for models in (self.models, recipes.BUILT_IN):
            found = runner.load(models / name / stage)
            if found is not None and found.digest == digest:
                return found
        return None

    def recipe(self, name_or_path: str) -> recipes.Recipe:
        """Load a recipe by name or path.

        Raises:
            RecipeError: it cannot be found, read or understood.
        """
        return recipes.load(name_or_path, self.models)

    def load_recipes(self, names_or_paths: Iterable[str]) -> list[recipes.Recipe]:
        """Load recipes by name or path.

        Raises:
            RecipeError: as `recipe`, or two of them have one name: of one, the other's artefacts would be shown.
        """
        found = [(named, self.recipe(named)) for named in names_or_paths]
        for i, (named, one) in enumerate(found):
            for other_named, other in found[:i]:
                if other.name == one.name and other != one:
                    raise RecipeError(f"{named}: name: another one wanted than {other_named} has, not {one.name!r}")
        return [one for _, one in found]
