"""Outputs, expressions, metrics, resources, what ran, and a flow's tasks over time."""

from __future__ import annotations

import re

import pytest

TRAINS = """%%kestra_process train -l python -i lr=0.01 --raw
import time
print('::{"outputs": {"best": 0.93, "params": {"layers": [64, 8]}, "odd key": "<b>x</b>"}}::')
for n in range(5):
    print('::{"metrics": [{"name": "loss", "type": "gauge", "value": %f, "tags": {"set": "train"}}]}::' % (1 / (n + 1)))
print('\\r 50%|#####     | 5/10 [00:05<00:05, 1.0it/s]', end='', flush=True)
time.sleep(3.5)
"""
FLOW = """%%kestra_flow
id: nightly
namespace: company.team
tasks:
  - id: extract
    type: io.kestra.plugin.scripts.shell.Commands
    commands: [echo one]
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [two]
    tasks:
      - id: load
        type: io.kestra.plugin.scripts.shell.Commands
        commands: ["echo {{ taskrun.value }}"]
"""


@pytest.fixture(scope="module")
def notebook(visit):
    """Two runs of one name, the second of which is looked at, and a flow."""
    page = visit("values", TRAINS, TRAINS, FLOW)
    page.run(0)
    page.idle(0)
    page.run(1)
    yield page
    page.settled()
    page.close()


@pytest.fixture
def run(notebook):
    console = notebook.console.nth(1)
    console.locator(".kc-badge[data-state=SUCCESS]").first.wait_for(timeout=60_000)
    return console


def tab(run, name):
    run.get_by_role("tab", name=re.compile(f"^{name}")).click()
    return run.get_by_role("tabpanel", name=re.compile(f"^{name}"))


def test_a_living_run_tells_its_time_its_bar_what_is_left_and_what_is_usual(notebook):
    run = notebook.console.nth(1)

    run.get_by_text(re.compile(r"usually \d")).wait_for()
    bar = run.get_by_role("progressbar", name="Progress")
    bar.wait_for()
    assert bar.get_attribute("aria-valuenow") == "50"
    run.get_by_text("50 % · 5.0 s left").wait_for()
    run.get_by_text(re.compile(r"^\d\.\d s · usually")).wait_for()
    run.get_by_text(re.compile(r"^Memory")).first.wait_for()


def test_outputs_are_a_tree_whose_expressions_are_copied_and_rendered(run, notebook):
    panel = tab(run, "Outputs")
    panel.get_by_text("best: 0.93").wait_for()

    panel.get_by_role("button", name="Copy {{ outputs.train.vars.params.layers[0] }}").click()
    run.get_by_text("Copied.").wait_for()
    assert notebook.page.evaluate("() => navigator.clipboard.readText()") == "{{ outputs.train.vars.params.layers[0] }}"
    panel.get_by_role("button", name="Render").click()
    answer = panel.get_by_label("The rendered expression")
    answer.get_by_text("64", exact=True).wait_for()


def test_a_branch_of_the_outputs_is_folded(run):
    panel = tab(run, "Outputs")
    branch = panel.get_by_role("button", name="params: {1 key}")
    branch.click()
    panel.get_by_text("layers:").wait_for(state="hidden")
    assert branch.get_attribute("aria-expanded") == "false"

    branch.click()
    panel.get_by_text("layers:").wait_for()


def test_a_wrong_expression_says_what_is_wrong(run):
    panel = tab(run, "Outputs")
    panel.get_by_role("textbox", name="Expression to render").fill("{{ outputs.train.vars.bset }}")

    panel.get_by_role("button", name="Render").click()

    panel.locator(".kc-wrong", has_text="bset").wait_for()


def test_inputs_are_seen_by_expressions(run):
    panel = tab(run, "Outputs")
    panel.get_by_role("textbox", name="Expression to render").fill("{{ inputs.lr * 100 }}")

    panel.get_by_role("button", name="Render").click()

    panel.get_by_label("The rendered expression").get_by_text("1").wait_for()


def test_metrics_are_a_table_with_tags_and_lines_within_and_across_runs(run):
    panel = tab(run, "Metrics")
    row = panel.get_by_role("row", name=re.compile("^loss"))
    row.wait_for()

    assert row.get_by_role("cell").all_inner_texts() == ["gauge", "0.2", "5", "set=train"]
    panel.get_by_role("img", name=re.compile("^loss in this run: last 0.2, peak 1")).wait_for()
    panel.get_by_role("img", name=re.compile("^loss across 2 runs")).wait_for()


def test_resources_are_charts_with_their_peaks_afterwards(run):
    panel = tab(run, "Resources")

    panel.get_by_role("img", name=re.compile("^CPU: last .* peak")).wait_for()
    panel.get_by_role("img", name=re.compile("^Memory: last .* peak")).wait_for()


def test_what_ran_is_shown_and_copied(run, notebook):
    panel = tab(run, "Rendered")
    panel.get_by_text("time.sleep(3.5)").wait_for()

    panel.get_by_role("button", name="Copy").click()
    run.get_by_text("Copied.").wait_for()
    assert "time.sleep(3.5)" in notebook.page.evaluate("() => navigator.clipboard.readText()")


def test_the_details_are_folded_away_and_the_strip_stays(run):
    fold = run.get_by_role("button", name="Details of the run")
    fold.click()
    assert run.get_by_role("tablist").is_hidden()
    assert run.locator(".kc-strip").is_visible()

    fold.click()
    assert run.get_by_role("tablist").is_visible()


def test_arrows_move_through_the_tabs(run, notebook):
    run.get_by_role("tab", name=re.compile("^Log")).click()
    notebook.page.keyboard.press("ArrowRight")
    assert run.get_by_role("tab", name=re.compile("^Outputs")).get_attribute("aria-selected") == "true"

    notebook.page.keyboard.press("End")
    assert run.get_by_role("tab", name="Rendered").get_attribute("aria-selected") == "true"
    assert notebook.page.evaluate("() => document.activeElement.textContent") == "Rendered"


def test_a_flow_shows_its_tasks_over_time_and_their_lines_as_one_log(notebook, run):
    notebook.run(2)
    flow = notebook.console.nth(2)
    flow.locator(".kc-badge[data-state=SUCCESS]").first.wait_for(timeout=60_000)
    flow.get_by_text("load two │ two").wait_for()

    panel = tab(flow, "Tasks")

    panel.get_by_role("rowheader", name=re.compile("^extract")).wait_for()
    panel.get_by_role("rowheader", name=re.compile("^load two")).wait_for()
    assert panel.locator(".kc-gantt-bar").count() == 3
    assert panel.locator(".kc-gantt-whole").count() == 1
    assert panel.get_by_text("SUCCESS").count() == 3
