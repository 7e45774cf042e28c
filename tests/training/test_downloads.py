"""Downloads, from a web server of our own."""

import dataclasses
import hashlib
import http.server
import io
import tarfile
import threading

import pytest

from nonresnet_hls.errors import DatasetError
from nonresnet_hls.recipe import DatasetName
from nonresnet_hls.training import downloads

FILES = {"train": b"training", "test": b"test"}


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A server that publishes an archive as CIFAR-100 is published; returns the file that it serves."""
    archive = tmp_path / "www" / "cifar-100-python.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in {**FILES, "../../escaped": b"no"}.items():
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(archive.parent))

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    download = downloads.Download(
        f"http://127.0.0.1:{server.server_port}/{archive.name}", hashlib.sha256(archive.read_bytes()).hexdigest()
    )
    source = dataclasses.replace(downloads.SOURCES[DatasetName.CIFAR100], downloads=(download,))
    monkeypatch.setitem(downloads.SOURCES, DatasetName.CIFAR100, source)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(downloads.VARIABLE, str(tmp_path / "data"))
    yield archive
    server.shutdown()
    server.server_close()


def test_what_is_nowhere_is_downloaded_once(published, tmp_path):
    folder = downloads.find(DatasetName.CIFAR100)
    assert folder == tmp_path / "data" / "cifar-100-python"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cifar-100-python"]
    published.unlink()
    assert downloads.find(DatasetName.CIFAR100) == folder


def test_another_content_is_refused_and_nothing_is_left(published, tmp_path):
    published.write_bytes(b"something else")
    with pytest.raises(DatasetError, match="SHA-256"):
        downloads.find(DatasetName.CIFAR100)
    assert list((tmp_path / "data").iterdir()) == []


def test_no_connection_says_where_to_put_the_files(published, tmp_path):
    published.unlink()
    with pytest.raises(DatasetError, match="put train, test there or set NONRESNET_DATA"):
        downloads.find(DatasetName.CIFAR100)


def test_what_is_incomplete_is_kept_aside(published, tmp_path):
    folder = tmp_path / "data" / "cifar-100-python"
    folder.mkdir(parents=True)
    (folder / "train").write_bytes(b"mine")
    assert downloads.find(DatasetName.CIFAR100) == folder
    assert (tmp_path / "data" / "cifar-100-python.kept-1" / "train").read_bytes() == b"mine"
