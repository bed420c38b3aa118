"""`%kestra kv`: what the flows of this machine keep between their runs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.expressions.errors import shorten
from kestra_magic.magics.arguments import Parser
from kestra_magic.model.durations import short_duration
from kestra_magic.runs.given import inputs_given
from kestra_magic.runs.session import session
from kestra_magic.settings import current

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["answer"]

USAGE = "`%kestra kv list`, `get KEY`, `set KEY VALUE [--ttl 10m]`, `delete KEY`, each with `-n NAMESPACE`"


def answer(words: list[str], notebook: Mapping[str, object]) -> str:
    """Do what *words* say; return what there is to print.

    Raises:
        KestraMagicError: it is none of the verbs, or the store does not take it.
    """
    asked = _parser().parse_args(words)
    space = asked.namespace or current().namespace
    match asked.words:
        case [] | ["list"]:
            return _listed(space)
        case ["get", key]:
            return _shown(session().kv.require(space, key)) + "\n"
        case ["set", key, value]:
            session().kv.set(space, key, _value(key, value, notebook), ttl=_ttl(asked.ttl))
            return ""
        case ["delete", key]:
            return "" if session().kv.delete(space, key) else f"`{space}` holds no key `{key}`\n"
    raise KestraMagicError(f"`%kestra kv {' '.join(asked.words)}` is none of {USAGE}")


def _parser() -> Parser:
    parser = Parser(prog="%kestra kv", allow_abbrev=False, add_help=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("-n", "--namespace", default="")
    parser.add_argument("--ttl", default="")
    return parser


def _listed(space: str) -> str:
    entries = session().kv.entries(space)
    if not entries:
        return f"`{space}` holds no keys\n"
    wide = max(len(entry.key) for entry in entries)
    return "".join(f"{entry.key:<{wide}}  {shorten(_shown(entry.value))}\n" for entry in entries)


def _value(key: str, text: str, notebook: Mapping[str, object]) -> Any:
    """A YAML scalar or an expression, as `-i` reads it."""
    return inputs_given([f"{key}={text}"], notebook)[key]


def _ttl(text: str) -> timedelta | None:
    try:
        return short_duration(text) if text else None
    except ValueError as error:
        raise KestraMagicError(f"`--ttl {text}`: {error}") from None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
