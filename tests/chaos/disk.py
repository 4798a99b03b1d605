"""A small disk that can be filled."""

from __future__ import annotations

import errno
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PIECE = b"\0" * 65_536


class Disk:
    """A file system of its own at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        """Leave no room for a single page."""
        for size in (len(PIECE), 4096):
            with self._filler.open("ab", buffering=0) as filler:
                while _fits(filler.write, PIECE[:size]):
                    pass

    def clear(self) -> None:
        """Give the room back."""
        self._filler.unlink()


def _fits(write: object, piece: bytes) -> bool:
    assert callable(write)
    try:
        return bool(write(piece) == len(piece))
    except OSError as error:
        assert error.errno == errno.ENOSPC
        return False


@contextmanager
def small_disk(megabytes: int) -> Iterator[Disk]:
    """Mount a disk of that size, which only root may; skip the test for others."""
    path = Path(tempfile.mkdtemp(prefix="tandem-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)], capture_output=True, text=True
    )
    if mounted.returncode:
        path.rmdir()
        pytest.skip(f"a full disk needs one to fill, and this user may not mount any: {mounted.stderr.strip()}")
    # For PostgreSQL, which will not run as root.
    path.chmod(0o755)
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
        path.rmdir()
