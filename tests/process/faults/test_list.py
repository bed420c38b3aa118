"""The list of seventy faults: each has a test that bears its number, or one of another room that stands here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.process.faults.test_stubborn import NUMBERED

TESTS = Path(__file__).parents[2]
JOURNAL, RECOVERY, DATABASE = "runs/test_journal_faults.py", "kernel/test_recovery.py", "stores/test_database.py"
ELSEWHERE = {
    61: (JOURNAL, "test_twenty_kills_of_two_writers_lose_nothing_that_was_acknowledged"),
    62: (JOURNAL, "test_four_kernels_claim_three_hundred_orphans_exactly_once"),
    63: (JOURNAL, "test_a_full_disk_is_told_once_survived_and_caught_up_with"),
    64: (JOURNAL, "test_a_damaged_journal_is_kept_and_a_new_one_takes_over_what_lives"),
    65: (JOURNAL, "test_a_folder_that_cannot_be_written_is_told_and_survived"),
    66: (DATABASE, "test_a_network_file_system_is_recognised"),
    70: (RECOVERY, "test_a_run_is_tried_three_times_at_most"),
}
"""Faults of the journal: its room tests them under names of its own.

Of 66 what can be had without a server of files: where a network file system is, told from the table of mounts.
"""


def names_in(file: Path) -> set[str]:
    return {n.name for n in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(n, ast.FunctionDef)}


def said_in(file: Path) -> set[str]:
    """The names of its tests, and those that it gives to the cases of one."""
    told = (n.value for n in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(n, ast.Constant))
    return names_in(file) | {value for value in told if isinstance(value, str) and value.isidentifier()}


def numbered() -> set[int]:
    files = [file for file in TESTS.joinpath("process").rglob("test_*.py") if file != Path(__file__)]
    said = {name for file in files for name in said_in(file)} | NUMBERED.keys()
    return {int(number) for name in said for number in re.findall(r"fault_(\d\d)_", name)}


def test_each_of_the_seventy_faults_has_its_test() -> None:
    assert set(range(1, 71)) - numbered() - ELSEWHERE.keys() == set()


@pytest.mark.parametrize("number", ELSEWHERE)
def test_what_is_elsewhere_is_there(number: int) -> None:
    file, name = ELSEWHERE[number]

    assert name in names_in(TESTS / file)
