"""Runs that no cell waits for: shown in their own cell, several at once, ended with the kernel."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.kernel.driver import Kernel
from tests.kernel.overlays import overlay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSIONS = ["", "6.29.5", "7.0.1", "7.3.0"]


@pytest.fixture(scope="module", params=VERSIONS, ids=lambda version: version or "installed")
def any_kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = overlay(request.param)
    made = Kernel(tmp_path_factory.mktemp("notebook"), tmp_path_factory.mktemp("home"), overlay=folder)
    assert made.run("%load_ext kestra_magic").status == "ok"
    assert made.value("__import__('ipykernel').__version__").strip("'").startswith(request.param)
    yield made
    made.close()


def after(path: Path) -> str:
    """Shell that waits for a file: so a test says when a run goes on."""
    return f"while [ ! -e {path} ]; do sleep 0.02; done"


def until_up(kernel: Kernel, name: str) -> None:
    kernel.run(f"import time\nwhile 'up' not in {name}.stdout: time.sleep(0.01)")


def test_its_output_goes_on_in_its_own_cell(any_kernel: Kernel, tmp_path: Path) -> None:
    go = tmp_path / "go"
    cell = any_kernel.start(f"%%kestra_process bg --bg\necho up; {after(go)}; echo late; echo oops >&2")
    any_kernel.finish(cell)
    any_kernel.until(cell, lambda reply: "up" in reply.text())
    other = any_kernel.run(f"import pathlib; pathlib.Path({str(go)!r}).touch(); bg.wait(); print('other')")
    seen = any_kernel.until(cell, lambda reply: "SUCCESS" in reply.plain)

    assert (seen.text(), seen.text("stderr"), other.text()) == ("up\nlate\n", "oops\n", "other\n")
    assert seen.shape[0] == "display_data"
    assert seen.shape[-1] == "display_data"


def test_several_run_side_by_side(any_kernel: Kernel, tmp_path: Path) -> None:
    cells = []
    for n in range(3):
        loud = f"echo {n} is up; {after(tmp_path / 'go')}; echo {n} goes on"
        cells.append(any_kernel.start(f"%%kestra_process side{n} --bg\n{loud}"))
        any_kernel.finish(cells[n])
    for n, cell in enumerate(cells):
        any_kernel.until(cell, lambda reply, n=n: f"{n} is up" in reply.text())
    (tmp_path / "go").touch()

    for n, cell in enumerate(cells):
        seen = any_kernel.until(cell, lambda reply: "SUCCESS" in reply.plain)
        assert seen.text() == f"{n} is up\n{n} goes on\n"


def test_a_run_can_be_awaited(any_kernel: Kernel) -> None:
    any_kernel.run("%%kestra_process soon --bg -o x\necho x > x")

    assert any_kernel.run("r = await soon; print(r is soon, list(r.files))").text() == "True ['x']\n"


def test_waiting_with_await_can_be_interrupted_and_the_run_goes_on(any_kernel: Kernel) -> None:
    any_kernel.run("%%kestra_process still --bg\nsleep 300")
    cell = any_kernel.start("print('waiting'); await still")
    any_kernel.finish(cell, until=lambda reply: "waiting" in reply.text())
    any_kernel.interrupt()

    assert any_kernel.finish(cell).status == "error"
    assert any_kernel.value("still.state.value") == "'RUNNING'"
    assert any_kernel.run("still.stop(); print(still.wait().state.value)").text() == "KILLED\n"


# From here on the installed kernel is enough


def test_a_failed_run_in_the_background_raises_nothing_and_says_how_it_ended(kernel: Kernel) -> None:
    cell = kernel.start("%%kestra_process bad --bg\nexit 3")

    assert kernel.finish(cell).status == "ok"
    assert "exit code 3" in kernel.until(cell, lambda reply: "FAILED" in reply.plain).plain
    assert kernel.run("bad.wait().check()").error.startswith("Command failed with exit code 3")


def test_what_is_bound_to_files_is_bound_at_its_end(kernel: Kernel) -> None:
    kernel.run("%%kestra_process rows --bg -b data=rows.json\necho '[1, 2]' > rows.json")
    cell = kernel.start("import time\nwhile 'data' not in globals(): time.sleep(0.01)\nprint(data)")

    assert kernel.finish(cell).text() == "[1, 2]\n"


def test_a_live_run_is_not_run_over(kernel: Kernel) -> None:
    kernel.run("%%kestra_process live --bg\nsleep 300")
    kernel.run("import time\nwhile live.state.value != 'RUNNING': time.sleep(0.01)")
    reply = kernel.run("%%kestra_process live\necho hi")

    assert "`live` still runs" in reply.error
    assert "`%kestra stop live`" in reply.error
    assert "--replace" in reply.error
    assert kernel.run("print(live.folder.name, live.state.value)").text() == "live-1 RUNNING\n"
    assert kernel.value("sorted(p.name for p in live.folder.parent.glob('live-*'))") == "['live-1']"
    kernel.run("%kestra stop live")


def test_replace_ends_the_one_that_lives(kernel: Kernel) -> None:
    kernel.run("%%kestra_process twice --bg\necho up; sleep 300")
    until_up(kernel, "twice")
    kernel.run("first = twice")

    assert kernel.run("%%kestra_process twice --replace\necho second").text() == "second\n"
    assert kernel.value("(first.state.value, first.result.exit.reason, twice.ok)") == "('KILLED', 'replaced', True)"


def test_stop_says_what_was_ended(kernel: Kernel) -> None:
    kernel.run("%%kestra_process tree --bg\nsleep 300 & setsid sh -c 'echo up; exec sleep 300' & wait")
    until_up(kernel, "tree")

    assert kernel.run("%kestra stop tree").text() == (
        "`tree` ended: KILLED (stopped 3 processes, 1 of them had left the group)\n"
    )
    assert kernel.run("%kestra stop tree").text() == "`tree` had ended already: KILLED\n"


def test_stop_all_ends_all(kernel: Kernel) -> None:
    for n in range(2):
        kernel.run(f"%%kestra_process many{n} --bg\nsleep 300")

    assert kernel.run("%kestra stop --all").text().count("ended: KILLED") == 2
    assert kernel.run("%kestra stop --all").text() == "nothing runs now\n"
    assert "no run `nobody` is known here" in kernel.run("%kestra stop nobody").error


def test_a_live_run_is_shown_in_another_cell_from_its_beginning(kernel: Kernel, tmp_path: Path) -> None:
    first = kernel.start(f"%%kestra_process shown --bg\necho early; {after(tmp_path / 'go')}; echo late")
    kernel.finish(first)
    kernel.until(first, lambda reply: "early" in reply.text())
    second = kernel.start("%kestra attach shown")
    kernel.finish(second)
    (tmp_path / "go").touch()

    for cell in (first, second):
        assert kernel.until(cell, lambda reply: "SUCCESS" in reply.plain).text() == "early\nlate\n"


def test_an_ended_run_is_shown_again(kernel: Kernel) -> None:
    kernel.run("%%kestra_process over\necho one; echo two")
    cell = kernel.start("%kestra attach over")
    kernel.finish(cell)

    assert kernel.until(cell, lambda reply: "SUCCESS" in reply.plain).text() == "one\ntwo\n"


def test_an_ended_run_is_shown_again_with_all_its_attempts(kernel: Kernel) -> None:
    said = """echo '::{"logs":[{"level":"WARN","message":"careful"}]}::'"""
    twice = "echo {{ taskrun.attemptsCount }}; echo oops >&2; [ {{ taskrun.attemptsCount }} = 1 ]"
    retry = "#| retry: {type: constant, interval: PT0.01S, maxAttempts: 2}"
    first = kernel.run(f"%%kestra_process tries\n{retry}\necho before; {said}; {twice}")
    cell = kernel.start("%kestra attach tries")
    kernel.finish(cell)
    again = kernel.until(cell, lambda reply: "SUCCESS" in reply.plain)

    assert first.text() == "before\n0\nbefore\n1\n"
    assert [line.partition(" (")[0] for line in first.text("stderr").splitlines()] == [
        "WARN  careful",
        "oops",
        "WARN  attempt 1 failed",
        "WARN  careful",
        "oops",
    ]
    assert (again.text(), again.text("stderr")) == (first.text(), first.text("stderr"))


def test_a_second_interrupt_ends_what_does_not_listen(fresh: Kernel) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, lambda *_: print('no', flush=True)); "
        "print('up', flush=True); [time.sleep(1) for _ in range(300)]"
    )
    cell = fresh.start(f'%%kestra_process deaf\n#| grace: 200\nexec {sys.executable} -c "{deaf}"')
    fresh.finish(cell, until=lambda reply: "up" in reply.text())
    fresh.interrupt()
    fresh.until(cell, lambda reply: "no" in reply.text())
    fresh.interrupt()

    assert fresh.finish(cell).status == "error"
    assert fresh.value("(deaf.state.value, deaf.exit_code)") == "('KILLED', 137)"


def test_a_headless_list_of_runs_is_html_and_text(kernel: Kernel) -> None:
    kernel.run("%%kestra_process listed -i lr=0.5\necho {{ inputs.lr }}")
    shown = kernel.run("%kestra runs listed").of("execute_result")[0]["data"]

    assert "listed-1" in shown["text/plain"]
    assert "SUCCESS" in shown["text/plain"]
    assert "0.5" in shown["text/plain"]
    assert "<table>" in shown["text/html"]


STRUCK = """
import os, signal
from kestra_magic.magics import cell
from kestra_magic.runs.run import Run

def struck(call):
    def first(*given, **more):
        os.kill(os.getpid(), signal.SIGINT)
        return call(*given, **more)
    return first
"""


@pytest.mark.parametrize("code", ["%%kestra_process p\nsleep 100", "%%kestra_flow p\nid: p\ntasks: [{id: a, type: S}]"])
def test_an_interrupt_in_the_moment_of_its_beginning_ends_the_run(fresh: Kernel, code: str) -> None:
    fresh.run(STRUCK + "Run._go = struck(Run._go)")
    pause = "io.kestra.plugin.core.flow.Sleep\n    duration: PT100S"

    reply = fresh.run(code.replace("[{id: a, type: S}]", f"\n  - id: a\n    type: {pause}"))

    assert (reply.status, len(reply.traceback.splitlines())) == ("error", 1)
    assert fresh.value("(p.ended, p.state.value)") == "(True, 'KILLED')"


ELSEWHERE = """
import signal, sys, threading, traceback

def struck_elsewhere():
    main, waits = threading.main_thread().ident, 0
    while waits < 20:  # it lives the run, and has nothing to do
        names = [frame.name for frame in traceback.extract_stack(sys._current_frames()[main])]
        waits = waits + 1 if "_lived" in names and names[-1] in ("wait", "_wait") else 0
        threading.Event().wait(0.01)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

threading.Thread(target=struck_elsewhere).start()
"""
AGAIN = "#| retry: {type: constant, interval: PT10M, maxAttempts: 2}"


@pytest.mark.parametrize("cell", ["sleep 600", f"{AGAIN}\nexit 1"])
def test_an_interrupt_that_does_not_wake_who_waits_is_heard_all_the_same(fresh: Kernel, cell: str) -> None:
    """The system gave it to another thread, or it came when the wait was about to begin."""
    fresh.run("%load_ext kestra_magic")
    fresh.run(ELSEWHERE)

    assert fresh.run(f"%%kestra_process p\n{cell}").error.startswith("killed (interrupt)")
    assert fresh.value("p.state.value") == "'KILLED'"


def test_a_run_that_was_interrupted_before_it_began_does_not_bar_its_name(fresh: Kernel) -> None:
    fresh.run("%load_ext kestra_magic")
    fresh.run(STRUCK + "real, cell.View = cell.View, struck(cell.View)")
    assert fresh.run("%%kestra_process p\necho hi").traceback.endswith("interrupted")

    fresh.run("cell.View = real")

    assert fresh.run("%%kestra_process p\necho hi").text() == "hi\n"
