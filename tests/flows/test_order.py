"""Which tasks run, in which order, and what becomes of the rest."""

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.runs.flow.engine import Plan, StandIn
from kestra_magic.runs.progress import State
from tests.flows.conftest import FAIL, FLOW, LOG, RETURN, SHELL, said, states


def test_parallel_tasks_run_at_the_same_time(run):
    """Each waits for a file that the other makes."""
    meet = "touch {{{{ vars.d }}}}/{0}; until [ -e {{{{ vars.d }}}}/{1} ]; do sleep 0.02; done; echo {0}"
    ended = run(f"""\
        id: flow
        namespace: company.team
        variables: {{d: "{{{{ envs.meeting }}}}"}}
        tasks:
          - id: both
            type: {FLOW}.Parallel
            tasks:
              - {{id: a, type: {SHELL}, commands: ['{meet.format("a", "b").replace("vars.d", "render(vars.d)")}']}}
              - {{id: b, type: {SHELL}, commands: ['{meet.format("b", "a").replace("vars.d", "render(vars.d)")}']}}
        """)

    assert ended.state == "SUCCESS", ended.logs
    assert sorted(said(ended, "INFO")) == ["a", "b"]


@pytest.fixture(autouse=True)
def _meeting(tmp_path, monkeypatch):
    (tmp_path / "meeting").mkdir()
    monkeypatch.setenv("ENV_MEETING", str(tmp_path / "meeting"))


def test_concurrent_limits_how_many(run):
    most = "n=$(ls $ENV_MEETING | wc -l); touch $ENV_MEETING/$$; sleep 0.05; rm $ENV_MEETING/$$; test $n -lt 2"
    tasks = "".join(f"    - {{id: t{n}, type: {SHELL}, commands: ['{most}']}}\n" for n in range(6))

    assert run(f"  - id: p\n    type: {FLOW}.Parallel\n    concurrent: 2\n    tasks:\n{tasks}").state == "SUCCESS"


def test_siblings_go_on_when_one_fails(run):
    ended = run(
        f"  - {{id: p, type: {FLOW}.Parallel, concurrent: 1, tasks: [{{id: a, type: {FAIL}}}, {{id: b, type: {LOG}, message: x}}]}}\n"
    )

    assert states(ended) == {"p": "FAILED", "a": "FAILED", "b": "SUCCESS"}


def test_errors_then_finally_then_after_the_execution(run):
    ended = run(f"""\
        id: flow
        namespace: company.team
        tasks:
          - id: inner
            type: {FLOW}.Sequential
            tasks: [{{id: bad, type: {FAIL}, errorMessage: "no luck"}}, {{id: never, type: {LOG}, message: x}}]
            errors: [{{id: own, type: {LOG}, message: "{{{{ errorLogs()[0].message }}}}"}}]
            finally: [{{id: own_end, type: {LOG}, message: "own end"}}]
        errors: [{{id: flows, type: {LOG}, message: "{{{{ tasks.bad.state }}}}"}}]
        finally: [{{id: end, type: {LOG}, message: "end {{{{ execution.state }}}}"}}]
        afterExecution: [{{id: after, type: {LOG}, message: "{{{{ execution.state }}}}"}}]
        """)

    assert said(ended, "INFO") == ["no luck", "own end", "FAILED", "end RUNNING", "FAILED"]
    assert ended.state == "FAILED"
    with pytest.raises(KestraMagicError, match="no luck"):
        ended.check()


def test_a_failing_finally_fails_the_execution(run):
    ended = run(f"id: a\nnamespace: b\ntasks: [{{id: t, type: {LOG}, message: x}}]\nfinally: [{{id: f, type: {FAIL}}}]")

    assert ended.state == "FAILED"


def test_if_and_switch(run):
    ended = run(f"""\
        - {{id: i, type: {FLOW}.If, condition: "0", then: [{{id: t, type: {LOG}, message: x}}], else: [{{id: e, type: {LOG}, message: y}}]}}
        - {{id: s, type: {FLOW}.Switch, value: "{{{{ outputs.i.evaluationResult }}}}", cases: {{"false": [{{id: c, type: {LOG}, message: z}}]}}}}
        - {{id: d, type: {FLOW}.Switch, value: other, cases: {{a: [{{id: f, type: {LOG}, message: q}}]}}, defaults: [{{id: g, type: {LOG}, message: w}}]}}
        """)

    assert said(ended) == ["y", "z", "w"]
    assert ended.outputs["s"] == {"value": "false", "defaults": False}
    assert ended.outputs["d"] == {"value": "other", "defaults": True}


def test_a_dag_runs_what_is_free_and_drops_what_waits_for_a_failure(run):
    ended = run(f"""\
        - id: dag
          type: {FLOW}.Dag
          tasks:
            - {{task: {{id: c, type: {RETURN}, format: "{{{{ outputs.a.value }}}}{{{{ outputs.b.value }}}}c"}}, dependsOn: [a, b]}}
            - {{task: {{id: a, type: {RETURN}, format: a}}}}
            - {{task: {{id: b, type: {RETURN}, format: b}}, dependsOn: [a]}}
            - {{task: {{id: bad, type: {FAIL}}}, dependsOn: [a]}}
            - {{task: {{id: lost, type: {LOG}, message: x}}, dependsOn: [bad]}}
            - {{task: {{id: lost2, type: {LOG}, message: x}}, dependsOn: [lost, c]}}
        """)

    assert ended.outputs["c"] == {"value": "abc"}
    assert states(ended) == {"dag": "FAILED", "a": "SUCCESS", "b": "SUCCESS", "c": "SUCCESS", "bad": "FAILED"}


def test_allow_failure_warns(run):
    ended = run(
        f"  - {{id: a, type: {FLOW}.AllowFailure, tasks: [{{id: f, type: {FAIL}}}]}}\n  - {{id: l, type: {LOG}, message: x}}\n"
    )

    assert (ended.state, states(ended)["a"], states(ended)["l"]) == ("WARNING", "WARNING", "SUCCESS")


# Loops


def test_values_are_texts_once_each_in_order(run):
    ended = run(f"""\
        - id: each
          type: {FLOW}.ForEach
          concurrencyLimit: 0
          values: [b, a, b, 1, true, {{k: [1]}}]
          tasks: [{{id: t, type: {RETURN}, format: "{{{{ taskrun.iteration }}}} {{{{ taskrun.value }}}}"}}]
        """)

    assert list(ended.outputs["t"]) == ["b", "a", "1", "true", '{"k":[1]}']
    assert ended.outputs["t"]['{"k":[1]}'] == {"value": '4 {"k":[1]}'}


def test_loops_within_loops(run):
    inner = f'{{id: in, type: {FLOW}.EachSequential, value: [1, 2], tasks: [{{id: t, type: {RETURN}, format: "{{{{ parent.taskrun.value }}}}{{{{ taskrun.value }}}}"}}]}}'
    ended = run(f'  - {{id: out, type: {FLOW}.EachParallel, value: \'["x", "y"]\', tasks: [{inner}]}}\n')

    assert ended.outputs["t"] == {v: {n: {"value": f"{v}{n}"} for n in "12"} for v in "xy"}


def test_a_null_value_and_no_value(run):
    null = run(f"  - {{id: a, type: {FLOW}.ForEach, values: [ü, null], tasks: [{{id: t, type: {LOG}, message: x}}]}}\n")
    none = run(f"  - {{id: a, type: {FLOW}.ForEach, values: [], tasks: [{{id: t, type: {LOG}, message: x}}]}}\n")

    assert null.error == "Found '1' null values on Each, with values=[\"ü\", null]"
    assert (none.state, states(none)) == ("SUCCESS", {"a": "SUCCESS"})


def test_a_loop_of_kestra_2_sees_its_turn_and_gives_what_it_declares(run):
    ended = run(f"""\
        - id: outer
          type: {FLOW}.Loop
          values: {{one: a, two: a}}
          outputs: [{{id: said, type: STRING, value: "{{{{ outputs.say.value }}}}"}}]
          tasks:
            - {{id: say, type: {RETURN}, format: "{{{{ item.index }}}} {{{{ item.key }}}} {{{{ item.value }}}}"}}
            - id: inner
              type: {FLOW}.Loop
              values: [{{n: 1}}, 2]
              tasks:
                - id: deep
                  type: {RETURN}
                  format: "{{{{ outputs.say.value }}}}/{{{{ item.parent.key }}}}/{{{{ item.parents | length }}}}/{{{{ item.value }}}}"
                - {{id: last, type: {RETURN}, format: "{{{{ outputs.deep.value }}}}"}}
        - {{id: end, type: {RETURN}, format: "{{{{ outputs.outer.outputs | jq('.[].outputs.said') }}}}"}}
        """)

    assert ended.state == "SUCCESS", ended.error
    assert ended.outputs["end"]["value"] == '["0 one a","1 two a"]'
    assert ended.outputs["outer"]["terminatedIterations"] == 2
    assert ended.outputs["outer"]["outputs"][1]["item"] == {"value": "a", "iteration": 1, "key": "two"}
    deep = [r.outputs["value"] for r in ended.context.live.values() if r.task_id == "last"]
    assert deep == [f"{n} {k} a/{k}/1/{v}" for n, k in enumerate(("one", "two")) for v in ('{"n":1}', "2")]


@pytest.mark.parametrize(("more", "state", "turns"), [("", "FAILED", 1), ("transmitFailed: false", "SUCCESS", 3)])
def test_a_loop_of_kestra_2_ends_with_its_first_failure_unless_told_otherwise(run, more, state, turns):
    ended = run(f"""\
        - id: loop
          type: {FLOW}.Loop
          values: [1, 2, 3]
          {more}
          tasks: [{{id: fails, type: {FAIL}}}]
        """)

    assert (ended.state, len([r for r in ended.context.live.values() if r.task_id == "fails"])) == (state, turns)


def test_a_loop_of_kestra_2_takes_the_lines_of_a_file_and_stores_its_outputs(run):
    ended = run(f"""\
        - {{id: write, type: io.kestra.plugin.core.storage.Write, content: "{{a:1}}\\n{{a:2}}\\n"}}
        - id: loop
          type: {FLOW}.Loop
          values: "{{{{ outputs.write.uri }}}}"
          concurrencyLimit: 0
          outputs: [{{id: v, type: STRING, value: "{{{{ outputs.t.value }}}}"}}]
          tasks: [{{id: t, type: {RETURN}, format: "{{{{ item.value | jq('.a') | first }}}}"}}]
        - {{id: end, type: {RETURN}, format: "{{{{ fromIon(read(outputs.loop.outputs[1].outputs.uri)).v }}}}"}}
        """)

    assert ended.state == "SUCCESS", ended.logs
    assert ended.outputs["end"]["value"] == "2"


def test_a_loop_until_its_condition_holds(run):
    ended = run(f"""\
        - id: until
          type: {FLOW}.LoopUntil
          condition: "{{{{ outputs.t.value == '3' }}}}"
          checkFrequency: {{interval: PT0.01S}}
          tasks: [{{id: t, type: {RETURN}, format: "{{{{ outputs.until.iterationCount }}}}"}}]
        """)

    assert ended.outputs["until"] == {"iterationCount": 3}


@pytest.mark.parametrize(("fail", "state"), [("true", "FAILED"), ("false", "SUCCESS")])
def test_a_loop_that_reaches_its_limit(run, fail, state):
    ended = run(f"""\
        - id: until
          type: {FLOW}.LoopUntil
          condition: "false"
          failOnMaxReached: {fail}
          checkFrequency: {{interval: PT0.01S, maxIterations: 2}}
          tasks: [{{id: t, type: {LOG}, message: x}}]
        """)

    assert (ended.state, ended.outputs["until"]) == (state, {"iterationCount": 3})  # Kestra asks whether it is more
    assert said(ended, "INFO") == ["x"] * 3


# The flow as a whole


def test_a_flow_gives_outputs_of_their_types(run):
    flow = f"id: a\nnamespace: b\nvariables: {{v: 1}}\ntasks: [{{id: t, type: {RETURN}, format: '7'}}]\noutputs:\n"
    good = run(
        flow
        + "  - {id: n, type: INT, value: '{{ outputs.t.value }}'}\n  - {id: l, type: JSON, value: '{{ [vars.v] }}'}\n"
    )
    bad = run(flow + "  - {id: n, type: INT, value: '{{ outputs.none }}'}\n")
    optional = run(flow + "  - {id: n, type: INT, value: '{{ outputs.none }}', required: false}\n")

    assert good.flow_outputs == {"n": 7, "l": [1]}
    assert (bad.state, "Failed to render output values:" in bad.error) == ("FAILED", True)
    assert (optional.state, optional.flow_outputs) == ("SUCCESS", {"n": None})


def test_labels_are_those_of_the_flow_and_of_tasks(run):
    ended = run(
        f"id: a\nnamespace: b\nlabels: {{x: 1}}\ntasks:\n- {{id: l, type: io.kestra.plugin.core.execution.Labels, labels: {{y: '2'}}}}\n- {{id: t, type: {LOG}, message: '{{{{ labels.x }}}}{{{{ labels.y }}}}'}}"
    )

    assert said(ended) == ["12"]
    assert ended.labels == {"x": "1", "y": "2"}


def test_a_subflow_runs_with_its_inputs_and_gives_outputs(run, beside):
    (beside / "child.yaml").write_text(
        f"id: child\nnamespace: company.team\ninputs: [{{id: n, type: INT}}]\ntasks: [{{id: t, type: {RETURN}, format: '{{{{ inputs.n + 1 }}}}'}}]\n"
        "outputs: [{id: m, type: INT, value: '{{ outputs.t.value }}'}]\n"
    )
    ended = run(f"""\
        - {{id: s, type: {FLOW}.Subflow, namespace: company.team, flowId: child, inputs: {{n: "{{{{ 1 + 1 }}}}"}}}}
        - {{id: t, type: {RETURN}, format: "{{{{ outputs.s.outputs.m }}}} {{{{ outputs.s.state }}}}"}}
        """)
    unknown = run(f"  - {{id: s, type: {FLOW}.Subflow, namespace: company.team, flowId: chld}}\n")

    assert ended.outputs["t"] == {"value": "3 SUCCESS"}
    assert "no flow `company.team.chld` is known here; did you mean `child`?" in unknown.error


@pytest.mark.parametrize(("behavior", "state"), [("CANCEL", "CANCELLED"), ("FAIL", "FAILED"), ("QUEUE", "SUCCESS")])
def test_one_execution_too_many(begin, behavior, state):
    flow = (
        f"id: a\nnamespace: b\nconcurrency: {{limit: 1, behavior: {behavior}}}\ntasks: [{{id: p, type: {FLOW}.Pause}}]"
    )
    first = begin(flow, None, "first").wait()
    second = begin(flow, None, "second")
    if behavior == "QUEUE":
        assert not second.ended
        first.resume().wait(60)
        second.wait().resume()

    assert second.wait(60).state == state
    if first.waits:
        first.resume().wait(60)


def test_a_pause_waits_for_a_person_and_takes_inputs(begin):
    paused = begin(f"""\
        - {{id: p, type: {FLOW}.Pause, onResume: [{{id: n, type: INT}}]}}
        - {{id: t, type: {RETURN}, format: "{{{{ outputs.p.onResume.n }}}}"}}
        """).wait()

    assert (paused.state, paused.waits, paused.ended) == ("PAUSED", True, False)
    assert paused.check() is paused
    with pytest.raises(KestraMagicError, match="Missing required input:n"):
        paused.resume()
    assert paused.resume(n="5").wait(60).outputs["t"] == {"value": "5"}
    with pytest.raises(KestraMagicError, match="nothing is paused"):
        paused.resume()


@pytest.mark.parametrize(
    ("behavior", "state"), [("RESUME", "SUCCESS"), ("FAIL", "FAILED"), ("CANCEL", "CANCELLED"), ("WARN", "WARNING")]
)
def test_a_pause_ends_by_itself(run, behavior, state):
    assert run(f"  - {{id: p, type: {FLOW}.Pause, pauseDuration: PT0.05S, behavior: {behavior}}}\n").state == state


def test_a_paused_execution_can_be_killed(begin):
    paused = begin(f"  - {{id: p, type: {FLOW}.Pause}}\n").wait()
    paused.stop()

    assert paused.wait(60).state == "KILLED"


def test_a_cached_task_is_not_run_again(run, tmp_path):
    flow = f"""\
        id: flow
        namespace: company.team
        inputs: [{{id: n, type: INT, defaults: 1}}]
        tasks:
          - id: t
            type: {SHELL}
            taskCache: {{enabled: true, ttl: PT1H}}
            outputFiles: [out.txt]
            commands: ['echo {{{{ inputs.n }}}} > out.txt', 'echo ran >> {tmp_path}/count']
          - {{id: l, type: {LOG}, message: "{{{{ read(outputs.t.outputFiles['out.txt']) }}}}"}}
        """

    assert [said(run(flow), "INFO")[-1] for _ in range(2)] == ["1\n", "1\n"]
    assert said(run(flow, n=2), "INFO") == ["2\n"]
    assert (tmp_path / "count").read_text() == "ran\nran\n"


def test_a_plan_leaves_tasks_out_and_stands_in_for_others(run):
    flow = f"""\
        - {{id: a, type: {FAIL}}}
        - {{id: b, type: {FLOW}.Parallel, tasks: [{{id: c, type: {LOG}, message: c}}, {{id: d, type: {FAIL}}}]}}
        - {{id: e, type: {RETURN}, format: "{{{{ outputs.a.value }}}} {{{{ tasks.a.state }}}}"}}
        """
    plan = Plan({"a": StandIn({"value": "given"}, State.WARNING)}, frozenset({"d"}))
    ended = run(flow, plan)

    assert ended.outputs["e"] == {"value": "given WARNING"}
    assert states(ended) == {"a": "WARNING", "b": "SUCCESS", "c": "SUCCESS", "e": "SUCCESS"}


def test_what_a_server_does_otherwise_is_said(run):
    ended = run(f"""\
        id: a
        namespace: b
        triggers:
          - {{id: nightly, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 9 * * *"}}
          - {{id: off, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 9 * * *", disabled: true}}
        tasks: [{{id: t, type: {SHELL}, commands: [ls], containerImage: alpine}}, {{id: u, type: {SHELL}, commands: [ls]}}]
        """)
    told = [entry.message for entry in ended.logs if not entry.task]

    assert told[:2] == [
        "Kestra would use the image alpine for `t`; here it is a process",
        "Kestra would use the image ubuntu for `u`; here it is a process",
    ]
    assert told[2].startswith("Schedule `0 9 * * *`: on a server; next at 20")


def test_strict_refuses_containers(session, beside):
    from kestra_magic.model.source import Source, SourceError

    flow = f"id: a\nnamespace: b\ntasks:\n- {{id: t, type: {SHELL}, commands: [ls]}}"
    with pytest.raises(SourceError, match="line 4: `t`: Kestra would use the image ubuntu"):
        session.flow(Source(flow), {"strict": True}, beside=beside)


def test_a_disabled_flow_does_not_start(run):
    with pytest.raises(KestraMagicError, match="the flow `a` is disabled"):
        run(f"id: a\nnamespace: b\ndisabled: true\ntasks: [{{id: t, type: {LOG}, message: x}}]")


# Inputs


def test_missing_inputs_are_told_in_one_message_with_how_to_give_them(run):
    flow = f"id: a\nnamespace: b\ninputs: [{{id: x, type: INT}}, {{id: y, type: FILE}}, {{id: z, type: INT}}]\ntasks: [{{id: t, type: {LOG}, message: x}}]"

    with pytest.raises(KestraMagicError) as caught:
        run(flow, z="one")
    assert str(caught.value).split("\n") == [
        "Missing required input:x",
        "Missing required input:y",
        'Invalid value for input `z`. Cause: For input string: "one"',
        "give them with `-i x=…` `-i y=…`",
    ]


def test_a_file_may_be_a_path_content_or_data(run, beside):
    from kestra_magic.workspace.inputs import Uploaded

    (beside / "here.txt").write_text("a path")
    flow = f"id: a\nnamespace: b\ninputs: [{{id: x, type: FILE}}]\ntasks: [{{id: t, type: {LOG}, message: '{{{{ read(inputs.x) }}}}'}}]"

    assert [said(run(flow, x=x)) for x in ("here.txt", Uploaded("u.txt", b"content"), b"bytes", {"a": 1})] == [
        ["a path"],
        ["content"],
        ["bytes"],
        ['{\n "a": 1\n}\n'],
    ]
    with pytest.raises(
        KestraMagicError, match=r"there is no file `hre.txt` beside the notebook; did you mean `here.txt`\?"
    ):
        run(flow, x="hre.txt")
