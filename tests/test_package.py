"""What is built is whole: the wheel runs a cell in an environment that has nothing else of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CELL = """
from IPython.core.interactiveshell import InteractiveShell
import kestra_magic
assert ".venv-empty" in kestra_magic.__file__, kestra_magic.__file__
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "kestra_magic")
shell.run_cell_magic("kestra_process", "hello -o a.txt", "echo {{ 6 * 7 }} | tee a.txt")
print(shell.user_ns["hello"].files["a.txt"].read_text(), end="")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel and the source distribution, made by hatchling."""
    target = tmp_path_factory.mktemp("dist")
    code = f"from hatchling.build import build_wheel, build_sdist; build_wheel({str(target)!r}); build_sdist({str(target)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=120)
    return target


def package_files() -> set[str]:
    tracked = subprocess.run(["git", "ls-files", "kestra_magic"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(tracked.stdout.split())


def test_the_wheel_holds_every_file_of_the_package(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    assert package_files() <= names
    assert "kestra_magic/py.typed" in names


def test_the_source_distribution_holds_what_tests_need(built: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert package_files() <= names
    assert {"README.md", "LICENSE", "CHANGELOG.md", "Makefile", "notebooks/quickstart.ipynb"} <= names
    assert not any(name.startswith(("kestra-runs", ".ci", ".venv")) for name in names)


def test_an_empty_environment_runs_a_cell_from_the_wheel(built: Path, tmp_path: Path) -> None:
    environment = tmp_path / ".venv-empty"
    (wheel,) = built.glob("*.whl")
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    clean |= {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    clean |= {"IPYTHONDIR": str(tmp_path / "ipython")}
    pip_cache = {"PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))}
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, timeout=120)
    install = [environment / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel]
    subprocess.run(install, check=True, env=clean | pip_cache, timeout=280)
    python = str(environment / "bin" / "python")
    done = subprocess.run([python, "-c", CELL], cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=120)

    assert done.stdout.startswith("42\n"), done.stderr
    assert done.stdout.endswith("42\n"), done.stderr
