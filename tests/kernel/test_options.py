"""Every option of the magic line, as a person types it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel


@pytest.fixture(autouse=True)
def files(kernel: Kernel) -> None:
    """What lies beside the notebook."""
    (kernel.folder / "data").mkdir(exist_ok=True)
    (kernel.folder / "data" / "a.csv").write_text("x,y\n1,2\n")
    (kernel.folder / "data" / "b.csv").write_text("x,y\n3,4\n")
    (kernel.folder / "train.py").write_text("print('trained')\n")
    (kernel.folder / "secret.env").write_text("TOKEN=geheimnis\n")
    if not os.path.lexists(kernel.folder / "fifo"):
        os.mkfifo(kernel.folder / "fifo")
        (kernel.folder / "broken").symlink_to("nowhere")


FILES = {
    "a path keeps its place": ("-f data/a.csv", "cat data/a.csv", "x,y\n1,2\n"),
    "a name of its own": ("-f in.csv=data/a.csv", "cat in.csv", "x,y\n1,2\n"),
    "a folder": ("-f data", "ls data", "a.csv\nb.csv\n"),
    "a glob": ("-f 'data/*.csv'", "cat data/*.csv", "x,y\n1,2\nx,y\n3,4\n"),
    "a glob into a folder": ("-f 'in/=data/*.csv'", "ls in", "a.csv\nb.csv\n"),
    "a text": ("-f note.txt=note", "cat note.txt", "hello"),
    "bytes": ("-f raw.bin=raw", "od -An -tx1 raw.bin", " 00 ff\n"),
    "data as JSON": (
        "-f d.json=data_dict",
        "python -c 'import json; print(json.load(open(\"d.json\")))'",
        "{'a': [1, 2]}\n",
    ),
    "a data frame as CSV": ("-f t.csv=frame", "cat t.csv", "n,s\n1,a\n2,b\n"),
    "what an earlier run left": ("-f maker", "cat made.txt", "made\n"),
}


@pytest.mark.parametrize(("option", "body", "said"), FILES.values(), ids=FILES)
def test_a_file_is_placed(kernel: Kernel, option: str, body: str, said: str) -> None:
    kernel.run("note = 'hello'; raw = b'\\x00\\xff'; data_dict = {'a': [1, 2]}")
    kernel.run("import pandas as pd; frame = pd.DataFrame({'n': [1, 2], 's': ['a', 'b']})")
    kernel.run("%%kestra_process maker -o made.txt\necho made > made.txt")

    assert kernel.run(f"%%kestra_process reader {option}\n{body}").text() == said


def test_originals_beside_the_notebook_are_never_written(kernel: Kernel) -> None:
    kernel.run("%%kestra_process change -f data/a.csv -o 'data/*'\necho more >> data/a.csv")

    assert kernel.value("change.files['data/a.csv'].read_text()") == repr("x,y\n1,2\nmore\n")
    assert (kernel.folder / "data" / "a.csv").read_text() == "x,y\n1,2\n"


def test_a_file_that_is_not_there_is_answered_with_the_nearest(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_process p -f data/c.csv\necho")

    assert "there is no file, folder or variable `data/c.csv`" in reply.error
    assert "did you mean `data/" in reply.error


INPUTS = {
    "a number": ("-i n=3", "{{ inputs.n + 1 }}", "4\n"),
    "a text in quotes": ("-i n=\"'3'\"", "{{ inputs.n ~ 'x' }}", "3x\n"),
    "an expression": ("-i n='{{ lr * 2 }}'", "{{ inputs.n }}", "1.0\n"),
    "the notebook's own": ("-i lr", "{{ inputs.lr }}", "0.5\n"),
    "the notebook's without being asked": ("", "{{ inputs.lr }}", "0.5\n"),
    "a name with its short form": ("", "{{ lr }}", "0.5\n"),
}


@pytest.mark.parametrize(("option", "expression", "said"), INPUTS.values(), ids=INPUTS)
def test_an_input_is_seen(kernel: Kernel, option: str, expression: str, said: str) -> None:
    kernel.run("lr = 0.5")

    assert kernel.run(f"%%kestra_process p {option}\necho {expression}").text() == said


def test_the_environment_is_added_to_and_inherited(kernel: Kernel) -> None:
    kernel.run("import os; os.environ['FROM_PARENT'] = 'inherited'; GIVEN = 'from the notebook'")
    reply = kernel.run('%%kestra_process p -e A=1 -e GIVEN\necho "$A $GIVEN $FROM_PARENT"')

    assert reply.text() == "1 from the notebook inherited\n"


def test_what_an_env_file_holds_is_masked_everywhere(kernel: Kernel) -> None:
    form = base64.b64encode(b"geheimnis").decode()
    body = 'echo "$TOKEN"; printf %s "$TOKEN" | base64; exit 3'
    reply = kernel.run(f"%%kestra_process hide --env-file secret.env\n{body}")

    seen = reply.text() + reply.error + reply.html + reply.plain + kernel.value("hide.stdout")
    log = kernel.run("print(hide.log.path.read_text())").text()
    assert "geheimnis" not in seen + log
    assert form not in seen + log
    assert "***" in log


def test_an_output_file_becomes_a_variable(kernel: Kernel) -> None:
    kernel.run("%%kestra_process p -b table=t.csv -b data=d.json\necho 'n\n1' > t.csv; echo '{\"a\": 1}' > d.json")

    assert kernel.value("(type(table).__name__, len(table), data)") == "('DataFrame', 1, {'a': 1})"


def test_an_output_file_that_was_not_made_is_told(kernel: Kernel) -> None:
    assert "made no file `t.csv`" in kernel.run("%%kestra_process p -b t=t.csv\necho").error


def test_python_is_the_one_that_was_asked_for(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("env") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(other)], check=True)
    kernel.run(f"%%kestra_process p -l python -p {other}\nimport sys; print(sys.prefix)")
    kernel.run(f"%%kestra_process q -p {other}\npython -c 'import sys; print(sys.prefix)'; echo $VIRTUAL_ENV")

    assert kernel.value("p.stdout.strip()") == repr(str(other))
    assert kernel.value("q.stdout.split()") == repr([str(other), str(other)])


@pytest.mark.parametrize("timeout", ["0.4s", "PT0.4S"])
def test_a_timeout_ends_it_and_says_so(kernel: Kernel, timeout: str) -> None:
    reply = kernel.run(f"%%kestra_process p -t {timeout} -o a.txt\necho a > a.txt; sleep 300")

    assert "Timeout after 00:00:00.400" in reply.error
    assert kernel.value("(p.state.value, list(p.files))") == "('FAILED', ['a.txt'])"


def test_here_runs_beside_the_notebook(kernel: Kernel) -> None:
    kernel.run("%%kestra_process p --here\npwd; python train.py; echo new > new.txt")

    assert kernel.value("p.stdout") == repr(f"{kernel.folder}\ntrained\n")
    assert kernel.value("list(p.files)") == "['new.txt']"


def test_a_raw_body_is_not_rendered(kernel: Kernel) -> None:
    assert kernel.run("%%kestra_process p --raw\necho '{{ nothing }}'").text() == "{{ nothing }}\n"


def test_options_in_their_long_form_may_stand_in_the_header(kernel: Kernel) -> None:
    body = "#| lang: python\n#| output: ['*.txt']\n#| no-raise: true\n#| env: {A: '1'}"
    code = "import os\nopen('a.txt', 'w').write(os.environ['A'])\nraise SystemExit(4)"
    assert kernel.run(f"%%kestra_process p\n{body}\n{code}").status == "ok"
    assert kernel.value("(p.exit_code, p.files['a.txt'].read_text())") == "(4, '1')"


def test_quartos_keys_pass_unread(kernel: Kernel) -> None:
    assert kernel.run("%%kestra_process p\n#| label: fig-a\n#| echo: false\n#| fig-cap: x\necho hi").text() == "hi\n"


REFUSED = {
    "--outptu x": "did you mean `--output`?",
    "-l pyhton": "did you mean `python`?",
    "a b": "one name too many",
    "-t soon": "timeout",
    "-t -5": "timeout: must be longer than nothing, but is -5 s",
    "-t 0": "timeout: must be longer than nothing, but is 0 s",
    "-b x": "write `-b VAR=FILE`",
    "-b 1x=f": "`1x` cannot be a variable",
    "-o '['": "`]` is missing",
    "-e =x": "write `-e NAME=value`",
    "-f broken": "the link `broken` leads to nothing: `nowhere`",
    "-f fifo": "is a pipe or a device",
}


@pytest.mark.parametrize(("line", "answer"), REFUSED.items())
def test_what_cannot_be_is_answered_in_one_sentence(kernel: Kernel, line: str, answer: str) -> None:
    reply = kernel.run(f"%%kestra_process p {line}\necho hi")

    assert reply.status == "error"
    assert answer in reply.error
    assert "Traceback" not in reply.traceback
    assert not reply.text(), "it ran before it was refused"


HEADERS = {
    "grace: soon": "grace: must be a number of seconds",
    "grace: -1": "grace: must be a number of seconds",
    "background: maybe": "background: must be one of `wait`, `kill`, `keep`",
    "requeue: no": "requeue: must be `true` or `false`, but is `no`",
}


@pytest.mark.parametrize(("line", "answer"), HEADERS.items())
def test_a_key_of_ours_in_the_header_is_read_strictly(kernel: Kernel, line: str, answer: str) -> None:
    assert kernel.run(f"%%kestra_process p\n#| {line}\necho hi").error.startswith(f"line 2: {answer}")


def test_what_the_command_leaves_running_is_ended_where_that_is_asked_for_and_told(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_process p\n#| background: kill\nsleep 1000 & setsid sleep 1000 & echo $!")

    assert "ended 2 processes that the command left running" in reply.text("stderr")
    assert not psutil.pid_exists(int(reply.text()))


def test_a_disabled_cell_is_skipped(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_process p\n#| disabled: true\necho hi")

    assert (reply.text(), kernel.value("p.state.value")) == ("", "'SKIPPED'")


def test_a_grace_may_be_a_duration(kernel: Kernel) -> None:
    kernel.run("%%kestra_process p\n#| grace: 1m30s\necho hi")

    assert kernel.value("p.context.wishes.grace") == "90.0"


def test_a_dry_run_and_the_gpus_may_be_asked_for_in_the_header(kernel: Kernel) -> None:
    assert kernel.run("%%kestra_process p\n#| dry-run: true\nexit 3").status == "ok"
    kernel.run("import os; os.environ['CUDA_VISIBLE_DEVICES'] = '7'")
    seen = kernel.run("%%kestra_process p\n#| gpu: none\necho [$CUDA_VISIBLE_DEVICES]")
    kernel.run("del os.environ['CUDA_VISIBLE_DEVICES']")

    assert seen.text() == "[]\n"


def test_line_ends_of_windows_are_no_part_of_commands(kernel: Kernel) -> None:
    reply = kernel.run(
        "get_ipython().run_cell_magic('kestra_process', 'p', '#| env: {A: b}\\r\\necho $A\\r\\ntrue\\r\\n')"
    )

    assert (reply.text(), reply.error) == ("b\n", "")


@pytest.mark.parametrize("half", ["\\udc80", "\\ud83d"])
def test_half_a_character_is_no_mistake_of_ours(kernel: Kernel, half: str) -> None:
    reply = kernel.run(f"get_ipython().run_cell_magic('kestra_process', 'p', 'echo {half}')")

    assert "mistake of ours" not in reply.traceback + reply.error
    assert len(reply.traceback.splitlines()) <= 1


def test_a_missing_file_beside_the_notebook_is_offered(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_process p\npython train.py")

    assert "add `-f train.py`, or `--here`" in reply.error


def test_a_command_that_is_not_there_is_told(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_process p\nnosuchcommand_x")

    assert "exit code 127" in reply.error
    assert "`nosuchcommand_x` is not installed here" in reply.error


def test_a_bashism_is_named(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_process p\nx=(1 2 3)\necho ${x[1]}")

    assert "-l bash" in reply.error


@pytest.mark.parametrize(("lang", "code"), {"bash": "x=(1 2 3); echo ${x[1]}", "perl": "print 1 + 1, qq(\\n);"}.items())
def test_other_languages_run(kernel: Kernel, lang: str, code: str) -> None:
    assert kernel.run(f"%%kestra_process p -l {lang}\n{code}").text() == "2\n"


def test_a_language_that_is_not_installed_is_told(kernel: Kernel) -> None:
    kernel.run("import os; os.environ['PATH_BEFORE'] = os.environ['PATH']")
    reply = kernel.run("%%kestra_process p -l julia -e PATH=/nowhere\nprint(1)")

    assert "julia" in reply.error
    assert "not found" in reply.error


def test_help_shows_the_options(kernel: Kernel) -> None:
    kernel.start("%%kestra_process?")
    reply = kernel.client.get_shell_msg(timeout=60)
    shown = reply["content"]["payload"][0]["data"]["text/plain"]

    assert "--timeout, -t DURATION" in shown
    assert "%%kestra_process train" in shown


def test_an_error_names_nothing_of_the_execution_count(kernel: Kernel) -> None:
    reply = kernel.run("%%kestra_process p\necho {{ nope_nope }}")

    assert reply.error.startswith("line 2:")
    assert "In [" not in reply.error
