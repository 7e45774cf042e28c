"""The functions that bring a recipe's artefacts up to date, and the tables of them."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from nonresnet_hls import extras, one_keras
from nonresnet_hls.api.results import Agreement, Evaluation, Exported
from nonresnet_hls.api.shown import Comparison, Stage, Training
from nonresnet_hls.errors import RecipeError
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import FifoDepths, Recipe

if TYPE_CHECKING:
    from nonresnet_hls.api.tables import Hardware, Table
    from nonresnet_hls.quantization.quantized import Quantized

Named = str | Path | Recipe
"""A recipe by name, by path, or itself."""

Several = list[str] | list[Recipe] | list[Named] | tuple[Named, ...]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def told(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Have a function say which extra brings what it misses, and work in any thread."""

    @functools.wraps(function)
    def within(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        one_keras.in_this_thread()
        with extras.told(function.__name__):
            return function(*args, **kwargs)

    return within


def load_recipe(name: Named, workspace: str | Path = ".") -> Recipe:
    """A recipe by name or path.

    Raises:
        RecipeError: it cannot be found, read or understood.
    """
    if isinstance(name, Recipe):
        return name
    if not isinstance(name, str | Path):
        kind = type(name).__name__
        raise RecipeError(f"the name or path of a recipe, or a Recipe, wanted, not an object of {kind}")
    return Workspace(Path(workspace)).recipe(str(name))


@told
def make_recipe(
    model: Any,
    data: Any,
    workspace: str | Path = ".",
    *,
    name: str | None = None,
    input_type: str | None = None,
    **tables: Mapping[str, Any],
) -> Recipe:
    """A recipe for a model and data of your own, written as `models/NAME.toml`: every stage takes it.

    Args:
        model: a Keras model, or the path of a .keras or .h5 file.
        data: the path of an .npz file with x (and y), or x_train, y_train, x_test, y_test; a mapping of such arrays;
            x alone, or (x, y). Without x_test every fifth sample is a test sample.
        workspace: where it is written; what was there under its names is kept aside.
        name: of the recipe; default: that of the file or of the model.
        input_type: fixed-point type of the input; default: the narrowest that holds the data.
        tables: other keys of the recipe, by table: `hls={"reuse_factor": 4}`.

    Raises:
        RecipeError: the model is none, a name cannot be one, a key is unknown.
        ModelError: the model cannot be saved.
        DatasetError: the data cannot be read, or are no numbers.
    """
    from nonresnet_hls.pipeline import own

    return own.make(model, data, Workspace(Path(workspace)), name, input_type, tables)


def recipe_of(design: Any, data: Any = None, workspace: str | Path = ".") -> Recipe:
    """A recipe by name or path, or one for a model and its data, made if it is not there."""
    is_file = isinstance(design, str | Path) and Path(design).suffix in (".keras", ".h5")
    if data is not None:
        from nonresnet_hls.pipeline import own

        return own.make(design, data, Workspace(Path(workspace)), keep=True)
    if is_file or not isinstance(design, str | Path | Recipe):
        what = design if is_file else f"an object of {type(design).__name__}"
        raise RecipeError(f"{what}: a recipe wanted, or a Keras model together with data (an .npz file, or arrays)")
    return load_recipe(design, workspace)


@told
def train(name: Named, workspace: str | Path = ".", tensorboard: Path | None = None) -> Training:
    """The trained float network, by Algorithm 1 where the recipe says so.

    Args:
        name: the recipe.
        workspace: where everything is.
        tensorboard: folder for TensorBoard's logs; None: none.

    Raises:
        NonResNetError: as `pipeline.train.train`.
    """
    from nonresnet_hls.pipeline import train as stage

    recipe = load_recipe(name, workspace)
    artefact = stage.train(recipe, Workspace(Path(workspace)), tensorboard)
    return Training(name=recipe.name, metrics=stage.read_metrics(artefact), **Stage.parts(artefact))


@told
def distill(name: Named, workspace: str | Path = ".", tensorboard: Path | None = None) -> Training:
    """As `train`, of a recipe that says how skips are taken out (Algorithm 1), and of no other.

    Raises:
        RecipeError: it has no [distillation] table.
        NonResNetError: as `train`.
    """
    recipe = load_recipe(name, workspace)
    if recipe.distillation is None:
        raise RecipeError(f"recipe {recipe.name}: a [distillation] table wanted, there is none")
    return train(recipe, workspace, tensorboard)


@told
def evaluate(
    name: Named | Several,
    workspace: str | Path = ".",
    dataset: str | None = None,
    each: Callable[[dict[str, object]], None] = lambda _: None,
) -> Evaluation:
    """Top-1 from the weights on disk, float and quantized, beside what was recorded.

    Args:
        name: the recipe, or several.
        workspace: where everything is.
        dataset: another one than the recipe's, of the same shape.
        each: is given each row as soon as it is there.

    Raises:
        ArtefactError: a network is not trained.
        DatasetError: the data set is not there, or the network cannot take it.
    """
    from nonresnet_hls.pipeline import evaluate as stage

    rows = []
    several: Iterable[Named] = [name] if isinstance(name, str | Path | Recipe) else name
    for one in several:
        for row in stage.evaluate(load_recipe(one, workspace), Workspace(Path(workspace)), dataset):
            rows.append(row)
            each(row)
    return Evaluation(rows, "top-1, counted again")


@told
def quantize(name: Named | Any, workspace: str | Path = ".", *, data: Any = None) -> Stage:
    """The quantized, fine-tuned model.

    Args:
        name: the recipe; or a Keras model or its file, together with `data`.
        workspace: where everything is.
        data: of a model, as for `make_recipe`.

    Raises:
        NonResNetError: as `pipeline.quantize.run`.
    """
    from nonresnet_hls.pipeline import quantize as stage

    recipe = recipe_of(name, data, workspace)
    return Stage.of(recipe.name, stage.run(recipe, Workspace(Path(workspace)), fine_tune=True))


@told
def quantized_model(name: Named | Any, workspace: str | Path = ".", *, data: Any = None) -> "Quantized":
    """The quantized Keras model itself, its types and the samples to compare it on; arguments as of `quantize`."""
    from nonresnet_hls.pipeline import quantize as stage

    return stage.load(quantize(name, workspace, data=data))


@told
def convert(
    name: Named | Any, workspace: str | Path = ".", fifos: FifoDepths | str | None = None, *, data: Any = None
) -> Stage:
    """The HLS project.

    Args:
        name: the recipe; or a Keras model or its file, together with `data`.
        workspace: where everything is.
        fifos: "tensor" (whole tensors, as hls4ml does) or "sized"; None: as the recipe says.
        data: of a model, as for `make_recipe`.

    Raises:
        NonResNetError: as `pipeline.convert.run_convert`.
    """
    from nonresnet_hls.pipeline import convert as stage

    recipe = recipe_of(name, data, workspace)
    depths = FifoDepths(fifos or recipe.hls.fifo_depths)
    return Stage.of(recipe.name, stage.run_convert(recipe, Workspace(Path(workspace)), depths))


@overload
def csim(
    name: Several, workspace: str | Path = ".", samples: int | None = None, jobs: int = 1
) -> Iterator[Comparison]: ...
@overload
def csim(
    name: Named | Any, workspace: str | Path = ".", samples: int | None = None, jobs: int = 1, *, data: Any = None
) -> Comparison | Agreement: ...
def csim(
    name: Named | Several | Any,
    workspace: str | Path = ".",
    samples: int | None = None,
    jobs: int = 1,
    *,
    data: Any = None,
) -> Comparison | Agreement | Iterator[Comparison]:
    """The comparison of the C simulation with Keras; `equal` says how it went.

    A `ModelGraph` of hls4ml's, or a model of Keras 3 (HGQ2's, say), ONNX or PyTorch is taken as it is, together with
    `data`: its C++ beside what its own library computes, and the emulator. A model of Keras 2 is quantized first.

    Args:
        name: the recipe, or a model or its file, or a `ModelGraph`, together with `data`; of several recipes,
            compilers of one run beside Keras' work for the next, and each comparison is given as soon as it is there.
        workspace: where everything is.
        samples: of the test data; None: as many as the recipe says.
        jobs: processes that simulate.
        data: of a model, as for `make_recipe`.

    Raises:
        NonResNetError: as `pipeline.csim.run_csim`.
    """
    for option, value in (("samples", samples), ("jobs", jobs)):
        if value is not None and value < 1:
            raise RecipeError(f"--{option}: at least 1 wanted, not {value}")
    if is_taken_as_it_is(name):
        with extras.told("csim"):
            from nonresnet_hls.pipeline import agreement

            if data is None:
                raise RecipeError(f"{name_of(name)}: data wanted beside it: x, or the path of an .npz file")
            return Agreement(name_of(name), agreement.compare(name, data, samples, jobs))
    if isinstance(name, list | tuple):
        return _csim([load_recipe(one, workspace) for one in name], Path(workspace), samples, jobs)
    (found,) = _csim([recipe_of(name, data, workspace)], Path(workspace), samples, jobs)
    return found


def is_taken_as_it_is(design: Any) -> bool:
    """Whether a design is what hls4ml makes of it, so that there is nothing to quantize."""
    from nonresnet_hls.hls import plain
    from nonresnet_hls.networks import saved
    from nonresnet_hls.pipeline import taken

    if isinstance(design, str | Path) and Path(design).suffix in taken.KERAS_FILES:
        return one_keras.is_keras3()
    return plain.is_graph(design) or saved.is_keras3(design) or taken.is_foreign(design)


def name_of(design: Any) -> str:
    """What a design is called."""
    if isinstance(design, str | Path):
        return str(design)
    from nonresnet_hls.hls import plain

    if plain.is_graph(design):
        return str(design.config.get_project_name())
    return str(getattr(design, "name", None) or type(design).__name__)


def _csim(wanted: Sequence[Recipe], workspace: Path, samples: int | None, jobs: int) -> Iterator[Comparison]:
    with extras.told("csim"):
        from nonresnet_hls.pipeline import csim as stage

        for recipe, artefact in stage.run_csim(wanted, Workspace(workspace), samples, jobs):
            yield Comparison(name=recipe.name, **Stage.parts(artefact))


@told
def export(
    name: Named | Any,
    workspace: str | Path = ".",
    *,
    output: str | Path | None = None,
    prove: int = 0,
    data: Any = None,
) -> Exported:
    """The quantized model as a QONNX file, which FINN and qonnx read.

    Args:
        name: the recipe, or a Keras model or its file together with `data`.
        workspace: where everything is.
        output: the new .onnx file; default: called like the recipe, in the current folder.
        prove: samples of the test data on which qonnx's own executor is compared with Keras.
        data: of a model, as for `make_recipe`.

    Raises:
        ConversionError: there is a file of that name.
        ModelError: a layer has no twin in QONNX; names it.
    """
    from nonresnet_hls.pipeline import export as stage

    if prove < 0:
        raise RecipeError(f"--prove: 0 or more wanted, not {prove}")
    recipe = recipe_of(name, data, workspace)
    target = Path(f"{recipe.name}.onnx" if output is None else output)
    return Exported(recipe.name, stage.export(recipe, Workspace(Path(workspace)), target, prove))


@told
def table1(names: Iterable[Named] = (), workspace: str | Path = ".") -> "Table":
    """Accuracy of the networks, a pandas table; see `pipeline.tables.table1`."""
    from nonresnet_hls.api.tables import Table
    from nonresnet_hls.pipeline import tables

    return Table(tables.table1(Workspace(Path(workspace)), [_text(name) for name in names]))


@told
def table2(names: Iterable[Named] = (), workspace: str | Path = ".") -> "Hardware":
    """Hardware of the designs, a pandas table; its `costs` tell what skips cost. See `pipeline.tables.table2`."""
    from nonresnet_hls.api.tables import Hardware, with_details
    from nonresnet_hls.pipeline import tables

    place, texts = Workspace(Path(workspace)), [_text(name) for name in names]
    frame = tables.table2(place, texts)
    found: Hardware = with_details(Hardware(frame), costs=tables.skip_costs(place, frame, texts))
    return found


def _text(name: Named) -> str:
    return name.name if isinstance(name, Recipe) else str(name)
