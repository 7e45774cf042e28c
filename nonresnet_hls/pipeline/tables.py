"""Table I (accuracy) and Table II (hardware) of the paper, for the recipes of a workspace, as pandas tables.

A figure is in a table only if a stage left it there: accuracy by `train` and `quantize`, hardware by an engine. A
cell is empty where no engine ran. What the project itself tells (streams, memory by rule, multiplications) stands
in columns of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nonresnet_hls import recipe as recipes
from nonresnet_hls.errors import RecipeError, shown
from nonresnet_hls.pipeline import runner
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import DatasetName, Family, Order, Recipe, Skips, SkipStyle
from nonresnet_hls.reports.values import percent, throughput_khz

if TYPE_CHECKING:
    import pandas as pd

# Weng, Khodamoradi, Kastner 2021, Table I: top-1 in percent, 32-bit, of the 20-layer networks.
_PAPER_TOP1 = {
    DatasetName.CIFAR10: (94.03, 93.29, 93.61),
    DatasetName.CIFAR100: (70.36, 69.70, 71.63),
    DatasetName.SVHN: (96.57, 96.67, 96.86),
}
_STYLES = (SkipStyle.RESIDUAL, SkipStyle.SHORT, SkipStyle.PLAIN, SkipStyle.MERGED)
_PAPER_SIZE = (Family.RESNET, 3, (16, 32, 64))

TABLE1_COLUMNS = {
    "dataset": "name of the data set",
    "network": "title of the recipe",
    "skips": "residual, short, plain or merged",
    "top1_percent_32_bit": "of the float network on the test data",
    "top1_percent_16_bit": "after quantization and fine-tuning with 16-bit weights and activations",
    "top1_percent_8_bit": "the same with 8 bits",
    "hardware_top1_percent_16_bit": "of the 16-bit project itself on the whole test set, where it was emulated",
    "hardware_top1_percent_8_bit": "the same of the 8-bit project",
    "paper_top1_percent": "of the paper's Table I, 32-bit; 20-layer networks only",
    "epochs": "of the float training, all phases",
    "training_hours": "of the float training, all phases",
    "test_samples": "that top-1 was counted on",
}

TABLE2_COLUMNS = {
    "design": "name of the recipe",
    "weights": "bits",
    "activations": "bits",
    "engine": "what measured the row",
    "version": "of the engine",
    "stage": "how far the design had come",
    "part": "the device",
    "throughput_khz": "images per millisecond: 1e6 / (interval_cycles * clock_ns); as good as the clock is",
    "latency_cycles": "first input to last output",
    "interval_cycles": "from image to image, in the steady state",
    "clock_ns": "the greater of target and estimate, or what clock_basis says",
    "clock_basis": "estimated by the tool, routed, routed on ECP5 (reached there by the same design), or assumed: the"
    " recipe's target, where nothing was placed",
    "ff": "flip-flops",
    "ff_percent": "of the part",
    "lut": "look-up tables",
    "lut_percent": "of the part",
    "dsp": "DSP slices",
    "dsp_percent": "of the part",
    "bram_18k": "block RAMs of 18 Kbit",
    "bram_18k_percent": "of the part",
    "streams": "FIFOs between layers, told by the project",
    "fifo_bits": "that they hold",
    "fifo_bram_18k": "by the rule of the tools' reports (modelled)",
    "weight_bits": "weights, biases and scales of all layers",
    "multiplications_per_image": "of weights with activations or pixels",
}

_RESOURCES = ("ff", "lut", "dsp", "bram_18k")


@dataclass(frozen=True)
class _Network:
    """The recipes of one float network: its own and those that quantize it otherwise."""

    recipe: Recipe
    precisions: tuple[Recipe, ...]


def table1(workspace: Workspace, names: Sequence[str] = ()) -> "pd.DataFrame":
    """Top-1 of float and quantized networks; columns as in `TABLE1_COLUMNS`.

    Args:
        workspace: where the artefacts are.
        names: recipes of float networks. Networks that train on demand are trained and quantized where they are
            not yet; others stand in the table with what there is. Default: all that are trained.

    Raises:
        RecipeError: a name is not the recipe of a whole network.
        NonResNetError: as the stages that have to run.
    """
    import pandas as pd

    rows = [_table1_row(network, workspace, bool(names)) for network in _networks(workspace, names)]
    frame = pd.DataFrame([row for row in rows if row is not None], columns=list(TABLE1_COLUMNS))
    return frame.astype({"epochs": "Int64", "test_samples": "Int64"})


def _networks(workspace: Workspace, names: Sequence[str]) -> list[_Network]:
    every = workspace.load_recipes(recipes.names(workspace.models))
    own = workspace.load_recipes(names)
    for recipe in own:
        if recipe.architecture.family is Family.BLOCK:
            raise RecipeError(f"recipe {recipe.name}: a whole network wanted for Table I, not a block")
    chosen = own or [r for r in every if r.architecture.family is not Family.BLOCK and r.trained_as == r.name]
    if not own:
        chosen.sort(key=_paper_order)

    def precisions(one: Recipe) -> tuple[Recipe, ...]:
        others = [r for r in every if r.trained_as == one.trained_as and r.name != one.name]
        return (one, *others)

    return [_Network(r, precisions(r)) for r in chosen]


def _paper_order(recipe: Recipe) -> Any:
    architecture = recipe.architecture
    style = _STYLES.index(architecture.skips) if architecture.skips else len(_STYLES)
    return list(DatasetName).index(recipe.dataset.name), architecture.blocks_per_group, style, recipe.name


def _table1_row(network: _Network, workspace: Workspace, wanted: bool) -> dict[str, Any] | None:
    from nonresnet_hls.pipeline import emulate
    from nonresnet_hls.pipeline import quantize as quantization
    from nonresnet_hls.pipeline import train as training

    recipe = network.recipe
    trained = training.existing(recipe, workspace)
    if trained is None and wanted and recipe.training.on_demand:
        trained = training.train(recipe, workspace)
    if trained is None:
        return None
    metrics = training.read_metrics(trained)
    row: dict[str, Any] = dict.fromkeys(TABLE1_COLUMNS)
    row |= {
        "dataset": str(recipe.dataset.name),
        "network": recipe.title or recipe.name,
        "skips": str(recipe.architecture.skips or ""),
        "top1_percent_32_bit": None if metrics["top1"] is None else 100 * metrics["top1"],
        "epochs": metrics["epochs"],
        "training_hours": metrics["seconds"] / 3600,
        "test_samples": metrics["test_samples"],
    }
    row["paper_top1_percent"] = _paper_top1(recipe, workspace)
    for precision in network.precisions:
        bits = precision.quantization.weight_bits
        column = f"top1_percent_{bits}_bit"
        if column not in row or bits != precision.quantization.activation_bits:
            continue
        if precision.name != recipe.name and bits == recipe.quantization.weight_bits:
            continue  # another way to the same precision; the row tells of its own
        if wanted and precision.name == recipe.name and recipe.training.on_demand:
            quantization.run(precision, workspace)
        found = quantization.recorded(precision, workspace)
        if found is not None:
            row[column] = 100 * found.top1
        emulated = emulate.existing(precision, workspace)
        if emulated is not None and "top1" in emulated.figures:
            with runner.reading(emulated):
                row[f"hardware_{column}"] = 100 * float(emulated.figures["top1"])
    return row


def _paper_top1(recipe: Recipe, workspace: Workspace) -> float | None:
    """What the paper has of a network like this; of NonResNet20, of one that came from ShortResNet20 by phases."""
    architecture = recipe.architecture
    size = (architecture.family, architecture.blocks_per_group, architecture.filters)
    paper = _PAPER_TOP1.get(recipe.dataset.name)
    if paper is None or architecture.skips in (None, SkipStyle.MERGED) or size != _PAPER_SIZE:
        return None
    if architecture.skips is SkipStyle.PLAIN and not _is_by_algorithm1(recipe, workspace):
        return None
    return paper[_STYLES.index(architecture.skips)]


def _is_by_algorithm1(recipe: Recipe, workspace: Workspace) -> bool:
    """Whether a network without skips is what the paper's Algorithm 1 comes to, not one of its controls."""
    distillation = recipe.distillation
    if distillation is None or distillation.order is Order.ALL:
        return False
    return workspace.recipe(distillation.start).architecture.skips is SkipStyle.SHORT


def table2(workspace: Workspace, names: Sequence[str] = ()) -> "pd.DataFrame":
    """Hardware of converted recipes, a row per design, engine and stage; columns as in `TABLE2_COLUMNS`.

    Args:
        workspace: where the artefacts are.
        names: recipes; default: all that have a project.

    Raises:
        RecipeError: a recipe cannot be read, or has no project yet.
        ArtefactError, ReportError: a project or report is damaged.
    """
    import pandas as pd

    from nonresnet_hls.pipeline.convert import as_converted

    rows: list[dict[str, Any]] = []
    chosen = list(names) or recipes.names(workspace.models)
    for name, recipe in zip(chosen, workspace.load_recipes(chosen), strict=True):
        project = runner.load(workspace.projects / recipe.name)
        if project is None:
            if names:
                raise RecipeError(
                    f"recipe {name}: no project in {workspace.projects}; run 'nonresnet-hls convert {name}'"
                )
            continue
        rows += _table2_rows(as_converted(recipe, project), project, workspace)
    whole = dict.fromkeys(("latency_cycles", "interval_cycles", *_RESOURCES), "Int64")
    # A mean over several images need not be whole.
    if any(isinstance(row["interval_cycles"], float) for row in rows):
        whole["interval_cycles"] = "Float64"
    return pd.DataFrame(rows, columns=list(TABLE2_COLUMNS)).astype(whole)


SKIP_COST_COLUMNS = {
    "design": "name of the recipe",
    "without_skip": "the recipe of the same block or network without skips, by the same engine at the same stage",
    "engine": "what measured both",
    "stage": "how far the designs had come",
    "part": "the device",
    **{f"{name}_more": f"{name} that the design takes more" for name in (*_RESOURCES, "interval_cycles")},
    **{f"{name}_more_percent": "of the design without skips" for name in (*_RESOURCES, "interval_cycles")},
}


def skip_costs(workspace: Workspace, frame: "pd.DataFrame", names: Sequence[str] = ()) -> "pd.DataFrame":
    """What skips cost: each measured design beside the one without skips; columns as in `SKIP_COST_COLUMNS`.

    Args:
        workspace: where the recipes are.
        frame: of `table2`; the rows here bear the same index as there.
        names: as for `table2`.

    Raises:
        RecipeError: a recipe cannot be read.
        ArtefactError: a project is damaged.
    """
    import pandas as pd

    measured: dict[Any, Any] = frame[frame["engine"].notna()].to_dict("index")
    designs = {row["design"] for row in measured.values()}
    every = workspace.load_recipes(names or recipes.names(workspace.models))
    alike = {one.name: _apart_from_skips(one, workspace) for one in every if one.name in designs}
    without = {one.name for one in every if one.architecture.skips is SkipStyle.PLAIN}
    by_algorithm1 = {one.name for one in every if one.name in without and _is_by_algorithm1(one, workspace)}

    def key(row: Any) -> tuple[str, ...]:
        return (alike[row["design"]], row["engine"], row["stage"], row["part"])

    plain: dict[tuple[str, ...], Any] = {}
    for row in measured.values():
        # Of several, that which Algorithm 1 came to: a control may have failed.
        if row["design"] in without and (key(row) not in plain or row["design"] in by_algorithm1):
            plain[key(row)] = row
    rows = {}
    for index, row in measured.items():
        base = plain.get(key(row))
        if base is None or row["design"] in without:
            continue
        cost = {name: row[name] for name in ("design", "engine", "stage", "part")} | {"without_skip": base["design"]}
        for name in (*_RESOURCES, "interval_cycles"):
            if pd.isna(row[name]) or pd.isna(base[name]):
                continue
            cost[f"{name}_more"] = row[name] - base[name]
            cost[f"{name}_more_percent"] = 100 * (row[name] - base[name]) / base[name] if base[name] else None
        rows[index] = cost
    counts = dict.fromkeys((f"{name}_more" for name in (*_RESOURCES, "interval_cycles")), "Int64")
    counts["interval_cycles_more"] = str(frame["interval_cycles"].dtype)
    found = pd.DataFrame(list(rows.values()), index=list(rows), columns=list(SKIP_COST_COLUMNS))
    return found.astype(counts)


def _apart_from_skips(recipe: Recipe, workspace: Workspace) -> str:
    """What two designs share that differ in their skips alone."""
    from nonresnet_hls.pipeline import convert as stage

    project = runner.load(workspace.projects / recipe.name)
    if project is not None:
        recipe = stage.as_converted(recipe, project)
    bits = (recipe.quantization.weight_bits, recipe.quantization.activation_bits)
    architecture = recipe.architecture
    size = (architecture.family, architecture.filters, architecture.blocks_per_group)
    # As text, since a recipe's reuse factors by layer make it unhashable.
    return repr((recipe.dataset, bits, size, recipe.hls, replace(recipe.rtl, skips=Skips.COPIED)))


def _table2_rows(recipe: Recipe, project: runner.Artefact, workspace: Workspace) -> list[dict[str, Any]]:
    base: dict[str, Any] = dict.fromkeys(TABLE2_COLUMNS)
    with runner.reading(project):
        told = _project_figures(recipe, project)
    base |= {
        "design": recipe.name,
        "weights": recipe.quantization.weight_bits,
        "activations": recipe.quantization.activation_bits,
        "part": recipe.hls.part,
        **told,
    }
    measured = list(_measurements(recipe, workspace))
    return [base | one for one in measured] or [base]


def _project_figures(recipe: Recipe, project: runner.Artefact) -> dict[str, Any]:
    from nonresnet_hls.dataflow.memory import fifo_bram18
    from nonresnet_hls.recipe import Backend

    streams = project.figures["streams"]
    vivado, blocks = recipe.hls.backend is Backend.VIVADO, 0
    for stream in streams:
        # Vivado HLS makes a FIFO of each channel, Vitis HLS one of all.
        lanes, bits = (stream["channels"], stream["bits"]) if vivado else (1, stream["channels"] * stream["bits"])
        blocks += lanes * fifo_bram18(stream["depth"], bits)
    if (sized := project.figures.get("fifos")) is not None and not vivado:
        blocks = sized["after"]["vitis_bound_bram_18k"]  # the project binds shallow ones to shift registers
    counts = [project.figures[name] for name in ("weight_bits", "multiplications_per_image")]
    if not all(isinstance(count, int) and 0 <= count < 1 << 63 for count in (*counts, blocks)):
        raise ValueError(f"counts wanted, not {shown([*counts, blocks])}")
    return {
        "streams": len(streams),
        "fifo_bits": sum(s["depth"] * s["channels"] * s["bits"] for s in streams),
        "fifo_bram_18k": blocks,
        "weight_bits": project.figures["weight_bits"],
        "multiplications_per_image": project.figures["multiplications_per_image"],
    }


def _measurements(recipe: Recipe, workspace: Workspace) -> Iterable[dict[str, Any]]:
    """What engines found for the recipe's present project."""
    from nonresnet_hls import reports
    from nonresnet_hls.dataflow.memory import part_resources
    from nonresnet_hls.pipeline import rtl
    from nonresnet_hls.pipeline import vendor as synthesis

    found = synthesis.existing(recipe, workspace)
    for report in reports.merge(reports.read(found.directory)) if found is not None else ():
        row = {
            "engine": report.tool,
            "version": report.tool_version,
            "stage": str(report.stage) if report.stage else None,
            "part": report.part or recipe.hls.part,
            "latency_cycles": report.latency_max_cycles,
            "interval_cycles": report.interval_max_cycles,
            "clock_ns": report.clock_ns,
            "clock_basis": None if report.clock_ns is None else "estimated",
            "throughput_khz": throughput_khz(report.interval_max_cycles, report.clock_ns),
        }
        for name in _RESOURCES:
            count, available = getattr(report, name), getattr(report, f"available_{name}")
            row |= {name: count, f"{name}_percent": percent(count, available)}
        yield row
    available = part_resources(recipe.hls.part)
    for one in rtl.measurements(recipe, workspace):
        counts: dict[str, int | None] = dict.fromkeys(_RESOURCES)
        if one.stat is not None:
            (report,) = reports.merge(reports.read(one.stat))
            counts = {name: getattr(report, name) for name in _RESOURCES}
        elif one.resources is not None:
            counts = {name: one.resources[name] for name in _RESOURCES}
        row = {
            "engine": one.engine,
            "version": one.version,
            "stage": one.stage,
            "part": one.part,
            "latency_cycles": one.latency_cycles,
            "interval_cycles": one.interval_cycles,
            "clock_ns": one.clock_ns,
            "clock_basis": str(one.clock_basis),
            "throughput_khz": throughput_khz(one.interval_cycles, one.clock_ns),
            **counts,
        }
        if available is not None and one.of_recipes_part:
            # Logic synthesis is for the family; the recipe's part is of it.
            row["part"] = recipe.hls.part
            row |= {f"{name}_percent": percent(counts[name], getattr(available, name)) for name in _RESOURCES}
        yield row
