"""Kernels that die, and what the next one makes of it; runs that outlive their kernel on purpose."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
from typing import TYPE_CHECKING

import psutil
import pytest

from kestra_magic.process import system
from kestra_magic.process.recorder import read_status
from tests.kernel.driver import Kernel
from tests.kernel.test_background import after
from tests.process.survivors import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kernel.driver import Reply

    Begin = Callable[..., Kernel]
    Left = Callable[..., int]

UP = "echo $$ up"


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start kernels in one folder with one home, one after the other."""
    begun: list[Kernel] = []

    def start(**more: str) -> Kernel:
        begun.append(Kernel(tmp_path / "notebook", tmp_path / "home", **more))
        return begun[-1]

    yield start
    for kernel in begun:
        if kernel.manager.is_alive():
            kernel.run("%kestra stop --all")
            kernel.close()


def up(kernel: Kernel, code: str) -> int:
    """Start a background cell, and return the process that says it is up."""
    return int(kernel.heard[begun(kernel, code)].text().partition(" up\n")[0].split()[-1])


def begun(kernel: Kernel, code: str) -> str:
    """Run a cell, and return it when something says in it that it is up, also after its end."""
    cell = kernel.start(code)
    kernel.finish(cell)
    kernel.until(cell, lambda reply: " up\n" in reply.text())
    return cell


@pytest.fixture
def left(begin: Begin) -> Left:
    """Start a background cell, kill its kernel when it is up, and return the process that says so."""

    def left(code: str, *, before: str = "", **more: str) -> int:
        kernel = begin(**more)
        load(kernel)
        kernel.run(before)
        pid = up(kernel, code)
        kernel.kill()
        return pid

    return left


def lives(pid: int) -> bool:
    process = system.stat(pid)
    return process is not None and process.lives


def gone(pid: int) -> bool:
    return wait_until(lambda: not lives(pid))


def listed(kernel: Kernel, rest: str = "") -> str:
    return str(kernel.run(f"%kestra runs {rest}").of("execute_result")[0]["data"]["text/plain"])


def load(kernel: Kernel) -> Reply:
    reply = kernel.run("%load_ext kestra_magic")
    assert reply.status == "ok", reply.traceback
    return reply


def test_nothing_is_told_where_nothing_was_left(begin: Begin) -> None:
    first = begin()
    load(first)
    first.run("%%kestra_process done\n#| outputFiles: [made.txt]\necho hi | tee made.txt")
    first.kill()
    second = begin()

    assert load(second).text() == ""
    assert "SUCCESS" in listed(second, "--all")
    second.run("%kestra attach done")
    assert second.value("(done.stdout, done.files['made.txt'].read_text())") == repr(("hi\n", "hi\n"))


def test_what_ended_and_was_removed_by_the_next_cell_is_no_loss(begin: Begin) -> None:
    first = begin()
    load(first)
    first.start("%%kestra_process done\necho hi")
    first.start("import os, shutil; shutil.rmtree(done.folder); os.kill(os.getpid(), 9)")
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
    first.kill()
    second = begin()

    assert load(second).text() == ""
    assert "SUCCESS" in listed(second, "--all")


def test_what_a_killed_kernel_left_is_told_in_one_line_and_marked(left: Left, begin: Begin) -> None:
    pid = left(f"%%kestra_process train --bg\n{UP}; sleep 300")
    second = begin()

    assert load(second).text() == "left by a kernel that ended: `train` did not finish (FAILED)\n"
    assert gone(pid)
    assert load_again(second) == ""
    rows = listed(second, "--all")
    assert "train-1" in rows
    assert "FAILED" in rows
    second.run("%kestra attach train")
    assert second.value("(train.state.value, train.error, train.stdout)") == repr(
        ("FAILED", "its kernel ended before it did", f"{pid} up\n")
    )
    assert second.value("__import__('os').listdir(__import__('pathlib').Path(train.context.runner.work))") == "[]"


def load_again(kernel: Kernel) -> str:
    kernel.run("%unload_ext kestra_magic")
    return load(kernel).text()


def test_of_two_kernels_exactly_one_deals_with_it(left: Left, begin: Begin) -> None:
    left(f"%%kestra_process one --bg\n{UP}; sleep 300")
    kernels = [begin(), begin()]
    cells = [kernel.start("%load_ext kestra_magic") for kernel in kernels]
    told = [kernel.finish(cell).text() for kernel, cell in zip(kernels, cells, strict=True)]

    assert sorted(told) == ["", "left by a kernel that ended: `one` did not finish (FAILED)\n"]


def test_what_asked_for_it_begins_again_from_the_beginning(left: Left, begin: Begin, tmp_path: Path) -> None:
    code = f"#| requeue: true\n#| outputFiles: [made.txt]\necho {{{{ lr }}}} {{{{ taskrun.attemptsCount }}}}; {UP}"
    left(f"%%kestra_process again --bg\n{code}; {after(tmp_path / 'go')}; echo x > made.txt", before="lr = 0.25")
    second = begin()
    cell = begun(second, "%load_ext kestra_magic")
    told = second.heard[cell]
    (tmp_path / "go").touch()

    assert told.text().startswith(
        "left by a kernel that ended: `again` begins again from the beginning (attempt 2 of 3)\n0.25 1\n"
    )
    assert "SUCCESS" in second.until(cell, lambda reply: "SUCCESS" in reply.plain).plain
    assert second.value("(again.wait().ok, __import__('os').listdir(again.context.runner.work))") == "(True, [])"
    assert second.value("(again.ok, again.attempts, list(again.files), again.folder.name)") == (
        "(True, 2, ['made.txt'], 'again-1')"
    )


def test_a_run_is_tried_three_times_at_most(begin: Begin) -> None:
    kernel = begin()
    load(kernel)
    up(kernel, f"%%kestra_process fated --bg\n#| requeue: true\n{UP}; sleep 300")
    for attempt in (2, 3):
        kernel.kill()
        kernel = begin()
        cell = begun(kernel, "%load_ext kestra_magic")
        assert f"(attempt {attempt} of 3)" in kernel.heard[cell].text()
    kernel.kill()
    kernel = begin()

    assert load(kernel).text() == (
        "left by a kernel that ended: `fated` did not finish (FAILED) and does not begin again: it was tried 3 times\n"
    )


def test_a_kernel_that_is_shut_down_leaves_what_asks_for_it_to_the_next(begin: Begin) -> None:
    first = begin()
    load(first)
    ended = up(first, f"%%kestra_process plain --bg\n{UP}; sleep 300")
    left = up(first, f"%%kestra_process asks --bg\n#| requeue: true\n{UP}; sleep 300")
    first.client.stop_channels()
    first.manager.shutdown_kernel()

    assert gone(ended)
    assert gone(left)
    second = begin()
    told = load(second).text()
    assert "`asks` begins again" in told
    assert "plain" not in told
    row = listed(second, "plain")
    assert "KILLED" in row


@pytest.mark.parametrize("now", [False, True], ids=["fault_10_restart", "fault_10_restart_now"])
def test_a_kernel_that_is_restarted_leaves_nothing(begin: Begin, now: bool) -> None:
    kernel = begin()
    load(kernel)
    pids = [up(kernel, f"%%kestra_process live{n} --bg\nsetsid sleep 300 & {UP}; sleep 300") for n in range(2)]
    everyone = [child for pid in pids for child in (pid, *system.children(pid))]
    assert len(everyone) >= 4  # two shells, and what has left the session of each
    kernel.manager.restart_kernel(now=now)
    kernel.client.wait_for_ready(timeout=60)

    assert all(map(gone, everyone))
    told = load(kernel).text()
    # Who was asked in time has still said so.
    ends = [listed(kernel, f"live{n}").splitlines()[1].split()[1] for n in range(2)]
    assert set(ends) <= {"KILLED", "FAILED"}
    assert told.count("did not finish (FAILED)") == ends.count("FAILED")


def test_secrets_are_fetched_anew_and_never_written(left: Left, begin: Begin, tmp_path: Path) -> None:
    secret = "s3cret-välue/+=="
    given = {"SECRET_TOKEN": base64.b64encode(secret.encode()).decode()}
    code = f"#| requeue: true\necho \"{{{{ secret('TOKEN') }}}}\" | wc -c; {UP}; sleep 300"
    left(f"%%kestra_process told --bg\n{code}", **given)
    second = begin(**given)
    again = second.heard[begun(second, "%load_ext kestra_magic")].text()
    second.kill()
    third = begin()
    told = load(third).text()

    assert f"{len(secret.encode()) + 1}\n" in again
    assert "`told` did not finish (FAILED) and does not begin again: Cannot find secret for key 'TOKEN'" in told
    for place, _, names in os.walk(tmp_path):
        for name in names:
            content = (tmp_path / place / name).read_bytes() if not name.endswith(".part") else b""
            assert secret.encode() not in content, f"{place}/{name}"


def test_what_only_the_dead_kernel_knew_is_said(left: Left, begin: Begin) -> None:
    left(
        f"%%kestra_process frames --bg -f in.csv=df\n#| requeue: true\n{UP}; sleep 300",
        before="import pandas; df = pandas.DataFrame({'a': [1]})",
    )

    assert load(begin()).text() == (
        "left by a kernel that ended: `frames` did not finish (FAILED) and does not begin again: "
        "`df` was only in the memory of its kernel\n"
    )


def test_a_detached_run_outlives_its_kernel_and_is_stopped_from_another(left: Left, begin: Begin) -> None:
    pid = left(f"%%kestra_process far --detach\n{UP}; sleep 300")
    second = begin()

    assert load(second).text() == ""
    assert lives(pid)
    rows = listed(second)
    assert "far-1" in rows
    assert "RUNNING" in rows
    assert "detached" in rows
    assert second.run("%kestra stop far").text() == "`far` ended: KILLED (stopped 2 processes)\n"
    assert gone(pid)


def test_a_detached_run_whose_guardian_is_gone_too_is_lost_and_never_running(left: Left, begin: Begin) -> None:
    """As after a power cut: whatever ran is dead, and nobody wrote how it ended."""
    pid = left(f"%%kestra_process far --detach -o a.txt\necho 1 > a.txt; {UP}; sleep 300")
    guardian = psutil.Process(pid).parent()
    assert wait_until(lambda: guardian.parent().name() != "kst-warden")  # who would end it too
    guardian.kill()
    guardian.wait()
    second = begin()
    load(second)

    assert [row.split()[:2] for row in listed(second).splitlines()[1:]] == [["far-1", "LOST"]]
    second.run("%kestra attach far")
    assert second.value("(far.wait().state.value, far.files['a.txt'].read_text())") == repr(("FAILED", "1\n"))
    assert second.run("%%kestra_process p\ncat {{ outputs.far.outputFiles['a.txt'] }}").text() == "1\n"
    assert gone(pid)


def test_a_detached_run_that_cannot_be_reached_is_left_alone(left: Left, begin: Begin, tmp_path: Path) -> None:
    """The folder of a login goes when its person does, and the run stays."""
    pid = left(f"%%kestra_process far --detach -o a.txt\necho 1 > a.txt; {UP}; {after(tmp_path / 'go')}")
    status = json.loads(next((tmp_path / "notebook" / "kestra-runs").glob("far-1/_run/*/status")).read_text())
    os.unlink(status["socket"])
    second = begin()
    load(second)

    assert "lives (process" in second.run("%kestra attach far").error
    assert lives(pid)
    (tmp_path / "go").touch()
    assert gone(status["guardian"])
    second.run("%kestra attach far")
    assert second.value("(far.wait().state.value, far.files['a.txt'].read_text())") == repr(("SUCCESS", "1\n"))


def test_a_detached_run_is_bound_live_with_log_files_and_outputs(left: Left, begin: Begin, tmp_path: Path) -> None:
    vars_ = """echo '::{"outputs":{"n":7},"metrics":[{"type":"gauge","name":"loss","value":0.5}]}::'"""
    go = after(tmp_path / "go")
    left(f"%%kestra_process far --detach -o 'o*.txt'\n{UP}; {vars_}; {go}; echo x > out.txt; echo end")
    second = begin()
    load(second)
    cell = begun(second, "%kestra attach far")
    second.run("import time\nwhile not far.vars: time.sleep(0.01)")
    assert second.value("(far.state.value, far.vars)") == "('RUNNING', {'n': 7})"
    (tmp_path / "go").touch()
    seen = second.until(cell, lambda reply: "SUCCESS" in reply.plain)

    assert seen.text().endswith(" up\nend\n")
    assert second.value("(far.ok, list(far.files), far.metrics['loss'].last)") == "(True, ['out.txt'], 0.5)"
    assert (
        second.run(
            "%%kestra_process use\necho {{ outputs.far.vars.n }}; cat {{ outputs.far.outputFiles['out.txt'] }}"
        ).text()
        == "7\nx\n"
    )


def test_a_detached_run_that_ended_alone_is_bound_and_found_again(left: Left, begin: Begin, tmp_path: Path) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    left(f"%%kestra_process far --detach -o out.txt\n{UP}; {after(go)}; echo x > out.txt; echo end; touch {done}")
    go.touch()
    second = begin()
    load(second)
    second.run(f"import os, time\nwhile not os.path.exists({str(done)!r}): time.sleep(0.01)")
    second.run("%kestra attach far")
    assert second.run("print(far.wait().ok, list(far.files), far.exit_code)").text() == "True ['out.txt'] 0\n"
    second.kill()
    third = begin()
    load(third)
    cell = third.start("%kestra attach far-1")
    third.finish(cell)

    assert third.until(cell, lambda reply: "SUCCESS" in reply.plain).text().endswith(" up\nend\n")
    assert third.value("(far.ok, far.files['out.txt'].read_text(), far.stdout[-4:])") == "(True, 'x\\n', 'end\\n')"


def test_a_run_of_another_kernel_cannot_be_attached(begin: Begin) -> None:
    first = begin()
    load(first)
    up(first, f"%%kestra_process here --bg\n{UP}; sleep 300")
    second = begin()

    assert load(second).text() == ""
    assert "only what is started with `--detach` can be attached" in second.run("%kestra attach here").error
    assert "RUNNING" in listed(second)


def a_flow(name: str, *commands: str) -> str:
    tasks = (
        f"  - {{id: t{n}, type: io.kestra.plugin.scripts.shell.Commands, outputFiles: [out.txt], "
        f"commands: [{json.dumps(command)}]}}"
        for n, command in enumerate(commands)
    )
    return f"id: {name}\nnamespace: a.b\ninputs:\n  - {{id: word, type: STRING, defaults: none}}\ntasks:\n" + "\n".join(
        tasks
    )


def test_a_detached_flow_outlives_its_kernel_and_is_bound_live(left: Left, begin: Begin, tmp_path: Path) -> None:
    waits = f"{UP}; {after(tmp_path / 'go')}; echo {{{{ inputs.word }}}} > out.txt"
    pid = left(f"%%kestra_flow far --detach -i word=hello\n{a_flow('far', waits, 'echo second')}")
    second = begin()

    assert load(second).text() == ""
    assert lives(pid)
    rows = listed(second)
    assert "RUNNING" in rows
    assert "detached" in rows
    cell = begun(second, "%kestra attach far")
    assert second.value("far.state.value") == "'RUNNING'"
    (tmp_path / "go").touch()
    seen = second.until(cell, lambda reply: "SUCCESS" in reply.plain)

    assert seen.text().splitlines()[-1].endswith("t1 | second")
    assert second.value(
        "(far.wait().ok, far.files['out.txt'].read_text(), [t.stdout for t in far.tasks.values()][1])"
    ) == ("(True, 'hello\\n', 'second\\n')")
    assert second.value("far.outputs['t0']['exitCode']") == "0"


def test_of_a_flow_whose_kernel_died_all_that_had_ended_is_kept(begin: Begin, tmp_path: Path) -> None:
    first = begin()
    load(first)
    said = 'echo one > out.txt; echo \'::{"outputs": {"n": 3}}::\''
    waits = f"{UP}; test -e {tmp_path / 'go'} || sleep 300; echo {{{{ outputs.t0.vars.n }}}} > out.txt"
    up(first, f"%%kestra_flow far --bg -i word=hello\n{a_flow('far', said, waits, 'echo {{ inputs.word }} > out.txt')}")
    first.kill()
    second = begin()
    load(second)
    shown = second.run("%kestra attach far")

    assert "RUNNING" not in shown.plain
    assert second.value("(far.state.value, [(name, task.state.value) for name, task in far.tasks.items()])") == (
        "('FAILED', [('t0', 'SUCCESS'), ('t1', 'FAILED')])"
    )
    assert second.value("(far.outputs['t0']['vars'], far.files['out.txt'].read_text())") == "({'n': 3}, 'one\\n')"
    (tmp_path / "go").touch()
    assert second.run("%kestra rerun far --from t1").status == "ok"
    assert (
        second.value("[far.wait().tasks[t].files['out.txt'].read_text() for t in ('t1', 't2')]")
        == "['3\\n', 'hello\\n']"
    )
    assert not list((tmp_path / "notebook" / "kestra-runs").glob("*/_run/run.jsonl"))


def test_a_detached_flow_is_found_before_its_own_process_has_begun_it(begin: Begin, tmp_path: Path) -> None:
    first, second = begin(), begin()
    load(first)
    load(second)
    first.run(f"%%kestra_flow far --detach\n{a_flow('far', 'echo one')}")
    told = tmp_path / "home" / "data" / "kestra_magic" / "detached"
    assert wait_until(lambda: any(read_status(folder) for folder in told.glob("*")))
    carrier = next(read_status(folder)["pid"] for folder in told.glob("*"))
    os.kill(carrier, signal.SIGSTOP)
    first.kill()
    listed = second.run("%kestra runs").of("execute_result")[0]["data"]["text/plain"]
    attached = second.run("%kestra attach far")
    os.kill(carrier, signal.SIGCONT)

    assert "LOST" not in listed
    assert attached.status == "ok"
    assert second.value("(far.wait().state.value, far.tasks['t0'].stdout)") == "('SUCCESS', 'one\\n')"


def test_a_detached_flow_is_shown_in_its_own_cell_and_found_when_it_has_ended(begin: Begin) -> None:
    first = begin()
    load(first)
    cell = first.start(f"%%kestra_flow far --detach\n{a_flow('far', 'echo one > out.txt', 'exit 3')}")
    first.finish(cell)
    seen = first.until(cell, lambda reply: "FAILED" in reply.plain)
    assert "Command failed with exit code 3" in seen.plain
    assert first.value("(far.wait().state.value, far.error, list(far.tasks))") == (
        "('FAILED', 'Command failed with exit code 3', ['t0', 't1'])"
    )
    first.kill()
    second = begin()
    load(second)
    shown = second.run("%kestra attach far")

    assert "t0 | " not in shown.text()
    assert "FAILED far" in shown.plain
    assert second.value("(far.state.value, far.files['out.txt'].read_text())") == "('FAILED', 'one\\n')"


def test_a_detached_flow_is_stopped_from_another_kernel_and_leaves_no_process(begin: Begin) -> None:
    first = begin()
    load(first)
    pid = up(first, f"%%kestra_flow far --detach\n{a_flow('far', f'setsid sleep 300 & {UP}; sleep 300')}")
    carrier = int(first.value("far.context.journal.get(far.id).owner.pid"))
    everyone = [carrier]
    for parent in everyone:
        everyone += system.children(parent)
    first.kill()
    second = begin()
    load(second)

    assert len(everyone) >= 6  # its helpers, a shell and what that started
    assert pid in everyone
    assert "`far` ended: KILLED" in second.run("%kestra stop far").text()
    assert all(map(gone, everyone))


def test_a_detached_flow_that_waits_for_a_person_is_resumed_from_another_kernel(left: Left, begin: Begin) -> None:
    first = begin()
    load(first)
    text = a_flow("far", UP, "echo on").replace(
        "  - {id: t1", "  - {id: ask, type: io.kestra.plugin.core.flow.Pause}\n  - {id: t1"
    )
    left(f"%%kestra_flow far --detach\n{text}")
    second = begin()
    load(second)
    second.run("%kestra attach far")
    second.run("import time\nwhile far.state.value != 'PAUSED': time.sleep(0.01)\nfar.resume()")

    assert second.value("(far.wait().state.value, list(far.tasks))") == "('SUCCESS', ['t0', 'ask', 't1'])"
    assert "nothing is paused" in second.run("far.resume()").error


def test_a_detached_flow_whose_own_process_is_killed_leaves_nothing_and_says_so(begin: Begin) -> None:
    kernel = begin()
    load(kernel)
    pid = up(kernel, f"%%kestra_flow far --detach\n{a_flow('far', 'echo one > out.txt', f'{UP}; sleep 300')}")
    os.kill(int(kernel.value("far.context.journal.get(far.id).owner.pid")), 9)

    assert gone(pid)
    assert kernel.value("(far.wait().state.value, far.error)") == ("('FAILED', 'the process that carried it is gone')")
    assert kernel.value("(far.files['out.txt'].read_text(), far.outputs['t0']['exitCode'])") == "('one\\n', 0)"
    assert "FAILED" in listed(kernel, "--all")


def test_a_detached_flow_that_needs_what_only_this_kernel_holds_says_so(begin: Begin) -> None:
    kernel = begin()
    load(kernel)
    kernel.run("import pandas; df = pandas.DataFrame({'a': [1]})")
    cell = kernel.start(f"%%kestra_flow far --detach -f in.csv=df\n{a_flow('far', 'cat in.csv')}")
    kernel.finish(cell)

    assert kernel.value("(far.wait().state.value, far.error)") == repr(
        ("FAILED", "`df` was only in the memory of its kernel, which `--detach` does not keep: write it to a file")
    )
    assert "FAILED" in listed(kernel, "--all")


def test_a_run_of_another_kernel_is_stopped_by_that_kernel(begin: Begin) -> None:
    first = begin()
    load(first)
    cell = begun(first, f"%%kestra_process here --bg\nsleep 300 & setsid sh -c '{UP}; exec sleep 300' & wait")
    pid = int(first.heard[cell].text().split()[0])
    second = begin()
    load(second)

    assert second.run("%kestra stop here").text() == (
        "`here` ended: KILLED (stopped 3 processes, 1 of them had left the group)\n"
    )
    assert gone(pid)
    assert "KILLED" in first.until(cell, lambda reply: "KILLED" in reply.plain).plain
    assert first.value("(here.state.value, here.result.exit.reason)") == "('KILLED', 'stop')"
    assert second.run("%kestra stop here").text() == "`here` had ended already: KILLED\n"


def test_a_flow_of_another_kernel_is_stopped_whole(begin: Begin) -> None:
    first = begin()
    load(first)
    tasks = "\n".join(
        f"  - {{id: {name}, type: io.kestra.plugin.scripts.shell.Commands, commands: ['{UP}; sleep 300']}}"
        for name in ("one", "two")
    )
    pid = up(first, f"%%kestra_flow pair --bg\nid: pair\nnamespace: a.b\ntasks:\n{tasks}")
    second = begin()
    load(second)

    assert "`pair` ended: KILLED" in second.run("%kestra stop pair").text()
    assert gone(pid)
    assert first.run("print(pair.wait().state.value, list(pair.tasks))").text() == "KILLED ['one']\n"


def test_runs_of_other_kernels_are_compared_in_a_table(begin: Begin) -> None:
    first = begin()
    load(first)
    for lr in (0.5, 0.25):
        said = f"""::{{"metrics":[{{"type":"gauge","name":"loss","value":{lr}}}]}}::"""
        first.run(f"%%kestra_process fit -i lr={lr}\necho '{said}'; echo {{{{ inputs.lr }}}}")
    first.kill()
    second = begin()
    load(second)
    second.run("import kestra_magic; known = kestra_magic.runs('fit')")

    assert second.value("[(row['run'], row['state'], row['lr'], row['loss']) for row in known.table()]") == (
        "[('fit-1', 'SUCCESS', 0.5, 0.5), ('fit-2', 'SUCCESS', 0.25, 0.25)]"
    )
    assert second.value("(known[-1].stdout, known[0].metrics['loss'].values)") == "('0.25\\n', [0.5])"
    assert second.run("print(known[-1].rerun(lr=0.125).stdout)").text() == "0.125\n\n"


def test_everything_is_its_owners_alone(begin: Begin, tmp_path: Path) -> None:
    kernel = begin()
    load(kernel)
    kernel.run("%%kestra_process mine -o out.txt\necho x > out.txt")
    home, runs = tmp_path / "home", tmp_path / "notebook" / "kestra-runs"
    modes = {
        path: stat.S_IMODE(path.stat().st_mode) for path in (*home.glob("data/kestra_magic/**/*"), *runs.rglob("*"))
    }

    assert runs.stat().st_mode & 0o077 == 0
    for path, mode in modes.items():
        assert not (mode & 0o077 and path.is_dir()), path
    assert {mode for path, mode in modes.items() if "journal" in path.name} == {0o600}
    assert modes[runs / "mine-1" / "_run" / "run.json"] == 0o600
    assert json.loads((runs / "mine-1" / "_run" / "run.json").read_text())["state"] == "SUCCESS"
