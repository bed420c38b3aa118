"""`%%kestra_flow --form`: it is filled in and runs in the page; what is saved is a sentence, never a widget."""

from __future__ import annotations

import json

FORM = """%%kestra_flow asks --form
id: asks
namespace: company.team
inputs:
  - {id: n, type: INT}
  - {id: city, type: SELECT, values: [berlin, paris]}
  - {id: note, type: STRING, required: false}
tasks: [{id: t, type: io.kestra.plugin.core.log.Log, message: "{{ inputs.n }} in {{ inputs.city }}"}]"""


def test_a_form_is_filled_in_and_runs_and_a_saved_one_is_a_sentence(opened):
    page = opened(FORM, "print(asks.state, asks.logs[-1].message)")
    page.run()
    page.idle()
    run = page.page.locator("button.widget-button", has_text="Run")
    said = page.page.get_by_text("The form of `asks` asks for n (INT), city (SELECT), note (STRING)")
    run.click()
    page.page.get_by_role("alert").get_by_text("Missing required input:n").wait_for()
    assert said.is_hidden()

    page.page.get_by_placeholder("42").fill("7")
    page.page.locator(".widget-dropdown select").select_option("paris")
    run.click()

    page.state("SUCCESS")
    page.run(1)
    page.page.get_by_text("SUCCESS 7 in paris").wait_for()
    page.run(0)  # the form that was there goes
    page.page.wait_for_function(
        "() => document.querySelectorAll('.widget-vbox').length === 1 && !document.querySelector('.kestra-console')"
    )
    run.click()
    page.page.get_by_role("alert").get_by_text("Missing required input:n").wait_for()
    page.save()
    assert "widget" not in json.dumps(json.loads(page.path.read_text()))
    page.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
    said.wait_for(state="visible")
    page.page.reload()
    said.wait_for(state="visible")
    assert run.count() == 0
    page.settled()
