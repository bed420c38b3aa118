"""Expressions in a real kernel: `render`, `secret`, `--dry-run`, data frames as files, errors with their line and remedy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel


@pytest.fixture(scope="module", autouse=True)
def names(kernel: Kernel) -> None:
    kernel.run("import os, pandas as pd")
    kernel.run(
        "lr = 0.5; rows = [{'a': 1}, {'a': 2}]; df = pd.DataFrame({'a': [1, 2]}); braces = '{{ x }}'; year = 2024"
    )
    kernel.run("os.environ['SECRET_PW'] = 'aHVudGVyMg=='")


# %kestra render


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("'{{ inputs.lr * 2 }}'", "1.0\n(Double, float)\n"),
        ("rows", '[{"a":1},{"a":2}]\n(ArrayList, list)\n'),
        ('"{{ year + 1 }}"', "2025\n(Long, int)\n"),
        ("'{{ lr }} of {{ year }}'", "0.5 of 2024\n"),
        ("'{{ null }}'", "\n(null, NoneType)\n"),
    ],
)
def test_render_prints_a_value_and_its_type(kernel: Kernel, line: str, said: str) -> None:
    assert kernel.run(f"%kestra render {line}").text() == said


def test_render_takes_a_whole_cell(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra render\n{% for row in rows %}{{ row.a }},{% endfor %}\n{{ lr }}")

    assert reply.text() == "1,2,\n0.5\n"


def test_an_error_in_a_rendered_cell_has_its_line(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra render\nfine\n{{ yer }}")

    assert reply.error == "line 3: Unable to find `yer` used in the expression `{{ yer }}`; did you mean `year`?"


def test_render_shows_no_secret(kernel: Kernel) -> None:
    assert "hunter2" not in kernel.run("%kestra render '{{ secret(\"PW\") }}'").text()


def test_render_leaves_no_folder(kernel: Kernel) -> None:
    kernel.run("%kestra render lr")

    assert [*(kernel.folder / "kestra-runs").glob("_run*")] == []


# %kestra secret


def test_a_secret_is_asked_for_and_kept(kernel: Kernel) -> None:
    kernel.run("import sys, types; kept = {}; fake = types.ModuleType('keyring')")
    kernel.run("fake.errors = types.SimpleNamespace(KeyringError=RuntimeError)")
    kernel.run(
        "fake.set_password = lambda s, n, v: kept.__setitem__(n, v); fake.get_password = lambda s, n: kept.get(n)"
    )
    kernel.run("sys.modules['keyring'] = fake")
    kernel.run("import kestra_magic.magics.expressions as e; e.getpass = lambda prompt: 'open sesame'")

    said = kernel.run("%kestra secret DOOR")
    seen = kernel.run(
        "%%kestra_process door -e D=1\n#| env: {DOOR: \"{{ secret('DOOR') }}\"}\necho $DOOR; echo ${#DOOR}".replace(
            "${#", "${{ '{#' }}"
        )
    )

    assert said.text() == "`DOOR` is kept in the keyring: {{ secret('DOOR') }}\n"
    assert "open sesame" not in seen.text()
    assert seen.text().endswith("11\n")


def test_a_secret_is_not_typed_into_a_cell(kernel: Kernel) -> None:
    assert "it is never typed into a cell" in kernel.run("%kestra secret NAME value").error


# --dry-run


def test_a_dry_run_shows_what_was_put_in_and_runs_nothing(kernel: Kernel) -> None:
    cell = "%%kestra_process dry -n\n#| env: {PW: \"{{ secret('PW') }}\"}\n#| inputFiles: {c.txt: '{{ inputs.lr }}'}\ntouch ran; echo {{ lr }} <b> hunter2"
    reply = kernel.run(cell)

    assert reply.status == "ok"
    assert "touch ran; echo «0.5» <b> *******" in reply.plain
    assert "env PW: «*******»" in reply.plain
    assert "file c.txt: «0.5»" in reply.plain
    assert re.search(r"<mark [^>]*>0.5</mark> &lt;b&gt; \*\*\*", reply.html)
    assert "hunter2" not in reply.html
    assert "`{{ lr }}` is this notebook's own, a server has none: `{{ inputs.lr }}` works on both" in reply.plain
    assert kernel.value("'dry' in dir()") == "False"
    assert not (kernel.folder / "kestra-runs" / "dry-1").exists()


def test_a_dry_run_fails_where_the_run_would(kernel: Kernel) -> None:
    assert kernel.run("%%kestra_process dry -n\n\necho {{ nope }}").error.startswith("line 3: Unable to find `nope`")


def test_a_dry_flow_shows_what_is_known(kernel: Kernel) -> None:
    flow = """%%kestra_flow -n
id: dryflow
namespace: a.b
inputs:
  - {id: who, type: STRING, defaults: you}
tasks:
  - {id: one, type: io.kestra.plugin.scripts.shell.Commands, commands: ["echo {{ inputs.who }}"]}
  - {id: two, type: io.kestra.plugin.scripts.shell.Commands, commands: ["echo {{ outputs.one.vars.a }}"]}"""
    reply = kernel.run(flow)

    assert "[one]\ncommand: echo «you»" in reply.plain
    assert "[two]\ncommand: echo {{ outputs.one.vars.a }}\n  (known when it runs: `one`)" in reply.plain
    assert not (kernel.folder / "kestra-runs" / "dryflow-1").exists()


# Data frames


@pytest.mark.parametrize(
    "given",
    ["-f d.csv=df\n", "\n#| inputFiles: {d.csv: '{{ df }}'}\n", "\n#| inputFiles: {d.csv: '{{ inputs.df }}'}\n"],
)
def test_what_the_refusal_of_a_data_frame_offers_works(kernel: Kernel, given: str) -> None:
    refused = kernel.run("%%kestra_process frame\necho {{ df }}")
    taken = kernel.run(f"%%kestra_process frame {given}cat d.csv")

    assert "-f df.csv=df" in refused.error
    assert 'inputFiles: {df.csv: "{{ df }}"}' in refused.error
    assert taken.text() == "a\n1\n2\n"


# Errors and remedies


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("\n\necho {{ inputs.yer }}", "line 3: Unable to find `yer` used in the expression `{{ inputs.yer }}`; did you mean `year`?"),
        ("\necho a\necho {{ lr\necho b", "line 3: `{{` is opened and never closed in the expression `{{ lr`"),
        ("\n#| env: {A: '{{ lr | uper }}'}\necho", "line 2: Filter [uper] does not exist in the expression `{{ lr | uper }}`; did you mean `upper`?"),
        ("\n{% if lr %}\n{{ nofunction() }}{% endif %}", "line 3: Function or Macro [nofunction] does not exist in the expression `{{ nofunction() }}`"),
        ("-l python\nx = 1\n{{ rows[5] }}", "line 3: Unable to find `5` used in the expression `{{ rows[5] }}`; it has 2 items, counted from 0"),
    ],
)  # fmt: skip
def test_an_error_has_the_line_of_the_cell(kernel: Kernel, cell: str, error: str) -> None:
    reply = kernel.run(f"%%kestra_process wrong {cell}")

    assert reply.error.startswith(error)
    assert "Traceback" not in reply.traceback


BODIES = {
    "the shell's length": ("", "a=abc; echo ${#a}", "3\n"),
    "Docker's format": ("", "echo '{{.Names}}'", "{{.Names}}\n"),
    "Go's range": ("", "echo '{{range .items}}'", "{{range .items}}\n"),
    "a tag that is none": ("", "printf '{%s}\\n' x", "{x}\n"),
    "an f-string's braces": ("-l python", "x = 3\nprint(f'{{{ x }}}')", "{3}\n"),
    "a literal brace in an f-string": ("-l python", "print(f'{{literal}}')", "{literal}\n"),
    "a comment in Python": ("-l python", "print('{# no comment')", "{# no comment\n"),
}


@pytest.mark.parametrize("body", BODIES)
def test_the_remedy_that_an_error_shows_works_in_that_body(kernel: Kernel, body: str) -> None:
    options, text, wanted = BODIES[body]
    refused = kernel.run(f"%%kestra_process body {options}\n{text}")
    found = re.search(r"write `(.+?)` for `(\{.)`", refused.error)
    assert found, refused.error
    remedy, opener = found.groups()

    taken = kernel.run(f"%%kestra_process body {options}\n{text.replace(opener, remedy, 1)}")
    raw = kernel.run(f"%%kestra_process body --raw {options}\n{text}")

    assert (taken.status, taken.text()) == ("ok", wanted), taken.error
    assert (raw.status, raw.text()) == ("ok", wanted)


def test_single_braces_are_left_alone(kernel: Kernel) -> None:
    assert (
        kernel.run(
            "%%kestra_process single -l python\nname = 1\nprint(f'{ name } {name:>2}', {'a': {'b': 1}}['a'])"
        ).text()
        == "1  1 {'b': 1}\n"
    )


def test_a_value_with_braces_is_refused_before_a_second_pass(kernel: Kernel) -> None:
    refused = kernel.run("%%kestra_process second -l python\nprint('''{{ braces }}''')")
    remedy = re.search(r"give it as a file, `(-f \S+)`", refused.error)
    assert remedy, refused.error
    taken = kernel.run(f"%%kestra_process second -l python {remedy[1]}\nprint(open('braces.txt').read())")

    assert refused.error.startswith("line 2: the value of `{{ braces }}` holds")
    assert taken.text() == "{{ x }}\n"


def test_a_value_with_braces_is_no_harm_where_there_is_one_pass(kernel: Kernel) -> None:
    assert kernel.run("%%kestra_process one\necho '{{ braces }}'").text() == "{{ x }}\n"


def test_what_a_comment_swallows_is_told(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_process swallow\n\na=abc; echo ${#a} #}")

    assert "line 3: `${#a}` opens a comment" in reply.text() + reply.text("stderr") + reply.plain
