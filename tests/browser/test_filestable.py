"""`run.files` as a browser of files that lives: what it shows, and that what is saved is the plain list."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

MAKES = """%%kestra_process made -o '*.csv' -o 'sub/**' -o 'none.*'
mkdir sub; printf 'step,loss\\n1,0.5\\n2,0.25\\n' > table.csv; echo '<b>far below</b>' > sub/leaf.txt"""
FLOW = """%%kestra_flow
id: nightly
namespace: company.team
tasks:
  - {id: one, type: io.kestra.plugin.scripts.shell.Commands, commands: ["echo from one > same.txt"], outputFiles: ["*.txt"]}
  - {id: two, type: io.kestra.plugin.scripts.shell.Commands, commands: ["echo from two > same.txt"], outputFiles: ["*.txt"]}"""


@pytest.fixture(scope="module")
def notebook(visit):
    page = visit("filestable", MAKES, "made.files", FLOW, "nightly.files", width=1280)
    for at in range(4):
        page.run(at)
        page.idle(at)
    yield page
    page.settled()
    page.close()


def files(notebook, at):
    cell = notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(at)
    found = cell.get_by_role("region", name="Files of")
    found.get_by_role("treeitem").first.wait_for()
    return found


def previewed(found, name):
    found.get_by_role("treeitem", name=name).click()
    return found.get_by_role("region", name="Preview")


def test_a_click_shows_a_table_and_the_list_that_is_saved_is_hidden(notebook):
    found = files(notebook, 1)

    shown = previewed(found, "table.csv")

    shown.get_by_text("2 rows × 2 columns").wait_for()
    assert shown.get_by_role("columnheader", name="loss").is_visible()
    assert found.get_by_text("`none.*` matched no file").is_visible()
    assert notebook.page.locator("[data-kestra-run^=files-] .kestra-card").first.is_hidden()


def test_folders_open_and_a_search_looks_into_them(notebook):
    found = files(notebook, 1)
    found.get_by_role("treeitem", name="sub").click()
    previewed(found, "leaf.txt").get_by_text("<b>far below</b>").wait_for()

    found.get_by_role("searchbox", name="Search the files").fill("LEAF")
    found.get_by_text("1 file found").wait_for()
    found.get_by_role("searchbox", name="Search the files").fill("")
    found.get_by_text("2 entries").wait_for()


def test_a_file_is_downloaded(notebook, tmp_path):
    shown = previewed(files(notebook, 1), "table.csv")

    with notebook.page.expect_download() as download:
        shown.get_by_role("button", name="Download").click()

    download.value.save_as(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == "step,loss\n1,0.5\n2,0.25\n"


def test_the_code_that_is_offered_leads_to_the_file(notebook):
    shown = previewed(files(notebook, 1), "table.csv")
    shown.get_by_role("button", name="Copy reference").click()
    files(notebook, 1).get_by_text("Copied.").wait_for()

    assert notebook.page.evaluate("() => navigator.clipboard.readText()") == "made.files['table.csv']"


def test_files_of_a_flow_lie_below_their_tasks(notebook):
    found = files(notebook, 3)
    found.get_by_role("treeitem", name="two").click()
    found.get_by_role("treeitem", name="two", expanded=True).wait_for()

    shown = previewed(found, "same.txt")

    shown.get_by_text("from two").wait_for()
    shown.get_by_role("button", name="Copy reference").click()
    found.get_by_text("Copied.").wait_for()
    assert notebook.page.evaluate("() => navigator.clipboard.readText()") == "nightly.files['two/same.txt']"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(notebook, theme):
    notebook.theme(dark=theme == "dark")
    previewed(files(notebook, 1), "table.csv").get_by_text("2 rows × 2 columns").wait_for()

    found = Axe().run(
        notebook.page, context="[aria-label^=Files].kestra-console", options={"resultTypes": ["violations"]}
    )

    notebook.theme(dark=False)
    assert [(v["id"], v["nodes"]) for v in found.response["violations"]] == []


def test_files_of_an_earlier_kernels_run_are_browsed_and_without_a_kernel_the_list_is_there(opened):
    page = opened(MAKES, "%load_ext kestra_magic\n%kestra attach made", "made.files")
    page.run(0)
    page.idle(0)
    page.restart()
    page.page.locator("[data-kestra-result]").wait_for(state="visible")
    page.ready()
    for at in (1, 2):
        page.run(at)
        page.idle(at)
    previewed(files(page, 2), "table.csv").get_by_text("2 rows × 2 columns").wait_for()
    page.save()
    assert "widget" not in json.dumps(json.loads(page.path.read_text()))

    page.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
    plain = page.page.locator("[data-kestra-run^=files-] .kestra-card")
    plain.wait_for(state="visible")
    page.page.reload()

    plain.get_by_text("Files (2)").wait_for()
    assert plain.get_by_text("table.csv").first.is_visible()
    assert page.page.get_by_role("region", name="Files of").count() == 0
