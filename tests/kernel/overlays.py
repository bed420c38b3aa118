"""Older ipykernels, each in a folder of its own that comes before this interpreter's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

__all__ = ["overlay"]

FOLDER = Path(__file__).parents[2] / ".artefacts" / "kernels"


def overlay(version: str) -> Path | None:
    """Return the folder of *version*, made when it is not there; None for the one that is installed."""
    if not version:
        return None
    place = FOLDER / version
    if not place.is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(dir=FOLDER.parent)
        asked = ["install", "-q", "--no-deps", "--target", made, f"ipykernel=={version}"]
        done = subprocess.run([sys.executable, "-m", "pip", *asked], capture_output=True, text=True, timeout=240)
        if done.returncode:
            shutil.rmtree(made)
            pytest.skip(f"ipykernel {version} cannot be installed here: {done.stderr.strip()[-200:]}")
        try:
            os.rename(made, place)
        except OSError:  # another worker was faster
            shutil.rmtree(made)
    return place
