"""The options of both cell magics: one table for the parser, the help, completion and the documentation."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FLOW", "PARTS", "PROCESS", "Option"]


class Option(NamedTuple):
    """One option: *metavar* is empty for a flag; *repeats* gathers a list."""

    long: str
    short: str = ""
    metavar: str = ""
    help: str = ""
    repeats: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        return (f"-{self.short}", f"--{self.long}") if self.short else (f"--{self.long}",)


FILE = Option(
    "file",
    "f",
    "[DEST=]SRC",
    "place an input file: a path, folder or glob beside the notebook, a variable, a bound run",
    True,
)
INPUT = Option("input", "i", "K[=V]", "an input for {{ inputs.K }}; a bare K is the notebook's variable", True)
ENV_FILE = Option("env-file", metavar="FILE", help="dotenv: into the environment, its values masked everywhere")
BIND = Option("bind", "b", "VAR=FILE", "load an output file into a variable", True)
NO_RAISE = Option("no-raise", help="bind a failed run, but do not raise")
DRY_RUN = Option("dry-run", "n", help="show what would run, with what was substituted; run nothing")
ON_SERVER = Option("server", help="on the Kestra server that `%kestra server URL` names")
FORCE = Option("force", help="with --server: overwrite a flow that was not written from here")
BG = Option("bg", help="return at once; the run goes on in the background and ends with the kernel")
DETACH = Option("detach", help="in the background, and it outlives the kernel: `%kestra attach NAME` from any other")
REPLACE = Option("replace", help="end the run of this NAME that still lives, and run instead")

PROCESS = (
    Option("lang", "l", "LANG", "the script's language: shell (default), bash, zsh, python, node, …"),
    FILE,
    Option("output", "o", "GLOB", "an outputFiles pattern", True),
    INPUT,
    Option("env", "e", "K[=V]", "an environment variable", True),
    ENV_FILE,
    BIND,
    Option("python", "p", "ENV", "a venv, conda environment or interpreter for Python; default: the kernel's"),
    Option("timeout", "t", "DURATION", "10m, 90s, or ISO-8601"),
    Option("here", help="run in the notebook's folder instead of a fresh one"),
    Option("raw", help="the body is not rendered"),
    Option("gpu", metavar="auto|none|0,1", help="which GPUs it sees; auto: the freest that no live run holds"),
    BG,
    DETACH,
    REPLACE,
    DRY_RUN,
    NO_RAISE,
    ON_SERVER,
    FORCE,
)
PARTS = (
    Option("only", metavar="TASK", help="run this task alone"),
    Option("until", metavar="TASK", help="run up to this task"),
    Option("from", metavar="TASK", help="run from this task on, with what an earlier execution gave before it"),
    Option("reuse", metavar="RUN", help="which earlier execution: `last` (default) or a run, as `copy-3`"),
    Option("fixtures", metavar="FILE|VAR", help="what stands in: inputs files tasks trigger secrets kv"),
)
STRICT = Option("strict", help="refuse what a server would do otherwise: a missing id or namespace, an image")
FORM = Option("form", help="fill in the inputs in a form, and run from there")
FLOW = (INPUT, FORM, FILE, BIND, ENV_FILE, BG, DETACH, REPLACE, DRY_RUN, NO_RAISE, ON_SERVER, FORCE, *PARTS, STRICT)
