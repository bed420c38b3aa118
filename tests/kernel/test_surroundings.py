"""A kernel whose surroundings fail it: what the system refuses is one sentence, never a traceback of ours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.workspace.conditions import small_disk

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel

__all__ = ["small_disk"]

GONE = "the folder in which this kernel runs was removed: `%cd` to another, or restart the kernel"


@pytest.mark.parametrize(
    "code", ["%%kestra_process p\necho hi", "%%kestra_flow\nid: f", "%kestra runs", "%kestra stop x"]
)
def test_a_kernel_whose_folder_was_removed_says_so(fresh: Kernel, code: str) -> None:
    fresh.run("import os, shutil; shutil.rmtree(os.getcwd())")

    assert fresh.run(code).error == GONE


def test_a_cell_after_its_folder_was_removed_says_so(fresh: Kernel) -> None:
    fresh.run("%%kestra_process p\necho hi")
    fresh.run("import os, shutil; shutil.rmtree(os.getcwd())")

    assert fresh.run("%%kestra_process p\necho hi").error == GONE


def test_what_the_disk_has_no_room_for_stays_where_it_was_made(small_disk: Path, fresh: Kernel) -> None:
    """Hours of work are not removed with the directory of their attempt."""
    fresh.run(f"%cd {small_disk}")
    body = "echo small > a.txt; head -c 5000000 /dev/zero > b.bin; echo done"

    reply = fresh.run(f"%%kestra_process big -o a.txt -o b.bin\n{body}")

    assert "the disk is full" in reply.error, reply
    left = re.search(r"it was left in `(.*)`", reply.error)
    assert left is not None
    assert Path(left[1]).stat().st_size == 5_000_000
    assert fresh.value("(big.files['a.txt'].read_text(), big.stdout, big.outputs['exitCode'])") == repr(
        ("small\n", "done\n", 0)
    )


FULL = """
import resource as r, sys, time
while "kestra_magic.errors" not in sys.modules: time.sleep(0.01)
limits = r.getrlimit(r.RLIMIT_NOFILE)
r.setrlimit(r.RLIMIT_NOFILE, (3, limits[1]))
"""
"""From now on every new descriptor is one too many: not in the millisecond after `%load_ext`, as no person would."""
AGAIN = "r.setrlimit(r.RLIMIT_NOFILE, limits)"


@pytest.mark.parametrize("code", ["%%kestra_process p\necho hi", "%kestra runs", "%kestra validate x.yaml"])
def test_a_kernel_without_a_free_descriptor_says_so(fresh: Kernel, code: str) -> None:
    """The limit may be met while a module is imported, while files are placed, or by the guardian's socket."""
    fresh.run(FULL)

    reply = fresh.run(code)

    assert "oo many" in reply.error, reply
    assert len(reply.traceback.splitlines()) == 1
    fresh.run(AGAIN)


def test_a_cell_for_which_no_descriptor_was_left_leaves_nothing_and_runs_later(fresh: Kernel) -> None:
    fresh.run("%%kestra_process before\necho hi")
    fresh.run(FULL)
    assert "oo many" in fresh.run("%%kestra_process p\necho hi").error
    fresh.run(AGAIN)

    assert fresh.run("%kestra stop --all").text() == "nothing runs now\n"
    assert fresh.run("%%kestra_process p\necho again").text() == "again\n"
