"""The log as the console asks for it, over a real log file."""

from __future__ import annotations

import time
from pathlib import Path

from kestra_magic.process.logs import LogFile
from kestra_magic.process.recorder import Recorder
from kestra_magic.show.flowlog import FlowLog
from kestra_magic.show.logview import LogView


def written(folder: Path, *pieces: tuple[bytes, int]) -> LogFile:
    folder.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(str(folder), 1 << 20)
    for data, stream in pieces:
        recorder.write(data, stream)
    recorder.close()
    return LogFile(folder)


def looked(view: LogView) -> LogView:
    while view.look(1.0, view.count):
        pass
    return view


def test_a_log_that_is_not_there_yet_has_no_lines(tmp_path: Path) -> None:
    view = LogView(lambda: LogFile(tmp_path / "nothing"))

    assert (view.count, view.page(0, 10), view.search("a", "", 0)) == (0, [], ([], 0))


def test_a_run_that_has_no_log_yet_has_no_lines() -> None:
    assert LogView(lambda: None).count == 0


def test_lines_are_counted_by_what_they_say_of_themselves(tmp_path: Path) -> None:
    log = written(tmp_path, (b"INFO a\nWARNING b\nERROR c\nValueError: d\nplain\n", 1), (b"TRACE e\n", 2))
    view = looked(LogView(lambda: log))

    assert view.levels == {"TRACE": 1, "DEBUG": 0, "INFO": 1, "WARN": 1, "ERROR": 2}
    assert view.stderr == 1


def test_states_of_a_bar_that_were_drawn_over_can_be_left_out(tmp_path: Path) -> None:
    log = written(tmp_path, (b"begin\n10%|#|\r50%|##|\r100%|###|\nend\n", 1))
    view = looked(LogView(lambda: log))

    assert view.drawn_over == 2
    assert view.search("", "settled", 0)[0] == [0, 3, 4]


def test_a_search_goes_on_where_it_was_left_and_ignores_colours(tmp_path: Path) -> None:
    log = written(tmp_path, (b"one\n\x1b[31mt\x1b[0mwo\nthree\nTWO\n", 1))
    view = LogView(lambda: log)

    hits, following = view.search("two", "", 0)
    log_now = written(tmp_path / "more", (b"two\n", 1))

    assert (hits, following) == ([1, 3], 4)
    assert view.search("two", "", following) == ([], 4)
    assert LogView(lambda: log_now).search("two", "", 0)[0] == [0]


def test_a_long_line_is_cut_and_whole_on_request(tmp_path: Path) -> None:
    log = written(tmp_path, (b"x" * 5000 + b"\n", 1))
    (row,) = LogView(lambda: log).page(0, 1)

    assert (len(str(row[2])), row[3]) == (2000, 5000)
    assert LogView(lambda: log).whole(0) == ("x" * 5000, 5000)


def test_a_removed_log_is_an_empty_one(tmp_path: Path) -> None:
    log = written(tmp_path, (b"a\n", 1))
    view = LogView(lambda: log)
    assert view.count == 1

    for file in tmp_path.iterdir():
        file.unlink()

    assert (view.count, view.page(0, 1)) == (0, [])


def test_the_logs_of_a_flow_are_one_whose_numbers_stay(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a", (b"1\n", 1)), written(tmp_path / "b", (b"x\n", 1))
    log = FlowLog(lambda: [("extract", first), ("load", second)])
    assert log.count == 2

    with open(first.path, "ab") as file:
        file.write(b"2\n3\n")

    assert log.count == 4
    assert [line.text for line in log.lines()] == ["extract │ 1", "load │ x", "extract │ 2", "extract │ 3"]
    assert [line.text for line in log.lines(1, 2)] == ["load │ x", "extract │ 2"]
    assert time.time() >= log.lines(0, 1)[0].at > 0
