"""What keeps a command from starting, or its log from being written, is one clear sentence; nothing is left behind."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kestra_magic.process import supervise
from kestra_magic.process.events import Exited
from tests.process.conftest import Start, end, python, sh, text
from tests.process.survivors import helpers_of, wait_until


def refused(start: Start, *argv: str, **more: object) -> Exited:
    seen = list(start(argv, **more).events())
    assert len(seen) == 1, seen
    assert end(seen).error.count("\n") == 0
    return end(seen)


def script(folder: Path, text: str, mode: int = 0o755) -> str:
    path = folder / "a script"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_fault_47_a_program_that_is_nowhere(start: Start) -> None:
    last = refused(start, "no-such-program", "x")

    assert (last.code, last.error) == (127, "`no-such-program` is not found on PATH: install it, or write where it is")


def test_fault_47_a_path_that_does_not_exist(start: Start) -> None:
    assert refused(start, "/nowhere/at/all").error == "`/nowhere/at/all` does not exist"


def test_the_commands_own_path_is_searched(start: Start, tmp_path: Path) -> None:
    (tmp_path / "only-here").write_text("#!/bin/sh\necho found\n")
    (tmp_path / "only-here").chmod(0o755)

    seen = list(start(("only-here",), env={"PATH": f"/nowhere:{tmp_path}"}).events())

    assert text(seen) == "found\n"


def test_fault_47_an_interpreter_that_does_not_exist(start: Start, tmp_path: Path) -> None:
    last = refused(start, script(tmp_path, "#!/no/such/interpreter\n"))

    assert last.code == 127
    assert "names an interpreter that does not exist" in last.error


def test_fault_47_a_file_that_may_not_be_executed(start: Start, tmp_path: Path) -> None:
    last = refused(start, script(tmp_path, "#!/bin/sh\n", 0o644))

    assert last.code == 126
    assert "chmod +x" in last.error


def test_a_forbidden_file_on_path_is_named(start: Start, tmp_path: Path) -> None:
    path = Path(script(tmp_path, "#!/bin/sh\n", 0o644)).rename(tmp_path / "forbidden")

    last = refused(start, "forbidden", env={"PATH": str(tmp_path)})

    assert (last.code, str(path) in last.error) == (126, True)


def test_fault_47_a_folder_is_no_program(start: Start, tmp_path: Path) -> None:
    assert refused(start, str(tmp_path)).code == 126


def test_a_text_without_interpreter_is_no_program(start: Start, tmp_path: Path) -> None:
    last = refused(start, script(tmp_path, "echo hi\n"))

    assert last.code == 126
    assert "#!" in last.error


@pytest.mark.parametrize(("name", "word"), [("missing", "does not exist"), ("a file", "is not a folder")])
def test_fault_47_a_working_directory_that_is_none(start: Start, tmp_path: Path, name: str, word: str) -> None:
    (tmp_path / "a file").touch()

    last = refused(start, "/bin/true", cwd=tmp_path / name)

    assert (last.code, word in last.error) == (126, True)


IN_A_CLOSED_FOLDER = """
import os, pathlib, sys
from kestra_magic.process import supervise
log, cwd = map(pathlib.Path, sys.argv[1:])
child = supervise.start(supervise.Command(argv=("/bin/true",), env=dict(os.environ), cwd=cwd, log_dir=log))
print(list(child.events())[-1].error)
"""


def test_fault_47_a_working_directory_that_may_not_be_entered(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir(mode=0o700)
    (tmp_path / "closed").mkdir(mode=0)
    humble = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.getuid() == 0 else []
    if humble and not shutil.which("setpriv"):
        pytest.skip("root enters every folder, and there is no `setpriv` to make it humble")

    argv = [*humble, sys.executable, "-c", IN_A_CLOSED_FOLDER, str(tmp_path / "log"), str(tmp_path / "closed")]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)

    assert "may not be entered" in done.stdout, done.stderr


def test_arguments_that_are_too_long(start: Start) -> None:
    last = refused(start, "/bin/echo", *["x" * 100_000] * 40)

    assert last.code == 126
    assert "4,000,009 characters" in last.error
    assert "file" in last.error


def test_one_argument_that_is_too_long(start: Start) -> None:
    assert refused(start, "/bin/echo", "x" * 200_000).code == 126


def test_a_zero_byte_in_an_argument(start: Start) -> None:
    last = refused(start, "/bin/echo", "a\0b")

    assert last.code == 126
    assert "`/bin/echo` could not be started: a NUL character is in its text" in last.error


def test_fault_65_a_log_folder_that_is_none(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "run.log").mkdir()

    last = refused(start, "/bin/true", log_dir=folder)

    assert last.code == 126
    assert "cannot be written" in last.error


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here; `test_fault_58_a_log_that_may_not_grow` fills a limit instead")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_fault_58_a_full_disk_is_told_and_holds_nothing_up(start: Start, small_disk: Path) -> None:
    log = small_disk / "log"
    log.mkdir(mode=0o700)

    seen = list(start(sh("seq 1 500000; echo done > done; exit 5"), log_dir=log).events())

    last = end(seen)
    assert (last.code, last.stdout_lines) == (5, 500_000)
    assert "the log is incomplete: No space left on device" in last.error
    assert 0 < last.lost_bytes < last.log_bytes == 3_388_895
    assert (log / "run.log").stat().st_size == last.log_bytes - last.lost_bytes


def test_fault_58_a_log_that_may_not_grow(tmp_path: Path) -> None:
    """The guardian has the limit of its warden, and that of the kernel at its start."""
    code = (
        "import os, resource, sys, pathlib, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from kestra_magic.process import supervise\n"
        "log = pathlib.Path(sys.argv[1]); log.mkdir(mode=0o700)\n"
        "child = supervise.start(supervise.Command(argv=('/usr/bin/seq', '1', '100000'), env=dict(os.environ), cwd=log, log_dir=log))\n"
        "last = list(child.events())[-1]; print(last.code, last.stdout_lines, last.error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "limited")],
        capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip

    assert done.stdout == "0 100000 the log is incomplete: File too large\n", done.stderr


def test_fault_59_a_folder_that_is_removed_during_the_run(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"print('up')\nimport os, time\nwhile os.path.exists({str(log)!r}): time.sleep(0.01)\nprint('late')"
    child = start(python(script), log_dir=log)
    seen = []
    for event in child.events():
        seen.append(event)
        if "up" in getattr(event, "text", ""):
            shutil.rmtree(log)

    assert text(seen) == "up\nlate\n"
    assert end(seen).code == 0
    assert "state could not be written down" in end(seen).error


MOST_RUNS = 30


def test_fault_21_no_descriptors_left(start: Start) -> None:
    list(start(("/bin/true",)).events())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held, ends = [], []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 8, hard))
        while not ends or ends[-1].code == 0:  # those that were kept ready are used up, and what an end gives back
            assert len(ends) < MOST_RUNS
            with suppress(OSError):
                while True:
                    held.append(open("/dev/null"))
            ends.append(end(list(start(("/bin/true",)).events())))
    finally:
        for file in held:
            file.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert ends[-1].code == 126
    assert "too many open files" in ends[-1].error
    assert end(list(start(("/bin/true",)).events())).code == 0


def test_nothing_is_left_of_what_could_not_start(start: Start) -> None:
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(10):
        refused(start, "no-such-program")

    assert wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before + supervise.system.WARM + 1)
    assert wait_until(lambda: len(helpers_of(os.getpid())) <= 1 + supervise.system.WARM)
