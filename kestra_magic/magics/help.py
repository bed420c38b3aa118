"""What `%%kestra_process?` says: made from the table of options, so that it cannot be out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kestra_magic.magics.options import FLOW, PROCESS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kestra_magic.magics.options import Option

__all__ = ["VERBS", "kestra_flow_help", "kestra_help", "kestra_process_help", "table"]

VERBS = {
    "run": "FILE [NAME] [options of %%kestra_flow]: run the flow in a file",
    "rerun": "RUN [K=V …]: the same again, with other inputs",
    "diff": "A [B] [--times]: what is different; alone, with the run before",
    "validate": "[FILE]: every problem of a flow, each with its line; `%%kestra validate` takes the cell",
    "kv": "[list | get K | set K V | delete K] [-n NAMESPACE]: the key-value store",
    "export": "[NAMES] [-o FILE] [--target 1.3|2.0]: the process cells, in order, as one flow",
    "server": "[URL] [--tenant T] [--login]: the Kestra server that `--server` and `deploy` mean",
    "deploy": "[NAME|FILE] [--force]: send a flow there without running it; as `%%kestra deploy` the one in the cell",
    "render": "'{{ EXPR }}': what an expression gives now, and its type; as a cell: a whole template",
    "secret": "NAME: ask for a secret's value and keep it in the keyring",
    "workers": "[ADDRESS] [--local N --group G] [--off]: the Dask cluster that worker groups go to, who offers what",
    "help": "this text",
    "runs": "[NAME] [--all]: this kernel's runs and what lives elsewhere; of NAME, or with --all, the history",
    "attach": "RUN: bind a run of any kernel and show it here, live or as it ended",
    "stop": "RUN | --all: end a run with everything that it started",
    "clean": "[--all] [--yes]: list the runs that may go, ask, and remove them",
    "doctor": "what this machine offers: Python, kernels, shells, interpreters, supervision",
}

PROCESS_HELP = """Run this cell as Kestra's Process task: its text is the script, `#|` lines at its top its properties.

    %%kestra_process train -l python -f data.csv -i lr -t 10m
    #| outputFiles: ["*.pt"]
    #| env: {{SEED: "7"}}
    print("learning rate", {{{{ inputs.lr }}}})

The run is bound to NAME (`-` becomes `_`), also when it failed or was stopped:
`train.files["model.pt"]`, `train.vars`, `train.metrics`, `train.log`, `train.exit_code`.
Later cells read `{{{{ outputs.train.vars.x }}}}` and `{{{{ outputs.train.outputFiles['model.pt'] }}}}`.

{options}
"""

FLOW_HELP = """Run the flow in this cell: Kestra's YAML as it stands on kestra.io, without a server.

    %%kestra_flow -i file=data.csv
    id: copy
    namespace: company.team
    inputs:
      - {{id: file, type: FILE}}
    tasks:
      - id: shell
        type: io.kestra.plugin.scripts.shell.Commands
        inputFiles: {{data.txt: "{{{{ inputs.file }}}}"}}
        commands: ["wc -l data.txt"]

The execution is bound to NAME, or to the flow's id: `copy.outputs["shell"]`, `copy.files`, `copy.tasks`.

{options}
"""


def kestra_process_help() -> str:
    return PROCESS_HELP.format(options=table(PROCESS))


def kestra_flow_help() -> str:
    return FLOW_HELP.format(options=table(FLOW))


def kestra_help() -> str:
    rows = "\n".join(f"  %kestra {verb:<14} {text}" for verb, text in VERBS.items())
    return f"Alone it says what runs now; with a verb:\n\n{rows}\n"


def table(options: Iterable[Option]) -> str:
    rows = [(", ".join(reversed(option.flags)) + f" {option.metavar}".rstrip(), option.help) for option in options]
    wide = max(len(left) for left, _ in rows)
    return "\n".join(f"  {left:<{wide}}  {right}" for left, right in rows)
