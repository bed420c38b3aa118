"""From a shell: `python -m kestra_magic demo|doctor|enable|disable`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kestra_magic.errors import KestraMagicError

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one verb; return its exit status."""
    asked = _parser().parse_args(argv)
    try:
        return int(asked.do(asked))
    except KestraMagicError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kestra_magic", description="Kestra's Process task runner in a notebook cell."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    demo = verbs.add_parser("demo", help="run a notebook on a real kernel, its output live in this terminal")
    demo.add_argument("notebook", nargs="?", type=Path, default=Path("notebooks/quickstart.ipynb"))
    demo.set_defaults(do=_demo)
    verbs.add_parser("doctor", help="say what this machine offers").set_defaults(do=_doctor)
    for verb, text in {"enable": "put the magics into", "disable": "take the magics out of"}.items():
        made = verbs.add_parser(verb, help=f"{text} the IPython profile, without import cost")
        made.add_argument("--profile", default="default")
        made.set_defaults(do=_profile, enable=verb == "enable")
    return parser


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
