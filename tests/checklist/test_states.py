"""§8.8: states, retries, timeouts."""

import pytest

from kestra_magic.model.source import Source
from kestra_magic.process.events import Started
from kestra_magic.runs.progress import Logged
from tests.checklist.ids import checks
from tests.flows.conftest import FAIL, FLOW, LOG, RETURN, SHELL, said, states


def attempts(run, task):
    return len(next(t for t in run.progress.task_runs.values() if t.task_id == task).attempts)


@checks("ST1")
def test_a_sleep_ends_at_its_timeout(run):
    ended = run("  - {id: t, type: io.kestra.plugin.core.flow.Sleep, duration: PT100S, timeout: PT0.0001S}\n")

    assert (ended.state, states(ended)) == ("FAILED", {"t": "FAILED"})
    assert sum("Timeout" in message for message in said(ended, "ERROR")) == 1


RETRY = "retry: {type: constant, interval: PT0.01S, maxAttempts: 3}"


@checks("ST2", "ST4")
@pytest.mark.parametrize(("also", "state"), [("", "WARNING"), (", allowWarning: true", "SUCCESS")])
def test_a_failure_that_is_allowed(run, also, state):
    ended = run(
        f"  - {{id: t, type: {FAIL}, allowFailure: true{also}, {RETRY}}}\n  - {{id: u, type: {LOG}, message: on}}\n"
    )

    assert ended.state == state
    assert states(ended) == {"t": state, "u": "SUCCESS"}
    assert attempts(ended, "t") == 3


ALLOWED = {
    "Sequential": f"type: {FLOW}.Sequential, tasks: [{{id: f, type: {FAIL}}}]",
    "Parallel": f"type: {FLOW}.Parallel, tasks: [{{id: f, type: {FAIL}}}, {{id: g, type: {LOG}, message: a}}]",
    "ForEach": f"type: {FLOW}.ForEach, values: [1, 2], tasks: [{{id: f, type: {FAIL}}}]",
    "If": f"type: {FLOW}.If, condition: 'true', then: [{{id: f, type: {FAIL}}}]",
    "Subflow": f"type: {FLOW}.Subflow, namespace: company.team, flowId: bad",
}


@checks("ST3")
@pytest.mark.parametrize("kind", ALLOWED)
def test_a_flowable_s_failure_is_allowed(run, kind):
    run(f"id: bad\nnamespace: company.team\ntasks:\n  - {{id: f, type: {FAIL}}}\n")
    ended = run(f"  - {{id: t, allowFailure: true, {ALLOWED[kind]}}}\n  - {{id: u, type: {LOG}, message: on}}\n")

    assert ended.state == "WARNING"
    assert (states(ended)["t"], states(ended)["u"]) == ("WARNING", "SUCCESS")


@checks("ST5")
def test_run_if(run):
    ended = run(f"""\
        - {{id: yes, type: {LOG}, message: a, runIf: "{{{{ 1 == 1 }}}}"}}
        - {{id: no, type: {LOG}, message: a, when: "{{{{ 1 == 2 }}}}"}}
        - {{id: bad, type: {LOG}, message: a, runIf: "{{{{ nothing }}}}"}}
        - {{id: never, type: {LOG}, message: a}}
        """)

    assert ended.state == "FAILED"
    assert states(ended) == {"yes": "SUCCESS", "no": "SKIPPED", "bad": "FAILED"}
    assert said(ended, "ERROR")[0].startswith("Unable to evaluate the runIf condition for task bad")


@checks("ST6")
def test_a_failing_task_keeps_its_outputs(run):
    ended = run("  - {id: t, type: io.kestra.plugin.core.execution.Assert, conditions: ['true', '{{ 1 == 2 }}']}\n")

    assert (ended.state, ended.outputs["t"]) == ("FAILED", {"success": 1, "failed": 1})
    assert said(ended, "ERROR")[0] == "Assertion failed: {{ 1 == 2 }}"


@checks("ST7")
def test_a_disabled_task_has_no_run(run):
    ended = run(f"  - {{id: a, type: {LOG}, message: x, disabled: true}}\n  - {{id: b, type: {LOG}, message: x}}\n")

    assert states(ended) == {"b": "SUCCESS"}


@checks("ST8")
def test_a_log_goes_to_its_file_alone(session, beside):
    def shown(more):
        flow = Source(
            f"id: flow\nnamespace: company.team\ntasks:\n- {{id: a, type: {LOG}, message: Hello World!{more}}}\n"
        )
        events = []
        ended = session.flow(flow, {}, beside=beside).follow(lambda _, event: events.append(type(event)), start=True)
        assert said(ended, "INFO") == ["Hello World!"]
        return Logged in events

    assert shown("")
    assert not shown(", logToFile: true")


@checks("ST9")
def test_killing_an_execution_kills_its_tasks(begin):
    ended = begin(f"""\
        - {{id: first, type: {LOG}, message: done}}
        - id: both
          type: {FLOW}.Parallel
          tasks:
            - {{id: a, type: {SHELL}, commands: [sleep 60]}}
            - {{id: b, type: io.kestra.plugin.core.flow.Sleep, duration: PT60S}}
        - {{id: never, type: {LOG}, message: a}}
        """)
    begun = set()

    def stop(_, event):
        if isinstance(event, Started):
            begun.add(event.task_run)
            if len(begun) == 3:
                ended.stop()

    ended.follow(stop, from_start=True)

    assert ended.state == "KILLED"
    assert states(ended) == {"first": "SUCCESS", "both": "KILLED", "a": "KILLED", "b": "KILLED"}


FLAKY = "commands: ['test {{ taskrun.attemptsCount }} -ge %d']"


@checks("RT1", "RT2")
@pytest.mark.parametrize(("fails", "state", "count"), [(3, "WARNING", 4), (0, "SUCCESS", 1)])
def test_a_task_that_succeeds_in_the_end(run, fails, state, count):
    retry = "retry: {type: constant, interval: PT0.01S, maxAttempts: 5, warningOnRetry: true}"
    ended = run(f"  - {{id: t, type: {SHELL}, {FLAKY % fails}, {retry}}}\n")

    assert (ended.state, attempts(ended, "t")) == (state, count)


@checks("RT3")
def test_a_task_that_never_succeeds(run):
    ended = run(f"""\
        id: flow
        namespace: company.team
        tasks:
          - {{id: t, type: {FAIL}, retry: {{type: constant, interval: PT0.01S, maxAttempt: 5}}}}
        errors:
          - {{id: after, type: {LOG}, message: sorry}}
        """)

    assert (ended.state, attempts(ended, "t")) == ("FAILED", 5)
    assert states(ended) == {"t": "FAILED", "after": "SUCCESS"}


@checks("RT4")
@pytest.mark.parametrize(
    "retry",
    [
        "type: random, minInterval: PT0.001S, maxInterval: PT0.01S",
        "type: exponential, interval: PT0.001S, maxInterval: PT0.01S",
    ],
)
def test_other_kinds_of_retry(run, retry):
    ended = run(f"  - {{id: t, type: {FAIL}, retry: {{{retry}, maxAttempts: 3}}}}\n")

    assert (ended.state, attempts(ended, "t")) == ("FAILED", 3)


@checks("RT5")
@pytest.mark.parametrize("where", ["task", "flow"])
def test_a_retry_that_makes_new_executions(run, where):
    retry = "retry: {type: constant, interval: PT0.01S, maxAttempts: 3, behavior: CREATE_NEW_EXECUTION}"
    of_task, of_flow = (f", {retry}", "") if where == "task" else ("", retry)
    ended = run(f"id: flow\nnamespace: company.team\n{of_flow}\ntasks:\n  - {{id: t, type: {FAIL}{of_task}}}\n")

    assert list(ended.executions.values()) == ["RETRIED", "RETRIED", "FAILED"]
    assert list(ended.executions)[-1] == ended.id
    assert [run.state for run in ended.progress.task_runs.values()] == ["RETRIED", "RETRIED", "FAILED"]


def test_a_new_execution_knows_the_first_and_runs_no_errors_before_the_last(run):
    seen = "{{ execution.id == execution.originalId }} {{ labels.system.replay ?? 'first' }}"
    ended = run(f"""\
        id: flow
        namespace: company.team
        tasks:
          - {{id: seen, type: {RETURN}, format: "{seen}"}}
          - id: hold
            type: {FLOW}.Sequential
            tasks: [{{id: quiet, type: {FAIL}, allowFailure: true}}, {{id: t, type: {FAIL}}}]
            finally: [{{id: inner, type: {LOG}, message: x}}]
            retry: {{type: constant, interval: PT0.01S, maxAttempts: 2, behavior: CREATE_NEW_EXECUTION}}
        errors: [{{id: error, type: {LOG}, message: x}}]
        finally: [{{id: last, type: {LOG}, message: x}}]
        afterExecution: [{{id: after, type: {LOG}, message: "{{{{ execution.state }}}}"}}]
        """)

    assert list(ended.executions.values()) == ["RETRIED", "FAILED"]
    given = [r.outputs["value"] for r in ended.context.live.values() if r.task_id == "seen"]
    assert given == ["true first", "false true"]
    ran = [(run.task_id, run.state) for run in ended.progress.task_runs.values()]
    first = [("seen", "SUCCESS"), ("hold", "RETRIED"), ("quiet", "WARNING"), ("t", "RETRIED"), ("after", "SUCCESS")]
    assert ran[:5] == first
    assert {"inner", "error", "last", "after"} <= {name for name, _ in ran[5:]}


@checks("RT6")
def test_a_retry_is_the_task_s_its_parent_s_or_the_flow_s(run):
    ended = run(f"""\
        id: flow
        namespace: company.team
        retry: {{type: constant, interval: PT0.01S, maxAttempts: 4}}
        tasks:
          - id: all
            type: {FLOW}.Parallel
            tasks:
              - {{id: of_flow, type: {FAIL}}}
              - {{id: of_task, type: {FAIL}, retry: {{type: constant, interval: PT0.01S, maxAttempts: 2}}}}
              - id: inner
                type: {FLOW}.Sequential
                retry: {{type: constant, interval: PT0.01S, maxAttempts: 3}}
                tasks: [{{id: of_parent, type: {FAIL}}}]
              - {{id: by_duration, type: {FAIL}, retry: {{type: constant, interval: PT0.4S, maxDuration: PT1S}}}}
        """)

    assert ended.state == "FAILED"
    counts = {name: attempts(ended, name) for name in ("of_flow", "of_task", "of_parent")}
    assert counts == {"of_flow": 4, "of_task": 2, "of_parent": 3}
    assert attempts(ended, "by_duration") <= 3
