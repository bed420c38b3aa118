"""The same flow on a Kestra server: one handle, both dialects, every fault one sentence or none at all."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from kestra_magic import settings
from kestra_magic.errors import KestraMagicError
from kestra_magic.model.source import Source
from kestra_magic.runners.kestra.client import Address, Credentials, base_url, connect
from kestra_magic.runners.kestra.follow import Lines
from kestra_magic.runners.kestra.follow import Source as Telling
from kestra_magic.runs.progress import State
from kestra_magic.runs.request import Request
from kestra_magic.runs.server.send import Server, cell_to_send, flow_to_send
from kestra_magic.runs.session import Session
from tests.runners.kestra_double import USER, Double, LocalBackend
from tests.runners.routes import FIELDS, Asked, problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kestra_magic.runs.server.run import ServerRun

FLOW = """\
id: there
namespace: company.team
inputs:
  - {id: n, type: INT, defaults: 3}
tasks:
  - id: shell
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    outputFiles: ["*.txt"]
    commands:
      - for i in $(seq {{ inputs.n }}); do echo "line $i"; done
      - echo oh >&2
      - 'echo ''::{"outputs": {"rows": 3}, "metrics": [{"name": "rows", "type": "counter", "value": 4}]}::'''
      - printf data > a.txt
"""
LONG = FLOW.replace(
    "- printf data > a.txt", "- printf data > a.txt\n      - while [ ! -e {go} ]; do sleep 0.05; done; echo end"
)


@pytest.fixture(autouse=True)
def _me(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    before = settings.current()
    settings.update(runs_dir=str(tmp_path / "runs"))
    monkeypatch.delenv("KESTRA_API_TOKEN", raising=False)
    monkeypatch.setenv("KESTRA_USERNAME", USER[0])
    monkeypatch.setenv("KESTRA_PASSWORD", USER[1])
    yield
    settings.update(runs_dir=before.runs_dir)


@pytest.fixture(params=[1, 2], ids=["1.x", "2.0"])
def double(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Double]:
    """A server; whatever a test asked of it, a real one would have understood."""
    made = Double(LocalBackend(tmp_path / "there"), dialect=request.param)
    yield made
    made.stop()
    others = [asked for asked in made.asked if asked.path == "/configs" or asked.path.startswith("/main/")]
    assert not [said for asked in others if (said := problem(asked, made.dialect))]


@pytest.fixture
def here(tmp_path: Path) -> Session:
    (tmp_path / "here").mkdir()
    return Session(tmp_path / "here")


@pytest.fixture
def server(double: Double, here: Session) -> Server:
    return Server.connect(here, double.url)


Run = "Callable[..., ServerRun]"


def begin(server: Server, text: str, inputs: dict[str, Any] | None = None, **how: Any) -> ServerRun:
    what = flow_to_send(Source(text, first_line=2), {"inputs": inputs or {}}, {}, name="", beside=server.session.beside)
    return server.run(what, **how)


def run(server: Server, text: str, inputs: dict[str, Any] | None = None, **how: Any) -> ServerRun:
    return begin(server, text, inputs, **how).start().wait(60)


# The handle


def test_a_run_there_is_a_run_as_here(server: Server) -> None:
    there = run(server, FLOW)

    assert (there.state, there.exit_code, there.vars) == (State.SUCCESS, 0, {"rows": 3})
    assert (there.stdout, there.stderr) == ("line 1\nline 2\nline 3\n", "oh\n")
    assert there.files["a.txt"].read_text() == "data"
    assert there.metrics["rows"].sum == 4
    assert there.outputs["shell"]["exitCode"] == 0
    assert (there.result.task_id, there.attempts, there.progress.task.attempt.stdout_lines) == ("shell", 1, 3)


def test_its_files_stay_when_the_server_has_gone(server: Server, double: Double) -> None:
    there = run(server, FLOW)
    double.stop()

    assert there.files["a.txt"].path.read_bytes() == b"data"
    assert there.folder in there.files["a.txt"].path.parents


def test_a_failed_run_says_the_same_as_here(server: Server, here: Session) -> None:
    text = FLOW.replace("- printf data > a.txt", "- exit 3")
    there, local = run(server, text), here.flow(Source(text), {"inputs": {}}, beside=here.beside, name="local")
    local.start().wait(60)

    assert (there.state, there.exit_code, there.error) == (local.state, local.exit_code, local.error)


def test_inputs_and_files_go_along(server: Server) -> None:
    text = """\
id: files
namespace: company.team
inputs:
  - {id: data, type: FILE}
  - {id: who, type: STRING}
tasks:
  - id: cat
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    inputFiles: {d.csv: "{{ inputs.data }}"}
    commands: ["cat d.csv", "echo {{ inputs.who }}"]
"""
    (server.session.beside / "own.csv").write_text("1,2\n")

    assert run(server, text, {"data": "own.csv", "who": "Ada"}).stdout == "1,2\nAda\n"


def test_a_process_cell_is_a_flow_of_one_task(server: Server, here: Session) -> None:
    (here.beside / "d.csv").write_text("x\n")
    source = Source(
        '#| outputFiles: ["out.txt"]\ncat d.csv > out.txt; echo {{ inputs.lr }} {{ inputs.n }}\n', first_line=2
    )
    options = {"file": ["d.csv"], "input": ["lr"]}
    request = Request(source=source, name="train", options=options, notebook={"lr": 0.5, "n": 7}, beside=here.beside)

    there = server.run(cell_to_send(here, request)).start().wait(60)

    assert (there.name, there.state, there.stdout) == ("train", State.SUCCESS, "0.5 7\n")
    assert there.files["out.txt"].read_text() == "x\n"


def test_what_only_a_notebook_can_do_is_told_before(server: Server, here: Session) -> None:
    source = Source("echo {{ lr }}\n", first_line=2)
    request = Request(source=source, options={"here": True}, notebook={"lr": 1}, beside=here.beside)

    with pytest.raises(KestraMagicError) as told:
        server.run(cell_to_send(here, request))

    assert "`--here` is of this machine" in str(told.value)
    assert "line 2: `lr` is the notebook's variable: on a server write `{{ inputs.lr }}`" in str(told.value)


def test_an_execution_is_found_again(server: Server, here: Session, double: Double) -> None:
    first = run(server, FLOW)
    other = Server.connect(here, double.url).attach(first.id).start().wait(60)

    assert (other.id, other.stdout, other.state) == (first.id, first.stdout, State.SUCCESS)
    assert other.link == f"{double.url}/ui/main/executions/company.team/there/{first.id}"


def test_stop_kills_it_there(server: Server, double: Double, tmp_path: Path) -> None:
    there = begin(server, LONG.replace("{go}", str(tmp_path / "never")))
    seat = there.context.broadcast.sit()
    there.start()
    for told in seat:
        if told and "Output" in type(told[1]).__name__:
            break
    there.stop(reason="interrupt")
    there.wait(60)

    assert (there.state, there.error) == (State.KILLED, "killed (interrupt)")
    with pytest.raises(KeyboardInterrupt):
        there.check()
    assert double.backend.execution(there.id)["state"]["current"] == "KILLED"  # type: ignore[index]


def test_of_what_it_killed_a_server_tells_no_exit_code(server: Server, double: Double, tmp_path: Path) -> None:
    there = begin(server, LONG.replace("{go}", str(tmp_path / "never")))
    seat = there.context.broadcast.sit()
    there.start()
    next(told for told in seat if told and getattr(told[1], "stream", "") == "stderr")
    double.backend.kill(there.id)
    there.wait(60)

    assert (there.state, there.exit_code) == (State.KILLED, None)


PAUSED = """\
id: asks
namespace: company.team
outputs: [{id: said, type: STRING, value: "{{ outputs.wait.onResume.word }}"}]
tasks:
  - id: wait
    type: io.kestra.plugin.core.flow.Pause
    onResume: [{id: word, type: STRING}]
  - {id: on, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.wait.onResume.word }}"}
"""


def test_what_is_paused_there_goes_on_from_here(server: Server) -> None:
    there = begin(server, PAUSED)
    seat = there.context.broadcast.sit()
    there.start().wait()
    assert there.state is State.PAUSED
    assert "`asks.resume()` goes on" in "".join(
        getattr(told[1], "message", "") for told in [seat.queue.get_nowait() for _ in range(seat.queue.qsize())] if told
    )

    with pytest.raises(KestraMagicError, match=r"refuses \(422\): Invalid entity: .*word"):
        there.resume()
    there.resume(word="go").wait()

    assert there.state is State.SUCCESS
    assert there.flow_outputs == {"said": "go"}
    with pytest.raises(KestraMagicError, match=r"^nothing is paused$"):
        there.resume()


def test_what_the_double_tells_is_what_a_server_tells(server: Server, double: Double) -> None:
    there = run(server, FLOW)
    execution = server.client.json("GET", f"/executions/{there.id}")
    fields = FIELDS[double.dialect]

    assert execution.keys() <= set(fields["execution"].split())
    assert all(each.keys() <= set(fields["task run"].split()) for each in execution["taskRunList"])


def test_what_a_server_would_not_understand_is_seen() -> None:
    kill, upload = Asked("DELETE", "/main/executions/x/kill"), ("POST", "/main/flows/validate", ())

    assert (problem(kill, 1), problem(kill, 2)) == (
        "",
        "DELETE /main/executions/x/kill: there is no such route in 2.x",
    )
    assert problem(Asked("GET", "/main/logs/x", ("filters",)), 1).endswith("attempt, not ('filters',)")
    assert problem(Asked(*upload, "application/json"), 2) == "/main/flows/validate takes no application/json"


# Deploying


def test_a_whole_flow_goes_out_byte_for_byte(server: Server, double: Double) -> None:
    text = FLOW + "# a comment stays\n"
    run(server, text)

    assert double.sources["company.team", "there"] == (1, text)


def test_the_same_flow_is_not_sent_twice(server: Server, double: Double) -> None:
    run(server, FLOW)
    run(server, FLOW)

    assert double.sources["company.team", "there"][0] == 1


def test_what_was_not_written_from_here_is_not_overwritten(server: Server, double: Double) -> None:
    run(server, FLOW)
    foreign = FLOW.replace("echo oh", "echo theirs")
    double.sources["company.team", "there"] = (2, foreign)
    double.backend.flow(foreign)
    mine = FLOW.replace("echo oh", "echo mine")

    with pytest.raises(
        KestraMagicError, match=r"revision 2, which was not written from here: `--force`(?s:.*)-.*theirs"
    ) as told:
        run(server, mine)
    assert "+      - echo mine >&2" in str(told.value)
    assert run(server, mine, force=True).stderr == "mine\n"
    assert double.sources["company.team", "there"] == (3, mine)


def test_what_was_written_from_here_is_updated(server: Server, double: Double) -> None:
    run(server, FLOW)
    there = run(server, FLOW.replace("echo oh", "echo new"))

    assert (there.stderr, double.sources["company.team", "there"][0]) == ("new\n", 2)


def test_changed_namespace_files_are_sent(server: Server, double: Double) -> None:
    text = FLOW.replace("    commands:\n", "    namespaceFiles: {enabled: true}\n    commands:\n")
    files = server.session.beside / "_files"
    (files / "sub").mkdir(parents=True)
    (files / "sub/a.py").write_text("1")
    what = flow_to_send(Source(text), {}, {}, name="", beside=server.session.beside)

    server.deploy(what)
    assert double.namespace_files == {("company.team", "/sub/a.py"): b"1"}

    (files / "sub/a.py").write_text("2")
    server.deploy(what)
    assert double.namespace_files["company.team", "/sub/a.py"] == b"2"

    double.namespace_files["company.team", "/sub/a.py"] = b"theirs"
    (files / "sub/a.py").write_text("3")
    with pytest.raises(KestraMagicError, match=r"`sub/a.py` in namespace `company.team` was not written from here"):
        server.deploy(what)


def test_what_the_server_finds_wrong_stands_at_its_line(server: Server) -> None:
    with pytest.raises(KestraMagicError, match=r"^line 4: the server says: tasks: must not be empty"):
        run(server, "id: a\nnamespace: b\ntasks: []\n")


def test_worker_groups_are_refused_before_an_open_source_server_is_asked(server: Server, double: Double) -> None:
    text = FLOW.replace("    outputFiles", "    workerGroup: {key: gpu}\n    outputFiles")

    with pytest.raises(KestraMagicError, match=r"^line 10: Kestra .* has no worker groups"):
        run(server, text)
    assert not [asked for asked in double.asked if "flows/validate" in asked.path]


def test_a_missing_input_is_told_in_the_servers_words(server: Server) -> None:
    text = FLOW.replace(", defaults: 3", "")

    with pytest.raises(KestraMagicError, match=r"refuses \(422\): Invalid entity: .*`?n`?"):
        run(server, text)


# Faults


def test_no_such_server(here: Session) -> None:
    with pytest.raises(KestraMagicError, match=r"^there is no server at http://127.0.0.1:9: Connection refused$"):
        Server.connect(here, "http://127.0.0.1:9")


def test_no_address(here: Session) -> None:
    with pytest.raises(KestraMagicError, match=r"^`kestra:8080` is no server's address"):
        Server.connect(here, "kestra:8080")


def test_a_wrong_password(double: Double) -> None:
    with pytest.raises(KestraMagicError, match=r"does not take these credentials: set KESTRA_USERNAME") as told:
        connect(Address(double.url), Credentials(USER[0], "Wrong1234"))
    assert "Wrong1234" not in str(told.value)


def test_a_token_is_enough(double: Double) -> None:
    assert connect(Address(double.url), Credentials(token="token")).dialect == double.dialect


@pytest.mark.parametrize("version", ["0.23.4", "3.0.0", "develop"])
def test_an_unknown_version(double: Double, version: str) -> None:
    double.version = version
    with pytest.raises(KestraMagicError, match=rf"runs Kestra {version}: only 1.x and 2.x are spoken here"):
        connect(Address(double.url), Credentials(*USER))


def test_an_unknown_tenant(double: Double) -> None:
    with pytest.raises(KestraMagicError, match=r"\(tenant other\) refuses \(404\): Unknown tenant other"):
        connect(Address(double.url, "other"), Credentials(*USER))


def test_an_unknown_execution(server: Server) -> None:
    with pytest.raises(KestraMagicError, match=r"refuses \(404\)"):
        server.attach("nope")


@pytest.mark.parametrize("fault", ["lossy", "doubled", "cut", "lag"])
def test_no_line_is_lost_or_doubled(server: Server, double: Double, fault: str) -> None:
    double.lossy, double.doubled = fault == "lossy", fault == "doubled"
    double.cut_after = 7 if fault == "cut" else None
    double.lag = 1.0 if fault == "lag" else 0.0
    same = FLOW.replace(
        "  - echo oh >&2", "  - yes same | head -n 40; sleep 0.3; yes same | head -n 40\n      - echo oh >&2"
    )

    there = run(server, same, {"n": 200})

    assert there.stdout.splitlines() == [*(f"line {n}" for n in range(1, 201)), *["same"] * 80]
    assert there.stderr == "oh\n"


def test_a_server_that_restarts_during_a_run_is_waited_for(server: Server, double: Double, tmp_path: Path) -> None:
    there = begin(server, LONG.replace("{go}", str(tmp_path / "go")))
    seat = there.context.broadcast.sit()
    there.start()
    heard = (told[1] for told in seat if told)
    next(event for event in heard if getattr(event, "stream", "") == "stderr")
    double.stop()
    said = next(event for event in heard if "there is no server" in getattr(event, "message", ""))
    (tmp_path / "go").touch()
    again = double.again()
    there.wait(60)
    again.stop()

    assert said.message.endswith(": waiting for it")  # type: ignore[union-attr]
    assert (there.state, there.stdout) == (State.SUCCESS, "line 1\nline 2\nline 3\nend\n")


def test_a_second_interrupt_leaves_a_server_that_is_away(server: Server, double: Double, tmp_path: Path) -> None:
    there = begin(server, LONG.replace("{go}", str(tmp_path / "go")))
    seat = there.context.broadcast.sit()
    there.start()
    next(told for told in seat if told and getattr(told[1], "stream", "") == "stderr")
    double.stop()
    there.stop(reason="interrupt")
    there.stop(reason="interrupt", grace=0)
    there.wait(60)
    (tmp_path / "go").touch()

    assert there.error == f"no longer followed; it may go on there: `%kestra attach {there.id}`"


def test_a_line_is_told_as_often_as_one_source_has_it() -> None:
    lines = Lines()

    def entries(*texts: str, first: int = 0) -> list[str]:
        source = Telling(lines, stream=True)
        given = [{"message": text, "timestamp": f"{n + first:026}"} for n, text in enumerate(texts)]
        return [str(entry["message"]) for entry in given if source.is_new(entry)]

    assert entries("a", "a", "b") == ["a", "a", "b"]
    assert entries("a", "a", "a", "b", first=9) == ["a"]
    assert entries("b", "a") == []


def test_a_stream_that_tells_an_entry_twice_tells_it_once() -> None:
    stream = Telling(Lines(), stream=True)
    stored = {"message": "a", "timestamp": "2026-11-25T18:30:48.449367Z"}
    queued = {"message": "a", "timestamp": "2026-11-25T18:30:48.449367363Z"}

    assert [stream.is_new(stored), stream.is_new(queued)] == [True, False]


def test_an_interrupt_while_following_kills_it_there(server: Server, tmp_path: Path) -> None:
    there = begin(server, LONG.replace("{go}", str(tmp_path / "never")))

    def show(_progress: object, event: object) -> None:
        if getattr(event, "stream", "") == "stderr":
            os.kill(os.getpid(), signal.SIGINT)

    assert threading.current_thread() is threading.main_thread()
    there.follow(show, start=True)

    assert there.state is State.KILLED
    with pytest.raises(KeyboardInterrupt):
        there.check()


@pytest.mark.parametrize("typed", ["http://a:8080", "http://a:8080/", "http://a:8080/api/v1", "http://a:8080/api/v1/"])
def test_the_path_of_the_api_is_no_part_of_the_address(typed: str) -> None:
    assert base_url(typed) == "http://a:8080"
