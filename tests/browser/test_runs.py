"""`%kestra runs` as a table that lives: what it says, and that each of its buttons acts."""

from __future__ import annotations

import re

import pytest

TRAIN = """%%kestra_process train -i lr={} -o '*.txt'
echo '::{{"metrics":[{{"type":"gauge","name":"loss","value":0.25}}]}}::'; echo text > out.txt"""
LONG = "%%kestra_process long --bg\necho 'line one'; sleep 600"
BUSY = "%%kestra_process busy\necho working; sleep 600"


@pytest.fixture(scope="module")
def notebook(visit):
    page = visit("runs", TRAIN.format(0.1), TRAIN.format(0.2), LONG, "%kestra runs", BUSY, width=1280)
    for at in range(4):
        page.run(at)
        page.idle(at)
    yield page
    page.settled()
    page.close()


@pytest.fixture
def table(notebook):
    found = notebook.page.get_by_role("region", name="Runs", exact=True)
    found.get_by_role("row", name=re.compile("train-1")).wait_for()
    return found


def row(table, name):
    return table.get_by_role("row").filter(has=table.page.get_by_role("rowheader", name=re.compile(name)))


def cell_with(notebook, line):
    """The number of the cell in which this was written."""
    written = notebook.page.locator(".jp-Notebook .jp-CodeCell .jp-InputArea-editor").all_inner_texts()
    return next(at for at, text in enumerate(written) if line in text)


def test_every_run_says_its_state_age_time_files_values_and_last_line(table):
    ended, lives = row(table, "train-1"), row(table, "long-1")

    ended.get_by_text("SUCCESS", exact=True).wait_for()
    ended.get_by_text(re.compile(r"ago$|^now$")).wait_for()
    ended.get_by_text("lr 0.1 · loss 0.25").wait_for()
    assert ended.locator(".kc-run-files").inner_text() == "1"
    lives.get_by_text("line one").wait_for()
    assert table.locator("tbody tr").first.get_by_role("rowheader").inner_text().startswith("long-1")


def test_the_static_table_is_saved_below_it(notebook, table):
    notebook.save()
    saved = notebook.path.read_text()

    assert "kestra-card" in saved
    assert "widget" not in saved
    assert notebook.page.locator("[data-kestra-run^=runs-] .kestra-card").is_hidden()


def test_a_pin_and_a_label_stay(table, notebook):
    one = row(table, "train-1")
    one.get_by_role("button", name="Pin train-1").click()
    one.get_by_role("button", name="Unpin train-1").wait_for()
    one.get_by_role("button", name="Label train-1").click()
    field = one.get_by_role("textbox", name="Label of train-1")
    field.fill("<b>best</b>")
    notebook.page.keyboard.press("Enter")

    one.get_by_text("<b>best</b>").wait_for()
    assert field.is_hidden()
    one.get_by_role("button", name="Unpin train-1").click()
    one.get_by_role("button", name="Pin train-1").wait_for()


@pytest.mark.parametrize(
    ("button", "line"),
    [
        ("Open", "%kestra attach train-1"),
        ("Diff", "%kestra diff train-2"),
        ("Rerun", "%kestra rerun train-1"),
    ],
)
def test_what_needs_a_cell_is_put_into_one_that_runs(table, notebook, button, line):
    table.get_by_role("button", name=f"{button} {line.split()[-1]}").click()
    table.get_by_text(f"Inserted below: {line}").wait_for()

    at = cell_with(notebook, line)
    notebook.run(at)
    notebook.idle(at)
    shown = notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(at).locator(".jp-OutputArea-output:visible")
    shown.first.wait_for()
    assert shown.get_by_text("Traceback").count() == 0


def test_new_runs_come_in_by_themselves(table):
    row(table, "train-3").get_by_text("SUCCESS").wait_for()


def test_stop_ends_a_run_in_the_background(table):
    row(table, "long-1").get_by_role("button", name="Stop long-1").click()

    row(table, "long-1").get_by_text("KILLED").wait_for()
    row(table, "long-1").get_by_role("button", name="Rerun long-1").wait_for()


def test_stop_ends_a_run_whose_cell_runs(table, notebook):
    at = cell_with(notebook, "working")
    notebook.run(at)
    row(table, "busy-1").get_by_text("working").wait_for()

    row(table, "busy-1").get_by_role("button", name="Stop busy-1").click()

    row(table, "busy-1").get_by_text("KILLED").wait_for()
    notebook.idle(at)


@pytest.mark.parametrize("kernel", ["6.29.5"])
def test_on_an_older_kernel_stop_interrupts_the_cell(opened, kernel):
    page = opened("%kestra runs --all", BUSY, kernel=kernel)
    page.run(0)
    page.idle(0)
    page.run(1)
    page.console.get_by_text("working", exact=True).wait_for()
    page.console.get_by_role("button", name="Stop", exact=True).click()
    page.state("KILLED")
    page.idle(1)

    row(page.page.get_by_role("region", name="Runs", exact=True), "busy-1").get_by_text("KILLED").wait_for()
    page.settled()
