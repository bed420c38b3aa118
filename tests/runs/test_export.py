from __future__ import annotations

import base64
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.source import Source, load_yaml
from tests.runs.book import Book, outcome


def same(book: Book, line: str = "", target: str = "1.3") -> None:
    """The exported flow gives what the cells gave."""
    flow = book.exported(line, target)
    found = {name: outcome(flow.tasks[name.strip("_")]) for name in book.outcomes() if name in flow.tasks}

    assert found == book.outcomes(), flow.error


def flow_of(book: Book, **options: Any) -> dict[str, Any]:
    return dict(load_yaml(Source(book.export(**options).text)).value)


PREP = """#| outputFiles: [rows.json]
echo '[1,  2]' > rows.json
echo '::{"outputs":{"n":3, "deep": {"a b": [1]}}}::'
echo done"""

CELLS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "a variable in a shell script": ({"lr": 0.5}, [("a", "echo {{ lr }} {{ inputs.lr * 2 }}")]),
    "an input of the magic line": ({}, [("a -i n=3 -i t='3'", "echo {{ inputs.n + 1 }} {{ inputs.t }}")]),
    "a value that changed between cells": ({}, [("a -i n=1", "echo {{ inputs.n }}"), ("b -i n=2", "echo {{ inputs.n }}")]),
    "structures in expressions": (
        {"cfg": {"x": [1, {"y": "{{ no }}"}]}, "xs": [1, 2]},
        [("a", "echo '{{ cfg.x[1] | toJson }}' {{ xs | length }} {% for x in xs %}<{{ x }}>{% endfor %}")],
    ),
    "names that templates set themselves": ({"x": 1}, [("a", "{% set y = x %}echo {{ y }} {{ 'x' }} {{ ({'x': x}).x }}")]),
    "outputs handed on": (
        {},
        [
            ("prep", PREP),
            ("use", "echo {{ outputs.prep.vars.n }} {{ prep.vars.deep['a b'] }} {{ prep.exitCode }} {{ prep.state }}"),
        ],
    ),
    "files handed on": (
        {},
        [
            ("prep", PREP),
            ("use -f got.json=prep -l python", "print(open('got.json/rows.json').read())"),
            ("more", "#| inputFiles: {x: \"{{ prep.files['rows.json'] }}\"}\ncat x {{ outputs.prep.outputFiles['rows.json'] }}"),
        ],
    ),
    "a bound file used again": ({}, [("prep -b rows=rows.json", PREP), ("use -f r.json=rows", "cat r.json")]),
    "an input taken from a run": ({}, [("prep", PREP), ("use -i k='{{ prep.vars.n }}'", "echo {{ inputs.k + 1 }}")]),
    "names with dashes": ({}, [("my-prep", PREP), ("use", "echo {{ my_prep.vars.n }} {{ outputs['my-prep'].vars.n }}")]),
    "python with braces and quotes": (
        {"name": "it's"},
        [("a -l python", "d = {'k': {'v': 1}}\nprint(f\"{d['k']}\", '''{{ name }}'''.upper())\n\n\nif true:\n\tprint('tab')\n")],
    ),
    "a script as it stands": ({}, [("a --raw", "echo '{{ not }} {% an %} {# expression #}'")]),
    "a Python script as it stands": ({}, [("a --raw -l python", "print('{{ not }} {% raw %} {{{{ x')")]),
    "a script that says raw itself": ({"x": 1}, [("a", "echo '{% raw %}{{ x }}{% endraw %} {{ x }}'")]),
    "environment": ({"SEED": 7, "who": "anna"}, [("a -e SEED -e W='{{ who }}'", "#| env: {X: 'y'}\necho $SEED $W $X")]),
    "commands and an interpreter": (
        {"n": 2},
        [("a -l bash", "#| commands: ['echo {{ n }}', 'echo ${PATH:0:1}']"), ("b -l bash", "echo {1..3}; true | false || true")],
    ),
    "a failure that is allowed": ({}, [("a --no-raise", "echo before; exit 3"), ("b", "echo after")]),
    "data as files": (
        {"cfg": {"a": ["ä", "{{ x }}"]}, "text": "one\ntwo", "raw": b"\x00\xff"},
        [
            ("a -f cfg -f t.txt=text -f sub/r.bin=raw", "cat cfg.json t.txt; cksum sub/r.bin"),
            ("b -l python", "#| inputFiles: {c.json: '{{ cfg }}'}\nprint(open('c.json').read())"),
        ],
    ),
    "a bare text as a file": ({"text": "say {{ x }} 'twice'\n"}, [("a -l python", "#| inputFiles: {t: '{{ text }}'}\nprint(open('t').read())")]),
    "no trailing newline, blank lines, tabs": ({}, [("a", "\n\n  echo one\n\n\techo two   \n\n"), ("b", "echo three")]),
    "a timeout and a retry": ({}, [("a -t 10m", "#| retry: {type: constant, interval: PT0.1S, maxAttempts: 2}\necho hi")]),
    "a decimal": ({"x": Decimal("1.10")}, [("a", "echo {{ x }} {{ inputs.x }}")]),
    "dates": (
        {},
        [("a -i d=2024-02-29", "echo {{ inputs.d }}")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CELLS)
def test_the_exported_flow_gives_what_the_cells_gave(book: Book, case: str) -> None:
    names, cells = CELLS[case]
    book.names |= names
    for line, body in cells:
        book.cell(line, body)

    same(book)


KINDS: dict[str, object] = {
    "whole": 3, "large": 2**40, "part": 0.1, "tiny": 1e-300, "nan": math.nan, "yes": True, "none": None, "text": "a 'b' ä",
    "lines": "one\ntwo\n", "rows": [1, "two", [3.5, None]], "table": {"a b": {"c": False}}, "day": date(2024, 2, 29),
    "moment": datetime(2024, 2, 29, 1, 2, 3, 4000), "zoned": datetime(2024, 2, 29, tzinfo=UTC), "clock": time(1, 2, 3),
    "span": timedelta(minutes=90, microseconds=5), "path": Path("a b/c.txt"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["{{ x }}", "{{ inputs.x }}", "{{ x | json }}{% if x is null %}-{% endif %}"])
def test_a_variable_of_each_type_is_the_same_in_the_flow(book: Book, kind: str, text: str) -> None:
    book.names["x"] = KINDS[kind]
    run = book.cell("a -l python", f"print(r'''<{text}>''')")

    assert run.ok, run.error
    same(book)


@pytest.mark.parametrize("target", ["1.3", "2.0"])
def test_what_is_outside_of_the_cell_is_the_same_for_the_flow(book: Book, target: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("SECRET_DEEP", base64.b64encode(b"not to be seen").decode())
    (book.folder / "my.env").write_text("TOKEN=of-the-file\nPLAIN='a b'\n")
    book.names["n"] = 2
    book.cell("away", "#| workerGroup: {key: gpu}\n#| outputFiles: [x.txt]\necho {{ n }} | tee x.txt")
    book.cell(
        "file --env-file my.env", "echo $(printf %s \"$TOKEN\" | wc -c) $PLAIN {{ away.files['x.txt'] | length > 9 }}"
    )
    book.cell("kept -f got=away", "echo {{ secret('DEEP') | length }}; cat got/x.txt")

    assert {"workerGroup", "workerSelector"} & flow_of(book, target=target)["tasks"][0].keys()
    same(book, "--env-file my.env", target)


def test_files_beside_the_notebook_go_along(book: Book) -> None:
    (book.folder / "data").mkdir()
    (book.folder / "data" / "big.csv").write_text("x\n" * 9000)
    (book.folder / "data" / "small, {{ x }}.txt").write_text("short {{ x }}\n")
    (book.folder / "_files").mkdir()
    (book.folder / "_files" / "main.py").write_text("print('from the namespace')\n")
    book.cell("a -f data -f 'd/*=data/*.csv'", "cksum data/*; ls -R d")
    book.cell("b -f main.py=_files/main.py", "python main.py")
    book.cell("c", "#| namespaceFiles: {enabled: true}\npython main.py")

    made = book.export()

    assert set(made.files) >= {"data/big.csv", "main.py"}
    same(book)


def test_two_files_of_one_name_are_two_files(book: Book) -> None:
    (book.folder / "x.bin").write_bytes(bytes(256))
    book.cell("a -f x.bin", "cksum x.bin")
    (book.folder / "y.bin").write_bytes(bytes(range(256)))
    book.cell("b -f x.bin=y.bin", "cksum x.bin")

    assert set(book.export().files) == {"x.bin", "b/x.bin"}
    same(book)


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**62), 2**62), st.floats(), WORDS, st.text("{}%#'\" x\n", max_size=8),
        st.dates(), st.datetimes(), st.times(), st.timedeltas(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=5,
)  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_any_value_comes_back_from_its_input(value: object) -> None:
    from kestra_magic.expressions.render import render
    from kestra_magic.expressions.scope import Scope
    from kestra_magic.model.load import load_flow
    from kestra_magic.model.resolution import resolve_inputs
    from kestra_magic.model.writing import yaml_text
    from kestra_magic.runs.export.declared import declaration

    try:
        made = declaration("v", value)
    except KestraMagicError as error:
        assert "gives" in str(error)
        return
    task = {"id": "t", "type": "io.kestra.plugin.core.log.Log", "message": "-"}
    text = yaml_text({"id": "f", "namespace": "a.b", "inputs": [made], "tasks": [task]})
    flow = load_flow(Source(text), strict=True).flow
    found = resolve_inputs(flow.inputs, {}, lambda t, seen: render_typed_like_a_flow(t, seen), lambda name, value: "")

    assert render("{{ v }}", Scope({"v": found["v"]})) == render("{{ v }}", Scope({"v": value}))


def render_typed_like_a_flow(text: str, seen: Any) -> Any:
    from kestra_magic.expressions.render import render_typed
    from kestra_magic.expressions.scope import Scope

    return render_typed(text, Scope({"inputs": dict(seen)}))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=200),
    lang=st.sampled_from(["shell", "python"]),
)
def test_any_text_is_the_same_file(tmp_path_factory: pytest.TempPathFactory, text: str, lang: str) -> None:
    book = Book(tmp_path_factory.mktemp("book"))
    book.names["text"] = text
    book.cell(
        f"a -l {lang} -o out -f t.txt=text",
        "cp t.txt out" if lang == "shell" else "open('out','wb').write(open('t.txt','rb').read())",
    )

    assert book.exported().files["out"].read_bytes() == book.names["a"].files["out"].read_bytes()


PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
PLAIN = st.one_of(
    st.integers(), st.booleans(), PRINTABLE, st.text("{}%#'\"$` ", max_size=9), st.lists(st.integers(), max_size=3)
)
OF_THE_NOTEBOOK = (
    "{{ v }}",
    "{{ inputs.v }}",
    "{% if v is not null %}yes{% endif %}",
    "{{ [v] | toJson }}",
    "{% set w = v %}{{ w }}",
    "{{ ({'v': v}).v }}",
)
OF_A_CELL = (
    "{{ outputs.%s.vars.n }}", "{{ %s.vars.n + 1 }}", "{{ %s.state }}", "{% if %s.exitCode == 0 %}ok{% endif %}",
    "{{ read(%s.files['f']) }}", "{{ outputs.%s.outputFiles['f'] is null }}",
)  # fmt: skip


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            PLAIN,
            st.lists(st.sampled_from(OF_THE_NOTEBOOK), max_size=3),
            st.lists(st.sampled_from(OF_A_CELL), max_size=3),
        ),
        min_size=1,
        max_size=4,
    ),
    st.randoms(use_true_random=False),
)
def test_random_notebooks_give_the_same_as_flows(
    tmp_path_factory: pytest.TempPathFactory, cells: list[Any], random: Any
) -> None:
    """Each cell says values of the notebook, which change from cell to cell, and what earlier cells left."""
    book = Book(tmp_path_factory.mktemp("book"))
    for n, (value, own, others) in enumerate(cells):
        book.names["v"] = value
        seen = [each.replace("%s", f"c{random.randrange(n)}") for each in others if n]
        said = "\n".join([*own, *seen])
        kept = f'echo \'::{{"outputs": {{"n": {n}}}}}::\'; echo kept {n} > f'
        assert book.cell(f"c{n} -o f", f"cat <<'END OF IT'\n{said}\nEND OF IT\n{kept}").ok

    same(book)


def test_the_latest_text_of_a_cell_counts_in_the_place_of_its_first(book: Book) -> None:
    book.cell("a", "echo old")
    book.cell("b", "echo b")
    book.cell("a", "echo new")

    tasks = flow_of(book)["tasks"]

    assert [(task["id"], task["script"]) for task in tasks] == [("a", "echo new"), ("b", "echo b")]


def test_a_cell_stands_behind_what_it_reads(book: Book) -> None:
    book.cell("train", "echo first")
    book.cell("prep", PREP)
    book.cell("train", "echo {{ outputs.prep.vars.n }}")

    assert [task["id"] for task in flow_of(book)["tasks"]] == ["prep", "train"]


def test_names_choose_and_bring_along_what_they_read(book: Book) -> None:
    book.cell("other", "echo x")
    book.cell("prep", PREP)
    book.cell("train", "echo {{ prep.vars.n }}")

    made = load_yaml(Source(book.export("train").text)).value

    assert [task["id"] for task in made["tasks"]] == ["prep", "train"]


def test_comments_of_the_properties_and_the_script_stay(book: Book) -> None:
    book.cell("a", "#| # it is slow\n#| timeout: PT1M  # a minute\necho hi  # and why")

    text = book.export().text

    assert "    # it is slow\n    # a minute\n    timeout: PT1M\n" in text
    assert 'script: "echo hi  # and why"' in text


def test_what_was_changed_is_told_with_its_line(book: Book) -> None:
    book.names["lr"] = 1
    book.cell("a", "#| env: {X: '{{ lr }}'}\necho one\necho {{ lr }}")

    said = "`lr` of the notebook is the input `lr`: written `inputs.lr`"
    assert sorted(book.export().told) == [f"cell a, line 2: {said}", f"cell a, line 4: {said}"]


@pytest.mark.parametrize(
    ("line", "body", "said"),
    [
        ("a --here", "echo hi", "line 1: `--here`"),
        ("a", "#| tty: true\necho hi", "line 2: `tty`"),
        ("a", "echo\necho {{ outputs }}", "line 3: which cell's output"),
        ("a", "{% set k = 'n' %}echo {{ inputs[k] }}", "line 2: which input"),
    ],
)
def test_what_cannot_be_said_is_told_with_its_line(book: Book, line: str, body: str, said: str) -> None:
    book.names["n"] = 1
    book.cell(line, body)

    assert any(said in told for told in book.export().told), book.export().told


def test_the_outputs_of_a_flow_cannot_be_had(book: Book) -> None:
    book.flow(
        "id: whole\nnamespace: a.b\ntasks:\n- {id: t, type: io.kestra.plugin.scripts.shell.Commands, commands: [echo]}"
    )
    book.cell("a --no-raise", "echo {{ outputs.whole }}")

    told = book.export().told

    assert "cell a, line 2: `whole` is no process cell of this notebook: its outputs are not there in the flow" in told
    assert "`whole` is a flow itself: left out" in told


@pytest.mark.parametrize(
    ("target", "written", "found"),
    [
        ("2.0", "workerGroup: {key: gpu}", {"workerSelector": {"tags": ["gpu"], "fallback": "WAIT"}}),
        ("1.3", "workerSelector: {tags: [gpu]}", {"workerGroup": {"key": "gpu", "fallback": "FAIL"}}),
        ("1.3", "workerGroup: {key: gpu}", {"workerGroup": {"key": "gpu"}}),
        ("2.0", "runIf: '{{ true }}'", {"when": "{{ true }}"}),
        ("1.3", "when: '{{ true }}'", {"runIf": "{{ true }}"}),
        (
            "1.3",
            "retry: {type: constant, interval: PT1S, maxAttempt: 2}",
            {"retry": {"type": "constant", "interval": "PT1S", "maxAttempts": 2}},
        ),
    ],
)
def test_the_words_are_those_of_the_target(book: Book, target: str, written: str, found: dict[str, Any]) -> None:
    book.cell("a", f"#| {written}\necho hi")

    (task,) = flow_of(book, target=target)["tasks"]

    assert {key: task[key] for key in found} == found


def test_words_that_the_target_lost_are_told(book: Book) -> None:
    book.cell("a", '#| env: {X: "{{ [1] | json }}"}\necho json $X')

    assert any("line 2: Kestra 2.0 has no `json`" in told for told in book.export(target="2.0").told)
    assert not any("json" in told for told in book.export().told)


def test_secrets_do_not_leave(book: Book) -> None:
    (book.folder / ".env").write_text("TOKEN=abc-secret-123\n")
    book.names |= {"password": "hunter22", "seen": "abc-secret-123"}
    book.cell("a --env-file .env", "echo $TOKEN {{ password }} {{ seen }}")

    made = book.export()

    assert "abc-secret-123" not in made.text + str(made.told)
    assert "hunter22" not in made.text + str(made.told)
    assert "TOKEN: \"{{ secret('TOKEN') }}\"" in made.text


def test_nothing_to_export_is_one_sentence(book: Book) -> None:
    with pytest.raises(KestraMagicError, match="no `%%kestra_process NAME` cell ran"):
        book.export()
    book.cell("train", "echo hi")
    with pytest.raises(KestraMagicError, match="did you mean `train`"):
        book.export("trian")
