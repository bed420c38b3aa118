"""The console stands where the header stood, stops what runs, and leaves a plain card behind."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OVERLAYS

RUN = "from tests.browser.harness import run\nrun({code!r})"
WAITS = "import time\nprint('up')\ntime.sleep(60)"
KERNELS = ["python3", *(f"old-{path.name}" for path in sorted(OVERLAYS.glob("*")))]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("front", ["lab", "notebook"])
def test_stop_ends_the_run_while_its_cell_runs(opened, front, kernel):
    page = opened(RUN.format(code=WAITS), front=front, kernel=kernel)
    page.run()
    page.console.get_by_text("up", exact=True).wait_for()

    page.console.get_by_role("button", name="Stop").click()

    page.state("KILLED")
    page.idle()
    page.settled()


def test_the_console_hides_streams_and_result_and_gives_them_back_when_the_kernel_restarts(opened):
    page = opened(RUN.format(code="print('said by the child')"))
    page.run()
    page.state("SUCCESS")
    card, header = page.page.locator("[data-kestra-result]"), page.page.get_by_text("static header")
    card.wait_for(state="hidden")
    assert header.is_hidden()

    page.page.keyboard.press("Escape")
    page.page.evaluate("() => window.jupyterapp.commands.execute('kernelmenu:restart')")
    page.page.get_by_role("button", name="Restart").click()

    card.wait_for(state="visible")
    assert header.is_visible()
    assert page.console.count() == 0


def test_a_reloaded_page_shows_the_console_again(opened):
    page = opened(RUN.format(code="print('said by the child')"))
    page.run()
    page.state("SUCCESS")
    page.page.keyboard.press("Control+s")
    page.page.wait_for_timeout(0)
    page.page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")

    page.page.reload()

    page.state("SUCCESS")
    page.console.get_by_text("said by the child").wait_for()
