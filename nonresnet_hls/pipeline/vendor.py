"""The stage `synth`: an engine over an HLS project; the artefact `models/NAME/synth` holds copies of its reports."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.hls import vendor
from nonresnet_hls.pipeline import convert as hls
from nonresnet_hls.pipeline import runner
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Hls, Recipe

STAGE = "synth"


@dataclass(frozen=True)
class _Config:
    hls: Hls
    steps: vendor.Steps


def run_vendor(recipe: Recipe, workspace: Workspace, steps: vendor.Steps) -> runner.Artefact:
    """Synthesise a recipe's project with the vendor's tool, the project before it.

    Reports of more steps than are wanted are used as they are: a co-simulation can take hours.

    Raises:
        ToolError: the tool is missing, of the other backend, or fails.
        NonResNetError: as `pipeline.convert.run_convert`.
    """
    vendor.require(recipe.hls.backend)  # before hours of training
    project = hls.run_convert(recipe, workspace)

    def produce(folder: Path) -> dict[str, Any]:
        progress.say(f"synthesising {recipe.name} with {vendor.require(recipe.hls.backend)}")
        tool = vendor.run(project.directory, recipe.hls.backend, steps)
        for report in vendor.reports(project.directory):
            copy = folder / report.relative_to(project.directory)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(report, copy)
        return {"engine": str(tool)}

    inputs = {"project": project.content}
    present = runner.load(workspace.artefact(recipe.name, STAGE))
    more = [vendor.Steps(cosim, vsynth) for cosim in (True, steps.cosim) for vsynth in (True, steps.vsynth)]
    if present and present.digest in [runner.digest_of(STAGE, _Config(recipe.hls, one), inputs) for one in more]:
        return present
    return runner.run(workspace.artefact(recipe.name, STAGE), STAGE, _Config(recipe.hls, steps), inputs, produce)


def existing(recipe: Recipe, workspace: Workspace) -> runner.Artefact | None:
    """The reports of a recipe's present project; None if it was never synthesised, or has changed since.

    Raises:
        ArtefactError: a file of the project or of the reports was changed or is missing.
    """
    project = runner.load(workspace.projects / recipe.name)
    found = runner.load(workspace.artefact(recipe.name, STAGE))
    if project is None or found is None or found.inputs.get("project") != project.content:
        return None
    return found
