"""Which Python a task means: the kernel's, a venv, a conda environment, a version, a path."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from kestra_magic.stores.environments import EnvironmentNotFound, Interpreter, find, kernel


def environment_of(python: Interpreter) -> dict[str, str]:
    merged = {**os.environ, **python.env}
    return {name: value for name, value in merged.items() if value is not None}


def says(python: Interpreter, code: str, command: str = "") -> str:
    argv = [command or python.executable, "-c", code]
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=environment_of(python)).stdout.strip()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("envs") / "with space"
    venv.create(place, with_pip=False, symlinks=True)
    return place


@pytest.fixture
def conda(tmp_path: Path) -> Path:
    """As much of a conda environment as makes it one."""
    place = tmp_path / "miniforge3" / "envs" / "vision"
    (place / "bin").mkdir(parents=True)
    (place / "conda-meta").mkdir()
    (place / "bin" / "python").symlink_to(sys.executable)
    return place


def test_nothing_means_the_kernels() -> None:
    for spec in (None, ""):
        assert find(spec) == kernel()
    assert kernel().executable == sys.executable


def test_python_in_a_shell_is_the_kernels() -> None:
    """A script task runs `$VIRTUAL_ENV/bin/python` where that is set: it must be this one."""
    code = 'command -v python; echo "${VIRTUAL_ENV:-none}"'
    done = subprocess.run(["sh", "-c", code], capture_output=True, text=True, env=environment_of(kernel()))
    command, environment = done.stdout.split()

    assert Path(command).parent == Path(sys.executable).parent
    assert environment == (sys.prefix if sys.prefix != sys.base_prefix else "none")


def test_another_environment_of_the_parent_is_taken_away(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/other")
    monkeypatch.setenv("CONDA_PREFIX", "/other")
    monkeypatch.setenv("PYTHONHOME", "/other")

    env = environment_of(find(made))

    assert env["VIRTUAL_ENV"] == str(made)
    assert "CONDA_PREFIX" not in env
    assert "PYTHONHOME" not in env


def test_a_venv_is_found_by_its_folder(made: Path) -> None:
    python = find(made)

    assert says(python, "import sys; print(sys.prefix)") == str(made)
    assert says(python, "import sys; print(sys.prefix)", "python") == str(made)


def test_a_venv_is_found_by_its_interpreter(made: Path) -> None:
    python = find(f"{made}/bin/python")

    assert (python.env["VIRTUAL_ENV"], python.bin) == (str(made), made / "bin")


def test_a_conda_environment_is_found_by_its_folder(conda: Path) -> None:
    python = find(conda)

    assert (python.env["CONDA_PREFIX"], python.env["CONDA_DEFAULT_ENV"]) == (str(conda), "vision")
    assert python.env["VIRTUAL_ENV"] is None
    assert str(python.env["PATH"]).startswith(f"{conda}/bin{os.pathsep}")


def test_a_conda_environment_is_found_by_its_name(conda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert find("vision").executable == str(conda / "bin" / "python")
    with pytest.raises(EnvironmentNotFound, match="did you mean `vision`"):
        find("visoin")


def test_a_conda_environment_is_found_from_another(
    conda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setenv("CONDA_PREFIX", str(conda.parent / "notebook"))

    assert find("vision").executable == str(conda / "bin" / "python")


def test_a_listed_conda_environment_is_found(conda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / ".conda").mkdir(parents=True)
    (home / ".conda" / "environments.txt").write_text(f"{conda}\n/gone/envs/old\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("CONDA_PREFIX", raising=False)

    assert find("vision").executable == str(conda / "bin" / "python")


def test_a_version_is_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    (tmp_path / f"python{version}").symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setenv("PATH", str(tmp_path))

    python = find(version)

    assert says(python, "import sys; print('%d.%d' % sys.version_info[:2])") == version


def test_a_system_folder_does_not_move_before_the_persons_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/usr/bin` in front would hide what lies in `/usr/local/bin`."""
    own, system = tmp_path / "own", tmp_path / "system"
    for folder in (own, system):
        folder.mkdir()
    (system / "python3").symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{system}")

    assert "PATH" not in find(system / "python3").env


def test_an_environment_whose_interpreter_is_gone_is_said(tmp_path: Path) -> None:
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "python").symlink_to("/gone/python")

    for spec in (tmp_path / "env", tmp_path / "env" / "bin" / "python"):
        with pytest.raises(EnvironmentNotFound, match="make the environment anew"):
            find(spec)


def test_what_is_no_python_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch(mode=0o644)

    with pytest.raises(EnvironmentNotFound, match="holds no Python"):
        find(tmp_path / "folder")
    with pytest.raises(EnvironmentNotFound, match="is not executable"):
        find(tmp_path / "file")
    with pytest.raises(EnvironmentNotFound, match="did you mean `folder`"):
        find(tmp_path / "foldr")
    with pytest.raises(EnvironmentNotFound, match="no such folder, conda environment or command"):
        find("sh")
