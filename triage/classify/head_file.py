"""The arrays of a stored model, read as if somebody else had written the file: sizes are checked before contents."""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MAX_BYTES: Final = 64_000_000
"""Of all arrays together, unpacked; the biggest model there can be has 20 million cells in 16 bits (views.py)."""
_SMALL: Final = 4_000_000
_LIMITS: Final = {"wording": 48_000_000, "nearness": 24_000_000, "seen": 8_000_000}
"""Bytes of one array; _SMALL for the others. `seen` has 8 bytes for each ticket learned from."""
MAX_ARRAYS: Final = 20
_HEADER: Final = 1000

Arrays = dict[str, NDArray[Any]]


def read_arrays(stored: bytes) -> Arrays:
    """Return the arrays of an npz file by name.

    Raises ValueError where they are too big, of no plain numbers, or not finite; whatever zipfile and numpy raise
    where the file is damaged. `spread` may hold infinity: what never differs has no weight.
    """
    with zipfile.ZipFile(io.BytesIO(stored)) as file:
        entries = file.infolist()
        if len(entries) > MAX_ARRAYS or sum(entry.file_size for entry in entries) > MAX_BYTES:
            raise ValueError("too big")
        names = [entry.filename.removesuffix(".npy") for entry in entries]
        if len(set(names)) != len(names):
            raise ValueError("names")
        if any(entry.file_size > _LIMITS.get(name, _SMALL) for name, entry in zip(names, entries, strict=True)):
            raise ValueError("too big")
        arrays = {name: _array(file.read(entry)) for name, entry in zip(names, entries, strict=True)}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or (name != "spread" and not np.isfinite(array).all()):
            raise ValueError(name)
    return arrays


def _array(raw: bytes) -> NDArray[Any]:
    """Return one array; a header that promises more than there is would have numpy reserve the room for it."""
    file = io.BytesIO(raw)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("header")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_HEADER)
    if math.prod(shape) * dtype.itemsize != len(raw) - file.tell():
        raise ValueError("shape")
    file.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False, max_header_size=_HEADER)
    return array
