"""§8.8: ``WorkingDirectory``."""

from tests.checklist.ids import checks
from tests.flows.conftest import FAIL, FLOW, LOG, SHELL, said, states

WD = f"{FLOW}.WorkingDirectory"


@checks("WF1", "WF5")
def test_children_share_a_directory(run):
    ended = run(f"""\
        - id: w
          type: {WD}
          inputFiles: {{given.txt: given}}
          tasks:
            - {{id: a, type: {SHELL}, commands: ['echo made > made.txt']}}
            - {{id: b, type: {SHELL}, commands: ['cat given.txt made.txt', 'test {{{{ outputs.a.exitCode }}}} = 0']}}
            - {{id: c, type: {LOG}, message: hi}}
        """)

    assert list(states(ended).values()) == ["SUCCESS"] * 4
    assert said(ended)[:1] == ["givenmade"]


@checks("WF2")
def test_a_failing_child_ends_the_rest(run):
    ended = run(f"""\
        id: flow
        namespace: company.team
        tasks:
          - {{id: w, type: {WD}, tasks: [{{id: a, type: {FAIL}}}, {{id: b, type: {LOG}, message: x}}]}}
        errors:
          - {{id: after, type: {LOG}, message: x}}
        """)

    assert states(ended) == {"w": "FAILED", "a": "FAILED", "after": "SUCCESS"}


@checks("WF3", "WF7")
def test_a_directory_for_each_value(run):
    ended = run(f"""\
        - id: each
          type: {FLOW}.ForEach
          values: [x, y]
          tasks:
            - id: w
              type: {WD}
              tasks:
                - {{id: a, type: {SHELL}, commands: ['echo {{{{ taskrun.value }}}} {{{{ parent.taskrun.value }}}} > f']}}
                - {{id: b, type: {SHELL}, commands: [cat f]}}
        - {{id: all, type: {LOG}, message: "{{{{ outputs.a.x.exitCode }}}} {{{{ outputs.a.x.x.exitCode }}}}"}}
        """)

    assert len(ended.progress.task_runs) == 8
    assert said(ended, "INFO") == ["x x", "y y", "0 0"]


@checks("WF4")
def test_the_directory_has_output_files(run):
    ended = run(f"""\
        - id: w
          type: {WD}
          outputFiles: ["*.txt"]
          tasks: [{{id: a, type: {SHELL}, commands: ['echo Hello World > out.txt']}}]
        - {{id: b, type: {LOG}, message: "{{{{ read(outputs.w.outputFiles['out.txt']) }}}}"}}
        """)

    assert said(ended) == ["Hello World\n"]


@checks("WF6")
def test_a_cache_brings_files_back(run):
    flow = f"""\
        - id: w
          type: {WD}
          cache: {{patterns: ["kept/**"], ttl: PT1H}}
          tasks:
            - id: a
              type: {SHELL}
              commands: ['if [ -e kept/f ]; then echo restored; else mkdir kept; echo 1 > kept/f; echo made; fi']
        """
    assert said(run(flow), "INFO") == ["made"]
    assert said(run(flow), "INFO") == ["restored"]


@checks("WF8")
def test_namespace_files_with_an_exclude(run, beside):
    for name in ("a.txt", "sub/b.txt", "c.txt", "ignore/d.txt"):
        (beside / "_files" / name).parent.mkdir(parents=True, exist_ok=True)
        (beside / "_files" / name).write_text(name)
    ended = run(f"""\
        - id: w
          type: {WD}
          namespaceFiles: {{enabled: true, exclude: [/ignore/**]}}
          tasks:
            - {{id: three, type: {SHELL}, commands: [cat a.txt sub/b.txt c.txt]}}
            - {{id: fourth, type: {SHELL}, commands: [cat ignore/d.txt], allowFailure: true}}
        """)

    assert said(ended, "INFO") == ["a.txtsub/b.txtc.txt"]
    assert (ended.state, states(ended)["fourth"]) == ("WARNING", "WARNING")
