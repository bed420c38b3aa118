"""A log as it is written, capped, followed and read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.process.events import Output
from kestra_magic.process.lines import count_lines
from kestra_magic.process.logs import LogFile
from kestra_magic.process.recorder import FRAMES, RECORD, STREAMS, Recorder, expect_status, read_status, write_status
from kestra_magic.process.tail import Tail, segments

PIECES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(min_size=1, max_size=60)), max_size=40)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


def fresh(folders: Path) -> Path:
    folder = folders / str(len(os.listdir(folders)))
    folder.mkdir()
    return folder


def written(folder: Path, pieces: list[tuple[int, bytes]], cap: int = 1 << 20) -> Recorder:
    recorder = Recorder(str(folder), cap)
    for stream, data in pieces:
        recorder.write(data, stream)
    recorder.close()
    return recorder


def numbered(first: int, last: int) -> list[tuple[int, bytes]]:
    return [(1 + n % 2, f"line {n}\n".encode()) for n in range(first, last)]


def records(folder: Path) -> list[tuple[int, ...]]:
    return [r for i in sorted(folder.glob("run.idx*")) for r in RECORD.iter_unpack(i.read_bytes())]


@given(PIECES)
def test_the_index_covers_the_log_exactly(folders: Path, pieces: list[tuple[int, bytes]]) -> None:
    folder = fresh(folders)

    recorder = written(folder, pieces)

    assert (folder / "run.log").read_bytes() == b"".join(data for _, data in pieces)
    at = 0
    for _, offset, length, _, *_ in records(folder):
        assert offset == at
        at += length
    assert at == recorder.size


@given(PIECES)
def test_each_stream_is_read_alone(folders: Path, pieces: list[tuple[int, bytes]]) -> None:
    folder = fresh(folders)
    written(folder, pieces)

    for number in (1, 2):
        own = b"".join(data for stream, data in pieces if stream == number)
        assert LogFile(folder).text(STREAMS[number]) == own.decode("utf-8", "replace")


@given(PIECES, st.integers(1, 300))
def test_each_stream_is_read_alone_also_while_it_is_written(
    folders: Path, pieces: list[tuple[int, bytes]], cap: int
) -> None:
    """Who looks at a run that lives sees nothing of stderr in its stdout."""
    recorder = Recorder(str(folder := fresh(folders)), cap)
    for stream, data in pieces:
        recorder.write(data, stream)

    live = [LogFile(folder).text(stream) for stream in STREAMS[1:]]

    recorder.close()
    assert live == [LogFile(folder).text(stream) for stream in STREAMS[1:]]


def test_what_was_written_since_it_was_looked_at_is_not_read_twice(tmp_path: Path) -> None:
    recorder = Recorder(str(tmp_path), 1 << 20)
    recorder.write(b"a\n", 1)
    (part,) = LogFile(tmp_path)._parts()
    recorder.write(b"b\n", 2)
    recorder.write(b"c\n", 1)
    recorder.close()

    assert (part.read(0, 2), part.read(4, 2)) == (b"a\n", b"")


@given(PIECES, st.integers(1, 300))
def test_head_and_tail_are_kept_and_the_gap_is_told(folders: Path, pieces: list[tuple[int, bytes]], cap: int) -> None:
    folder = fresh(folders)
    whole = b"".join(data for _, data in pieces)

    recorder = written(folder, pieces, cap)

    parts = {first: (folder / (f"run.log.{first}" if first else "run.log")).read_bytes() for first in segments(folder)}
    assert all(whole[first : first + len(data)] == data for first, data in parts.items())
    kept = sum(map(len, parts.values()))
    assert (recorder.size, recorder.lost) == (len(whole), len(whole) - kept)
    assert kept <= max(cap // 2, 1) + 6 * max(cap // 8, 1)
    if parts:
        last = max(parts)
        assert last + len(parts[last]) == len(whole)


def test_a_capped_log_reads_as_head_gap_and_tail(tmp_path: Path) -> None:
    written(tmp_path, numbered(0, 10_000), cap=10_000)
    log = LogFile(tmp_path)

    text = log.text()

    lines = text.splitlines()
    (gap,) = [i for i, line in enumerate(lines) if "bytes not kept" in line]
    assert lines[0] == "line 0"
    assert lines[-1] == "line 9999"
    assert lines[gap - 1] == f"line {gap - 1}"
    assert log.path.read_text() == text
    assert log.count == len(lines)
    assert [line.text for line in log.lines(gap - 1, 3)] == lines[gap - 1 : gap + 2]
    assert [line.stream == "" for line in log.lines(gap - 1, 3)] == [False, True, False]


def test_a_line_is_never_cut_by_the_cap(tmp_path: Path) -> None:
    written(tmp_path, numbered(0, 5000), cap=5000)

    for file in tmp_path.glob("run.log*"):
        assert file.read_bytes().startswith(b"line ")
        assert file.read_bytes().endswith(b"\n")


def test_markers_are_never_cut_by_the_cap(tmp_path: Path) -> None:
    recorder = Recorder(str(tmp_path), 100)
    for n in range(50):
        recorder.write(b"x" * 30 + b"\n", 1)
        recorder.lift(b"::{%d}::\n" % n, 2)
    recorder.close()

    data, found = (tmp_path / FRAMES).read_bytes(), []
    while data:
        _, offset, length, stream, _, _ = RECORD.unpack(data[: RECORD.size])
        found.append((offset, stream, data[RECORD.size : RECORD.size + length]))
        data = data[RECORD.size + length :]
    assert found == [(31 * (n + 1), 2, b"::{%d}::\n" % n) for n in range(50)]


TEXT = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", "é".encode(), b"\xff", b"bcd" * 20]), max_size=60)


@given(TEXT, st.integers(0, 30), st.integers(0, 30))
def test_lines_are_counted_and_read_from_anywhere(folders: Path, pieces: list[bytes], first: int, many: int) -> None:
    folder = fresh(folders)
    written(folder, [(1, piece) for piece in pieces])
    log = LogFile(folder)
    text = b"".join(pieces).decode("utf-8", "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines

    assert log.count == len(lines)
    assert [line.text for line in log.lines(first, many)] == lines[first : first + many]


def test_lines_far_into_a_large_log_are_found(tmp_path: Path) -> None:
    written(tmp_path, [(1, b"".join(data for _, data in numbered(0, 200_000)))], cap=1 << 30)
    log = LogFile(tmp_path)

    assert log.count == 200_000
    assert [line.text for line in log.lines(123_456, 2)] == ["line 123456", "line 123457"]
    assert log.search("line 19999[89]") == [199_998, 199_999]
    assert log.search("line", limit=3) == [0, 1, 2]


def test_the_count_goes_on_while_the_log_grows(tmp_path: Path) -> None:
    recorder = Recorder(str(tmp_path), 1 << 30)
    log, counts = LogFile(tmp_path), []

    for _ in range(5):
        recorder.write(b"x" * 50_000 + b"\n" + b"half", 1)
        recorder.commit()
        counts.append(log.count)
    recorder.close()

    assert counts == [2, 3, 4, 5, 6]


def test_an_end_of_two_bytes_may_fall_between_blocks(tmp_path: Path) -> None:
    written(tmp_path, [(1, b"x" * ((1 << 16) - 1) + b"\r\n" + b"y\r\n")])

    assert LogFile(tmp_path).count == 2
    assert [line.text for line in LogFile(tmp_path).lines(1)] == ["y"]


@pytest.mark.parametrize("many", [0, 1, 3, 100])
def test_the_tail_is_the_last_lines(tmp_path: Path, many: int) -> None:
    written(tmp_path, numbered(0, 50))

    both, own = LogFile(tmp_path).tail(lines=many), LogFile(tmp_path).tail("stderr", lines=many)

    lines = [f"line {n}\n" for n in range(50)]
    assert both == "".join(lines[-many:] if many else [])
    assert own == "".join(lines[1::2][-many:] if many else [])


def test_the_tail_of_a_line_without_end_is_not_the_whole_of_it(tmp_path: Path) -> None:
    written(tmp_path, [(1, b"x" * (1 << 20)) for _ in range(20)], cap=1 << 30)

    assert LogFile(tmp_path).tail("stdout", lines=1) == "x" * ((64 << 10) + 1000)


def test_a_torn_record_is_passed_over(tmp_path: Path) -> None:
    written(tmp_path, [(1, b"a\n"), (2, b"b\n")])
    with open(tmp_path / "run.idx", "ab") as index:
        index.write(b"torn")

    assert [line.stream for line in LogFile(tmp_path).lines()] == ["stdout", "stderr"]


def test_what_the_index_does_not_know_yet_is_read_too(tmp_path: Path) -> None:
    written(tmp_path, [(2, b"a\n")])
    with open(tmp_path / "run.log", "ab") as log:
        log.write(b"b\n")

    assert LogFile(tmp_path).text("stderr") == "a\nb\n"


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    log = LogFile(tmp_path)

    assert (log.text(), log.count, log.lines(), log.tail(), log.search("x")) == ("", 0, [], "", [])


def test_a_state_that_is_expected_is_none_until_it_is_written(tmp_path: Path) -> None:
    expect_status(str(tmp_path))
    before = read_status(tmp_path)
    write_status(str(tmp_path), {"pid": 1})

    assert (before, read_status(tmp_path)) == ({}, {"pid": 1})


def test_a_state_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_status(str(tmp_path), {"pid": 1})
    (tmp_path / "status.new").mkdir()

    with pytest.raises(OSError, match=r"status\.new"):
        write_status(str(tmp_path), {"pid": 2})

    assert (tmp_path / "status").read_text() == '{"pid": 1}'


class Told:
    """Stands for a guardian: writes, and says how far."""

    def __init__(self, folder: Path, cap: int = 1 << 20) -> None:
        self.recorder = Recorder(str(folder), cap)
        self.recorder.open_index()
        self.lines, self.sizes = [0, 0], [0, 0]

    def write(self, data: bytes, stream: int) -> None:
        self.recorder.write(data, stream)
        self.lines[stream - 1] += count_lines(data)
        self.sizes[stream - 1] += len(data)

    def notice(self) -> dict[str, object]:
        self.recorder.commit()
        log, frames = self.recorder.size, self.recorder.frames
        return {
            "notice": 1.0,
            "log": log,
            "frames": frames,
            "lines": [*self.lines],
            "sizes": [*self.sizes],
            "open": ["", ""],
        }


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(1, 40), st.booleans()), max_size=40),
    st.integers(10, 2000),
    st.integers(0, 500),
)
def test_a_tail_loses_no_count(folders: Path, steps: list[tuple[int, int, bool]], cap: int, budget: int) -> None:
    folder = fresh(folders)
    guardian, tail = Told(folder, cap), Tail(folder, budget)
    tail.open()
    told: list[Output] = []
    for stream, size, say in steps:
        guardian.write(b"x" * size + b"\n", stream)
        if say:
            told += tail.read(guardian.notice())
    told += tail.read(guardian.notice(), last=True)
    tail.close()
    guardian.recorder.close()

    for number in (1, 2):
        own = [e for e in told if e.stream == STREAMS[number]]
        assert sum(e.lines for e in own) == guardian.lines[number - 1]
        assert sum(e.size for e in own) == guardian.sizes[number - 1]
        assert sum(len(e.text) for e in own) <= budget


def test_a_tail_reads_no_further_than_it_is_told(tmp_path: Path) -> None:
    guardian, tail = Told(tmp_path), Tail(tmp_path, 1000)
    tail.open()
    guardian.write(b"a\n", 1)
    notice = guardian.notice()
    guardian.write(b"b\n", 2)
    guardian.recorder.commit()

    assert [e.text for e in tail.read(notice)] == ["a\n"]
    assert [e.text for e in tail.read(guardian.notice())] == ["b\n"]
    tail.close()
    guardian.recorder.close()


def test_a_tail_follows_a_log_whose_files_were_dropped(tmp_path: Path) -> None:
    guardian, tail = Told(tmp_path, 400), Tail(tmp_path, 1 << 20)
    tail.open()
    guardian.write(b"first\n", 1)
    told = tail.read(guardian.notice())
    for n in range(500):
        guardian.write(b"line %d\n" % n, 1)
    told += tail.read(guardian.notice())
    tail.close()
    guardian.recorder.close()

    assert told[0].text == "first\n"
    assert any(e.text.endswith("line 499\n") for e in told)
    assert sum(e.lines for e in told) == 501


def test_a_log_whose_index_is_not_there_yet_has_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "run.log").write_bytes(b"")

    assert LogFile(tmp_path).text("stdout") == ""
    assert LogFile(tmp_path).tail("stderr") == ""
