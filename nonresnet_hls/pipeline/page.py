"""A page of designs and of a study: what the stages left, gathered; nothing is run but what brings projects up to date.

What no stage has found yet is not made up: the page says how to get it.
"""

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nonresnet_hls import bounds, files
from nonresnet_hls.errors import ArtefactError, RecipeError, shown
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.page.values import (
    Basis,
    Column,
    Design,
    Figure,
    LayerRange,
    Missing,
    Page,
    Ranges,
    Table,
)
from nonresnet_hls.pipeline import designs, emulate, explain, page_study, runner, tables
from nonresnet_hls.pipeline import quantize as quantization
from nonresnet_hls.pipeline import train as training
from nonresnet_hls.pipeline.view_rtl import rtl_view
from nonresnet_hls.pipeline.views import Sources, hls_view
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Family, Hls, Recipe

_MOST_DESIGNS = 40


def gather(named: Sequence[Any], workspace: Workspace, hls: Hls, study: Path | None = None, title: str = "") -> Page:
    """All that a page shows.

    Args:
        named: designs, as `designs.find` takes them; recipes are brought up to date.
        workspace: where recipes and what stages left are.
        hls: how a model is converted that no recipe tells of.
        study: the file of a study, or its folder.
        title: of the page.

    Raises:
        RecipeError: nothing is named, or too much.
        NonResNetError: as `designs.find`.
    """
    if not named and study is None:
        raise RecipeError("nothing to show; names of recipes, or --study, wanted")
    if len(named) > _MOST_DESIGNS:
        raise RecipeError(f"at most {_MOST_DESIGNS} designs on a page wanted, not {len(named)}")
    sources = Sources()
    found: list[Design] = []
    recipes: list[Recipe] = []
    for one in named:
        design, recipe = _design(one, workspace, hls, sources)
        if any(design.name == other.name for other in found):
            raise RecipeError(f"{design.name}: named twice")
        found.append(design)
        recipes += [] if recipe is None else [recipe]
    found_tables = [
        table for table in (_table1(recipes, workspace, sources), _table2(recipes, workspace, sources)) if table
    ]
    studies = () if study is None else (page_study.read(study, sources),)
    titles = [*(one.title for one in studies), *(design.title for design in found)]
    return Page(
        title=title or " · ".join(titles[:3]) + (" · …" if len(titles) > 3 else ""),
        made_by=runner.own_version(),
        sources=sources.found,
        designs=tuple(found),
        tables=tuple(found_tables),
        studies=studies,
    )


def check_target(path: Path) -> None:
    """Refuse, before anything is done, a file that would not be written.

    Raises:
        ArtefactError: it is called otherwise than a page, or its folder is not there.
    """
    if path.suffix not in (".html", ".htm"):
        raise ArtefactError(f"{path}: a name ending in .html wanted")
    if path.is_dir():
        raise ArtefactError(f"{path}: a file wanted, not a folder")
    if not path.parent.is_dir():
        raise ArtefactError(f"{path}: the folder {path.parent} is not there")


def save(text: str, path: Path) -> Path:
    """Write a page whole or not at all.

    Raises:
        ArtefactError: as `check_target`.
    """
    check_target(path)
    files.write_text(path, text)
    return path


def _design(named: Any, workspace: Workspace, hls: Hls, sources: Sources) -> tuple[Design, Recipe | None]:
    with tempfile.TemporaryDirectory(prefix="nonresnet-page-") as scratch:
        found = designs.find(named, workspace, hls, Path(scratch) / "project")
        recipe = found.recipe
        views = [hls_view(found.directory, found.sized, sources, _types(recipe, workspace))]
    if recipe is None:
        name = str(named) if isinstance(named, str | Path) else str(getattr(named, "name", "model"))
        return Design(name, Path(name).name, (), tuple(views)), None
    missing = []
    hardware = rtl_view(recipe, workspace, sources)
    if hardware is None:
        command = f"nonresnet-hls synth {recipe.name} --engine rtl --simulate"
        missing.append(Missing("measured cycles, LUT, FF, BRAM18 and DSP (open RTL engine)", command))
    else:
        views.append(hardware)
    ranges = _ranges(recipe, workspace, sources)
    if ranges is None:
        missing.append(Missing("values against the ranges of their types", f"nonresnet-hls explain {recipe.name}"))
    return Design(
        recipe.name, recipe.title or recipe.name, _facts(recipe), tuple(views), ranges, tuple(missing)
    ), recipe


def _types(recipe: Recipe | None, workspace: Workspace) -> dict[str, str]:
    """Of what the layers of a recipe's project leave."""
    project = None if recipe is None else runner.load(workspace.projects / recipe.name)
    if project is None:
        return {}
    with runner.reading(project):
        return {str(layer): str(kind) for layer, kind in project.figures["types"].items()}


def _facts(recipe: Recipe) -> tuple[tuple[str, str], ...]:
    bits = recipe.quantization
    facts = [
        ("skips", str(recipe.architecture.skips or "as in the model")),
        ("data", str(recipe.dataset.name)),
        ("weights", f"{bits.weight_bits} bit"),
        ("activations", f"{bits.activation_bits} bit"),
        ("tool", f"{recipe.hls.backend} HLS".title().replace("Hls", "HLS")),
        ("strategy", str(recipe.hls.strategy)),
        ("part", recipe.hls.part),
        ("clock", f"{recipe.hls.clock_ns:g} ns"),
    ]
    return tuple(facts)


def _ranges(recipe: Recipe, workspace: Workspace, sources: Sources) -> Ranges | None:
    """What `explain` found of the present project, if it was asked."""
    found = explain.existing(recipe, workspace)
    if found is None:
        return None
    with runner.reading(found):
        told = json.loads(bounds.read_text(found.directory / explain.RESULT))
        layers = []
        for layer in told["layers"]:
            histogram = layer["histogram"]
            if histogram is None:
                continue
            kind = FixedPointType.parse(layer["type"])
            layers.append(
                LayerRange(
                    layer=str(layer["layer"]),
                    type=str(layer["type"]),
                    top=kind.integer_bits - kind.signed - 1,
                    bottom=-kind.fraction_bits,
                    powers={str(int(power)): int(count) for power, count in histogram["powers"].items()},
                    zeros=int(histogram["zeros"]),
                    least=_finite(layer["least"]),
                    greatest=_finite(layer["greatest"]),
                    above=int(histogram["above_type"]),
                    below=int(histogram["below_type"]),
                    made_here=int(layer["made_here"]),
                    reason=str(layer["reason"]),
                )
            )
        version = f"nonresnet_hls {runner.versions(found).get('nonresnet-hls', '')}".strip()
        source = sources.key("explain", version, "quantized", Basis.MEASURED)
        first = str(told["first_layer"] or "")
        return Ranges(source, str(told["data"]), int(told["agreement"]["samples"]), first, tuple(layers))


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError(f"a finite number wanted, not {shown(value)}")
    return float(value)


# Tables I and II


def _table1(recipes: Sequence[Recipe], workspace: Workspace, sources: Sources) -> Table | None:
    """Top-1 of the networks, as the stages counted it."""
    rows: list[dict[str, Figure | str | None]] = []
    missing = []
    for recipe in recipes:
        if recipe.architecture.family is Family.BLOCK:
            continue
        bits = recipe.quantization
        row: dict[str, Figure | str | None] = {
            "network": recipe.title or recipe.name,
            "design": recipe.name,
            "dataset": str(recipe.dataset.name),
            "skips": str(recipe.architecture.skips or ""),
            "bits": f"{bits.weight_bits}/{bits.activation_bits}",
        }
        row |= dict.fromkeys(("float", "quantized", "hardware"))
        trained = training.existing(recipe, workspace)
        if trained is not None and (top1 := training.read_metrics(trained)["top1"]) is not None:
            row["float"] = _share(top1, trained, "tensorflow", "trained, 32 bit", sources)
        recorded = quantization.recorded(recipe, workspace)
        if recorded is not None and recorded.top1 is not None:
            row["quantized"] = _share(recorded.top1, recorded.artefact, "qkeras", "quantized", sources)
        emulated = emulate.existing(recipe, workspace)
        if emulated is not None and "top1" in emulated.figures:
            with runner.reading(emulated):
                row["hardware"] = _share(
                    float(emulated.figures["top1"]), emulated, "nonresnet-hls", "emulated, whole test set", sources
                )
        else:
            missing.append(Missing(f"top-1 of {recipe.name}'s hardware", f"nonresnet-hls emulate {recipe.name}"))
        rows.append(row)
    columns = (
        Column("network", "network", is_text=True),
        Column("dataset", "data", is_text=True),
        Column("skips", "skips", is_text=True),
        Column("bits", "W/A", "bits of weights and activations", is_text=True),
        Column("float", "32-bit, %", "top-1 of the float network on the test data"),
        Column("quantized", "quantized, %", "top-1 after quantization and fine-tuning, in QKeras"),
        Column("hardware", "hardware, %", "top-1 of the project itself on the whole test set, by exact emulation"),
    )
    return Table("table1", "Table I: accuracy", columns, tuple(rows), tuple(missing)) if rows else None


_ENGINES = {
    "tensorflow": ("Keras", "TensorFlow"),
    "qkeras": ("QKeras", ""),
    "nonresnet-hls": ("emulation", "nonresnet_hls"),
}


def _share(share: float, found: runner.Artefact, package: str, stage: str, sources: Sources) -> Figure:
    """A share in percent, with the version of the package that counted it."""
    engine, distribution = _ENGINES[package]
    version = " ".join(filter(None, (distribution, runner.versions(found).get(package, ""))))
    return Figure(100 * float(share), sources.key(engine, version, stage, Basis.MEASURED))


def _table2(recipes: Sequence[Recipe], workspace: Workspace, sources: Sources) -> Table | None:
    if not recipes:
        return None
    frame = tables.table2(workspace, [recipe.name for recipe in recipes])
    records: list[Any] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    model = sources.model("rule of the tools' reports", "before synthesis")
    rows = []
    for record in records:
        engine = record["engine"]
        measured = None
        if engine is not None:
            told = (str(engine), str(record["version"] or ""), str(record["stage"] or ""))
            measured = sources.key(*told, Basis.MEASURED)
        row: dict[str, Figure | str | None] = {
            "design": record["design"],
            "bits": f"{record['weights']}/{record['activations']}",
            "engine": " ".join(filter(None, (engine, record["version"]))) or None,
            "stage": record["stage"],
            "clock_basis": record["clock_basis"],
        }
        for name in (*_MEASURED, *_SHARES):
            value = record[name]
            row[name] = None if value is None or measured is None else Figure(_number(value), measured)
        if row["throughput_khz"] is not None and record["clock_basis"] != "routed":
            # As good as the clock, which nobody has reached with this very design.
            basis = sources.key(
                str(engine), str(record["version"] or ""), f"clock {record['clock_basis']}", Basis.MODELLED
            )
            for name in ("throughput_khz", "clock_ns"):
                row[name] = Figure(_number(record[name]), basis)
        for name in _BY_RULE:
            row[name] = Figure(_number(record[name]), model)
        rows.append(row)
    unmeasured = [str(row["design"]) for row in rows if row["engine"] is None]
    what = f"measured hardware of {', '.join(unmeasured)}"
    missing = (Missing(what, _synth(unmeasured)),) if unmeasured else ()
    return Table("table2", "Table II: hardware", _TABLE2, tuple(rows), missing)


def _synth(names: Sequence[str]) -> str:
    return f"nonresnet-hls synth --engine rtl --simulate {' '.join(names)}"


def _number(value: Any) -> int | float:
    return int(value) if float(value).is_integer() else float(value)


_MEASURED = ("throughput_khz", "latency_cycles", "interval_cycles", "clock_ns", "lut", "ff", "dsp", "bram_18k")
_SHARES = ("lut_percent", "ff_percent", "dsp_percent", "bram_18k_percent")
_BY_RULE = ("streams", "fifo_bits", "fifo_bram_18k", "weight_bits", "multiplications_per_image")
_TABLE2 = (
    Column("design", "design", is_text=True),
    Column("bits", "W/A", "bits of weights and activations", is_text=True),
    Column("engine", "engine", is_text=True),
    Column("stage", "stage", is_text=True),
    Column("throughput_khz", "kHz", tables.TABLE2_COLUMNS["throughput_khz"]),
    Column("latency_cycles", "latency", "cycles, " + tables.TABLE2_COLUMNS["latency_cycles"]),
    Column("interval_cycles", "interval", "cycles, " + tables.TABLE2_COLUMNS["interval_cycles"]),
    Column("clock_ns", "clock ns", tables.TABLE2_COLUMNS["clock_ns"]),
    Column("clock_basis", "clock", tables.TABLE2_COLUMNS["clock_basis"], is_text=True),
    Column("lut", "LUT", "and its share of the part"),
    Column("ff", "FF", "and its share of the part"),
    Column("dsp", "DSP", "and its share of the part"),
    Column("bram_18k", "BRAM18", "and its share of the part"),
    Column("fifo_bits", "FIFO bits", tables.TABLE2_COLUMNS["fifo_bits"]),
    Column("fifo_bram_18k", "FIFO BRAM18", tables.TABLE2_COLUMNS["fifo_bram_18k"]),
    Column("weight_bits", "weight bits", tables.TABLE2_COLUMNS["weight_bits"]),
)
