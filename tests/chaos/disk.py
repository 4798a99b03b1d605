"""A small disk that can be filled."""

from __future__ import annotations

import errno
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PIECE = b"\0" * 65_536
# Linux's number of what a process needs to mount something; root has it, though not in most containers.
CAP_SYS_ADMIN = 21


def may_mount() -> bool:
    """Say whether this process may mount a disk."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    held = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    return bool(held >> CAP_SYS_ADMIN & 1)


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
    """Mount a disk of that size, where this process may."""
    path = Path(tempfile.mkdtemp(prefix="tandem-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)], check=True)
    # For PostgreSQL, which will not run as root.
    path.chmod(0o755)
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
        path.rmdir()
