from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.source import Source, SourceError
from kestra_magic.runs.diff import difference, pair
from kestra_magic.runs.history import history
from kestra_magic.show.difference import bundle
from kestra_magic.show.history import table
from tests.runs.book import Book

if TYPE_CHECKING:
    from kestra_magic.runs.flow.run import FlowRun

RETURN = "io.kestra.plugin.core.debug.Return"
CHAIN = f"""id: chain
namespace: company.team
inputs:
  - {{id: n, type: INT, defaults: 1}}
tasks:
  - {{id: a, type: {RETURN}, format: "a{{{{ inputs.n }}}}"}}
  - id: seq
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
      - {{id: b, type: {RETURN}, format: "{{{{ outputs.a.value }}}}b"}}
      - {{id: c, type: {RETURN}, format: "{{{{ outputs.b.value }}}}c{{{{ inputs.n }}}}"}}
  - id: par
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {{id: p, type: {RETURN}, format: "{{{{ outputs.c.value }}}}p"}}
      - {{id: q, type: {RETURN}, format: "{{{{ outputs.c.value }}}}q"}}
  - {{id: end, type: {RETURN}, format: "{{{{ outputs.p.value }}}}{{{{ outputs.q.value }}}}"}}
finally:
  - {{id: tidy, type: {RETURN}, format: "tidied"}}
"""


def values(run: FlowRun) -> dict[str, Any]:
    return {task: given["value"] for task, given in run.outputs.items() if "value" in given}


def refused(book: Book, text: str, line: str) -> str:
    before = len(book.session.runs)
    with pytest.raises(KestraMagicError) as raised:
        book.flow(text, line)
    assert len(book.session.runs) == before
    return str(raised.value)


def test_only_one_task_runs(book: Book) -> None:
    run = book.flow(CHAIN, "--only a -i n=7")

    assert (run.state.value, values(run)) == ("SUCCESS", {"a": "a7"})


def test_only_one_task_within_others_runs_with_what_an_earlier_execution_gave(book: Book) -> None:
    book.flow(CHAIN, "-i n=2")
    run = book.flow(CHAIN, "--only c --reuse last")

    assert run.tasks.keys() == {"seq", "c"}
    assert values(run)["c"] == "a2bc2"


def test_up_to_a_task(book: Book) -> None:
    assert book.flow(CHAIN, "--until b").tasks.keys() == {"a", "seq", "b"}


def test_up_to_a_task_in_a_branch_leaves_the_branches_beside_it(book: Book) -> None:
    assert book.flow(CHAIN, "--until p").tasks.keys() == {"a", "seq", "b", "c", "par", "p", "q"}


def test_from_a_task_on(book: Book) -> None:
    first = book.flow(CHAIN, "-i n=3")
    changed = CHAIN.replace("}}c{{", "}}C{{")
    again = book.flow(changed, "--from c")

    assert values(again) == {**values(first), "c": "a3bC3", "p": "a3bC3p", "q": "a3bC3q", "end": "a3bC3pa3bC3q"}
    assert again.tasks["a"].state.value == "SUCCESS"


def test_from_a_task_with_another_input(book: Book) -> None:
    book.flow(CHAIN, "-i n=3")

    assert values(book.flow(CHAIN, "--from c -i n=4"))["c"] == "a3bc4"


def test_from_a_task_of_a_certain_run(book: Book) -> None:
    book.flow(CHAIN, "-i n=1")
    book.flow(CHAIN, "-i n=2")

    assert values(book.flow(CHAIN, "--from end --reuse chain-1"))["end"] == "a1bc1pa1bc1q"


def test_a_reused_task_that_was_changed_since_is_told(book: Book) -> None:
    book.flow(CHAIN)
    same = book.flow(CHAIN, "--from c")
    changed = CHAIN.replace('"a{{', '"A{{').replace("}}b", "}}B")

    assert not [entry for entry in same.logs if "changed" in entry.message]
    told = [entry.message for entry in book.flow(changed, "--from c --reuse chain-1").logs]
    assert "tasks `a`, `b` were changed since run `chain-1`; their earlier outputs are used" in told
    told = [entry.message for entry in book.flow(changed.replace("}}B", "}}b"), "--only end --reuse chain-1").logs]
    assert "task `a` was changed since run `chain-1`; its earlier outputs are used" in told


def test_inputs_of_another_kernel_s_execution_have_their_types(book: Book) -> None:
    types = {"DATETIME": "2025-01-02T03:04:05.5Z", "DATE": "2025-01-02", "TIME": "03:04:05", "DURATION": "PT90M"}
    types |= {
        "INT": "1",
        "FLOAT": "0.5",
        "BOOL": "true",
        "JSON": "[1]",
        "STRING": "x",
        "ARRAY, itemType: DATE": '["2025-01-02"]',
    }
    inputs = "\n".join(f"  - {{id: i{n}, type: {kind}, defaults: '{v}'}}" for n, (kind, v) in enumerate(types.items()))
    task = f"{{id: t, type: {RETURN}, format: '{{{{ inputs }}}}'}}"
    text = f"id: typed\nnamespace: a.b\ninputs:\n{inputs}\ntasks:\n  - {task}\n"
    first = book.flow(text)
    again = Book(book.folder).flow(text, "--from t")

    assert again.context.inputs == first.context.inputs, again.error
    assert values(again) == values(first)


def test_a_secret_input_of_another_kernel_s_execution_is_asked_for_again(book: Book) -> None:
    task = f"{{id: t, type: {RETURN}, format: '{{{{ inputs.p }}}}'}}"
    text = f"id: kept\nnamespace: a.b\ninputs: [{{id: p, type: SECRET}}]\ntasks: [{task}]\n"
    run = book.flow(text, "-i p=hunter22x")
    other = Book(book.folder)

    assert "hunter" not in (run.folder / "_run" / "run.json").read_text()
    assert "give it with `-i p=…`" in refused(other, text, "--from t")
    assert values(other.flow(text, "--from t -i p=again")) == {"t": "again"}


def test_a_secret_input_is_seen_neither_among_the_runs_nor_in_a_difference(book: Book) -> None:
    task = f"{{id: t, type: {RETURN}, format: '{{{{ inputs.p }}}}'}}"
    text = f"id: kept\nnamespace: a.b\ninputs: [{{id: p, type: SECRET}}]\ntasks: [{task}]\n"
    book.flow(text, "-i p=hunter22x")
    book.flow(text, "-i p=hunter33y")
    seen = f"{table(history(book.session))}{bundle(difference(*pair(book.session, 'kept')))}"

    assert "kept-2" in seen
    assert "hunter" not in seen


def test_a_pause_that_ends_by_itself_is_not_shown_as_the_end(book: Book) -> None:
    pause = "{id: p, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT0.05S}"
    source = Source(f"id: f\nnamespace: a.b\ntasks: [{pause}]\n")
    run = book.session.flow(source, {}, beside=book.folder)
    shown: list[str] = []
    run.follow(lambda *_: None, start=True, last=lambda: shown.append(run.state.value))
    while not run.ended:
        run.follow(lambda *_: None, last=lambda: shown.append(run.state.value))

    assert shown == ["SUCCESS"]


def test_nothing_starts_inside_a_loop_of_kestra_2(book: Book) -> None:
    loop = f"{{id: l, type: io.kestra.plugin.core.flow.Loop, values: [1, 2], tasks: [{{id: x, type: {RETURN}, format: a}}]}}"
    text = f"id: f\nnamespace: a.b\ntasks: [{loop}]\n"
    book.flow(text)

    assert "`x`" in refused(book, text, "--from x")


def test_an_execution_of_another_kernel_is_reused(book: Book) -> None:
    book.flow(CHAIN, "-i n=5")
    other = Book(book.folder)

    assert values(other.flow(CHAIN, "--from end"))["end"] == "a5bc5pa5bc5q"


def test_a_rerun_starts_in_the_middle(book: Book) -> None:
    first = book.flow(CHAIN, "-i n=3")
    again = first.again({"n": 9}, start="c").start().wait(60)

    assert again.outputs["c"]["value"] == "a3bc9"


def test_files_of_an_earlier_execution_are_there(book: Book) -> None:
    text = """id: files
namespace: a.b
tasks:
  - id: make
    type: io.kestra.plugin.scripts.shell.Commands
    outputFiles: [x.txt]
    commands: ["echo made > x.txt"]
  - id: use
    type: io.kestra.plugin.scripts.shell.Commands
    inputFiles: {y.txt: "{{ outputs.make.outputFiles['x.txt'] }}"}
    commands: ["cat y.txt"]
"""
    book.flow(text)

    assert book.flow(text, "--from use").tasks["use"].stdout == "made\n"


def test_what_must_not_be_started_from_is_told_with_its_reason(book: Book) -> None:
    text = f"""id: no
namespace: a.b
tasks:
  - {{id: bad, type: io.kestra.plugin.core.execution.Fail}}
  - id: loop
    type: io.kestra.plugin.core.flow.ForEach
    values: [1, 2]
    tasks: [{{id: turn, type: {RETURN}, format: x}}]
  - id: wd
    type: io.kestra.plugin.core.flow.WorkingDirectory
    tasks:
      - {{id: one, type: {RETURN}, format: x}}
      - {{id: two, type: {RETURN}, format: x}}
"""
    assert "has not run yet" in refused(book, text, "--from wd")
    book.flow(text)

    assert "`bad` ended as FAILED in `no-1`: start from it" in refused(book, text, "--from loop")
    assert "start from `loop`" in refused(book, text, "--from turn")
    assert "is gone: start from `wd`" in refused(book, text, "--from two")
    assert "did you mean `turn`" in refused(book, text, "--until trun")
    assert "did you mean `no-1`" in refused(book, text, "--from loop --reuse no-2")
    assert "do not go together" in refused(book, text, "--only wd --from wd")
    assert "`--reuse` goes with" in refused(book, text, "--reuse last")


FIXED = f"""id: fixed
namespace: company.team
inputs:
  - {{id: who, type: STRING}}
tasks:
  - {{id: s3, type: io.kestra.plugin.aws.s3.Download, bucket: b}}
  - {{id: say, type: {RETURN}, format: "{{{{ inputs.who }}}} {{{{ outputs.s3.uri }}}} {{{{ trigger.date }}}}"}}
  - {{id: ask, type: {RETURN}, format: "{{{{ secret('TOKEN') }}}} {{{{ kv('limit') }}}} {{{{ read('words.txt') }}}}"}}
"""


def test_fixtures_stand_in_for_the_world(book: Book) -> None:
    book.session.kv.set("company.team", "limit", "real")
    (book.folder / "_files").mkdir()
    (book.folder / "_files" / "words.txt").write_text("real")
    (book.folder / "fixtures.yaml").write_text("""fixtures:
  inputs: {who: anna}
  files: {words.txt: "not real"}
  tasks: [{id: s3, outputs: {uri: "of {{ inputs.who }}"}}]
  trigger: {date: today}
  secrets: {TOKEN: t0ken}
  kv: {limit: 3}
""")
    run = book.flow(FIXED, "--fixtures fixtures.yaml")

    assert values(run) == {"say": "anna of anna today", "ask": "t0ken 3 not real"}, run.error
    assert (book.folder / "_files" / "words.txt").read_text() == "real"
    assert book.session.kv.get("company.team", "limit") == "real"


def test_a_key_of_the_fixtures_stands_in_and_every_other_is_the_real_one(book: Book) -> None:
    kv, plugin = book.session.kv, "io.kestra.plugin.core.kv"
    for key in ("stands", "goes", "real"):
        kv.set("company.team", key, "real")
    text = f"""id: keys
namespace: company.team
tasks:
  - {{id: before, type: {RETURN}, format: "{{{{ kv('stands') }}}} {{{{ kv('real') }}}}"}}
  - {{id: set, type: {plugin}.Set, key: stands, value: set}}
  - {{id: delete, type: {plugin}.Delete, key: goes}}
  - {{id: write, type: {plugin}.Set, key: real, value: written}}
  - {{id: after, type: {RETURN}, format: "{{{{ kv('stands') }}}} {{{{ kv('goes', errorOnMissing=false) }}}}"}}
"""
    book.names["fx"] = {"kv": {"stands": "fixed", "goes": "fixed"}}
    run = book.flow(text, "--fixtures fx")

    assert values(run) == {"before": "fixed real", "after": "set "}, run.error
    seen = {entry.key: entry.value for entry in kv.entries("company.team")}
    assert {key: seen[key] for key in ("stands", "goes", "real")} == {
        "stands": "real",
        "goes": "real",
        "real": "written",
    }


@pytest.mark.parametrize("address", ["{{ fileURI('r.json') }}", "{{ files['r.json'] }}"])
def test_a_file_of_the_fixtures_has_an_address(book: Book, address: str) -> None:
    book.names["fx"] = {"files": {"r.json": {"limit": 3}}, "tasks": [{"id": "s3", "outputs": {"uri": address}}]}
    text = FIXED.split("inputs:")[0] + "tasks:\n  - {id: s3, type: io.kestra.plugin.aws.s3.Download}\n"
    text += f"  - {{id: use, type: {RETURN}, format: '{{{{ fromJson(read(outputs.s3.uri)).limit }}}}'}}\n"

    run = book.flow(text, "--fixtures fx")

    assert values(run) == {"use": "3"}, run.error


def test_fixtures_may_be_a_variable_and_given_inputs_come_first(book: Book) -> None:
    book.names["fx"] = {
        "tasks": [{"id": "s3", "outputs": {"uri": "u"}}],
        "inputs": {"who": "anna"},
        "trigger": {"date": 1},
    }

    assert values(book.flow(FIXED, "--fixtures fx --until say -i who=bea"))["say"] == "bea u 1"


def test_a_fixture_that_failed_fails_as_the_task_would(book: Book) -> None:
    text = f"id: f\nnamespace: a.b\ntasks:\n- {{id: x, type: {RETURN}, format: x}}\n- {{id: y, type: {RETURN}, format: y}}\nerrors:\n- {{id: e, type: {RETURN}, format: e}}\n"
    book.names["fx"] = {"tasks": [{"id": "x", "state": "FAILED"}]}
    run = book.flow(text, "--fixtures fx")

    assert (run.state.value, list(run.tasks)) == ("FAILED", ["x", "e"])


def test_a_fixture_may_be_for_one_value_of_a_loop(book: Book) -> None:
    text = f"id: f\nnamespace: a.b\ntasks:\n- id: each\n  type: io.kestra.plugin.core.flow.ForEach\n  values: [1, 2]\n  tasks: [{{id: x, type: {RETURN}, format: 'real'}}]\n"
    book.names["fx"] = {"tasks": [{"id": "x", "value": 2, "outputs": {"value": "fixed"}}]}

    assert book.flow(text, "--fixtures fx").outputs["x"] == {"1": {"value": "real"}, "2": {"value": "fixed"}}


def test_a_task_of_a_server_that_would_run_is_refused_with_its_line(book: Book) -> None:
    book.names["fx"] = {"inputs": {"who": "anna"}}

    with pytest.raises(
        SourceError, match=r"line 6: `io.kestra.plugin.aws.s3.Download` needs a Kestra server.*`--fixtures`"
    ):
        book.flow(FIXED, "--fixtures fx")
    assert book.flow(FIXED, "--only ask --fixtures fx").tasks.keys() == {"ask"}


@pytest.mark.parametrize(
    ("fixtures", "said"),
    [
        ({"task": []}, "did you mean `tasks`"),
        ({"tasks": [{"id": "sayy"}]}, "no task `sayy`; did you mean `say`"),
        ({"tasks": [{"id": "s3", "output": {}}]}, "did you mean `outputs`"),
        ({"tasks": [{"id": "s3", "state": "SUCESS"}]}, "did you mean `SUCCESS`"),
        ({"tasks": [{"outputs": {}}]}, "a map with `id`"),
        ([1], "must be a map"),
    ],
)
def test_wrong_fixtures_are_one_sentence(book: Book, fixtures: object, said: str) -> None:
    book.names["fx"] = fixtures

    assert said in refused(book, FIXED, "--fixtures fx")


def test_nothing_is_left_behind_by_what_was_refused(book: Book) -> None:
    refused(book, CHAIN, "--only nothing")
    book.names["fx"] = {"inputs": {"who": "x"}, "tasks": [{"id": "s3", "outputs": {"uri": "{{ read('nowhere') }}"}}]}
    assert "nowhere" in refused(book, FIXED, "--fixtures fx")

    assert not [path for path in Path(book.folder).glob("kestra-runs/*") if path.is_dir()]
