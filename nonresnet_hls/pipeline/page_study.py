"""The written tables of a study (`study.json` format 1, `trials.csv`) as a page shows them."""

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from nonresnet_hls import bounds
from nonresnet_hls.errors import ArtefactError, shown
from nonresnet_hls.page.values import Basis, Figure, Objective, Study, Trial
from nonresnet_hls.pipeline.views import Sources

RECORD, TRIALS = "study.json", "trials.csv"
_MOST_RECIPE_BYTES = 1 << 16
_MOST_TRIALS = 5000
_AXES = ("skips", "weight_bits", "activation_bits", "board", "engine", "wanted_fps", "wanted_reuse_factor")


def folder_of(study: Path) -> Path:
    """The folder of a study's tables, which lies beside its file, or is named itself.

    Raises:
        ArtefactError: it is not there.
    """
    folder = study.with_suffix("") if study.suffix == ".toml" else study
    if not (folder / RECORD).is_file():
        wanted = f"{folder / RECORD} of a study that was run wanted"
        raise ArtefactError(f"--study {study}: {wanted}; run 'nonresnet-hls explore {folder}.toml'")
    return folder


def read(study: Path, sources: Sources) -> Study:
    """A study's trials, their figures and recipes.

    Raises:
        ArtefactError: its tables are not there, or not as they are written.
    """
    folder = folder_of(study)
    try:
        return _read(folder, sources)
    except (OSError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ArtefactError(f"{folder}: {RECORD} and {TRIALS} of a study, format 1, wanted ({reason})") from None


def _read(folder: Path, sources: Sources) -> Study:
    record: dict[str, Any] = json.loads(bounds.read_text(folder / RECORD))
    if record["format"] != 1:
        raise ValueError(f"format 1 wanted, not {shown(record['format'])}")
    version = f"nonresnet_hls {record['versions'].get('nonresnet-hls', '')}".strip()
    kinds = {
        str(name): Objective(str(name), str(kind["title"]), str(kind["unit"]), str(kind["better"]))
        for name, kind in record["figures"].items()
    }
    objectives = [kinds[str(one["name"])] for one in record["objectives"]]
    with io.StringIO(bounds.read_text(folder / TRIALS), newline="") as text:
        rows = list(csv.DictReader(text))
    if len(rows) > _MOST_TRIALS:
        raise ValueError(f"at most {_MOST_TRIALS} trials wanted, not {len(rows)}")
    used = [name for name in _AXES if any(row[name] for row in rows)]
    return Study(
        name=str(record["name"]),
        title=str(record["title"] or record["name"]),
        network=str(record["network"]),
        counts={str(name): _count(count) for name, count in record["trials"].items()},
        objectives=tuple(objectives),
        figures=tuple(kinds.values()),
        trials=tuple(_trial(row, folder, kinds, used, version, sources) for row in rows),
    )


def _trial(
    row: Mapping[str, str],
    folder: Path,
    kinds: Mapping[str, Objective],
    axes: list[str],
    version: str,
    sources: Sources,
) -> Trial:
    figures = {}
    for name in kinds:
        if row[name] == "":
            continue
        told = (row[f"{name}_engine"], version, row[f"{name}_stage"])
        source = sources.key(*told, Basis(row[f"{name}_basis"]))
        low, high = (_whole(row.get(f"{name}_{end}", "")) for end in ("low", "high"))
        at_most = name == "dsp" and row["dsp_is_bound"] == "True"
        figures[name] = Figure(_number(row[name]), source, low, high, at_most)
    return Trial(
        name=row["name"],
        status=row["status"],
        reason=row["reason"],
        on_front=row["on_front"] == "True",
        axes={name: row[name] for name in axes},
        figures=figures,
        recipe=row["recipe"],
        recipe_text=_recipe(folder, row["recipe"]),
        notes=row["notes"],
    )


def _recipe(folder: Path, named: str) -> str:
    """What is in a trial's recipe; nothing where it is not within the folder, or is no more there."""
    path = PurePosixPath(named)
    if not named or path.is_absolute() or ".." in path.parts:
        return ""
    file = folder / path
    if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
        return ""
    return bounds.read_text(file, _MOST_RECIPE_BYTES)


def _number(text: str) -> int | float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"a finite number wanted, not {text!r}")
    return int(text) if text.lstrip("-").isdecimal() else value


def _whole(text: str) -> int | None:
    return int(float(text)) if text else None


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"a count wanted, not {shown(value)}")
    return value
