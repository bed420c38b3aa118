"""What may stand in a cell: a flow, a task, a piece cut out of one, a flow that lost its indentation."""

from pathlib import Path

import pytest

from kestra_magic.model.load import load_flow
from kestra_magic.model.source import Source, SourceError
from kestra_magic.model.types import canonical, known_types, model_of
from tests.model.conftest import LOG, SHELL

LOST = Path(__file__).parents[3] / "shared" / "flows" / "lost-indentation"
FLOWS = LOST.parent
lost = pytest.mark.skipif(not LOST.is_dir(), reason="shared/flows does not lie beside the project")


def test_one_task_is_a_flow(load):
    loaded = load(f"type: {LOG}\nmessage: hi", name="said")

    assert [task.id for task in loaded.flow.tasks] == ["said"]
    assert loaded.notices == ("no `id`: `said` is used", "no `namespace`: `company.team` is used")


def test_items_cut_out_of_tasks_are_a_flow(load):
    loaded = load(f"  - id: a\n    type: {LOG}\n    message: x\n  - id: b\n    type: {LOG}\n    message: y\n")

    assert [task.id for task in loaded.flow.tasks] == ["a", "b"]


def test_a_piece_whose_first_line_lost_its_indentation_is_read():
    piece = f"- id: a\n    type: {LOG}\n    message: x\n  - id: b\n    type: {LOG}\n    message: y\n"

    assert [task.id for task in load_flow(Source(piece)).flow.tasks] == ["a", "b"]


def test_strict_wants_an_id_and_a_namespace(refused):
    assert refused(f"type: {LOG}\nmessage: hi", strict=True) == [
        (2, "id: must not be null"),
        (2, "namespace: must not be null"),
    ]


def test_extend_is_dropped_as_kestra_io_does(load):
    flow = f"id: a\nnamespace: b\nextend: {{demo: true}}\ntasks:\n  - id: t\n    type: {LOG}\n    message: hi\n"

    assert load(flow).notices == ("`extend` belongs to kestra.io's own pages: dropped",)


@pytest.mark.parametrize(("text", "said"), [("", "the cell is empty"), ("hello", "is no flow"), ("# only\n", "empty")])
def test_what_is_no_flow_is_told(refused, text, said):
    ((_, message),) = refused(text)

    assert said in message


@lost
@pytest.mark.parametrize("number", range(1, 6))
def test_a_flow_that_lost_its_indentation_is_offered_with_it(number):
    (flat,) = LOST.glob(f"{number:03}-*.txt")
    (whole,) = FLOWS.glob(f"{number:03}-seed_*.yaml")

    with pytest.raises(SourceError, match="the indentation is lost") as caught:
        load_flow(Source(flat.read_text("utf-8")))

    assert _dense(caught.value.repaired) == _dense(whole.read_text("utf-8"))


@lost
@pytest.mark.parametrize("flow", sorted(FLOWS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_indentation_of_a_real_flow_is_found_again(flow):
    """Where it cannot be known (a script's own indentation is lost for ever), nothing wrong is offered as right."""
    text = flow.read_text("utf-8")
    flat = "\n".join(line.strip() for line in text.split("\n"))

    with pytest.raises(SourceError) as caught:
        load_flow(Source(flat))
    if caught.value.repaired:
        found = _loaded(caught.value.repaired)
        assert found is None or found == _loaded(text)


def _dense(text: str):
    """The flow without the blank lines, which the copy lost too."""
    return load_flow(Source("\n".join(line for line in text.split("\n") if line.strip()))).flow


def _loaded(text: str):
    try:
        return [(task.id, task.type) for task in load_flow(Source(text)).flow.all_tasks()]
    except SourceError:
        return None


ALIASES = {
    "io.kestra.core.tasks.log.Log": "io.kestra.plugin.core.log.Log",
    "io.kestra.core.tasks.debugs.Return": "io.kestra.plugin.core.debug.Return",
    "io.kestra.core.tasks.flows.Worker": "io.kestra.plugin.core.flow.WorkingDirectory",
    "io.kestra.core.tasks.flows.EachParallel": "io.kestra.plugin.core.flow.EachParallel",
    "io.kestra.core.tasks.storages.LocalFiles": "io.kestra.plugin.core.storage.LocalFiles",
    "io.kestra.plugin.fs.http.Download": "io.kestra.plugin.core.http.Download",
    "io.kestra.plugin.core.flow.WaitFor": "io.kestra.plugin.core.flow.LoopUntil",
}


@pytest.mark.parametrize(("old", "new"), ALIASES.items(), ids=ALIASES)
def test_an_old_name_is_today_s_task(old, new):
    assert canonical(old) == new
    assert model_of(old) is model_of(new) is not None


@pytest.mark.parametrize("kind", known_types())
def test_every_known_type_has_a_model(kind):
    model = model_of(kind)

    assert model is not None
    assert "id" in model.model_fields


def test_a_task_remembers_how_its_type_was_written(load):
    (task,) = load("- id: a\n  type: io.kestra.core.tasks.log.Log\n  message: x").flow.tasks

    assert (task.type, task.kind) == ("io.kestra.core.tasks.log.Log", LOG)


def test_defaults_are_put_into_every_task_of_their_type(load):
    loaded = load(f"""\
        id: a
        namespace: b
        pluginDefaults:
          - type: io.kestra.plugin.scripts
            values: {{taskRunner: {{type: io.kestra.plugin.core.runner.Process}}, env: {{A: "1", B: "1"}}}}
          - type: {SHELL}
            forced: true
            values: {{failFast: false, commands: [last]}}
        tasks:
          - id: t
            type: {SHELL}
            commands: [first]
            failFast: true
            env: {{A: "2"}}
        """)
    (task,) = loaded.flow.tasks

    assert task.asks_for_process
    assert task.fail_fast.raw is False
    assert task.env.raw == {"A": "2", "B": "1"}
    assert task.commands.raw == ["first", "last"]


@pytest.mark.parametrize("word", ["maxAttempt", "maxAttempts"])
def test_both_spellings_of_the_attempts_are_read(load, word):
    (task,) = load(
        f"- id: a\n  type: {LOG}\n  message: x\n  retry: {{type: constant, interval: PT1S, {word}: 3}}"
    ).flow.tasks

    assert task.retry.max_attempts == 3


def test_kestra_2_s_words_are_read(load):
    (task,) = load(
        f"- id: a\n  type: {SHELL}\n  commands: [ls]\n  when: '{{{{ x }}}}'\n  workerSelector: {{tags: [gpu]}}"
    ).flow.tasks

    assert task.condition_to_run == "{{ x }}"
    assert task.worker_selector.tags.raw == ["gpu"]


@pytest.mark.parametrize("text", ["007", "3.10", "1_000", "0x10"])
def test_a_number_that_is_a_text_stays_as_it_was_written(load, text):
    (task,) = load(f"- id: a\n  type: {LOG}\n  message: {text}").flow.tasks

    assert task.message == text
