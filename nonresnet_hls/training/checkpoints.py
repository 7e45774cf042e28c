"""Where a training phase stands, on disk after every epoch: a killed run goes on as if nothing had happened.

One `.npz` file, format 1: `meta` (JSON text: format, digest of what is trained, epochs done, seconds, curve),
`weights/N` (of the model, in Keras' order), `optimizer/N` and `random/N` (states of random layers).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls import bounds, files
from nonresnet_hls.errors import ArtefactError

if TYPE_CHECKING:
    import numpy as np

    Arrays = Sequence[np.ndarray[Any, Any]]

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A phase after some epochs."""

    digest: str
    """Of everything that decides how the phase goes; another digest is another phase."""
    epochs_done: int
    seconds: float
    """Spent so far, over all sittings."""
    curve: tuple[Mapping[str, float], ...]
    """What was measured in each epoch."""
    weights: "Arrays"
    optimizer: "Arrays"
    random: "Arrays"


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole or not at all."""
    import numpy as np

    meta = {
        "format": FORMAT,
        "digest": checkpoint.digest,
        "epochs_done": checkpoint.epochs_done,
        "seconds": checkpoint.seconds,
        "curve": [dict(row) for row in checkpoint.curve],
    }
    arrays: dict[str, Any] = {"meta": np.array(json.dumps(meta))}
    for part in _PARTS:
        arrays |= {f"{part}/{i}": value for i, value in enumerate(getattr(checkpoint, part))}
    files.write_npz(path, arrays, durable=True)


def load(path: Path) -> Checkpoint | None:
    """The checkpoint in a file; None where there is none.

    Raises:
        ArtefactError: the file is damaged or of another format.
    """
    if not path.is_file():
        return None
    redo = f"delete {path} to begin this training anew"
    try:
        with bounds.open_plain(path) as stream:
            arrays = bounds.load_npz(stream)
        meta = json.loads(str(arrays["meta"]))
        if meta["format"] != FORMAT:
            raise ArtefactError(f"{path}: format {FORMAT} wanted, not {meta['format']!r}; {redo}")
        parts = {
            part: [arrays[f"{part}/{i}"] for i in range(sum(name.startswith(f"{part}/") for name in arrays))]
            for part in _PARTS
        }
        return Checkpoint(
            digest=str(meta["digest"]),
            epochs_done=int(meta["epochs_done"]),
            seconds=float(meta["seconds"]),
            curve=tuple(meta["curve"]),
            **parts,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ArtefactError(f"{path}: corrupt ({type(error).__name__}: {error}); {redo}") from None


_PARTS = ("weights", "optimizer", "random")
