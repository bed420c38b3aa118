from __future__ import annotations

import pytest

from kestra_magic.process.events import Draining, Exited, Killing, Lost, Output, Queued, Started
from kestra_magic.runs.progress import Declared, Happening, Logged, Progress, Settled, State

UP = Started(task_run="t", pid=7, at=1.0)

LIVES: dict[str, tuple[list[Happening], State]] = {
    "succeeds": ([UP, Exited(task_run="t", code=0, at=3.0)], State.SUCCESS),
    "fails": ([UP, Exited(task_run="t", code=3)], State.FAILED),
    "never starts": ([Exited(task_run="t", code=127, error="no such program")], State.FAILED),
    "times out": (
        [UP, Killing(task_run="t", reason="timeout"), Exited(task_run="t", code=143, reason="timeout")],
        State.FAILED,
    ),
    "is stopped": (
        [UP, Killing(task_run="t", reason="stop"), Exited(task_run="t", code=143, reason="stop")],
        State.KILLED,
    ),
    "is lost": ([UP, Lost(task_run="t", reason="the worker died")], State.FAILED),
    "waits": ([Queued(task_run="t")], State.QUEUED),
    "is being ended": ([UP, Killing(task_run="t", reason="stop")], State.KILLING),
}


def after(events: list[Happening]) -> Progress:
    progress = Progress("train")
    for event in events:
        progress = progress.after(event)
    return progress


@pytest.mark.parametrize(("events", "last"), LIVES.values(), ids=LIVES)
def test_an_attempt_ends_in_its_state(events: list[Happening], last: State) -> None:
    assert after(events).task.attempt.state is last


def test_the_execution_ends_when_it_is_settled() -> None:
    ended = [UP, Exited(task_run="t", code=0, at=3.0)]

    assert after(ended).state is State.RUNNING
    assert after([*ended, Settled(state=State.SUCCESS, at=3.0)]).state is State.SUCCESS


def test_duration_is_from_the_first_start_to_the_end() -> None:
    progress = after([UP, Exited(task_run="t", code=0, at=3.0), Settled(state=State.SUCCESS, at=3.5)])

    assert progress.seconds == 2.5


def test_lines_are_counted_by_stream() -> None:
    progress = after(
        [UP, Output(task_run="t", stream="stdout", lines=3), Output(task_run="t", stream="stderr", lines=1)]
    )

    assert (progress.task.attempt.stdout_lines, progress.task.attempt.stderr_lines) == (3, 1)


def test_attempts_are_kept_apart() -> None:
    progress = after(
        [
            UP,
            Exited(task_run="t", code=1),
            Started(task_run="t", attempt=2, pid=8),
            Exited(task_run="t", attempt=2, code=0),
        ]
    )

    assert [a.state for a in progress.task.attempts] == [State.FAILED, State.SUCCESS]


def test_task_runs_are_kept_apart_in_the_order_they_came() -> None:
    events: list[Happening] = [Declared(task_run=run, task_id=run.upper()) for run in ("b", "a")]

    assert [run.task_id for run in after(events).task_runs.values()] == ["B", "A"]


def test_a_log_entry_changes_no_state() -> None:
    assert after([Logged(task_run="t", level="ERROR", message="m")]).state is State.CREATED


def test_a_kill_is_seen_until_the_execution_is_settled() -> None:
    killed = [UP, Killing(reason="interrupt"), Exited(task_run="t", code=143, reason="interrupt")]

    assert after(killed).state is State.KILLING
    assert after([*killed, Settled(state=State.KILLED)]).state is State.KILLED


def test_background_processes_are_told_until_they_end() -> None:
    waiting = [UP, Draining(task_run="t", code=0, processes=2)]

    assert after(waiting).task.attempt.waiting == 2
    assert after([*waiting, Exited(task_run="t", code=0)]).task.attempt.waiting == 0
