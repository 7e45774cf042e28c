"""Marks of what was made here: anybody can compute a digest, these only who can read this user's key.

The key is a file of the user's own, made when it is needed for the first time; where none can be kept nothing is
marked, and counts as made elsewhere.
"""

import contextlib
import functools
import hmac
import os
import secrets
import stat
from pathlib import Path

_BYTES = 32


def _path() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "nonresnet_hls" / "key"


def mark(text: str) -> str | None:
    """The mark of a text; None where no key can be kept."""
    key = _key()
    return None if key is None else hmac.new(key, text.encode("utf-8"), "sha256").hexdigest()


def is_marked(text: str, found: object) -> bool:
    """Whether `found` is the mark of a text."""
    wanted = mark(text)
    return (
        wanted is not None
        and isinstance(found, str)
        and hmac.compare_digest(wanted.encode(), found.encode("utf-8", "replace"))
    )


@functools.cache
def _key() -> bytes | None:
    with contextlib.suppress(OSError, RuntimeError):  # no home, say
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _read(path) or _made(path)
    return None


def _read(path: Path) -> bytes | None:
    """The key in a file; None where there is none that only this user can have written and read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        key = stream.read(_BYTES + 1) if stat.S_ISREG(status.st_mode) else b""
    private = status.st_uid == os.getuid() and not status.st_mode & 0o077
    return key if private and len(key) == _BYTES else None


def _made(path: Path) -> bytes | None:
    """A new key, or that of another process which was faster."""
    beside = path.with_name(f".key.partial-{os.getpid()}")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink()
    return _read(path)
