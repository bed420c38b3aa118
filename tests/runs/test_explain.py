"""What a failure is told as."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kestra_magic.model.source import Source
from kestra_magic.process.events import Exited
from kestra_magic.runs.failure.explain import excerpt, exit_meaning, hint, mapped_error
from kestra_magic.runs.failure.tracebacks import last_failure, mapped

SCRIPT = "4611686018427387904.py"


def said_by(*argv: str, cwd: Path) -> str:
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False).stderr


def sh(script: str, cwd: Path) -> str:
    return said_by("/bin/sh", "-c", script, cwd=cwd)


def nothing(name: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("code", "words"),
    {
        126: "could not be run",
        127: "was not found",
        137: "memory",
        139: "SIGSEGV",
        143: "SIGTERM",
        130: "SIGINT",
    }.items(),
)
def test_codes_that_a_shell_gives_are_explained(code: int, words: str) -> None:
    assert words in exit_meaning(code)


@pytest.mark.parametrize("code", [None, 0, 1, 3, 128, 255])
def test_codes_that_a_program_chooses_mean_what_it_says(code: int | None) -> None:
    assert exit_meaning(code) == ""


def test_a_kill_for_memory_says_how_much_was_held() -> None:
    assert exit_meaning(137, peak_bytes=61_200_000_000, limit_bytes=64_000_000_000) == (
        "killed by signal 9; peak memory 61.2 of 64 GB: probably out of memory"
    )


def test_a_kill_of_one_that_held_little_is_not_blamed_on_memory_alone() -> None:
    assert "from outside" in exit_meaning(137, peak_bytes=1_000_000, limit_bytes=64_000_000_000)


@pytest.mark.skipif("dash" not in os.path.realpath("/bin/sh"), reason="/bin/sh is not dash here")
@pytest.mark.parametrize(
    "script",
    [
        "[[ -n x ]]",
        "source x",
        "pushd /",
        'a=(1 2); echo "${a[0]}"',
        "x=abc; echo ${x//a/b}",
        "cat <<< hi",
        "set -o pipefail",
        "for ((i=0;i<3;i++)); do echo $i; done",
        "declare -A m",
        "shopt -s globstar",
    ],
)
def test_bash_in_sh_is_told_how_to_get_bash(script: str, tmp_path: Path) -> None:
    assert "`-l bash`" in hint(sh(script, tmp_path), beside=nothing)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    for shell in ("/bin/sh", "/bin/bash"):
        told = hint(said_by(shell, "-c", "kestra-magic-php -v", cwd=tmp_path), beside=nothing)

        assert told.startswith("`kestra-magic-php` is not installed here")


@pytest.mark.parametrize(
    ("script", "name"),
    [
        (f"{sys.executable} train.py", "train.py"),
        ("sh run.sh", "run.sh"),
        ("cat data.csv", "data.csv"),
        (f"{sys.executable} -c 'open(\"in/data.csv\")'", "in/data.csv"),
        (f"{sys.executable} -c 'import helpers'", "helpers.py"),
        ("./run.sh", "run.sh"),
    ],
)
def test_a_file_that_lies_beside_the_notebook_is_offered(script: str, name: str, tmp_path: Path) -> None:
    said = sh(script, tmp_path)

    assert hint(said, beside=name.__eq__) == f"`{name}` lies beside the notebook: add `-f {name}`, or `--here`"
    assert "beside" not in hint(said, beside=nothing)


def test_files_elsewhere_are_not_looked_for() -> None:
    asked: list[str] = []

    hint(
        "cat: ../secret: No such file or directory\ncat: /etc/x: No such file or directory",
        beside=lambda n: bool(asked.append(n)),
    )

    assert asked == ["secret", "x"]


def test_input_files_are_not_executable(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("echo hi\n")

    assert "`sh ./run.sh`" in hint(sh("./run.sh", tmp_path), beside=nothing)


def test_most_errors_need_no_hint() -> None:
    assert hint("ValueError: no\n", beside=nothing) == ""


def failing(source: str, folder: Path) -> str:
    (folder / SCRIPT).write_text(source)
    return said_by(sys.executable, str(folder / SCRIPT), cwd=folder)


def cell(number: int) -> str:
    return f"line {number + 1}" if number > 3 else ""


def test_a_traceback_says_lines_of_the_cell(tmp_path: Path) -> None:
    source = "true = True\nfalse = False\nnull = None\ndef f():\n    return 1 / 0\n\nf()\n"

    text = mapped(failing(source, tmp_path), SCRIPT, cell)
    sentence = last_failure(text).sentence

    assert sentence == "line 6: ZeroDivisionError: division by zero"
    assert "  line 8, in <module>\n    f()" in text
    assert str(tmp_path) not in text
    assert SCRIPT not in text


def test_a_syntax_error_has_its_line_too(tmp_path: Path) -> None:
    text = mapped(failing("\n\n\n\nif x\n", tmp_path), SCRIPT, cell)
    sentence = last_failure(text).sentence

    assert sentence.startswith("line 6: SyntaxError")
    assert "if x" in text


def test_a_syntax_error_names_no_line_but_the_cells(tmp_path: Path) -> None:
    blocks = mapped(failing("\n\n\nif True:\nprint(1)\n", tmp_path), SCRIPT, cell)
    text = mapped(failing("\n\n\nx = 'open\n", tmp_path), SCRIPT, cell)

    assert (
        last_failure(blocks).sentence
        == "line 6: IndentationError: expected an indented block after 'if' statement on line 5"
    )
    assert last_failure(text).sentence == "line 5: SyntaxError: unterminated string literal (detected at line 5)"


def test_several_errors_at_once_are_told_by_their_group(tmp_path: Path) -> None:
    source = "\n\n\nraise ExceptionGroup('both', [ValueError(1), ExceptionGroup('in', [KeyError('k')])])\n"
    failure = last_failure(mapped(failing(source, tmp_path), SCRIPT, cell))

    assert failure.sentence == "line 5: ExceptionGroup: both (2 sub-exceptions)"
    assert "ValueError: 1" in failure.text
    assert "KeyError: 'k'" in failure.text


def test_what_the_system_refused_after_a_traceback_that_was_let_pass_is_the_error(tmp_path: Path) -> None:
    said = sh(f"{sys.executable} -c 'raise ValueError(1)'; cat nowhere", tmp_path)
    full = failing("\n\n\nraise OSError(28, 'No space left on device')\n", tmp_path)

    assert last_failure(said).sentence == "cat: nowhere: No such file or directory"
    assert last_failure(mapped(full, SCRIPT, cell)).sentence == "line 5: OSError: [Errno 28] No space left on device"


def test_the_last_frame_names_its_file_when_it_is_not_the_cell(tmp_path: Path) -> None:
    source = "import json\n\n\njson.loads('{')\n"

    text = mapped(failing(source, tmp_path), SCRIPT, cell)
    sentence = last_failure(text).sentence

    assert sentence.startswith("decoder.py, line ")
    assert "JSONDecodeError" in sentence
    assert 'File "json/decoder.py"' in text
    assert "  line 5, in <module>" in text


def test_of_chained_errors_the_last_is_told(tmp_path: Path) -> None:
    source = "\n\n\ntry:\n    {}['a']\nexcept KeyError:\n    raise ValueError('b')\n"

    result = log(failing(source, tmp_path), script=SCRIPT, lines=8)

    assert excerpt(result, context(tmp_path)) == (
        "Traceback (most recent call last):\n  line 8, in <module>\n    raise ValueError('b')\nValueError: b"
    )


def test_a_deep_recursion_tells_beginning_and_end(tmp_path: Path) -> None:
    source = "def a(n): return b(n)\ndef b(n):\n    if n: return a(n - 1)\n    raise ValueError('deep')\na(30)\n"

    result = log(failing(source, tmp_path), script=SCRIPT, lines=5)
    lines = excerpt(result, context(tmp_path)).splitlines()

    assert "  … 50 more …" not in lines[:2]
    assert any(line.strip().startswith("…") and line.endswith("more …") for line in lines)
    assert lines[-1] == "ValueError: deep"


def log(stderr: str, *, script: str = "", lines: int = 0, code: int = 1) -> SimpleNamespace:
    prepared = SimpleNamespace(
        script=script,
        lines=tuple((("script",), n) for n in range(lines)),
        job=SimpleNamespace(root="/work/abc", log_dir="/runs/x"),
    )
    return SimpleNamespace(
        log=SimpleNamespace(tail=lambda stream, lines: "".join(stderr.splitlines(keepends=True)[-lines:])),
        prepared=prepared,
        task_id="t",
        exit=Exited(code=code),
        exit_code=code,
    )


def context(beside: Path, cell: str = "") -> SimpleNamespace:
    source = Source(cell, first_line=2)

    def text_line(path: tuple[str | int, ...], n: int) -> int:
        assert path == ("tasks", 0, "script")
        return 2 + n

    document = SimpleNamespace(source=source, text_line=text_line)
    return SimpleNamespace(task_paths={"t": ("tasks", 0)}, beside=beside, document=document, masked=lambda text: text)


def test_lines_of_a_shell_script_are_the_cells_too(tmp_path: Path) -> None:
    said = sh("echo hi\necho ho\nkestra-magic-php\n", tmp_path)

    told = mapped_error(log(said, lines=3, code=127), context(tmp_path))  # type: ignore[arg-type]

    assert told.startswith("line 4: kestra-magic-php: not found; `kestra-magic-php` is not installed here")


def test_other_languages_lines_are_found_by_the_scripts_name(tmp_path: Path) -> None:
    said = (
        "/work/abc/1234.js:2\n  throw new Error('x')\n\nError: x\n    at Object.<anonymous> (/work/abc/1234.js:2:9)\n"
    )

    result = log(said, script="1234.js", lines=3)

    assert "at Object.<anonymous> (line 3)" in excerpt(result, context(tmp_path))  # type: ignore[arg-type]


WRITTEN = {
    "node": (
        "/work/abc/FILE:1\nf()\n^\n\nError: boom\nsecond\n    at f (/work/abc/FILE:1:22)\n"
        "    at node:internal/main/run_main_module:28:49 {\n  code: 'X'\n}\n\nNode.js v20.20.2\n",
        "line 2: Error: boom",
    ),
    "a text thrown in node": (
        "warming up\n\n/work/abc/FILE:2\nthrow 'a text'\n^\na text\n(Use `node --trace-uncaught ...` to show where)\n"
        "\nNode.js v20.20.2\n",
        "line 3: a text",
    ),
    "a module of node": (
        "node:internal/loader:1210\n  throw err;\n  ^\n\nError: Cannot find module 'x'\nRequire stack:\n- /work/abc/FILE.js\n"
        "    at Object.<anonymous> (/work/abc/FILE:1:11)\n\nNode.js v20.20.2\n",
        "line 2: Error: Cannot find module 'x'",
    ),
    "ruby": (
        "/work/abc/FILE:2:in `f': no such species (ArgumentError)\n\tfrom /work/abc/FILE:4:in `<main>'\n",
        "line 3:in `f': no such species (ArgumentError)",
    ),
    "ruby's syntax": ("/work/abc/FILE:1: syntax error, expecting ')'\ndef f(\n      ^\n", "line 2: syntax error, expecting ')'"),
    "r": ("Error in f(x) : no such species\nCalls: g -> f\nExecution halted\n", "Error in f(x) : no such species"),
    "r, in two lines": ("Error in f(a = 1) : \n  unused argument\nExecution halted\n", "Error in f(a = 1) : unused argument"),
    "php": (
        "PHP Fatal error:  Uncaught Exception: no in /work/abc/FILE:2\nStack trace:\n#0 /work/abc/FILE(3): f()\n#1 {main}\n"
        "  thrown in /work/abc/FILE on line 2\n",
        "PHP Fatal error:  Uncaught Exception: no in line 3",
    ),
    "php's syntax": ("PHP Parse error:  syntax error in /work/abc/FILE on line 2\n", "PHP Parse error:  syntax error in line 3"),
    "perl's syntax": ("syntax error at /work/abc/FILE line 1, near \"= ;\"\nExecution of /work/abc/FILE aborted due to x.\n",
        'syntax error at line 2, near "= ;"'),
    "lua": (
        "lua: ...abc/FILE:1: no such species\nstack traceback:\n\t[C]: in function 'error'\n\t...abc/FILE:1: in function 'f'\n"
        "\t...abc/FILE:2: in main chunk\n\t[C]: in ?\n",
        "lua: line 2: no such species",
    ),
    "go": (
        "panic: no such species\n\ngoroutine 1 [running]:\nmain.main()\n\t/work/abc/FILE:5 +0x9\nexit status 2\n",
        "line 6: panic: no such species",
    ),
    "java": (
        'Exception in thread "main" java.lang.IllegalStateException: outer\n\tat S.main(FILE:3)\n'
        "Caused by: java.lang.RuntimeException: inner\n\t... 1 more\n",
        "Caused by: java.lang.RuntimeException: inner",
    ),
    "julia": (
        "ERROR: LoadError: boom\nStacktrace:\n [1] error(s::String)\n   @ Base ./error.jl:35\n"
        "in expression starting at /work/abc/FILE:2\n",
        "line 3: ERROR: LoadError: boom",
    ),
    "deno": (
        "error: Uncaught (in promise) Error: boom\nthrow new Error('boom')\n      ^\n    at file:///work/abc/FILE:1:7\n",
        "line 2: error: Uncaught (in promise) Error: boom",
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", WRITTEN)
def test_the_error_is_told_and_not_what_stands_behind_it(language: str, tmp_path: Path) -> None:
    said, sentence = WRITTEN[language]
    result = log(said.replace("FILE", "12.x"), script="12.x", lines=6)
    told = mapped_error(result, context(tmp_path))  # type: ignore[arg-type]

    assert told == sentence.replace("FILE", "12.x")
    assert excerpt(result, context(tmp_path))  # type: ignore[arg-type]


def test_frames_alone_are_told_as_they_are(tmp_path: Path) -> None:
    assert mapped_error(log("    at f (x.js:1:1)\n"), context(tmp_path)) == "at f (x.js:1:1)"  # type: ignore[arg-type]


def test_the_line_of_the_cell_is_shown_where_the_program_does_not(tmp_path: Path) -> None:
    result = log(sh("echo hi\ncat nowhere\nkestra-magic-php --all\n", tmp_path), lines=3, code=127)
    written = context(tmp_path, "echo hi\ncat nowhere\n  kestra-magic-php --all\n")

    assert excerpt(result, written).endswith("line 4: kestra-magic-php: not found\n    kestra-magic-php --all")  # type: ignore[arg-type]


def test_what_was_ended_from_outside_is_not_explained_by_its_code(tmp_path: Path) -> None:
    result = log("", code=143)
    result.exit = Exited(code=143, reason="timeout")

    assert mapped_error(result, context(tmp_path)) == ""  # type: ignore[arg-type]


def test_colours_and_bars_are_not_told(tmp_path: Path) -> None:
    result = log("10%\r20%\r\x1b[31mfatal: no\x1b[0m\n", code=1)

    assert mapped_error(result, context(tmp_path)) == "fatal: no"  # type: ignore[arg-type]
