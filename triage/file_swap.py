"""Puts a file in the place of another in one step and keeps a copy: a crash leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

SECRET = 0o600
"""The mode of a file that holds secrets."""
BACKUP = ".bak"


def read_exactly(path: Path) -> str:
    """Return a file's text with its line endings as they are; empty where there is none."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Keep everybody else who asks for the same `path` waiting: who reads, changes and swaps loses no other's change.

    A lock on the folder leaves nothing behind, also where this process is killed. Do not nest.
    """
    folder = path.resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def backup_of(path: Path) -> Path:
    """Return where `swap` keeps what stood in `path`: beside the file itself, not beside a link to it."""
    path = path.resolve()
    return path.with_name(path.name + BACKUP)


def swap(path: Path, text: str, mode: int | None = None, backup: str | None = None) -> None:
    """Write `text` as `path`; what was there, or `backup`, is kept beside it. `mode` None keeps the file's own.

    Raises OSError.
    """
    # What a link points to is replaced, not the link.
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = mode if mode is not None else path.stat().st_mode & 0o777 if path.exists() else 0o644
    if path.exists():
        _write(backup_of(path), path.read_bytes() if backup is None else backup.encode("utf-8"), mode)
    _write(path, text.encode("utf-8"), mode)


def may_swap(path: Path) -> bool:
    """Say whether `swap` would work: a file mounted into a container can often not be replaced."""
    path = path.resolve()
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK) and not path.is_mount() and (not path.exists() or os.access(path, os.W_OK))


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        with contextlib.suppress(PermissionError):
            if path.exists():
                # Root edits for the user that runs Tandem: the file stays theirs.
                shutil.chown(name, path.stat().st_uid, path.stat().st_gid)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
