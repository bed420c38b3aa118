"""`%%kestra_flow` in a real kernel: what the cell shows, what it binds, how it is stopped."""

from tests.process.survivors import wait_until

FLOW = "io.kestra.plugin.core.flow"
SHELL = "io.kestra.plugin.scripts.shell.Commands"
LOG = "io.kestra.plugin.core.log.Log"
MADE = "taskRunner: {type: io.kestra.plugin.core.runner.Process}"


def cell(body: str, line: str = "") -> str:
    return f"%%kestra_flow {line}\n{body}"


PAIR = f"""\
id: pair
namespace: company.team
tasks:
  - id: both
    type: {FLOW}.Parallel
    tasks:
      - {{id: a, type: {SHELL}, {MADE}, commands: [echo one]}}
      - {{id: b, type: {SHELL}, {MADE}, commands: [echo two]}}
  - {{id: said, type: {LOG}, message: three}}
"""


def test_lines_carry_their_task(kernel):
    reply = kernel.run(cell(PAIR))

    assert reply.status == "ok", reply.traceback
    assert {"a | one", "b | two"} <= set(reply.text().splitlines())
    assert "INFO  said | three" in reply.text()
    assert kernel.run("print(pair.state, pair.outputs['a']['exitCode'], sorted(pair.tasks))").text() == (
        "SUCCESS 0 ['a', 'b', 'both', 'said']\n"
    )


def test_a_failed_task_is_one_sentence_and_still_bound(kernel):
    reply = kernel.run(cell(f"- id: bad\n  type: {SHELL}\n  {MADE}\n  commands: ['exit 3']\n", "failing"))

    assert reply.error == "Command failed with exit code 3"
    assert "File " not in reply.traceback
    assert kernel.run("print(failing.state)").text() == "FAILED\n"


def test_what_cannot_start_is_told_with_its_line(kernel):
    reply = kernel.run(cell(f"id: x\nnamespace: y\ntasks:\n  - id: t\n    type: {SHELL}\n    comands: [ls]\n"))

    assert (
        reply.error == "line 5: commands: must not be null\nline 7: comands: unknown property; did you mean `commands`?"
    )


def test_an_interrupt_ends_every_task_at_once(kernel):
    sleeps = "".join(f"    - {{id: s{n}, type: {SHELL}, {MADE}, commands: [echo up, sleep 300]}}\n" for n in range(3))
    message = kernel.start(cell(f"- id: all\n  type: {FLOW}.Parallel\n  tasks:\n{sleeps}", "slow"))
    kernel.finish(message, until=lambda reply: reply.text().count("up") == 3)
    kernel.manager.interrupt_kernel()
    reply = kernel.finish(message)

    assert reply.status == "error"
    assert kernel.run("print(slow.state, {t.state.value for t in slow.tasks.values()})").text() == "KILLED {'KILLED'}\n"


def test_a_pause_gives_the_notebook_back(kernel):
    reply = kernel.run(cell(f"- {{id: p, type: {FLOW}.Pause}}\n- {{id: on, type: {LOG}, message: on}}\n", "asked"))

    assert reply.status == "ok", reply.traceback
    assert "`asked.resume()` goes on" in reply.text()
    assert kernel.run("print(asked.state); asked.resume().wait(60); print(asked.state)").text() == "PAUSED\nSUCCESS\n"


def test_a_form_is_shown_and_runs(kernel):
    reply = kernel.run(
        cell(
            f"id: asks\nnamespace: y\ninputs: [{{id: n, type: INT}}]\ntasks: [{{id: t, type: {LOG}, message: '{{{{ inputs.n }}}}'}}]",
            "--form",
        ),
        allow_stdin=True,
    )

    assert reply.status == "ok", reply.traceback
    (shown,) = reply.of("display_data")
    assert set(shown["data"]) == {"text/html", "text/plain"}
    assert 'data-kestra-run="form-' in reply.html
    assert "The form of `asks` asks for n (INT)" in reply.html
    found = "import gc\nfrom kestra_magic.show.form import InputForm\nform = next(o for o in gc.get_objects() if isinstance(o, InputForm))\n"
    missing = kernel.run(found + "form.button.click()\nprint(form.said.value)")
    assert "Missing required input:n" in missing.text()
    ran = kernel.run("form.fields['n'].value = '7'\nform.button.click()\nprint(asks.state, asks.logs[-1].message)")
    assert ran.text().splitlines()[-1] == "SUCCESS 7"


def test_a_flow_runs_whatever_its_id_is(kernel):
    for written, bound in {"02_python": "_02_python", "a.b": "a_b", "print": "_print"}.items():
        reply = kernel.run(cell(f"id: {written}\nnamespace: y\ntasks: [{{id: t, type: {LOG}, message: here}}]"))

        assert reply.status == "ok", reply.traceback
        assert f"`{written}` cannot be a variable: the run is `{bound}`" in reply.text()
        assert kernel.run(f"print({bound}.state)").text() == "SUCCESS\n"


def test_what_a_server_would_do_otherwise_is_refused_by_strict(kernel):
    written = f"id: x\nnamespace: y\ntasks: [{{id: t, type: {SHELL}, commands: [ls]}}]"
    options, lines = kernel.run(cell(written, "--strict")), kernel.run(cell(f"#| strict: true\n{written}"))

    assert options.error == "line 4: `t`: Kestra would use the image ubuntu (strict)"
    assert lines.error == "line 5: `t`: Kestra would use the image ubuntu (strict)"


def test_lines_above_a_flow_are_its_options(kernel):
    written = f"id: x\nnamespace: y\ninputs: [{{id: n, type: INT}}]\ntasks: [{{id: t, type: {LOG}, message: 'n={{{{ inputs.n }}}}'}}]"

    assert "n=4" in kernel.run(cell(f"#| input: {{n: 4}}\n#| label: fig-1\n{written}")).text()
    assert kernel.run(cell(f"#| inputs: {{n: 4}}\n{written}")).error == (
        "line 2: `inputs` is no option of a flow; did you mean `input`?"
    )
    assert kernel.run(cell(f"#| bg: later\n{written}")).error.startswith("line 2: bg: must be `true` or `false`")


def test_a_file_brings_its_own_namespace_files_to_the_rehearsal_and_the_form(kernel):
    (kernel.folder / "flows" / "_files").mkdir(parents=True)
    (kernel.folder / "flows" / "_files" / "words.txt").write_text("from beside the flow")
    (kernel.folder / "flows" / "reads.yaml").write_text(
        f"id: reads\nnamespace: y\ninputs: [{{id: times, type: INT, defaults: 1}}]\n"
        f"tasks: [{{id: t, type: {SHELL}, {MADE}, commands: [\"echo {{{{ read('words.txt') }}}}\"]}}]"
    )

    assert "from beside the flow" in kernel.run("%kestra run flows/reads.yaml -n").plain
    assert kernel.run("%kestra run flows/reads.yaml --form", allow_stdin=True).status == "ok"
    found = "form = next(o for o in gc.get_objects() if isinstance(o, InputForm) and 'times' in o.fields)\n"
    kernel.run(f"import gc\nfrom kestra_magic.show.form import InputForm\n{found}form.button.click()")
    assert kernel.value("reads.stdout") == repr("from beside the flow\n")


def test_an_interrupt_ends_what_was_asked_for_in_python(kernel):
    text = f"- {{id: t, type: {SHELL}, {MADE}, commands: [echo up, sleep 300]}}"
    kernel.run("import kestra_magic; from kestra_magic.runs.session import session")
    calls = (
        "kestra_magic.run('echo up; sleep 300', name='asked_for')",
        f"kestra_magic.run_flow({text!r}, name='asked_for')",
        "kestra_magic.runs('asked_for')[-1].rerun()",
    )
    runs = kernel.folder / "kestra-runs"
    for number, call in enumerate(calls, 1):
        message = kernel.start(call)
        assert wait_until(
            lambda n=number: any("up" in log.read_text() for log in runs.glob(f"asked_for-{n}/_run/*/run.log"))
        )
        kernel.interrupt()
        reply = kernel.finish(message)

        assert reply.error.startswith("killed (interrupt)"), reply.traceback
        assert "run.py" not in reply.traceback
        assert kernel.value("{run.state.value for run in session().runs if run.name == 'asked_for'}") == "{'KILLED'}"
