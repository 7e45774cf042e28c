"""The function that explores trade-offs."""

from pathlib import Path

from nonresnet_hls.api.results import Exploration
from nonresnet_hls.api.stages import told
from nonresnet_hls.pipeline.workspace import Workspace


@told
def explore(
    study: str | Path,
    workspace: str | Path = ".",
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
) -> Exploration:
    """The trials of a study, and which of them are on the Pareto front; its tables are written beside it.

    Args:
        study: a .toml file, see `docs/explore.md`.
        workspace: where recipes and artefacts are; workers must see it, and the study, under the same path.
        workers: processes of this machine; None: one.
        scheduler: address of a Dask scheduler of your own ("tcp://HOST:PORT"), whose workers do it instead.
        resume: go on with a study that was begun.

    Raises:
        StudyError: the study is not as it must be, was begun, or another process is at it.
        ToolError: the scheduler does not answer, or no worker is there.
    """
    from nonresnet_hls.pipeline import explore as stage

    return Exploration(stage.run(Path(study), Workspace(Path(workspace)), workers, scheduler, resume))
