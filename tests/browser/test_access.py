"""For everyone, in every width and both themes: axe finds nothing, and pictures are kept to be looked at."""

from __future__ import annotations

import re
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.jupyter import PICTURES, ROOT

TRAINS = """%%kestra_process train -l python -o '*.csv' -o '*.json' --raw
import json, sys, time
print('::{"outputs": {"best": 0.93, "params": {"lr": 0.01, "layers": [64, 8]}}}::')
open('history.csv', 'w').write('epoch,loss,accuracy\\n' + ''.join(f'{n},{1 / (n + 1):.4f},{1 - 1 / (n + 2):.4f}\\n' for n in range(300)))
open('config.json', 'w').write(json.dumps({'lr': 0.01, 'layers': [64, 8]}))
for n in range(12):
    print('::{"metrics": [{"name": "loss", "type": "gauge", "value": %f, "tags": {"set": "train"}}]}::' % (1 / (n + 1)))
    print(f'\\x1b[32mINFO\\x1b[0m epoch {n:02d} loss={1 / (n + 1):.4f} see https://example.org/runs/{n}', flush=True)
    print(f'\\rtrain: {n * 8}%|###       | {n}/12 [00:0{n // 4}<00:0{3 - n // 4}, 4.0it/s]', end='', file=sys.stderr, flush=True)
    time.sleep(0.5)
print('WARNING: one class is empty')
"""
FAILS = """%%kestra_process check -l python
rows = [{"x": 1}, {}]
for row in rows:
    print(row["x"])
"""
FLOW = """%%kestra_flow
id: nightly
namespace: company.team
tasks:
  - id: extract
    type: io.kestra.plugin.scripts.shell.Commands
    commands: ["echo fetching; sleep 0.3"]
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [berlin, paris, rome]
    concurrencyLimit: 2
    tasks:
      - id: load
        type: io.kestra.plugin.scripts.shell.Commands
        commands: ["echo {{ taskrun.value }}; sleep 0.5"]
"""
RUNS = "%kestra runs"
TABS = ("Log", "Outputs", "Files", "Metrics", "Resources", "Rendered")
FRAME = """name => {
  const box = document.querySelector(name);
  return [...box.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > box.getBoundingClientRect().right + 1
    && getComputedStyle(e).position !== 'absolute' && !e.closest('.kc-lines, .kc-scroll, .kc-code, .kc-tabs, .kc-tree, .kc-preview, svg, .kc-gantt')).map(e => e.className)
}"""


@pytest.fixture(scope="module")
def notebook(visit):
    page = visit("access", TRAINS, FAILS, FLOW, RUNS, width=1280)
    page.run(0)
    page.console.get_by_text("epoch 08").wait_for()
    page.picture("running")
    page.idle(0)
    page.run(1)
    page.idle(1)
    page.run(2)
    page.idle(2)
    for at in range(3):
        page.console.nth(at).locator(".kc-badge:is([data-state=SUCCESS], [data-state=FAILED])").first.wait_for()
    page.run(3)
    page.idle(3)
    page.page.get_by_role("region", name="Runs", exact=True).wait_for()
    yield page
    page.theme(dark=False)
    page.settled()
    page.close()


@pytest.fixture(params=["light", "dark"])
def theme(notebook, request):
    notebook.theme(dark=request.param == "dark")
    return request.param


def violations(page):
    found = Axe().run(page.page, context=".kestra-console", options={"resultTypes": ["violations"]}).response
    return [(v["id"], node["html"][:200], node["failureSummary"]) for v in found["violations"] for node in v["nodes"]]


def shown(train, tab):
    """The console with *tab* before one's eyes."""
    train.get_by_role("tab", name=re.compile(f"^{tab}")).click()
    if tab == "Files":
        train.get_by_role("treeitem", name="history.csv").click()
        train.get_by_text("first 100 of 300 rows × 3 columns").wait_for()
    if tab in ("Metrics", "Resources"):
        train.locator(".kc-chart:visible").first.wait_for()
    if tab == "Outputs":
        train.get_by_text("best: 0.93").wait_for()
    return train


@pytest.mark.parametrize("tab", TABS)
def test_axe_finds_no_violation_and_a_picture_is_kept(notebook, theme, tab):
    shown(notebook.console.first, tab).screenshot(path=PICTURES / f"{tab.lower()}-{theme}.png")

    assert violations(notebook) == []


def test_the_error_and_the_tasks_over_time_pass_too(notebook, theme):
    error, flow = notebook.console.nth(1), notebook.console.nth(2)
    error.get_by_text("line 4: KeyError: 'x'").wait_for()
    flow.get_by_role("tab", name=re.compile("^Tasks")).click()

    error.screenshot(path=PICTURES / f"error-{theme}.png")
    flow.screenshot(path=PICTURES / f"tasks-{theme}.png")
    notebook.console.nth(3).screenshot(path=PICTURES / f"runs-{theme}.png")
    assert violations(notebook) == []


@pytest.mark.parametrize("tab", TABS)
def test_nothing_is_cut_off_where_there_is_little_room(notebook, tab):
    notebook.page.set_viewport_size({"width": 760, "height": 900})
    notebook.page.add_style_tag(content=".kestra-console { width: 320px !important }")
    notebook.console.first.get_by_role("tab", name=re.compile(f"^{tab}")).click()

    notebook.console.first.screenshot(path=PICTURES / f"narrow-{tab.lower()}.png")
    notebook.console.nth(3).screenshot(path=PICTURES / "narrow-runs.png")
    wide = notebook.page.evaluate(FRAME, ".kestra-console") + notebook.page.evaluate(FRAME, "[aria-label=Runs]")
    notebook.page.evaluate("() => document.head.lastElementChild.remove()")
    notebook.page.set_viewport_size({"width": 1280, "height": 900})
    assert wide == []


@pytest.mark.slow
def test_pictures_of_the_documentation_are_made_anew(notebook):
    """`pytest -m slow tests/browser/test_access.py` writes them into docs/pictures."""
    docs = ROOT / "docs" / "pictures"
    train, error, flow = (notebook.console.nth(at) for at in range(3))
    notebook.theme(dark=False)
    shown(train, "Files").screenshot(path=docs / "console-files.png")
    error.screenshot(path=docs / "console-error.png")
    notebook.theme(dark=True)
    shown(train, "Metrics").screenshot(path=docs / "console-metrics.png")
    shown(flow, "Tasks").screenshot(path=docs / "console-tasks.png")
    notebook.theme(dark=False)
    notebook.console.nth(3).screenshot(path=docs / "console-runs.png")
    shutil.copy(PICTURES / "running.png", docs / "console-running.png")

    assert len(list(docs.glob("console-*.png"))) >= 6
