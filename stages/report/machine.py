"""What ran this: versions of the software and the machine, without anything that changes between two runs on it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from contextlib import suppress
from pathlib import Path

PACKAGES = ("torch", "numpy", "scipy", "numba", "opencv-python-headless", "dlib-bin", "scikit-learn", "statsmodels",
            "pandas", "pyarrow", "matplotlib", "dvc", "prefect")  # fmt: skip


def versions() -> dict[str, str]:
    """Version of Python and of each package that numbers depend on and that is installed."""
    numbers = {"Python": platform.python_version()}
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            numbers[name] = importlib.metadata.version(name)
    return numbers


def machine() -> dict[str, str]:
    """System, processor, cores and memory."""
    facts = {"system": f"{platform.system()} {platform.machine()}", "cores": str(os.cpu_count())}
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = [line for line in information.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        facts |= {"processor": lines[0].partition(":")[2].strip()} if lines else {}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        facts["memory"] = f"{size / 2**30:.0f} GiB"
    return facts
