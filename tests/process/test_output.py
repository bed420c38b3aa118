"""What a command writes arrives: at once, whole, in order, byte for byte, and masked."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kestra_magic.process.events import Event, Output, Stream
from kestra_magic.process.logs import LogFile
from tests.process.conftest import Start, end, frames, python, says, sh, text, until

WAITS = "; kill -STOP $$"
"""It stands still then: whatever has been told was told while it ran."""


def opened(events: list[Event], stream: Stream = "stdout") -> str:
    """Return the unfinished line as it was told last."""
    return next(
        (e.text for e in reversed(events) if isinstance(e, Output) and e.kind == "open" and e.stream == stream), ""
    )


def is_open(word: str) -> object:
    return lambda e: isinstance(e, Output) and e.kind == "open" and e.text == word


def log(start: Start, *argv: str, folder: Path, **more: object) -> LogFile:
    list(start(argv, log_dir=folder, **more).events())
    return LogFile(folder)


def test_the_first_line_is_told_while_the_command_runs(start: Start) -> None:
    child = start(sh(f"echo first{WAITS}"))

    assert text(until(child, lambda e: isinstance(e, Output))) == "first\n"


def test_a_prompt_is_told_before_its_line_ends(start: Start) -> None:
    child = start(sh(f"printf 'name? '{WAITS}"))

    assert opened(until(child, is_open("name? "))) == "name? "
    child.stop(grace=0)
    assert text(list(child.events())) == "name? "


def test_a_line_that_grows_is_told_as_it_stands(start: Start) -> None:
    child = start(
        python("import os, time\nfor c in 'abc': os.write(1, c.encode()); time.sleep(0.2)\nos.write(1, b'\\n')")
    )

    seen = list(child.events())

    assert text(seen) == "abc\n"
    told = [e.text for e in seen if isinstance(e, Output) and e.kind == "open"]
    assert told == sorted(told)
    assert end(seen).stdout_lines == 1


def test_a_bar_is_many_lines_and_its_last_one_is_open(start: Start) -> None:
    child = start(sh(f"printf '10%%\\r20%%\\r30%%'{WAITS}"))

    seen = until(child, is_open("30%"))

    assert text(seen) == "10%\r20%\r"
    child.stop(grace=0)
    assert end(list(child.events())).stdout_lines == 3


def in_turns(folder: Path) -> tuple[str, ...]:
    """Write to both streams in turns, each line when the one before has arrived: two pipes alone keep no order."""
    wait = f"while os.path.getsize({str(folder / 'run.log')!r}) < size: time.sleep(0.0005)"
    code = f"import os, time; size = 0\nfor n in range(60):\n    size += os.write(1 + n % 2, b'%d\\n' % n)\n    {wait}"
    return python(code)


def test_both_streams_keep_their_order(start: Start, tmp_path: Path) -> None:
    whole = log(start, *in_turns(tmp_path / "log"), folder=tmp_path / "log")

    assert [line.text for line in whole.lines()] == [str(n) for n in range(60)]
    assert [line.stream for line in whole.lines()] == ["stdout", "stderr"] * 30


def test_fault_60_order_is_told_as_it_is_written(start: Start, tmp_path: Path) -> None:
    seen = list(start(in_turns(tmp_path / "log"), log_dir=tmp_path / "log").events())

    told = [(e.stream, e.text) for e in seen if isinstance(e, Output) and e.kind == "lines"]
    assert told == [(("stdout", "stderr")[n % 2], f"{n}\n") for n in range(60)]


def test_merged_streams_are_in_exact_order(start: Start) -> None:
    code = "import os\nfor n in range(20_000): os.write(1 + n % 2, b'%d\\n' % n)"

    seen = list(start(python(code), merge=True).events())

    assert text(seen) == "".join(f"{n}\n" for n in range(20_000))
    assert text(seen, "stderr") == ""


def test_a_terminal_is_one_when_asked_for(start: Start) -> None:
    seen = list(start(python("import os; print(os.isatty(2), *os.get_terminal_size(1))"), tty=True).events())

    assert text(seen) == "True 120 40\n"
    assert text(list(start(sh("test -t 1 || test -t 2 || echo none")).events())) == "none\n"


CHARACTERS = "aé€𝄞\n".encode()


@pytest.mark.parametrize("at", range(1, len(CHARACTERS)))
def test_fault_53_a_character_may_be_cut_anywhere(start: Start, at: int) -> None:
    code = f"import os, time; os.write(1, {CHARACTERS[:at]!r}); time.sleep(0.12); os.write(1, {CHARACTERS[at:]!r})"

    seen = list(start(python(code)).events())

    assert text(seen) == "aé€𝄞\n"
    assert end(seen).stdout_lines == 1


def test_fault_53_bad_bytes_stay_as_they_are_on_disk(start: Start, tmp_path: Path) -> None:
    data = bytes(range(256)) * 3

    whole = log(start, *python(f"import os; os.write(1, {data!r})"), folder=tmp_path / "log")

    assert (tmp_path / "log" / "run.log").read_bytes() == data
    assert whole.text() == data.decode("utf-8", "replace")


def test_half_a_character_at_the_end_is_shown_as_bad(start: Start) -> None:
    assert text(list(start(python("import os; os.write(1, b'x\\xe2\\x82')")).events())) == "x\ufffd"


def test_offsets_and_sizes_say_where_it_stands_in_the_log(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    code = "import os\nfor n in range(2000): os.write(1 + n % 2, 'é{}\\n'.format(n).encode())"

    seen = list(start(python(code), log_dir=folder).events())

    written = (folder / "run.log").read_bytes()
    for e in seen:
        if isinstance(e, Output) and e.kind == "lines":
            assert written[e.offset : e.offset + e.size].decode() == e.text
    assert sum(e.lines for e in seen if isinstance(e, Output)) == 2000


def test_beyond_the_budget_only_counts_are_told(start: Start) -> None:
    seen = list(start(sh("seq 1 100000"), show_bytes=10_000).events())

    assert len(text(seen)) == 10_000
    assert sum(e.lines for e in seen if isinstance(e, Output) and e.kind == "lines") == 100_000
    assert sum(e.size for e in seen if isinstance(e, Output) and e.kind == "lines") == 588_895 == end(seen).log_bytes


def test_a_flood_is_told_in_few_events(start: Start) -> None:
    seen = list(start(sh("seq 1 1000000")).events())

    began, ended = seen[0].at, seen[-1].at
    assert len([e for e in seen if isinstance(e, Output)]) <= 2 * (20 * (ended - began) + 4)
    assert end(seen).stdout_lines == 1_000_000


def test_fault_51_a_flood_is_held_within_its_cap(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "log"

    last = end(list(start(sh("yes 0123456789 | head -c 200000000"), log_dir=folder, log_cap=4 << 20).events()))

    assert last.log_bytes == 200_000_000
    assert last.stdout_lines == 18_181_819
    kept = sum(p.stat().st_size for p in folder.glob("run.log*"))
    assert last.lost_bytes == 200_000_000 - kept
    assert kept <= 5 << 20


def test_fault_52_one_long_line(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "log"

    last = end(list(start(sh("head -c 100000000 /dev/zero | tr '\\0' x"), log_dir=folder).events()))

    assert (last.stdout_lines, last.log_bytes) == (1, 100_000_000)
    assert LogFile(folder).count == 1


def test_fault_54_bars_by_the_thousand(start: Start) -> None:
    code = "import sys\nfor n in range(5000): sys.stdout.write(f'\\r{n}%')\nprint()"

    last = end(list(start(python(code)).events()))

    assert last.stdout_lines == 5001


MARKER = '::{"outputs":{"a":"é"}}::'


@pytest.mark.parametrize("at", range(1, len(MARKER.encode()) + 1))
def test_fault_55_a_marker_is_lifted_wherever_it_is_cut(start: Start, tmp_path: Path, at: int) -> None:
    data = MARKER.encode() + b"\n"
    folder = tmp_path / "log"
    code = f"import os, time; os.write(1, {data[:at]!r}); time.sleep(0.06); os.write(1, {data[at:]!r})"

    seen = list(start(python(code), log_dir=folder).events())

    assert frames(seen) == [MARKER + "\n"]
    assert (folder / "run.log").read_bytes() == b""
    assert opened(seen) == ""


def test_fault_55_a_marker_at_the_end_without_its_line_end(start: Start) -> None:
    seen = list(start(python(f"import os; os.write(1, {MARKER.encode()!r})")).events())

    assert frames(seen) == [MARKER]
    assert end(seen).stdout_lines == 1


def test_fault_55_a_marker_of_sixteen_million_bytes(start: Start) -> None:
    code = "import os, sys; sys.stdout.write('::{\"outputs\":{\"a\":\"' + 'x' * (16 << 20) + '\"}}::\\n')"

    (marker,) = frames(list(start(python(code), log_cap=1000).events()))

    assert len(marker) == (16 << 20) + 25


def test_markers_stand_between_the_lines_where_they_were_written(start: Start) -> None:
    seen = list(start(sh(f"echo a; echo '{MARKER}'; echo b; echo '{MARKER}' >&2; echo c")).events())

    told = [(e.kind, e.text) for e in seen if isinstance(e, Output) and e.stream == "stdout"]
    assert "".join(t for _, t in told) == f"a\n{MARKER}\nb\nc\n"
    assert len(frames(seen)) == 2


def test_markers_are_read_once_and_then_kept_nowhere(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "log"

    list(start(sh(f"echo '{MARKER}'"), log_dir=folder).events())

    assert not (folder / "run.frames").exists()


def test_markers_are_kept_also_where_their_folder_has_another_name_by_then(start: Start, tmp_path: Path) -> None:
    folder, flag = tmp_path / "log", tmp_path / "flag"
    child = start(sh(f"echo up; until [ -e {flag} ]; do sleep 0.01; done; echo '{MARKER}'"), log_dir=folder)
    seen = until(child, says("up"))
    folder.rename(tmp_path / "moved")
    flag.touch()

    seen += list(child.events())

    assert len(frames(seen)) == 1


def test_nothing_is_lifted_when_nothing_shall_be(start: Start) -> None:
    assert text(list(start(sh(f"echo '{MARKER}'"), lift=False).events())) == f"{MARKER}\n"


def test_fault_56_a_command_may_close_what_it_writes_to(start: Start) -> None:
    seen = list(start(sh("echo up; exec 1>&- 2>&-; sleep 0.2; exit 6")).events())

    assert (text(seen), end(seen).code) == ("up\n", 6)


def test_logs_are_for_their_owner_alone(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "log"

    before = os.umask(0)
    try:
        list(start(sh("echo hi"), log_dir=folder).events())
    finally:
        os.umask(before)

    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("pieces", [["hun", "ter", "2"], ["hunter2"], list("hunter2")])
def test_a_secret_is_masked_in_events_and_on_disk_however_it_is_cut(
    start: Start, tmp_path: Path, pieces: list[str]
) -> None:
    folder = tmp_path / "log"
    code = f"import os, time\nfor p in {['<', *pieces, '>', chr(10)]!r}: os.write(1, p.encode()); time.sleep(0.06)"

    seen = list(start(python(code), log_dir=folder, mask=("hunter2",)).events())

    assert text(seen) == "<*******>\n"
    assert (folder / "run.log").read_bytes() == b"<*******>\n"
    assert not any("hunte" in getattr(e, "text", "") for e in seen)
    assert b"hunter2" not in b"".join(p.read_bytes() for p in folder.iterdir())


def test_a_secret_is_masked_in_its_other_forms(start: Start) -> None:
    secret = 'pä"ss\\wörd+/?&'
    code = (
        "import base64, json, os, urllib.parse as u\ns = os.environ['S']\n"
        "for n in range(6): print(base64.b64encode(b'x' * n + s.encode() + b'y' * n).decode(), "
        "base64.urlsafe_b64encode(b'x' * n + s.encode()).decode())\n"
        "print(json.dumps({'k': s}), json.dumps(s, ensure_ascii=False), u.quote(s), u.quote(s, safe=''), u.quote_plus(s), s)"
    )

    said = text(list(start(python(code), env={"S": secret, "PYTHONIOENCODING": "utf-8"}, mask=(secret,)).events()))

    assert "ss" not in said
    assert "w\\u00f6rd" not in said
    assert "%C3" not in said
    for line in said.splitlines()[:6]:
        plain, safe = line.split()
        assert "****" in plain
        assert "****" in safe
