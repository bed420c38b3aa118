"""`python -m kestra_magic run|validate|schema`: real processes, their streams and exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.process.survivors import wait_until

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 120
FLOW = """id: counting
namespace: company.team
inputs:
  - {id: n, type: INT, defaults: 3}
  - {id: data, type: FILE, required: false}
tasks:
  - id: count
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    commands: ["seq 1 {{ inputs.n }}", "exit {{ inputs.n - 3 }}"]
"""
SLOW = """id: slow
namespace: company.team
tasks:
  - id: sleep
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    commands: ["sleep 300 & echo $!; wait"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "count.yaml").write_text(FLOW)
    (tmp_path / "flows" / "slow.yaml").write_text(SLOW)
    return tmp_path


def shell(folder: Path, *words: str, **options: Any) -> Any:
    homes = {f"XDG_{name}_HOME": str(folder / name) for name in ("DATA", "CACHE", "STATE")}
    command = [sys.executable, "-m", "kestra_magic", *words]
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **homes},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ended(process: Any) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out, err


def test_a_terminal_without_a_letter_shows_its_number(folder: Path) -> None:
    (folder / "said.yaml").write_text(
        "- {id: t, type: io.kestra.plugin.core.log.Log, message: '\u00fc \U0001f600'}", "utf-8"
    )
    command = [sys.executable, "-m", "kestra_magic", "run", "said.yaml"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "XDG_DATA_HOME": str(folder / "DATA")},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )

    assert done.returncode == 0, done.stderr
    assert "t | \\xfc \\U0001f600" in done.stdout


def test_a_flow_that_ends_well_is_0(folder: Path) -> None:
    status, out, err = ended(shell(folder, "run", "flows/count.yaml"))

    assert (status, out) == (0, "count | 1\ncount | 2\ncount | 3\n")
    assert "counting ended as SUCCESS" in err


def test_a_flow_that_fails_is_1(folder: Path) -> None:
    status, out, err = ended(shell(folder, "run", "flows/count.yaml", "-i", "n=5"))

    assert (status, out.splitlines()[-1]) == (1, "count | 5")
    assert "counting ended as FAILED" in err
    assert "Command failed with exit code 2" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "flows/count.yaml", "-i", "n=x"], "Invalid value for input `n`"),
        (["run", "flows/cuont.yaml"], "did you mean `count.yaml`?"),
        (["run", "flows/broken.yaml"], "broken.yaml, line 3: "),
    ],
)
def test_what_cannot_start_is_2_and_one_sentence(folder: Path, words: list[str], said: str) -> None:
    (folder / "flows" / "broken.yaml").write_text("id: x\nnamespace: a.b\ntask: []\n")
    status, out, err = ended(shell(folder, *words))

    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_a_folder_that_was_removed_is_one_sentence(folder: Path) -> None:
    gone = folder / "gone"
    gone.mkdir()
    command = f"rmdir {gone}; exec {sys.executable} -m kestra_magic run x.yaml"
    done = subprocess.run(["sh", "-c", command], cwd=gone, capture_output=True, text=True, timeout=LIMIT, check=False)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "was removed" in done.stderr


def test_a_part_of_a_flow_runs(folder: Path) -> None:
    other = "  - {id: two, type: io.kestra.plugin.core.log.Log, message: second}\n"
    (folder / "flows" / "count.yaml").write_text(FLOW + other)

    assert "second" not in ended(shell(folder, "run", "flows/count.yaml", "--until", "count"))[1]
    assert ended(shell(folder, "run", "flows/count.yaml", "--from", "two"))[:2] == (
        0,
        "INFO  outputs of the last execution are used again\nINFO  two | second\n",
    )


def test_an_interrupt_ends_everything(folder: Path) -> None:
    process = shell(folder, "run", "flows/slow.yaml")
    child = int(process.stdout.readline().removeprefix("sleep | "))
    process.send_signal(signal.SIGINT)
    status, _, err = ended(process)

    assert status == 1
    assert "slow ended as KILLED" in err
    assert "Traceback" not in err
    assert wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_validation_tells_every_problem_with_its_line(folder: Path) -> None:
    (folder / "flows" / "broken.yaml").write_text(
        FLOW.replace("commands:", "comands:").replace("type: INT", "type: INTE")
    )
    status, out, err = ended(shell(folder, "validate", "flows/count.yaml", "flows/broken.yaml"))

    assert (status, out) == (1, "valid: `counting` in `company.team`, 2 inputs, 1 task\n")
    assert "flows/broken.yaml, line 4: " in err
    assert "flows/broken.yaml, line 10: " in err


def test_the_schema_is_json(folder: Path) -> None:
    status, out, _ = ended(shell(folder, "schema"))

    assert status == 0
    assert "io.kestra.plugin.scripts.shell.Commands" in json.loads(out)["$defs"]
