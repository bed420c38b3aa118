"""§8.1–8.3, 8.10, 8.11: what script tasks do on the Process runner."""

import sys
from textwrap import dedent, indent

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.source import SourceError
from kestra_magic.runs.task.processes import hms
from kestra_magic.stores.environments import kernel
from kestra_magic.tasks.pythons import python_for
from tests.checklist.ids import checks
from tests.flows.conftest import FLOW, SHELL, said, states, why_not


@pytest.fixture
def one(run):
    """Run one task of a flow; what a body says is below its properties."""

    def task(properties, kind="shell.Commands", **inputs):
        lines = indent(dedent(properties).strip("\n"), "    ")
        return run(f"  - id: t\n    type: io.kestra.plugin.scripts.{kind}\n{lines}\n", **inputs)

    return task


def counted(run):
    """The exit code, the lines of stdout, and of stderr."""
    end = run.tasks["t"].exit
    return end.code, end.stdout_lines, end.stderr_lines


@checks("TR1")
def test_a_command_runs(one):
    ended = one("""interpreter: []\ncommands: [/bin/sh, -c, "echo 'Hello World'"]""")

    assert (ended.state, ended.exit_code, said(ended)) == ("SUCCESS", 0, ["Hello World"])


@checks("TR2")
def test_without_an_output_directory_nothing_knows_of_it(one):
    assert one("""commands: ['test -z "$OUTPUT_DIR"']""").exit_code == 0
    assert "Unable to find `outputDir`" in one("commands: ['echo {{ outputDir }}']").error


@checks("TR3", "TR5")
def test_a_failed_command_keeps_what_it_said(one):
    ended = one("""commands: ['echo "::{\\"outputs\\": {\\"logOutput\\": \\"Hello World\\"}}::"', return 1]""")

    assert (ended.state, ended.error) == ("FAILED", "Command failed with exit code 1")
    assert ended.outputs["t"]["vars"] == {"logOutput": "Hello World"}


@checks("TR4", "SS1", "SS3")
def test_input_and_output_files(run):
    ended = run("""\
        - id: stored
          type: io.kestra.plugin.core.storage.Write
          content: Hello from internal storage
        - id: t
          type: io.kestra.plugin.scripts.shell.Commands
          outputDirectory: true
          inputFiles: {hello.txt: Hello World}
          outputFiles: [output.txt]
          commands:
            - cat {{ outputs.stored.uri }} && echo
            - cat hello.txt && echo
            - cat hello.txt > output.txt
            - echo -n 'file from output dir' > {{ outputDir }}/file.txt
            - mkdir {{ outputDir }}/nested
            - echo -n 'nested file' > {{ outputDir }}/nested/file.txt
            - |
              echo '::{"outputs":{"logOutput":"Hello World"}}::'
        """)

    assert said(ended, "INFO") == ["Hello from internal storage", "Hello World"]
    assert {name: file.read_text() for name, file in ended.tasks["t"].files.items()} == {
        "output.txt": "Hello World",
        "file.txt": "file from output dir",
        "nested/file.txt": "nested file",
    }
    assert ended.outputs["t"]["vars"] == {"logOutput": "Hello World"}
    assert all(uri.startswith("kestra:///") for uri in ended.outputs["t"]["outputFiles"].values())


@checks("TR6", "X14", "X15")
def test_the_runner_s_own_environment_wins(one):
    ended = one("""\
        env: {WORKING_DIR: mine, K: "{{ 1 + 1 }}"}
        commands: ['test "$WORKING_DIR" = "{{ workingDir }}"', 'echo $K']
        """)

    assert (ended.exit_code, said(ended, "INFO")) == (0, ["2"])
    assert "Unable to find `workingDir`" in one("""env: {X: "{{ workingDir }}"}\ncommands: [ls]""").error


@checks("SS2", "SH7")
def test_the_working_directory_is_known_to_commands(one):
    ended = one("commands: ['test \"$PWD\" = \"{{ workingDir }}\"', 'echo {{ workingDir }}']")

    assert (ended.exit_code, said(ended)) == (0, [ended.workdir])


@checks("SS4")
def test_before_commands_share_the_shell(one):
    ended = one("beforeCommands: ['A=here']\ncommands: ['echo $A']")

    assert ended.command[:2] == ("/bin/sh", "-c")
    assert ended.command[2] == "set -e\nA=here\necho $A"
    assert said(ended) == ["here"]


COUNTED = [
    ("SH1", "commands: [echo 0, echo 1, '>&2 echo 2', '>&2 echo 3']", (0, 2, 2)),
    ("SH2", "commands: ['echo 1 1>&2', exit 66, echo 2]", (66, 0, 1)),
    ("SH3", "failFast: true\ncommands: [unknown, echo 1]", (127, 0, 1)),
    ("SH4", "failFast: false\ncommands: [unknown, echo 1]", (0, 1, 1)),
    ("SH6", """commands: ['echo "::{\\"outputs\\": {\\"extract\\": null}}::"']""", (0, 1, 0)),
]


@checks("SH1", "SH2", "SH3", "SH4", "SH6")
@pytest.mark.parametrize(("name", "written", "counts"), COUNTED, ids=[c[0] for c in COUNTED])
def test_lines_and_exit_codes_are_counted(one, name, written, counts):
    ended = one(written)

    assert counted(ended) == counts
    assert (ended.state.ok, name == "SH6") == (counts[0] == 0, ended.outputs["t"]["vars"] == {"extract": None})


@checks("SH5")
def test_files_of_the_legacy_output_directory(run, beside):
    (beside / "in.txt").write_text("I'm here")
    ended = run(
        """\
        id: flow
        namespace: company.team
        inputs: [{id: file, type: FILE}]
        tasks:
          - id: t
            type: io.kestra.plugin.scripts.shell.Commands
            runner: PROCESS
            commands:
              - mkdir -p {{ outputDir}}/sub/dir/
              - |
                echo '::{"outputs": {"extract":"'$(cat {{ inputs.file }})'"}}::'
              - echo 1 > {{ outputDir }}/file.xml
              - echo 2 > {{ outputDir }}/sub/dir/file.csv
              - echo 3 >> {{ outputDir }}/file.xml
        """,
        file="in.txt",
    )

    assert counted(ended) == (0, 1, 0)
    assert ended.vars == {"extract": "I'm here"}
    files = {name: file.read_text() for name, file in ended.files.items()}
    assert files == {"file.xml": "1\n3\n", "sub/dir/file.csv": "2\n"}


@checks("SH8", "SH9")
def test_scripts_of_several_lines_and_many_lines(one):
    script = "script: |\n  echo 0\n    echo 1\n  >&2 echo 2\n  >&2 echo 3\n"
    assert counted(one(script, "shell.Script")) == (0, 2, 2)
    loop = "interpreter: [/bin/bash, -c]\nscript: |\n  for i in {1..2000}; do\n    echo $i\n  done\n"
    assert counted(one(loop, "shell.Script")) == (0, 2000, 0)


@checks("SH10")
def test_a_stored_file_is_an_input_file(run):
    ended = run("""\
        - {id: stored, type: io.kestra.plugin.core.storage.Write, content: "a: 1"}
        - id: t
          type: io.kestra.plugin.scripts.shell.Script
          inputFiles: {test/application.yml: "{{ outputs.stored.uri }}"}
          outputFiles: [out/**]
          script: |
            mkdir out
            cat test/application.yml > out/bla.yml
        """)

    assert list(ended.tasks["t"].files) == ["out/bla.yml"]
    assert ended.tasks["t"].files["out/bla.yml"].read_text() == "a: 1"


@checks("SH11")
def test_output_files_are_known_by_name(one):
    ended = one("outputFiles: [outfile]\ncommands: ['echo -n {{ outputFiles.outfile }} > outfile']")

    assert ended.files["outfile"].read_text().endswith("/outfile")


@checks("SH12")
def test_several_shell_tasks_end_well(run):
    tasks = "".join(f"  - {{id: t{n}, type: {SHELL}, commands: [echo {n}]}}\n" for n in range(5))

    assert list(states(run(tasks)).values()) == ["SUCCESS"] * 5


# Python


@checks("PY1", "PY2", "PY9")
def test_a_python_script_says_outputs_and_exits(one):
    ended = one(
        """\
        script: |
          print('::{"outputs": {"extract":"hello world"}}::')
          t = {{ 1 == 1 }}; f = false; n = null
          print('::{"outputs": {"t": %s, "f": %s, "n": null}}::' % (str(t).lower(), str(f).lower()))
        """,
        "python.Script",
    )
    failed = one("script: |\n  import sys\n  sys.exit(1)\n", "python.Script")

    assert counted(ended) == (0, 2, 0)
    assert ended.vars == {"extract": "hello world", "t": True, "f": False, "n": None}
    assert counted(failed) == (1, 0, 0)


@checks("PY5", "PY12")
def test_uris_in_python_are_paths(run):
    ended = run("""\
        - {id: stored, type: io.kestra.plugin.core.storage.Write, content: hello there!, extension: .py}
        - id: t
          type: io.kestra.plugin.scripts.python.Script
          script: |
            import os
            print(os.path.getsize("{{ outputs.stored.uri }}"))
        - {id: code, type: io.kestra.plugin.core.storage.Write, content: print(1)}
        - {id: u, type: io.kestra.plugin.scripts.python.Commands, commands: ["python {{ outputs.code.uri }}"]}
        """)

    assert said(ended, "INFO") == ["12", "1"]


@checks("PY6", "PY8", "PY16", "PC1", "PC2", "PC3")
@pytest.mark.skipif(bool(why_not("python:kestra")), reason="the library `kestra` is not installed")
def test_kestra_s_library_is_understood(one):
    ended = one(
        """\
        script: |
          import time
          from kestra import Kestra
          print("a\\n\\nb")
          Kestra.outputs({"test": "value", "int": 2, "bool": True, "float": 3.65})
          Kestra.counter("count", 1, {"tag1": "i", "tag2": "win"})
          Kestra.counter("count2", 2)
          Kestra.timer("timer1", 2.12)
          Kestra.gauge("gauge", 7)
          Kestra.gauge("gauge", -1.5)
          Kestra.assets({"id": "a"})
          Kestra.logger().warning("careful")
        """,
        "python.Script",
    )
    metrics = {m.name: (m.type, m.value, dict(m.tags)) for m in ended.metrics.entries}

    assert ended.vars == {"test": "value", "int": 2, "bool": True, "float": 3.65}
    assert metrics["count"] == ("counter", 1, {"tag1": "i", "tag2": "win"})
    assert (metrics["count2"][1], metrics["timer1"][1], metrics["gauge"][1]) == (2, 2.12, -1.5)
    assert said(ended)[:3] == ["a", "", "b"]
    assert said(ended, "WARN")[0].endswith("Z - careful")
    assert ended.tasks["t"].assets == [{"id": "a"}]


@checks("PY7")
def test_a_script_task_without_a_script_is_refused(one):
    with pytest.raises(SourceError, match="script: must not be null"):
        one("description: nothing", "python.Script")


@checks("PY4", "PY10", "PY11", "PY13", "PY14")
def test_the_python_is_the_kernel_s_unless_an_environment_is_active(one, tmp_path):
    script = "script: |\n  import sys\n  print(sys.prefix)\n"
    made = f"beforeCommands: ['{sys.executable} -m venv --without-pip v', '. v/bin/activate']\n"
    plain, active = one(script, "python.Script"), one(made + script, "python.Script")

    assert said(plain) == [sys.prefix]
    assert said(active) == [f"{active.workdir}/v"]
    assert 'if [ -n "$VIRTUAL_ENV" ]; then "$VIRTUAL_ENV/bin/python"' in plain.command[2]
    assert " python " not in plain.command[2]
    version = ".".join(map(str, sys.version_info[:2]))
    assert (
        python_for(kernel(), version, ["pip" if why_not("python:pip") == "" else "pytest"]).executable == sys.executable
    )
    with pytest.raises(KestraMagicError, match=r"3\.99"):
        python_for(kernel(), "3.99", [])


# Derived cases


@checks("X1", "X2", "X3", "X4")
def test_frames_that_are_nearly_right(one):
    ended = one("""\
        commands:
          - |
            echo ' ::{"outputs":{"a":1}}::'
          - |
            echo '::{"outputs":{"a":1}::'
          - |
            echo '::{"outputs":{"b":{"x":1,"y":1}}}::' && echo '::{"outputs":{"b":{"x":2}}}::'
          - |
            >&2 echo '::{"outputs":{"c":3}}::'
        """)

    assert ended.state == "SUCCESS"
    assert ended.vars == {"b": {"x": 2}, "c": 3}
    assert said(ended, "INFO") == [' ::{"outputs":{"a":1}}::']
    assert any(message.startswith("Invalid outputs '") for message in said(ended, "WARN"))
    assert not said(ended, "ERROR")


@checks("X5", "X6", "LC2")
def test_carriage_returns_and_background_children(one):
    ended = one(r"""commands: ["printf '1\r2\r3\r4\r5\r6\r7\r8\r9\r10'"]""")
    waited = one("commands: ['(sleep 0.3; echo late) & echo hi']")

    assert said(ended) == [str(n) for n in range(1, 11)]
    assert said(waited) == ["hi", "late"]


@checks("X7", "X8", "X9")
def test_failures_keep_what_was_made(one):
    killed = one("commands: ['kill -9 $$']")
    missing = one("outputFiles: [none.txt]\ncommands: [ls]")
    failed = one("outputFiles: [a.txt]\ncommands: ['echo 1 > a.txt', exit 3]")

    assert killed.exit_code == 137
    assert (missing.state, missing.outputs["t"]["outputFiles"]) == ("SUCCESS", {})
    assert (failed.exit_code, list(failed.files)) == (3, ["a.txt"])


@checks("X10")
def test_a_timeout_fails_and_says_so(one):
    ended = one("timeout: PT0.2S\ncommands: [sleep 60]")

    assert (ended.state, ended.error) == ("FAILED", "Timeout after 00:00:00.200")
    assert hms(3723.004) == "01:02:03.004"


@checks("X11", "X12", "X13")
def test_globs_and_shapes_of_input_files(one):
    deep = "commands: [mkdir d, touch a.txt d/b.txt]\noutputFiles: ['**/*.txt']"
    given = """inputFiles: '{"empty.txt": null}'\ncommands: [ls -s empty.txt]"""
    dropped = "inputFiles: {none.txt: null}\ncommands: [test ! -e none.txt]"

    assert list(one(deep).files) == ["d/b.txt"]
    with pytest.raises(SourceError, match=r"Invalid `files` properties with type 'class java.util.ArrayList'"):
        one("inputFiles: [a]\ncommands: [ls]")
    assert said(one(given)) == ["0 empty.txt"]
    assert one(dropped).exit_code == 0


@checks("X16", "X17", "X18")
def test_rendering_and_environment_of_python(one):
    env = "env: {PYTHONUNBUFFERED: '0'}\nscript: |\n  import os\n  print(os.environ['PYTHONUNBUFFERED'])\n"
    raw = "script: |\n  print('{% raw %}{{ 1 + 1 }}{% endraw %}')\n"
    shell = "script: |\n  echo '{% raw %}{{ 1 + 1 }}{% endraw %}'\n"

    assert said(one(env, "python.Script")) == ["true"]
    assert said(one(raw, "python.Script")) == ["2"]  # rendered twice, as on a server
    assert said(one(shell, "shell.Script")) == ["{{ 1 + 1 }}"]
    assert one("interpreter: []\ncommands: [echo, '$HOME']").command == ("echo", "$HOME")


@checks("X19")
def test_a_captured_file_leaves_a_shared_directory(run):
    ended = run(f"""\
        - id: w
          type: {FLOW}.WorkingDirectory
          outputFiles: [a.txt]
          tasks:
            - {{id: make, type: {SHELL}, commands: ['echo 1 > a.txt'], outputFiles: [a.txt]}}
            - {{id: look, type: {SHELL}, commands: ['test ! -e a.txt']}}
        """)

    assert ended.state == "SUCCESS"
    assert ended.outputs["w"]["outputFiles"] == {}


LANGUAGES = [
    ("node", "Script", "script: console.log('hello there!')", ("node",)),
    ("ruby", "Script", "script: puts 'hello there!'", ("ruby",)),
    ("perl", "Script", 'script: print "hello there!\\n";', ("perl",)),
    ("php", "Script", "script: <?php echo 'hello there!';", ("php",)),
    ("lua", "Script", "script: print('hello there!')", ("lua",)),
    ("r", "Script", "script: cat('hello there!')", ("Rscript",)),
    (
        "go",
        "Script",
        'script: |\n  package main\n  import "fmt"\n  func main() { fmt.Println("hello there!") }\n',
        ("go",),
    ),
    ("perl", "Commands", "commands: [\"perl -e 'print qq(hello there!)'\"]", ("perl",)),
]


@pytest.mark.parametrize(("language", "kind", "written", "needs"), LANGUAGES, ids=[f"{c[0]}.{c[1]}" for c in LANGUAGES])
def test_a_language_says_hello(one, language, kind, written, needs):
    if reason := why_not(*needs):
        pytest.skip(reason)
    ended = one(written, f"{language}.{kind}")

    assert said(ended, "INFO") == ["hello there!"], ended.logs
    assert ended.exit_code == 0


# Script tasks of old


@pytest.fixture
def old(run):
    def task(properties, kind="Bash"):
        lines = indent(dedent(properties).strip("\n"), "    ")
        return run(f"  - id: t\n    type: io.kestra.core.tasks.scripts.{kind}\n{lines}\n")

    return task


@checks("LB1", "LB3", "LB4")
def test_a_legacy_bash_counts_and_stops(old):
    assert counted(old("commands: [echo 0, echo 1, '>&2 echo 2', '>&2 echo 3']")) == (0, 2, 2)
    assert old("commands: [exit 66]").exit_code == 66
    assert old("commands: [unknown, echo 1]").exit_code == 127
    assert counted(old("exitOnFailed: false\ncommands: [unknown, echo 1]")) == (0, 1, 1)


@checks("LB2", "LB5", "LB6", "LB7")
def test_legacy_files_are_keys(old):
    ended = old("""\
        outputFiles: [xml, csv]
        outputDirs: [d]
        inputFiles: {files/in/in.txt: "{{ workingDir }}", .test.txt: a}
        commands:
          - echo 1 > {{ outputFiles.xml }}
          - echo 2 > {{ outputFiles.csv }}
          - echo 3 >> {{ temp.xml }}
          - cp files/in/in.txt {{ outputDirs.d }}/copy.txt
        """)

    assert {name: file.read_text() for name, file in ended.files.items() if name != "d/copy.txt"} == {
        "csv": "2\n",
        "xml": "1\n3\n",
    }
    assert ended.files["d/copy.txt"].read_text() == ended.workdir
    assert old("""inputFiles: '{"a.txt": "b"}'\ncommands: [cat a.txt]""").exit_code == 0
    refused = old("inputFiles: {../../test.txt: a}\ncommands: [ls]")
    assert "Invalid outputFile (only relative path is supported) for path '../../test.txt'" in refused.error


def test_legacy_python_runs_main(old):
    ended = old(
        """\
        inputFiles:
          main.py: |
            import sys
            print(sys.argv[1:])
        args: [test, param]
        virtualEnv: false
        commands: [python main.py]
        """,
        "Python",
    )
    without = old("inputFiles: {other.py: print(1)}", "Python")

    assert said(ended) == ["['test', 'param']"]
    assert "expecting inputFiles property to contain at least a main.py key with python code value." in without.error


def test_rendering_is_told_with_its_line(one):
    ended = one("commands:\n  - ls\n  - echo {{ nothing }}")

    assert ended.error == "line 8: Unable to find `nothing` used in the expression `{{ nothing }}`"


def test_an_environment_variable_is_an_expression(one, monkeypatch):
    monkeypatch.setenv("KESTRA_GREETING", "hi")

    assert said(one("commands: ['echo {{ envs.greeting }}']")) == ["hi"]
