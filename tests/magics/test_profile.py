from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kestra_magic.magics.profile import config_file, disable, enable

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def in_a_shell(cell: str, folder: Path) -> str:
    code = (
        "import sys; from IPython.terminal.ipapp import TerminalIPythonApp as A; app = A.instance();"
        "app.initialize(['--no-banner', '-c', 'pass']);"
        "print('kestra_magic' in sys.modules);"
        f"app.shell.run_cell({cell!r})"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120).stdout


def test_an_enabled_profile_knows_the_magics_without_importing_them(tmp_path: Path) -> None:
    assert "enabled" in enable()

    assert in_a_shell("%%kestra_process x\necho hi", tmp_path).splitlines()[:2] == ["False", "hi"]


def test_a_disabled_profile_does_not(tmp_path: Path) -> None:
    enable()
    assert "no longer" in disable()

    assert "hi" not in in_a_shell("%%kestra_process x\necho hi", tmp_path).splitlines()
    assert not config_file("default").exists()


def test_what_else_stands_in_the_file_stays() -> None:
    file = config_file("default")
    file.parent.mkdir(parents=True)
    file.write_text("c = get_config()\nc.X.y = 1\n")
    enable()
    enable()
    assert file.read_text().count(">>> kestra_magic >>>") == 1
    disable()

    assert file.read_text() == "c = get_config()\nc.X.y = 1\n"


@pytest.mark.parametrize("verb", ["enable", "disable", "doctor"])
def test_the_shell_has_the_verbs_too(verb: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kestra_magic", verb], capture_output=True, text=True, timeout=120, check=True
    )

    assert done.stdout.strip()


def test_the_doctor_says_what_it_finds() -> None:
    from kestra_magic.magics.doctor import report

    said = report()
    for word in ("Python", sys.executable, "ipykernel", "/bin/sh", "Supervision", "julia", "kernels", "kestra-runs"):
        assert word in said
    assert "unquoted" not in said


def test_the_doctor_says_why_work_lies_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kestra_magic.magics.doctor import report

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a folder"))

    assert "unquoted" in report()
