"""`%kestra runs`, `attach`, `stop` and `clean`, typed into a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel


def left(kernel: Kernel, name: str) -> list[str]:
    return sorted(path.name for path in (kernel.folder / "kestra-runs").glob(f"{name}-*"))


def test_clean_lists_and_removes_nothing_where_nobody_can_be_asked(kernel: Kernel) -> None:
    for _ in range(2):
        kernel.run("%%kestra_process old\necho hi")
    kernel.run("del old")
    said = kernel.run("%kestra clean --all").text()

    assert "old-1  SUCCESS" in said
    assert "old-2" not in said
    assert "nothing was removed: nobody can be asked here; `%kestra clean --all --yes` removes" in said
    assert "(age)" not in said
    assert left(kernel, "old") == ["old-1", "old-2"]


def test_clean_removes_when_a_person_agrees_and_only_then(kernel: Kernel) -> None:
    for _ in range(3):
        kernel.run("%%kestra_process asked\necho hi")
    for answer, kept in (("n", 3), ("", 3), ("y", 1)):
        cell = kernel.start("%kestra clean --all", allow_stdin=True)
        kernel.client.get_stdin_msg(timeout=60)
        kernel.client.input(answer)
        kernel.finish(cell)
        assert len(left(kernel, "asked")) == kept


def test_clean_with_yes_asks_nobody(kernel: Kernel) -> None:
    for _ in range(2):
        kernel.run("%%kestra_process sure\necho hi")

    assert "removed" in kernel.run("%kestra clean --all --yes").text()
    assert left(kernel, "sure") == ["sure-2"]
    assert kernel.run("%kestra clean").text() == "there is nothing to remove\n"


def test_a_run_is_asked_for_by_its_folder_and_bound(kernel: Kernel) -> None:
    kernel.run("%%kestra_process two\necho one\n")
    kernel.run("%%kestra_process two\necho two\n")
    kernel.run("%kestra attach two-1")

    assert kernel.value("two.stdout") == "'one\\n'"


@pytest.mark.parametrize(
    ("typed", "said"),
    {
        "runs --live": "has no option `--live`; it has `--all`",
        "runs a b": "takes one NAME",
        "attach": "takes one RUN",
        "attach nobody": "no run `nobody` is known here",
        "stop": "takes a RUN, or `--all`",
        "clean now": "takes no NAME",
        "rns": "did you mean `runs`?",
    }.items(),
)
def test_what_cannot_be_is_said_in_one_sentence(kernel: Kernel, typed: str, said: str) -> None:
    reply = kernel.run(f"%kestra {typed}")

    assert said in reply.error
    assert "Traceback" not in reply.traceback


def test_a_replaced_run_that_does_not_listen_is_ended_when_its_time_is_over(kernel: Kernel) -> None:
    kernel.run("%%kestra_process deaf --bg\n#| grace: 0.2\ntrap '' TERM; echo up; while :; do sleep 1; done")
    kernel.run("import time\nwhile 'up' not in deaf.stdout: time.sleep(0.01)")

    assert kernel.run("%%kestra_process deaf --replace\necho new").text() == "new\n"
