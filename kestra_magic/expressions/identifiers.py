"""Fresh identifiers, and a free port."""

from __future__ import annotations

import secrets
import socket
import string
import time
import uuid
from typing import TYPE_CHECKING

from .errors import ExpressionError
from .registry import REGISTRY
from .texts import needs_text
from .values import bounded

if TYPE_CHECKING:
    from .evaluation import Evaluation

__all__: list[str] = []

function = REGISTRY.function
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
KSUID_EPOCH = 1_400_000_000


def _base62(number: int, width: int = 1) -> str:
    said = ""
    while number or len(said) < width:
        number, digit = divmod(number, 62)
        said = BASE62[digit] + said
    return said


@function("uuid")
def uuid_(_: Evaluation) -> object:
    return str(uuid.uuid4())


@function("id")
def id_(_: Evaluation) -> object:
    """A UUID in base 62, as Kestra names executions."""
    return _base62(uuid.uuid4().int)


@function("ksuid")
def ksuid(_: Evaluation) -> object:
    """27 letters and digits that sort by the second they were made in."""
    stamp = (int(time.time()) - KSUID_EPOCH).to_bytes(4, "big")
    return _base62(int.from_bytes(stamp + secrets.token_bytes(16), "big"), 27)


@function("nanoId", "length alphabet")
def nano_id(_: Evaluation, length: object = None, alphabet: object = None) -> object:
    letters = needs_text(alphabet) if alphabet is not None else f"_-{BASE62}"
    if length is not None and (isinstance(length, bool) or not isinstance(length, int) or length < 0):
        raise ExpressionError("The 'nanoId' function expects a whole number as argument 'length'")
    if not letters:
        raise ExpressionError("The 'nanoId' function expects an 'alphabet' of at least one character")
    many = 21 if length is None else int(length)
    bounded(10 * many)
    return "".join(secrets.choice(letters) for _ in range(many))


@function("randomPort")
def random_port(_: Evaluation) -> object:
    """A port of this machine that was free a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
