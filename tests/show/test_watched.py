"""What a console knows of a run that other kernels' runs tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kestra_magic.runs.history import before
from kestra_magic.show.watched import WatchedRun
from tests.runs.book import Book

if TYPE_CHECKING:
    from pathlib import Path

    from kestra_magic.runs.run import Run

SAY = """echo '::{"metrics":[{"type":"gauge","name":"loss","value":{{ n }}}]}::'"""


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))


def notebook(folder: Path, **names: object) -> Book:
    folder.mkdir(exist_ok=True)
    book = Book(folder)
    book.names.update(names)
    return book


def watched(book: Book, run: Run) -> WatchedRun:
    return WatchedRun(run, before=lambda: before(book.session, run).rows())


def test_runs_of_earlier_kernels_say_what_is_usual_and_what_was_measured(tmp_path: Path) -> None:
    notebook(tmp_path / "here", n=1).cell("train", SAY)
    notebook(tmp_path / "here", n=2).cell("train --no-raise", f"{SAY}; exit 3")
    notebook(tmp_path / "elsewhere", n=7).cell("train", SAY)
    book = notebook(tmp_path / "here", n=3)
    book.cell("other", SAY)
    run = book.cell("train", SAY)

    assert watched(book, run).earlier == [("train-1", {"loss": 1}), ("train-2", {"loss": 2})]
    assert (watched(book, run).usual_seconds or 0) > 0


def test_the_first_run_of_a_name_has_nothing_usual(tmp_path: Path) -> None:
    book = notebook(tmp_path / "here", n=1)
    run = book.cell("train", SAY)

    assert (watched(book, run).earlier, watched(book, run).usual_seconds) == ([], None)
