"""Where published data sets are: looked for in a few folders, else downloaded and checked."""

import hashlib
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from nonresnet_hls import progress
from nonresnet_hls.errors import DatasetError
from nonresnet_hls.files import keep_aside
from nonresnet_hls.recipe import DatasetName

VARIABLE = "NONRESNET_DATA"


@dataclass(frozen=True)
class Download:
    """One published file."""

    url: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """How a data set is published."""

    folders: tuple[str, ...]
    """Names under which its folder is known; the first is ours. '.' is the searched folder itself."""
    files: tuple[str, ...]
    """All that must be there."""
    downloads: tuple[Download, ...]
    """One `.tar.gz` that holds the folder, or the files themselves."""


# The sums of the files as their authors publish them today; those of CIFAR are also in Keras.
SOURCES = {
    DatasetName.CIFAR10: Source(
        folders=("cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py"),
        files=(*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"),
        downloads=(
            Download(
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            ),
        ),
    ),
    DatasetName.CIFAR100: Source(
        folders=("cifar-100-python", "cifar-100-python-target/cifar-100-python"),
        files=("train", "test"),
        downloads=(
            Download(
                "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            ),
        ),
    ),
    DatasetName.SVHN: Source(
        folders=("svhn", "."),
        files=("train_32x32.mat", "test_32x32.mat"),
        downloads=(
            Download(
                "http://ufldl.stanford.edu/housenumbers/train_32x32.mat",
                "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            ),
            Download(
                "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
                "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
            ),
        ),
    ),
}


def roots() -> list[Path]:
    """The folders that are searched, in this order."""
    own = os.environ.get(VARIABLE)
    return [*([Path(own)] if own else []), Path.home() / ".keras" / "datasets"]


def local(name: DatasetName) -> Path | None:
    """The folder that holds all files of a data set, if there is one."""
    source = SOURCES[name]
    for root in roots():
        for folder in source.folders:
            if all((root / folder / file).is_file() for file in source.files):
                return root / folder
    return None


def find(name: DatasetName) -> Path:
    """The folder that holds a data set; downloads it where there is none.

    Raises:
        DatasetError: it is nowhere, and cannot be downloaded or is not what its authors publish.
    """
    found = local(name)
    if found is not None:
        return found
    source = SOURCES[name]
    root = roots()[0]
    target = root / source.folders[0]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.partial-", dir=root) as scratch:
            files = [_fetch(download, Path(scratch)) for download in source.downloads]
            filled = Path(scratch) / target.name
            filled.mkdir()
            if files[0].name.endswith(".tar.gz"):
                _unpack(files[0], source, filled)
            else:
                for file in files:
                    file.rename(filled / file.name)
            if os.path.lexists(target):  # incomplete, or it had been found: kept, under another name
                keep_aside(target)
            filled.rename(target)
    except (OSError, tarfile.TarError, urllib.error.URLError) as error:
        where = " or ".join(str(r / source.folders[0]) for r in roots())
        raise DatasetError(
            f"{name}: not in {where}, and {source.downloads[0].url} cannot be had ({error}); "
            f"put {', '.join(source.files)} there or set {VARIABLE}"
        ) from None
    return target


def _fetch(download: Download, folder: Path) -> Path:
    path = folder / download.url.rsplit("/", 1)[1]
    progress.say(f"downloading {download.url}")
    with urllib.request.urlopen(download.url, timeout=60) as response, path.open("wb") as stream:
        shutil.copyfileobj(response, stream, 1 << 20)
    with path.open("rb") as stream:
        got = hashlib.file_digest(stream, "sha256").hexdigest()
    if got != download.sha256:
        raise DatasetError(f"{download.url}: SHA-256 {download.sha256} wanted, not {got}")
    return path


def _unpack(archive: Path, source: Source, folder: Path) -> None:
    """Take the files that we read, and no other, out of the archive."""
    with tarfile.open(archive) as tar:
        for file in source.files:
            member = tar.extractfile(f"{source.folders[0]}/{file}")
            if member is None:
                raise tarfile.TarError(f"{archive.name}: {file} is no plain file")
            with member, (folder / file).open("wb") as stream:
                shutil.copyfileobj(member, stream, 1 << 20)
