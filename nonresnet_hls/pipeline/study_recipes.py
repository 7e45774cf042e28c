"""The recipes of a study's networks: one for each choice of skips and bits, written beside the study."""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nonresnet_hls import files
from nonresnet_hls.errors import NonResNetError
from nonresnet_hls.explore.study import Engine, Point, Study, StudyError
from nonresnet_hls.pipeline import designs, own
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Family, Recipe, SkipStyle

RECIPES = "recipes"
_HEAD = "# Made by `nonresnet-hls explore`: a network of the study {name}.\n"


class StudyRecipes:
    """Writes the recipes of a study's points, and finds them again."""

    def __init__(self, study: Study, workspace: Workspace) -> None:
        """Read the network's recipe, or make one for a model file.

        Raises:
            StudyError: it is none of a whole network, or cannot be read.
        """
        self.study, self.workspace = study, workspace
        self.folder = study.folder / RECIPES
        self._written: dict[Path, Recipe] = {}
        self._networks: dict[SkipStyle | None, str] = {}
        self.base_reference, self.base = self._base()
        if self.base.architecture.family is Family.BLOCK:
            raise StudyError(f"{study.file}: network: a whole network wanted, whose top-1 can be counted, not a block")

    def of(self, point: Point) -> Path:
        """The recipe of a point's network, in a file.

        Raises:
            StudyError: there is no network of such skips.
            RecipeError: it cannot be what the study wants.
        """
        style = self._style(point)
        bits = self.base.quantization
        weights = bits.weight_bits if point.weight_bits is None else point.weight_bits
        activations = bits.activation_bits if point.activation_bits is None else point.activation_bits
        name = f"{self.study.name}-{style or 'own'}-w{weights}a{activations}"
        tables: dict[str, dict[str, Any]] = {"quantization": {"weight_bits": weights, "activation_bits": activations}}
        if self.study.epochs is not None:
            tables["quantization"]["epochs"] = self.study.epochs
        if point.engine is Engine.RTL and point.reuse_factor is not None:
            name = f"{name}-r{point.reuse_factor}"
            tables["hls"] = {"reuse_factor": point.reuse_factor}
        return self._write(name, self._network(style), tables)

    def _style(self, point: Point) -> SkipStyle | None:
        return self.base.architecture.skips if point.skips is None else point.skips

    def _base(self) -> tuple[str, Recipe]:
        study = self.study
        if not designs.is_keras_file(Path(study.network)):
            if study.data is not None:
                raise StudyError(f"{study.file}: data: a model file as network wanted with it, not {study.network}")
            return self._named(study.network, "network")
        if study.data is None:
            raise StudyError(f"{study.file}: key 'data' is missing: an .npz file for the model {study.network}")
        model, data = (study.file.parent / one for one in (study.network, study.data))
        with _told(study, "network"):
            recipe = own.make(model, data, self.workspace, keep=True)
        return self._reference(str(self.workspace.models / f"{recipe.name}.toml")), recipe

    def _named(self, named: str, key: str) -> tuple[str, Recipe]:
        """What `extends` must say of a recipe that the study names, and the recipe."""
        path = str(self.study.file.parent / named) if named.endswith(".toml") else named
        with _told(self.study, key):
            return self._reference(path), self.workspace.recipe(path)

    def _reference(self, path: str) -> str:
        return os.path.relpath(path, self.folder) if path.endswith(".toml") else path

    def _network(self, style: SkipStyle | None) -> str:
        """What a recipe must extend to be of a network with such skips."""
        if style not in self._networks:
            self._networks[style] = self._found(style)
        return self._networks[style]

    def _found(self, style: SkipStyle | None) -> str:
        study, architecture = self.study, self.base.architecture
        if style is not None and style in study.networks:
            return self._given(style)
        of_model = architecture.family is Family.KERAS
        present = SkipStyle.RESIDUAL if of_model and architecture.skips is None else architecture.skips
        if style is None or style is present:
            return self.base_reference
        if of_model and style is not SkipStyle.PLAIN:
            raise StudyError(
                f"{study.file}: axes.skips: residual (as it is) or plain wanted for a model of your own, not"
                f" {str(style)!r}; name a recipe of such a model in networks.{style}"
            )
        if style is not SkipStyle.MERGED and self.base.distillation is not None:
            raise StudyError(
                f"{study.file}: networks.{style}: a recipe wanted: {self.base.name} is trained by Algorithm 1, which"
                " derives none with other skips"
            )
        name = f"{study.name}-{style}"
        tables: dict[str, dict[str, Any]]
        if style is SkipStyle.MERGED:
            base, tables = self._network(SkipStyle.RESIDUAL), {"architecture": {"skips": "merged"}}
        elif of_model:
            base, tables = self.base_reference, {"architecture": {"remove_skips": True}}
        elif style is SkipStyle.PLAIN:
            start = self._network(SkipStyle.SHORT)
            base = self.base_reference
            tables = {"architecture": {"skips": "plain"}, "distillation": {"start": start}}
        else:
            base, tables = self.base_reference, {"architecture": {"skips": str(style)}}
        return self._write(name, base, tables).name

    def _given(self, style: SkipStyle) -> str:
        """The same of a network that the study names."""
        study = self.study
        reference, recipe = self._named(study.networks[style], f"networks.{style}")
        if recipe.architecture.family is Family.RESNET and recipe.architecture.skips is not style:
            found = recipe.architecture.skips
            raise StudyError(f"{study.file}: networks.{style}: {style} skips wanted, {recipe.name} has {found}")
        if recipe.architecture.family is Family.BLOCK:
            raise StudyError(f"{study.file}: networks.{style}: a whole network wanted, {recipe.name} is a block")
        if not recipe.dataset.same_as(self.base.dataset):
            raise StudyError(
                f"{study.file}: networks.{style}: the data set of {self.base.name} wanted, {recipe.name} has another"
            )
        return reference

    def _write(self, name: str, base: str, tables: dict[str, dict[str, Any]]) -> Path:
        path = self.folder / f"{name}.toml"
        if path in self._written:
            return path
        lines = [_HEAD.format(name=self.study.name), f"extends = {_text(base)}\n"]
        for table, keys in tables.items():
            lines.append(f"\n[{table}]\n")
            lines += [f"{key} = {_value(value)}\n" for key, value in keys.items()]
        text = "".join(lines)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            files.write_text(path, text)
        with _told(self.study, "network"):
            self._written[path] = self.workspace.recipe(str(path))
        return path


@contextlib.contextmanager
def _told(study: Study, key: str) -> Iterator[None]:
    """Errors of recipes within name the study and its key."""
    try:
        yield
    except StudyError:
        raise
    except NonResNetError as error:
        raise StudyError(f"{study.file}: {key}: {error}") from None


def trial_names(study: Study, points: Sequence[Point], recipes: StudyRecipes) -> dict[Point, str]:
    """A name for each point, each another, that a recipe can have."""
    several_engines = any(axis.name == "engine" for axis in study.axes)
    taken: set[str] = set()
    found = {}
    for point in points:
        plain = replace(point, engine=Engine.HLS4ML)
        parts = [recipes.of(plain).stem, _slug(point.board.removesuffix(".toml"))]
        if several_engines:
            parts.append(str(point.engine))
        if point.reuse_factor is not None:
            parts.append(f"r{point.reuse_factor}")
        if point.fps is not None:
            parts.append(_slug(f"fps{point.fps:.10g}"))
        name = wanted = "-".join(part for part in parts if part)
        number = 2
        while name in taken:
            name, number = f"{wanted}-{number}", number + 1
        taken.add(name)
        found[point] = name
    return found


def _slug(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.rpartition("/")[2].lower()))[:40].strip("-")


def _text(value: str) -> str:
    # Of what JSON writes, TOML takes all but the halves of characters beyond 16 bits.
    return json.dumps(value, ensure_ascii=False)


def _value(value: Any) -> str:
    return _text(value) if isinstance(value, str) else str(value).lower()
