"""From a shell: `python -m kestra_magic run|validate|schema|demo|doctor|enable|disable`."""

from __future__ import annotations

import argparse
import sys
from io import TextIOWrapper
from pathlib import Path

from kestra_magic.errors import KestraMagicError, in_a_sentence

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one verb; return its exit status."""
    asked = _parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that has no letter for it shows its number
            stream.reconfigure(errors="backslashreplace")
    try:
        with in_a_sentence():
            return int(asked.do(asked))
    except KeyboardInterrupt:
        return 130
    except KestraMagicError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kestra_magic", description="Kestra's Process task runner in a notebook cell."
    )
    from kestra_magic.magics.options import PARTS

    verbs = parser.add_subparsers(required=True, metavar="VERB")
    demo = verbs.add_parser("demo", help="run a notebook on a real kernel, its output live in this terminal")
    demo.add_argument("notebook", nargs="?", type=Path, default=Path("notebooks/quickstart.ipynb"))
    demo.set_defaults(do=_demo)
    run = verbs.add_parser("run", help="run a flow: 0 it ended well, 1 it failed, 2 it cannot start")
    run.add_argument("flow", type=Path)
    run.add_argument("-i", "--input", action="append", default=[], metavar="K=V", help="an input of the flow")
    run.add_argument("-f", "--file", action="append", default=[], metavar="[DEST=]SRC", help="place an input file")
    run.add_argument("--env-file", metavar="FILE", help="dotenv: its values are secrets")
    run.add_argument("--strict", action="store_true", help="refuse what runs here otherwise than on a server")
    for option in PARTS:
        run.add_argument(*option.flags, dest=option.long, metavar=option.metavar, help=option.help)
    run.set_defaults(do=_run)
    carry = verbs.add_parser("carry")  # how a flow outlives its kernel; not for a person
    carry.add_argument("run")
    carry.set_defaults(do=_carry)
    validate = verbs.add_parser("validate", help="say what is wrong with flows, each problem with its line")
    validate.add_argument("flow", type=Path, nargs="+")
    validate.set_defaults(do=_validate)
    verbs.add_parser("schema", help="print the JSON schema of flows, for editors").set_defaults(do=_schema)
    verbs.add_parser("doctor", help="say what this machine offers").set_defaults(do=_doctor)
    for verb, text in {"enable": "put the magics into", "disable": "take the magics out of"}.items():
        made = verbs.add_parser(verb, help=f"{text} the IPython profile, without import cost")
        made.add_argument("--profile", default="default")
        made.set_defaults(do=_profile, enable=verb == "enable")
    return parser


def _run(asked: argparse.Namespace) -> int:
    from kestra_magic.magics.options import PARTS
    from kestra_magic.model.source import read_source
    from kestra_magic.runs.session import session
    from kestra_magic.show.terminal import follow

    options = {"input": asked.input, "file": asked.file, "env-file": asked.env_file}
    options |= {"strict": True} if asked.strict else {}
    options |= {option.long: getattr(asked, option.long) for option in PARTS}
    try:
        here = session()
        home = asked.flow.absolute().parent
        run = here.flow(read_source(asked.flow), options, beside=Path.cwd(), home=home)
    except KestraMagicError as error:
        print(error, file=sys.stderr)
        return 2
    return follow(run)


def _carry(asked: argparse.Namespace) -> int:
    from kestra_magic.runs.kernels.elsewhere import carry

    return carry(asked.run)


def _validate(asked: argparse.Namespace) -> int:
    from kestra_magic.model.source import read_source
    from kestra_magic.runs.flow.validation import validated

    wrong = 0
    for path in asked.flow:
        try:
            print("\n".join(validated(read_source(path, str(path)))))
        except KestraMagicError as error:
            print(error, file=sys.stderr)
            wrong = 1
    return wrong


def _schema(_: argparse.Namespace) -> int:
    import json

    from kestra_magic.model.schema import schema

    print(json.dumps(schema(), indent=1))
    return 0


def _demo(asked: argparse.Namespace) -> int:
    from kestra_magic.magics.demo import demo

    return demo(asked.notebook)


def _doctor(_: argparse.Namespace) -> int:
    from kestra_magic.magics.doctor import report

    print(report())
    return 0


def _profile(asked: argparse.Namespace) -> int:
    from kestra_magic.magics.profile import disable, enable

    print((enable if asked.enable else disable)(asked.profile))
    return 0


if __name__ == "__main__":
    sys.exit(main())
