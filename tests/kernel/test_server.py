"""Cells that run on a Kestra server: followed, killed, left alone and found again; what is wrong is one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kernel.driver import Kernel
from tests.process.survivors import wait_until
from tests.runners.kestra_double import USER, Double, LocalBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

ME = {"KESTRA_USERNAME": USER[0], "KESTRA_PASSWORD": USER[1]}
SHELL = "io.kestra.plugin.scripts.shell.Commands"
PROCESS = "taskRunner: {type: io.kestra.plugin.core.runner.Process}"


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    made = Double(LocalBackend(tmp_path_factory.mktemp("there")))
    yield made
    made.stop()


def kernel_of(folder: Path, url: str, **more: str) -> Kernel:
    made = Kernel(folder / "notebook", folder / "home", KESTRA_URL=url, **{**ME, **more})
    assert made.run("%load_ext kestra_magic").status == "ok"
    return made


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory, double: Double) -> Iterator[Kernel]:
    made = kernel_of(tmp_path_factory.mktemp("kernel"), double.url)
    yield made
    made.close()


def flow(name: str, *commands: str, more: str = "") -> str:
    said = ", ".join(f"'{command}'" for command in commands)
    return (
        f"id: {name}\nnamespace: company.team\ntasks:\n"
        f"  - {{id: t, type: {SHELL}, {PROCESS}, commands: [{said}]{more}}}\n"
    )


def cell(name: str, *commands: str, options: str = "", more: str = "") -> str:
    return f"%%kestra_flow --server {options}\n{flow(name, *commands, more=more)}"


def test_a_flow_cell_runs_there(kernel: Kernel, double: Double) -> None:
    reply = kernel.run(cell("first", "echo hello", "printf data > a.txt", more=", outputFiles: [a.txt]"))

    assert reply.status == "ok", reply.traceback
    assert f"Open in Kestra: {double.url}/ui/main/executions/company.team/first/" in reply.text()
    assert "hello\n" in reply.text()
    assert (
        kernel.run("print(first.state, first.exit_code, first.files['a.txt'].read_text())").text() == "SUCCESS 0 data\n"
    )
    assert double.backend.execution(kernel.value("first.id").strip("'"))


def test_a_process_cell_runs_there(kernel: Kernel, double: Double) -> None:
    kernel.run("lr = 0.5")
    reply = kernel.run("%%kestra_process second --server -i lr\necho {{ inputs.lr }}\n")

    assert reply.status == "ok", reply.traceback
    assert "0.5\n" in reply.text()
    assert [key for key in double.sources if key[1] == "second"]


def test_a_failure_there_is_one_sentence_here(kernel: Kernel) -> None:
    reply = kernel.run(cell("failing", "exit 3"))

    assert (reply.status, reply.error) == ("error", "Command failed with exit code 3")
    assert "File " not in reply.traceback


def test_an_interrupt_kills_it_there(kernel: Kernel, double: Double) -> None:
    message = kernel.start(cell("slow", "echo up", "sleep 300"))
    kernel.finish(message, until=lambda reply: "up\n" in reply.text())
    kernel.interrupt()
    reply = kernel.finish(message)

    assert reply.status == "error"
    assert kernel.run("print(slow.state, slow.exit_code)").text() == "KILLED None\n"
    assert state(double, kernel.value("slow.id")) == "KILLED"


def state(double: Double, id: str) -> str:  # noqa: A002 - Kestra's word
    found = double.backend.execution(id.strip("'"))
    assert found
    return str(found["state"]["current"])


def test_what_was_left_alone_is_followed_from_another_kernel(kernel: Kernel, double: Double, tmp_path: Path) -> None:
    go = tmp_path / "go"
    reply = kernel.run(
        cell("left", "echo up", f"until [ -e {go} ]; do sleep 0.05; done", "echo end", options="--detach")
    )
    assert reply.status == "ok", reply.traceback
    execution = reply.text().partition("%kestra attach ")[2].partition("`")[0]

    other = kernel_of(tmp_path, double.url)
    try:
        message = other.start(f"%kestra attach {execution}")
        other.until(message, lambda reply: "up\n" in reply.text())
        go.touch()
        reply = other.until(message, lambda reply: "end\n" in reply.text())
        assert reply.text().count("up\n") == reply.text().count("end\n") == 1
        assert other.run("print(left.wait(60).state)").text() == "SUCCESS\n"
    finally:
        other.close()


def test_a_pause_there_gives_the_notebook_back(kernel: Kernel) -> None:
    reply = kernel.run(
        "%%kestra_flow --server\nid: asks\nnamespace: company.team\ntasks:\n"
        "  - {id: wait, type: io.kestra.plugin.core.flow.Pause}\n"
        "  - {id: on, type: io.kestra.plugin.core.log.Log, message: on}\n"
    )

    assert reply.status == "ok", reply.traceback
    assert "`asks.resume()` goes on" in reply.text()
    assert kernel.run("print(asks.state); asks.resume().wait(60); print(asks.state)").text() == "PAUSED\nSUCCESS\n"


# Deploying


def test_a_flow_is_sent_without_running(kernel: Kernel, double: Double, tmp_path: Path) -> None:
    reply = kernel.run(f"%%kestra deploy\n{flow('sent', 'echo hi')}")
    assert reply.text() == "company.team.sent is sent as revision 1\n"
    reply = kernel.run(f"%%kestra deploy\n{flow('sent', 'echo hi')}")
    assert reply.text() == "company.team.sent is there already as revision 1\n"

    (tmp_path / "sent.yaml").write_text(flow("sent", "echo other"))
    assert kernel.run(f"%kestra deploy {tmp_path / 'sent.yaml'}").text() == "company.team.sent is sent as revision 2\n"
    assert "echo other" in double.sources["company.team", "sent"][1]


def test_a_foreign_revision_is_shown_and_not_overwritten(kernel: Kernel, double: Double) -> None:
    double.sources["company.team", "theirs"] = (4, flow("theirs", "echo theirs"))
    double.backend.flow(flow("theirs", "echo theirs"))

    reply = kernel.run(cell("theirs", "echo mine"))
    assert reply.status == "error"
    said, *diff = reply.error.splitlines()
    assert said.endswith("is at revision 4, which was not written from here: `--force` overwrites it")
    assert [line[0] for line in diff if "echo" in line] == ["-", "+"]
    assert "File " not in reply.traceback

    reply = kernel.run(cell("theirs", "echo mine", options="--force"))
    assert "mine\n" in reply.text()
    assert double.sources["company.team", "theirs"][0] == 5


# What is wrong: one sentence each


def test_what_the_server_finds_wrong_stands_at_the_cells_line(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_flow --server\nid: a\nnamespace: b\ntasks: []\n")

    assert reply.error == "line 4: the server says: tasks: must not be empty"


def test_a_worker_group_is_refused_at_its_line(kernel: Kernel) -> None:
    reply = kernel.run(cell("grouped", "echo", more=",\n    workerGroup: {key: gpu}"))

    assert reply.error.startswith("line 6: Kestra 1.3.19 (open source) has no worker groups: remove `workerGroup`")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("%kestra server http://127.0.0.1:9", "there is no server at http://127.0.0.1:9: Connection refused"),
        ("%kestra server kestra:8080", "`kestra:8080` is no server's address: it begins with `http://` or `https://`"),
        ("%kestra server --tenant other", "(tenant other) refuses (404): Unknown tenant other"),
        ("%kestra attach 4711", " has no execution `4711`, and no run `4711` is known here"),
        ("%kestra deploy nothing", "no run `nothing` is known here"),
        (cell("part", "echo", options="--only t"), "`--only` is of this machine: a server runs the whole flow"),
        (cell("part", "echo", options="--form"), "`--form` is of this machine"),
        (cell("late", "echo {{ inputs.n }}") + "inputs: [{id: n, type: INT}]\n", "Invalid entity: "),
    ],
)
def test_a_slip_is_one_sentence(kernel: Kernel, code: str, said: str) -> None:
    reply = kernel.run(code)

    assert reply.status == "error"
    assert said in reply.error
    assert len(reply.error.splitlines()) == 1
    assert "/api/v1" not in reply.error
    assert "File " not in reply.traceback


def test_a_wrong_password_is_one_sentence(double: Double, tmp_path: Path) -> None:
    other = kernel_of(tmp_path, double.url, KESTRA_PASSWORD="Wrong1234")
    try:
        reply = other.run(cell("never", "echo never"))
    finally:
        other.close()

    assert reply.error.startswith(f"{double.url} does not take these credentials: set KESTRA_USERNAME")
    assert "Wrong1234" not in reply.traceback


def test_a_version_that_is_not_spoken_is_one_sentence(
    kernel: Kernel, double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(double, "version", "3.0.0")

    assert (
        kernel.run(cell("never", "echo")).error == f"{double.url} runs Kestra 3.0.0: only 1.x and 2.x are spoken here"
    )


def test_a_server_that_restarts_meanwhile_is_waited_for(kernel: Kernel, tmp_path: Path) -> None:
    own = Double(LocalBackend(tmp_path / "own"), dialect=2)
    go = tmp_path / "go"
    assert kernel.run(f"%kestra server {own.url}").text() == f"{own.url}: Kestra 2.0.3 (OSS)\n"
    message = kernel.start(cell("patient", "echo up", f"until [ -e {go} ]; do sleep 0.05; done", "echo end"))
    kernel.finish(message, until=lambda reply: "up\n" in reply.text())
    own.stop()
    kernel.finish(message, until=lambda reply: "waiting for it" in str(reply.messages))
    go.touch()
    again = own.again()
    reply = kernel.finish(message)
    again.stop()

    assert reply.status == "ok", reply.traceback
    assert kernel.run("print(patient.stdout)").text() == "up\nend\n\n"
    assert wait_until(lambda: all(run.ended for run in own.backend.runs.values()))  # type: ignore[attr-defined]
