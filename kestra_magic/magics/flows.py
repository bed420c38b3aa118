"""Verbs for whole flows: `%kestra run rerun export diff kv validate`."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.magics.arguments import Parser, words

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from kestra_magic.runs.export.notebook import Exported

__all__ = ["diff", "export", "kv", "rerun", "run", "validate"]


def run(shell: InteractiveShell, rest: str, _: str | None = None) -> None:
    """`%kestra run FILE [NAME] [options]`."""
    from kestra_magic.magics.cell import run_file

    run_file(shell, rest)


def rerun(shell: InteractiveShell, rest: str, _: str | None = None) -> None:
    """`%kestra rerun RUN [K=V …] [--from TASK]`: a bare K is the notebook's K, as for `-i`.

    RUN is a name, `train-3` or an id, of this kernel or an earlier one.
    """
    from kestra_magic.magics.cell import carry, names_of
    from kestra_magic.runs.given import again_inputs
    from kestra_magic.runs.kernels.attach import attach
    from kestra_magic.runs.session import session

    parser = Parser(prog="%kestra rerun", allow_abbrev=False, add_help=False)
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("specs", nargs="*")
    parser.add_argument("--from", dest="start", default="")
    asked = parser.parse_intermixed_args(words(rest))
    if not asked.name:
        raise KestraMagicError("which run? `%kestra rerun RUN [K=V …] [--from TASK]`; `%kestra runs` lists them")
    earlier = attach(session(), asked.name)
    made = earlier.again(again_inputs(asked.specs, names_of(shell), cell=earlier.context.cell), start=asked.start)
    carry(shell, made, made.context.options)


def validate(shell: InteractiveShell, rest: str, cell: str | None = None) -> None:
    """`%kestra validate FILE`, `%%kestra validate`."""
    from kestra_magic.model.source import Source, read_source
    from kestra_magic.runs.flow.validation import validated
    from kestra_magic.runs.session import notebook_folder

    if cell is None and not rest:
        raise KestraMagicError("which flow? `%kestra validate FILE`, or `%%kestra validate` above the flow in a cell")
    name = words(rest)[0] if rest else ""
    here = notebook_folder(shell.user_ns)
    source = read_source(here / name, name) if cell is None else Source(cell, first_line=2)
    print("\n".join(validated(source)))


def kv(shell: InteractiveShell, rest: str, _: str | None = None) -> None:
    """`%kestra kv [list | get K | set K V | delete K] [-n NAMESPACE]`; V is a YAML scalar, or `{{ … }}`."""
    from kestra_magic.magics.cell import names_of
    from kestra_magic.magics.keyvalue import answer

    print(answer(words(rest), names_of(shell)), end="")


def diff(shell: InteractiveShell, rest: str, _: str | None = None) -> None:
    """`%kestra diff A [B] [--times]`: alone, with the run before it."""
    from kestra_magic.runs.diff import difference, pair
    from kestra_magic.runs.session import session
    from kestra_magic.show.difference import bundle

    parser = Parser(prog="%kestra diff", allow_abbrev=False, add_help=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--times", action="store_true")
    asked = parser.parse_intermixed_args(words(rest))
    if not 1 <= len(asked.names) <= 2:
        raise KestraMagicError("which runs? `%kestra diff A B`, or `%kestra diff A` with the run before")
    shell.display_pub.publish(bundle(difference(*pair(session(), *asked.names)), times=asked.times))


def export(shell: InteractiveShell, rest: str, _: str | None = None) -> None:
    """`%kestra export [NAMES…] [-o FILE] [--target 1.3|2.0]`."""
    from kestra_magic.runs.export.notebook import export as exported
    from kestra_magic.runs.session import notebook_folder, session
    from kestra_magic.settings import current

    asked = _export_parser().parse_args(words(rest))
    here = notebook_folder(shell.user_ns)
    made = exported(
        session().runs,
        asked.names,
        flow_id=_flow_id(asked.output),
        namespace=current().namespace,
        namespace_files=here / current().namespace_files,
        target=asked.target,
    )
    told = [*made.told, *(_write(made, here, asked.output) if asked.output else _unwritten(made))]
    if not asked.output:
        print(made.text, end="")
    print("\n".join(told), file=sys.stderr)


def _export_parser() -> Parser:
    parser = Parser(prog="%kestra export", allow_abbrev=False, add_help=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("-o", "--output", default="")
    parser.add_argument("--target", choices=("1.3", "2.0"), default="1.3")
    return parser


def _flow_id(output: str) -> str:
    """The flow is called like its file, else like the notebook."""
    name = Path(output or os.environ.get("JPY_SESSION_NAME", "") or "notebook").stem
    return re.sub(r"[^a-zA-Z0-9._-]+", "-", name).strip("._-") or "notebook"


def _write(made: Exported, here: Path, name: str) -> list[str]:
    """Write the flow and its namespace files; nothing that lies there already is changed, but for the flow itself.

    Raises:
        KestraMagicError: a namespace file of that name holds something else, or the disk does not take it.
    """
    path = here / name
    space = path.parent / "_files"
    files = {space / name: what if isinstance(what, bytes) else what.read_bytes() for name, what in made.files.items()}
    for target, content in files.items():
        if target.exists() and target.read_bytes() != content:
            raise KestraMagicError(f"`{target}` holds something else than this notebook uses: move it away first")
    try:
        for target, content in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        path.write_text(made.text, "utf-8")
    except OSError as error:
        raise KestraMagicError(f"`{path}` cannot be written: {error.strerror}") from None
    beside = f", with {len(files)} namespace file{'s' * (len(files) != 1)} in `_files` beside it" if files else ""
    return [f"written to `{name}`{beside}: `%kestra run {shlex.quote(name)}` runs it"]


def _unwritten(made: Exported) -> list[str]:
    names = ", ".join(f"`{name}`" for name in made.files)
    return [f"in `_files` beside the flow must lie {names}: `-o flow.yaml` puts them there"] if names else []
