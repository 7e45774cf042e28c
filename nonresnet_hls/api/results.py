"""What the functions of the package return: typed values that show themselves in a notebook and as pandas tables."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls.api import charts
from nonresnet_hls.api.shown import Shown
from nonresnet_hls.errors import ReportError

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from nonresnet_hls.dataflow import FifoReport, Proof
    from nonresnet_hls.explain.explaining import Explanation
    from nonresnet_hls.pipeline.agreement import Evaluator
    from nonresnet_hls.pipeline.explore import Explored
    from nonresnet_hls.pipeline.export import Written
    from nonresnet_hls.reports import Report
    from nonresnet_hls.skips import Skip


@dataclass(frozen=True)
class Exported(Shown):
    """A model written for other tools."""

    name: str
    """Of the recipe."""
    written: "Written"

    @property
    def equal(self) -> bool:
        """Whether no value was found that is not Keras'."""
        return self.written.different == 0

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One: file, nodes, and what was compared."""
        return [{"name": self.name, **dataclasses.asdict(self.written), "path": str(self.written.path)}]

    @property
    def caption(self) -> str:
        """File, nodes and verdict."""
        one = self.written
        told = f"{one.values} values by qonnx's executor, "
        told = (told + (f"{one.different} DIFFERENT" if one.different else "equal")) if one.samples else "not proved"
        return f"{self.name}: {one.path}, {one.nodes} nodes; {told}"


@dataclass(frozen=True)
class Agreement(Shown):
    """The C simulation of a design that no recipe tells of, beside other evaluators; a row for each of these."""

    design: str
    evaluators: "tuple[Evaluator, ...]"

    @property
    def equal(self) -> bool:
        """Whether every value of all of them is that of the C simulation."""
        return not any(one.different for one in self.evaluators)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Name, values, how many are different from the C simulation's, and by how much at most."""
        return [dataclasses.asdict(one) for one in self.evaluators]

    @property
    def caption(self) -> str:
        """The verdict."""
        told = [f"{one.different} DIFFERENT from {one.name}" for one in self.evaluators if one.different]
        values = self.evaluators[0].values if self.evaluators else 0
        return f"{self.design}: C simulation, {values} values, {'; '.join(told) or 'equal'}"


@dataclass(frozen=True, eq=False)
class Emulation(Shown):
    """The exact outputs of a design's hardware; a row for each layer: the bits it needs and what it runs in."""

    design: str
    outputs: "npt.NDArray[Any] | None"
    """Samples x shape of the output; a list for several. None where a whole test set was compared."""
    figures: Mapping[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Layer, kind, bits and arithmetic."""
        return list(self.figures["layers"])

    @property
    def caption(self) -> str:
        """Samples, seconds, and by which kernels."""
        figures = self.figures
        return f"{self.design}: {figures['samples']} samples in {figures['seconds']} s ({figures['kernels']})"


@dataclass(frozen=True, eq=False)
class Explained(Shown):
    """Why a design's hardware and Keras differ; a row for each layer."""

    found: "Explanation"
    written: tuple[Path, ...] = ()
    """Files of the cure."""

    @property
    def columns(self) -> tuple[str, ...]:
        """What differs, why, and what is proposed."""
        return ("layer", "type", "values", "different", "made_here", "reason", "largest_made_here", "proposed")

    @property
    def chart(self) -> str:
        """Where differences are made."""
        rows = [row for row in self.rows if row["made_here"]]
        shares = [charts.Bar(row["layer"], (100 * row["made_here"] / row["values"],)) for row in rows]
        return charts.bars("numbers of which the layer itself makes others than Keras", ("",), shares, " %")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Type, differing numbers, the greatest reason, and the type that is proposed."""
        from nonresnet_hls.explain import telling

        return telling.rows(self.found)

    @property
    def figures(self) -> dict[str, Any]:
        """All that was found as plain values."""
        from nonresnet_hls.explain import telling

        return telling.figures(self.found)

    @property
    def config(self) -> dict[str, Any] | None:
        """What `convert_from_keras_model(hls_config=...)` takes to be cured; None where there is nothing to cure."""
        return None if self.found.cure is None else self.found.cure.config

    @property
    def yaml(self) -> str | None:
        """The same as text."""
        return None if self.found.cure is None else self.found.cure.yaml

    @property
    def model(self) -> Any:
        """The Keras model to convert where it must be another than the one given; None: that one."""
        return None if self.found.cure is None else self.found.cure.model

    @property
    def caption(self) -> str:
        """The first layer that makes a difference, and why."""
        first, one = self.found.first, self.found.agreement
        where = "no layer makes a difference" if first is None else f"first in {first.layer}: {first.reason}"
        return f"{self.found.name}: {one.different} of {one.values} outputs differ; {where}"


@dataclass(frozen=True)
class Fifos(Shown):
    """The FIFOs of a design; a row for each stream."""

    report: "FifoReport"
    proof: "Proof | None"
    notes: tuple[str, ...]
    """What hls4ml dropped of a model."""
    seconds: Mapping[str, float]
    """That converting the model and sizing took."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Depths, and the memory of the tool that the design is for."""
        depths = ("depth_before", "depth_least", "depth_margin", "depth_after")
        tool = "vitis" if self.report.toolchain.lower().startswith("vitis") else "vivado"
        return ("stream", "on_skip", "bits", *depths, f"{tool}_bram_18k_before", f"{tool}_bram_18k_after")

    @property
    def chart(self) -> str:
        """Bits of each FIFO, before and sized."""
        rows = [
            charts.Bar(
                f"{row.stream}{' (skip)' if row.on_skip else ''}",
                (row.bits * row.depth_before, row.bits * row.depth_after),
                row.on_skip,
            )
            for row in self.report.rows
        ]
        return charts.bars("bits of each FIFO", ("before", "sized"), rows)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Depths in words, before and sized, and what they cost."""
        return [dataclasses.asdict(row) for row in self.report.rows]

    @property
    def caption(self) -> str:
        """What sizing saves, and the cycles of an image."""
        before, after, report = self.report.before, self.report.after, self.report
        least = "at least " if report.interval_is_lower_bound else ""
        proof = "" if self.proof is None else f"; proof {'holds' if self.proof.holds else 'FAILS'}"
        return (
            f"{report.design}: {before.bits:,} FIFO bits, {after.bits:,} sized; {least}{report.interval_cycles:,}"
            f" cycles an image (modelled), set by {report.bottleneck}{proof}"
        )


@dataclass(frozen=True)
class Exploration(Shown):
    """The trials of a study; a row for each."""

    explored: "Explored"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All columns of the study's tables."""
        return self.explored.table

    @property
    def frame(self) -> "pd.DataFrame":
        """The trials as a pandas table, the very one that is written."""
        from nonresnet_hls.explore.figures import frame

        found: pd.DataFrame = frame(self.rows)
        return found

    @property
    def front(self) -> "pd.DataFrame":
        """Of these the rows of the Pareto front."""
        whole = self.frame
        return whole[whole["on_front"]].reset_index(drop=True)

    @property
    def caption(self) -> str:
        """How the trials ended, and what the front is of."""
        from nonresnet_hls.explore.figures import KINDS, Status

        told = self.explored
        study = told.study
        ended = ", ".join(f"{told.count(status)} {status}" for status in Status if told.count(status))
        objectives = ", ".join(KINDS[name].title for name in study.objectives)
        front = sum(told.on_front)
        return f"{study.title or study.name}: {ended} of {study.planned} trials; {front} on the front of {objectives}"

    def _repr_html_(self) -> str:
        import html

        brief = self.frame[[name for name in self.explored.brief if not self.frame[name].isna().all()]]
        return f"<p>{html.escape(self.caption)}</p>\n{brief.to_html(index=False, na_rep='', notebook=True)}"


@dataclass(frozen=True, eq=False)
class Skips(Shown):
    """The skips of a model; a row for each."""

    found: "tuple[Skip, ...]"
    model: Any
    """The Keras model that they are of."""
    asked: tuple[int, ...] = ()
    """Numbers of the skips that were to be removed or shortened."""
    changed: tuple[int, ...] = ()
    """Numbers of those that were."""
    stay: Mapping[int, str] = dataclasses.field(default_factory=dict)
    """Why skips could not be, by number."""
    changed_model: Any = None
    """The new model; None where nothing was changed."""
    models_inside: tuple[str, ...] = ()
    """Layers that are models: their skips are not among these."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Where skips leave and join, and what they buffer."""
        return ("number", "group", "leaves", "joins", "buffer_shape", "buffer_elements", "removable", "refusal")

    @property
    def chart(self) -> str:
        """What each skip buffers."""
        rows = [
            charts.Bar(f"{one.number}: {one.leaves} -> {one.joins}", (one.buffer_elements or 0,)) for one in self.found
        ]
        return charts.bars("elements that each skip buffers", ("",), rows)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Where each skip leaves and joins, what it needs to be buffered, and why it stays where it does."""
        return [
            {
                "number": skip.number,
                "group": skip.group,
                "join": str(skip.join),
                "leaves": skip.leaves,
                "joins": skip.joins,
                "projection": list(skip.projection),
                "bypasses": list(skip.bypasses),
                "buffer_shape": list(skip.buffer_shape),
                "buffer_elements": skip.buffer_elements,
                "removable": skip.removable,
                "refusal": skip.refusal,
            }
            for skip in self.found
        ]

    @property
    def caption(self) -> str:
        """How many there are, and how many can go."""
        removable = sum(skip.removable for skip in self.found)
        done = f"; {len(self.changed)} of {len(self.asked)} changed" if self.asked else ""
        return f"{self.model.name}: {len(self.found)} skips, {removable} of them removable{done}"


@dataclass(frozen=True)
class Rows(Shown):
    """A table of plain rows: `models`, `evaluate`, `doctor`."""

    entries: Sequence[Mapping[str, Any]]
    told: str = ""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """As they are."""
        return [dict(entry) for entry in self.entries]

    @property
    def caption(self) -> str:
        """What they are of."""
        return self.told


@dataclass(frozen=True)
class Evaluation(Rows):
    """Top-1 counted again; a row for each kind of weights."""

    @property
    def equal(self) -> bool:
        """Whether none is another than is recorded."""
        return all(row["equal"] is not False for row in self.entries)


@dataclass(frozen=True)
class RtlFigures(Shown):
    """What the open engine found of a design; a row for each unit and FIFO, with their sum last."""

    name: str
    figures: Mapping[str, Any]
    """Of `synth --engine rtl --json`."""
    directory: Path | None
    """Of the SystemVerilog."""

    @property
    def chart(self) -> str:
        """Look-up tables and flip-flops of each part."""
        rows = [charts.Bar(row["part"], (row["lut"], row["ff"])) for row in self.rows if row["part"] != "total"]
        return charts.bars("cells of each part", ("look-up tables", "flip-flops"), rows)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Look-up tables, flip-flops, block RAM and DSP blocks of each part."""
        synthesis = self.figures.get("synthesis")
        if synthesis is None:
            return []
        parts = [(part["name"], part["resources"]) for part in synthesis["parts"]]
        return [{"part": name, **resources} for name, resources in [*parts, ("total", synthesis["total"])]]

    @property
    def caption(self) -> str:
        """Engine, stage, and cycles where it was simulated."""
        synthesis, simulation = self.figures.get("synthesis"), self.figures.get("simulation")
        text = f"{self.name}: OpenRTL"
        if synthesis:
            text += f", {synthesis['stage']} for {synthesis['target']}"
        if simulation:
            text += f"; {simulation['interval_cycles']} cycles an image, simulated"
        routed = self.figures.get("place_and_route")
        if routed:
            text += f"; {routed['clock_mhz']:.1f} MHz, placed and routed on {routed['device']}"
        return text


@dataclass(frozen=True, eq=False)
class Gathered(Shown):
    """The reports below some paths, and what of these could not be read."""

    found: "tuple[Report, ...]"
    """One for each file."""
    merged: "tuple[Report, ...]"
    """One for each design and stage."""
    broken: tuple[ReportError, ...]
    """Reports below a folder that cannot be read."""
    refused: tuple[ReportError, ...]
    """Paths that are no report, or hold none."""
    remarks: tuple[str, ...]
    """What lies there beside them."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One for each design and stage."""
        from nonresnet_hls import reports

        frame = reports.frame(self.merged)
        return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]

    @property
    def caption(self) -> str:
        """How many were read, and each that could not be."""
        told = [f"{len(self.found)} reports of {len(self.merged)} designs and stages"]
        return "; ".join([*told, *(str(error) for error in (*self.refused, *self.broken)), *self.remarks])
