"""What `dependencies` add: installed once, then found again without a network."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kestra_magic.stores.dependencies import DependencyError, ensure
from kestra_magic.stores.environments import Interpreter, kernel

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_NO_INDEX", "UV_OFFLINE"):
        monkeypatch.setenv(name, "1")


def wheel(folder: Path, name: str = "quack", body: str = "SAID = 'quack'") -> str:
    """A package as pip takes it, made by hand: nothing is built, nothing is fetched."""
    made_by_hand = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {
        f"{name}.py": body,
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{name}-1.0.dist-info/WHEEL": made_by_hand,
        f"{name}-1.0.dist-info/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for place, text in {**files, f"{name}-1.0.dist-info/RECORD": record}.items():
            archive.writestr(place, text)
    return str(path)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def run(python: Interpreter, *command: str) -> str:
    merged = {**os.environ, **python.env}
    env = {name: value for name, value in merged.items() if value is not None}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout.strip()


SAYS = "import quack; print(quack.SAID)"


def test_nothing_is_added_where_nothing_is_asked_for(tmp_path: Path) -> None:
    assert ensure(kernel(), [], cache=tmp_path) == kernel()
    assert ensure(kernel(), ["", " "], cache=tmp_path) == kernel()


def test_a_package_is_importable_and_its_command_found(tmp_path: Path) -> None:
    package = wheel(tmp_path, body="SAID = 'quack'\ndef main(): print('from the command')")

    python = ensure(kernel(), [package], cache=tmp_path / "cache")

    assert python.executable == kernel().executable
    assert run(python, python.executable, "-c", SAYS) == "quack"
    assert run(python, "sh", "-c", "quack") == "from the command"


def test_the_second_time_nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = wheel(tmp_path)
    first = ensure(kernel(), [package], cache=tmp_path / "cache")
    os.unlink(package)
    monkeypatch.setenv("PATH", "")

    second = ensure(kernel(), [package], cache=tmp_path / "cache")

    assert second.env["PYTHONPATH"] == first.env["PYTHONPATH"]
    assert run(second, second.executable, "-c", SAYS) == "quack"


def test_other_requirements_are_another_place(tmp_path: Path) -> None:
    places = {
        ensure(kernel(), [wheel(tmp_path, name)], cache=tmp_path / "cache").env["PYTHONPATH"]
        for name in ("quack", "moo")
    }

    assert len(places) == 2


def test_what_the_interpreter_has_is_not_installed_again(tmp_path: Path) -> None:
    assert ensure(kernel(), ["pip", "pytest>=1"], cache=tmp_path / "cache") == kernel()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("requirement", ["no-such-package-anywhere", "not a requirement!", "./missing.whl"])
def test_what_cannot_be_installed_is_one_sentence_and_leaves_nothing(tmp_path: Path, requirement: str) -> None:
    with pytest.raises(DependencyError, match="dependencies could not be installed: ") as refused:
        ensure(kernel(), [requirement], cache=tmp_path / "cache")

    assert "\n" not in str(refused.value)
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_an_interpreter_without_pip_gets_one_for_the_time_being(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    bare = Interpreter(str(tmp_path / "bare" / "bin" / "python"), tmp_path / "bare" / "bin")

    python = ensure(bare, [wheel(tmp_path)], cache=tmp_path / "cache")

    assert run(python, python.executable, "-c", SAYS) == "quack"
    assert not list((tmp_path / "bare" / "lib").rglob("pip"))


ENSURE = """
import sys
from pathlib import Path
from kestra_magic.stores.dependencies import ensure
from kestra_magic.stores.environments import kernel
print(ensure(kernel(), [sys.argv[1]], cache=Path(sys.argv[2])).env["PYTHONPATH"])
"""


def test_several_kernels_make_it_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENSURE, wheel(tmp_path), str(tmp_path / "cache")]
    kernels = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    places = {each.communicate()[0].strip() for each in kernels}

    assert [each.returncode for each in kernels] == [0, 0, 0]
    assert len(places) == 1
    assert (Path(places.pop()) / "quack.py").is_file()
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 1
