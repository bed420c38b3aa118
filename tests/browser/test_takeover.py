"""The console stands where the header stood, stops what runs, and leaves a plain card behind."""

from __future__ import annotations

import json

import pytest

from tests.browser.jupyter import OLDER

DEAF = """%%kestra_process deaf
#| grace: 600
trap '' TERM; echo up; while :; do sleep 600 & wait $!; done"""
TABLE = """%%kestra_process made -o '*.csv'
printf 'a,b\\n1,2\\n' > table.csv; echo '::{"outputs": {"best": 1}}::'; echo said"""
WAITS = "%%kestra_process train\necho up; sleep 60 & wait"
SAYS = "%%kestra_process train\necho said by the child; echo and this >&2"
FAILS = "%%kestra_process train -l python\n1 / 0"
HELD = """() => {
  window.held = new Promise((go) => (window.letGo = go));
  new MutationObserver(() => (window.stood ||= !!document.querySelector(".kestra-console")))
    .observe(document.body, { childList: true, subtree: true });
  const made = URL.createObjectURL;
  URL.createObjectURL = (blob) => {
    if (!/javascript/.test(blob.type)) return made(blob);
    window.asked = true;
    return made(new Blob(["await window.held;\\n", blob], { type: blob.type }));
  };
}"""
"""The page waits for the console's code until it is let go; that a console stood there is remembered."""


LATE = """() => {
  window.late = [];
  new MutationObserver(() => (window.stood ||= !!document.querySelector(".kestra-console")))
    .observe(document.body, { childList: true, subtree: true });
  const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
  const hear = kernel._ws.onmessage;
  kernel._ws.onmessage = (message) => (window.holding ? window.late.push(message) : hear(message));
  kernel.statusChanged.connect((_, status) => {
    if (status === "restarting") setTimeout(() => window.late.splice(0).forEach(hear));
  });
}"""
"""What the kernel says behind its cell, the console's opening, is heard only when the kernel restarts."""


@pytest.mark.parametrize(
    ("front", "kernel"),
    [("lab", ""), ("notebook", ""), *(("lab", version) for version in OLDER), ("notebook", OLDER[0])],
)
def test_stop_ends_the_run_while_its_cell_runs(opened, front, kernel):
    page = opened(WAITS, front=front, kernel=kernel)
    page.run()
    page.console.get_by_text("up", exact=True).wait_for()

    page.console.get_by_role("button", name="Stop").click()

    page.state("KILLED")
    page.idle()
    page.settled()


def test_stop_pressed_again_does_not_wait(opened):
    page = opened(DEAF)
    page.run()
    page.console.get_by_text("up", exact=True).wait_for()
    page.console.get_by_role("button", name="Stop").click()
    page.state("KILLING")

    page.console.get_by_role("button", name="Kill").click()

    page.state("KILLED")
    page.idle()
    page.settled()


def test_a_run_in_the_background_is_stopped_too(opened):
    page = opened("%%kestra_process train --bg\necho up; sleep 600", "1 + 1")
    page.run(0)
    page.idle(0)
    page.console.get_by_text("up", exact=True).wait_for()
    page.run(1)
    page.idle(1)

    page.console.get_by_role("button", name="Stop").click()

    page.state("KILLED")
    page.settled()


def test_notebook_7_has_the_log_the_files_and_their_code_too(opened, tmp_path):
    page = opened(TABLE, front="notebook")
    page.run()
    page.state("SUCCESS")
    page.idle()
    page.console.get_by_text("said", exact=True).wait_for()
    page.tab("Outputs")
    page.console.get_by_text("best: 1").wait_for()
    page.tab("Files")
    page.console.get_by_role("treeitem", name="table.csv").click()
    page.console.get_by_role("columnheader", name="a").wait_for()
    with page.page.expect_download() as download:
        page.console.get_by_role("button", name="Download").last.click()
    download.value.save_as(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == "a,b\n1,2\n"

    page.console.get_by_role("button", name="Open as DataFrame").click()

    page.page.locator(".jp-Notebook .jp-CodeCell").nth(1).get_by_text("table = made.files['table.csv']").wait_for()
    page.settled()


def test_the_console_hides_streams_and_result_and_gives_them_back_when_the_kernel_restarts(opened):
    page = opened(SAYS)
    page.run()
    page.state("SUCCESS")
    card, header = page.page.locator("[data-kestra-result]"), page.page.locator("[data-kestra-run] > div").first
    card.wait_for(state="hidden")
    assert header.is_hidden()
    assert page.page.locator(".jp-OutputArea-output:visible").count() == 1

    page.restart()

    card.wait_for(state="visible")
    assert header.is_visible()
    assert page.console.count() == 0
    page.settled()


def test_code_that_comes_after_the_kernel_was_restarted_leaves_the_card_as_it_is(opened):
    page = opened(SAYS)
    page.page.evaluate(HELD)
    page.run()
    page.idle()
    page.page.wait_for_function("() => window.asked")
    page.restart()
    page.page.get_by_role("button", name="Confirm Kernel Restart").wait_for(state="hidden")
    page.ready()

    page.page.evaluate("() => letGo()")
    page.page.wait_for_function("() => window.stood")

    page.page.locator("[data-kestra-result]").wait_for(state="visible")
    assert page.console.count() == 0
    page.settled()


def test_a_console_that_is_told_of_while_its_kernel_restarts_leaves_the_card_as_it_is(opened):
    page = opened(SAYS)
    page.page.evaluate(LATE)
    page.run()
    page.idle()
    page.page.evaluate("() => { window.holding = true; }")
    page.page.wait_for_function("() => window.late.length > 1")
    page.restart()

    page.page.wait_for_function("() => window.stood")
    page.page.locator("[data-kestra-result]").wait_for(state="visible")
    page.ready()

    assert page.console.count() == 0
    page.settled()


def test_what_a_failing_child_said_is_hidden_and_the_error_of_the_cell_is_seen(opened):
    page = opened(FAILS)
    page.run()
    page.state("FAILED")
    page.idle()

    page.page.get_by_text("TaskException").wait_for()
    assert page.page.locator(".jp-OutputArea-output:visible").count() == 2
    error = page.console.get_by_role("group", name="Error")
    assert error.get_by_text("line 2: ZeroDivisionError: division by zero").is_visible()
    error.get_by_role("button", name="Copy error").click()
    page.console.get_by_text("Copied.").wait_for()
    assert "ZeroDivisionError" in page.page.evaluate("() => navigator.clipboard.readText()")
    page.settled()


def test_a_reloaded_page_shows_the_console_again_and_what_is_saved_is_plain(opened):
    page = opened(SAYS)
    page.run()
    page.state("SUCCESS")
    page.idle()
    page.save()

    page.page.reload()

    page.state("SUCCESS")
    page.console.get_by_text("said by the child").wait_for()
    saved = json.loads(page.path.read_text())
    assert "widget" not in json.dumps(saved)
    assert [output["output_type"] for output in saved["cells"][0]["outputs"]] == [
        "display_data", "stream", "stream", "display_data",
    ]  # fmt: skip


def test_many_quick_runs_end_as_they_ended(opened):
    cells = ["%%kestra_process train\necho quick"] * 5
    page = opened(*cells)
    for at in range(5):
        page.run(at)
    page.idle(4)

    for at in range(5):
        page.console.nth(at).locator(".kc-badge[data-state=SUCCESS]").wait_for()
        page.console.nth(at).get_by_text("quick", exact=True).wait_for()
