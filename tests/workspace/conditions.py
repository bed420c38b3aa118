"""Disks and people as they are: full, read-only, on another device, without permission."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def other_device(tmp_path: Path) -> Iterator[Path]:
    """A folder to which no file of `tmp_path` can be renamed."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    place = Path(tempfile.mkdtemp(dir=shm))
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that a person without privileges can reach."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o777)
    yield place
    subprocess.run(["chmod", "-R", "u+rwX", place], check=False)
    shutil.rmtree(place, ignore_errors=True)


DROP = f"import os; os.getuid() or (os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY}))\n"


def as_nobody(code: str, *arguments: object) -> object:
    """Run *code* as someone whom permissions hold back, once its imports are done; return what it prints as JSON."""
    imports, _, rest = code.partition("\n\n")
    command = [sys.executable, "-c", f"{imports}\n{DROP}{rest}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def no_space_left(place: Path) -> None:
    """Fill a file system to its last byte."""
    size = 65536
    with open(place / "ballast", "wb", buffering=0) as file:
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
