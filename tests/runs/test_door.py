"""What kernels ask of each other, within one process: a session, its door, and who knocks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.process import windows
from kestra_magic.process.events import Output
from kestra_magic.process.supervise import meeting_place
from kestra_magic.runs.journal.journal import Record
from kestra_magic.runs.journal.owner import Owner
from kestra_magic.runs.kernels import door
from kestra_magic.runs.progress import State
from kestra_magic.runs.run import Run
from kestra_magic.runs.session import Session
from tests.process.survivors import wait_until

Begin = Callable[..., Run]
SLEEPS = "echo up; sleep 300"


@pytest.fixture
def opened(session: Session, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The door of *session*, in a folder of its own: its path must be short."""
    folder = tmp_path_factory.mktemp("d")
    monkeypatch.setattr(door, "meeting_place", lambda name: str(folder / name))
    threading.Thread(target=door.open_door, args=(session,), daemon=True).start()


def row(session: Session, run: Run) -> Record:
    run.context.launched.wait(60)  # a cell's row is written with its process
    record = session.journal.get(run.id)
    assert record is not None
    return record


def test_a_run_ends_because_another_asked(session: Session, begin: Begin, opened: None) -> None:
    run = begin(SLEEPS)
    door.ask_to_end(row(session, run), grace=0)

    assert run.ended
    assert run.state is State.KILLED


def test_who_asks_hears_a_run_from_its_beginning_to_its_end(
    session: Session, begin: Begin, opened: None, tmp_path: Path
) -> None:
    run = begin(f"echo early; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; echo late")
    heard = []
    for event in door.told_by(row(session, run)):
        heard += [event.text] if isinstance(event, Output) else []
        if "early" in "".join(heard):
            (tmp_path / "go").touch()

    assert "".join(heard) == "early\nlate\n"
    assert list(door.told_by(row(session, run.wait()))) == []


def test_nothing_is_kept_for_a_guest_that_has_gone(
    session: Session, begin: Begin, opened: None, tmp_path: Path
) -> None:
    run = begin(f"echo early; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; echo late; sleep 300")
    own = run.context.broadcast.sit(from_start=True)
    guest = door.told_by(row(session, run))
    next(guest)
    seats = len(run.context.broadcast._seats)
    guest.close()
    (tmp_path / "go").touch()
    next(told for told in own if told and isinstance(told[1], Output) and "late" in told[1].text)

    assert seats == 2
    assert wait_until(lambda: list(run.context.broadcast._seats) == [own])


def test_nobody_answers_for_a_run_that_is_not_there(
    session: Session, begin: Begin, opened: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PATIENCE", 0.1)
    record = replace(row(session, begin("echo hi").wait()), id="nobody")

    with pytest.raises(KestraMagicError, match=r"`cell` runs in another kernel .*, which does not answer"):
        door.ask_to_end(record)
    assert list(door.told_by(record)) == []


def test_where_nobody_can_be_met_whoever_asks_is_told_at_once(
    session: Session, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "meeting_place", windows.meeting_place)
    door.open_door(session)  # returns: there is no door
    record = row(session, begin(SLEEPS))

    assert list(door.told_by(record)) == []
    said = r"`cell` runs in another kernel \(process \d+\), which cannot be asked \(on Windows .*\): stop it there"
    with pytest.raises(KestraMagicError, match=said):
        door.ask_to_end(record)


def test_what_does_not_wait_is_not_resumed(session: Session, begin: Begin, opened: None) -> None:
    run = begin(SLEEPS)

    with pytest.raises(KestraMagicError, match="nothing is paused"):
        door.ask_to_resume(row(session, run), {})


def test_doors_of_dead_kernels_are_cleared_away(tmp_path: Path) -> None:
    own = Path(door._place(Owner.me()))
    dead, theirs, stranger = tmp_path / f"1-1{own.suffix}", tmp_path / "1-1.7", tmp_path / f"a-b-c{own.suffix}"
    for path in (dead, theirs, stranger, tmp_path / own.name):
        path.touch()
    door._clear(tmp_path / own.name)

    assert {path.name for path in tmp_path.iterdir()} == {theirs.name, stranger.name, own.name}
    assert own.parent == Path(meeting_place("x")).parent
    assert own.stem.split("-")[0] == str(os.getpid())
