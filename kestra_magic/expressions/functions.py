"""What a template can ask of the world outside its variables, and whom it asks."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections import ChainMap
from contextvars import ContextVar
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import KestraMagicError
from ..settings import current
from .errors import ExpressionError
from .registry import REGISTRY
from .texts import needs_text
from .values import MAX_TEXT, Group, Long, java_map, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .evaluation import Evaluation

__all__ = ["NO_HOST", "Host"]

function = REGISTRY.function


class Host(Protocol):
    """Who answers for what is outside: secrets, keys, files, logs, the network."""

    def secret(self, name: str) -> str:
        """Return a secret, which is masked from now on; raise KestraMagicError where there is none."""

    def hide(self, value: str) -> None:
        """Mask *value* from now on."""

    def kv(self, key: str, namespace: str | None, *, required: bool) -> object:
        """Return a key's value, None for one that is not *required*; *namespace* None is the run's own."""

    def file(self, address: str) -> Path | None:
        """Return where a namespace file or a `kestra:///` file lies, None where there is none.

        Raises:
            KestraMagicError: it must not be read from here.
        """

    def error_logs(self) -> list[dict[str, object]]:
        """Return this execution's log entries of level ERROR."""

    def http(self, request: Mapping[str, Any]) -> object:
        """Return the body of an answer: parsed if it is JSON, else its text."""


class _NoHost:
    def __getattr__(self, name: str) -> Any:
        raise ExpressionError(f"`{name}` is answered in a run only: nothing outside the variables can be asked here")


NO_HOST: Any = _NoHost()


# rendering again

DEEPEST, MOST = 50, 10_000
_nested: ContextVar[tuple[int, list[int]]] = ContextVar("nested", default=(0, []))


@function("render", "toRender recursive")
def render(evaluation: Evaluation, value: object, recursive: object = None) -> object:
    """Render texts, and those in lists and maps, with the same variables; until nothing changes if *recursive*."""
    if recursive is not None and not isinstance(recursive, bool):
        raise ExpressionError("The 'render' function expects an optional argument 'recursive' with type boolean.")
    depth, count = _nested.get()
    count = count if depth else [0]
    count[0] += 1
    if depth >= DEEPEST or count[0] > MOST:
        raise ExpressionError("Too many rendering attempts")
    token = _nested.set((depth + 1, count))
    try:
        return _rendered(evaluation, value, recursive is not False)
    finally:
        _nested.reset(token)


@function("renderOnce", "toRender")
def render_once(evaluation: Evaluation, value: object) -> object:
    return render(evaluation, value, False)


def _rendered(evaluation: Evaluation, value: object, recursive: bool) -> object:
    from .render import render as render_text

    scope = ChainMap(evaluation.layered(), evaluation.variables)  # type: ignore[arg-type]
    dialect = replace(evaluation.compiled.dialect, recursive=recursive)

    def again(inner: object) -> object:
        if isinstance(inner, str):
            return render_text(str(inner), scope, evaluation.host, dialect=dialect)
        if isinstance(inner, dict):
            return {again(key): again(item) for key, item in inner.items()}
        if isinstance(inner, Group):
            return Group(map(again, inner))
        return [again(item) for item in inner] if isinstance(inner, list) else inner

    return again(value)


@function("printContext")
@function("fetchContext")
def print_context(evaluation: Evaluation) -> object:
    """A map of Kestra's variables and of what the template has set."""
    return java_map(evaluation.everything().items(), capacity=16)


# secrets and keys


@function("secret", "key namespace subkey full")
def secret(
    evaluation: Evaluation, key: object, _namespace: object = None, subkey: object = None, full: object = False
) -> object:
    """A secret's value, or one field of the JSON in it. This machine keeps secrets for all namespaces together."""
    name = needs_text(key)
    value = evaluation.host.secret(name)
    if full is True:
        raise ExpressionError("`secret(…, full=true)` needs Kestra's Enterprise Edition")
    if subkey is None or subkey == "":
        return value
    try:
        fields = json.loads(value)
    except ValueError:
        raise ExpressionError(f"The secret `{name}` has no sub-keys: it holds no JSON") from None
    if not isinstance(fields, dict) or needs_text(subkey) not in fields:
        raise ExpressionError(f"Cannot find secret sub-key '{text(subkey)}' in secret '{name}'.")
    field = fields[needs_text(subkey)]
    said = field if isinstance(field, str) else json.dumps(field, separators=(",", ":"), ensure_ascii=False)
    evaluation.host.hide(said)
    return said


@function("kv", "key namespace errorOnMissing")
def kv(evaluation: Evaluation, key: object, namespace: object = None, required: object = None) -> object:
    """A key's value. A missing one is an error, as newer Kestra has it; up to 0.21 (profile P1) it was null."""
    must = required if isinstance(required, bool) else current().profile != "P1"
    return evaluation.host.kv(needs_text(key), None if namespace is None else needs_text(namespace), required=must)


@function("env", "name default")
def env(evaluation: Evaluation, name: object, default: object = None) -> object:
    found = (evaluation.get_variable("envs") or {}).get(needs_text(name), default)
    if found is None:
        raise ExpressionError(
            f"There is no environment variable for `envs.{name}`", near=f"; set `ENV_{text(name).upper()}`"
        )
    return found


# files


def _file(evaluation: Evaluation, name: str, path: object) -> Path | None:
    if not isinstance(path, str) or not path:
        what = "that is a path to a namespace file or an internal storage URI"
        raise ExpressionError(f"The '{name}' function expects an argument 'path' {what}.")
    found: Path | None = evaluation.host.file(path)
    return found


def _there(evaluation: Evaluation, name: str, path: object) -> Path:
    found = _file(evaluation, name, path)
    if found is None:
        raise ExpressionError(f"The '{name}' function finds no file `{text(path)}`")
    return found


@function("read", "path")
def read(evaluation: Evaluation, path: object) -> object:
    file = _there(evaluation, "read", path)
    if file.stat().st_size > MAX_TEXT:
        raise ExpressionError(f"`{text(path)}` is too large to be read into a text: more than {MAX_TEXT:,} bytes")
    return file.read_bytes().decode("utf-8", "replace")


@function("fileSize", "path")
def file_size(evaluation: Evaluation, path: object) -> object:
    return Long(_there(evaluation, "fileSize", path).stat().st_size)


@function("fileExists", "uri")
def file_exists(evaluation: Evaluation, path: object) -> object:
    return _file(evaluation, "fileExists", path) is not None


@function("isFileEmpty", "uri")
@function("fileEmpty", "uri")
def is_file_empty(evaluation: Evaluation, path: object) -> object:
    return not os.path.getsize(_there(evaluation, "isFileEmpty", path))


@function("fileURI", "path")
def file_uri(evaluation: Evaluation, path: object) -> object:
    """The address of a namespace file, whether or not it is there."""
    said = needs_text(path).removeprefix("/")
    if "../" in said:
        raise ExpressionError("Path must not contain '../'")
    flow = evaluation.get_variable("flow")
    if not isinstance(flow, dict):
        raise ExpressionError("`fileURI` works in a run only: there is no `flow` here")
    return f"kestra:///{text(flow.get('namespace')).replace('.', '/')}/_files/{said}"


@function("errorLogs")
def error_logs(evaluation: Evaluation) -> object:
    return evaluation.host.error_logs()


# the network


@function("http", "uri method query body contentType headers options accept")
def http(
    evaluation: Evaluation,
    uri: object,
    method: object = "GET",
    query: object = None,
    body: object = None,
    content_type: object = "application/json",
    headers: object = None,
    options: object = None,
    accept: object = "application/json",
) -> object:
    """The body of an answer. Off until the setting `http` is on: a template is another one's text."""
    if not current().http:
        near = "; allow them with `%config KestraMagics.http = True`"
        raise ExpressionError("`http()` is off: expressions open no connections here", near=near)
    request = {
        "uri": text(uri), "method": text(method).upper(), "query": query or {}, "body": body,
        "contentType": text(content_type), "headers": headers or {}, "options": options or {}, "accept": text(accept),
    }  # fmt: skip
    return evaluation.host.http(request)


def _of_a_server(name: str, arguments: str) -> None:
    @function(name, arguments)
    def refused(
        _: Evaluation, _a: object = None, _b: object = None, _c: object = None, _d: object = None, _e: object = None
    ) -> object:
        raise ExpressionError(f"`{name}()` is answered by a Kestra server only: run this with `--server`")


_of_a_server("subflow", "namespace flowId inputs labels revision")
_of_a_server("appLink", "appId baseUrl")
_of_a_server("credential", "name")


# encryption


def _cipher(key: object) -> Any:
    try:
        raw = base64.b64decode(needs_text(key), validate=True)
        return import_module("cryptography.hazmat.primitives.ciphers.aead").AESGCM(raw)
    except ImportError:
        raise ExpressionError("`encrypt` and `decrypt` need the package `cryptography`") from None
    except (binascii.Error, ValueError):
        raise ExpressionError("The key is not 16, 24 or 32 bytes in base64") from None


@function("encrypt", "key plaintext")
def encrypt(_: Evaluation, key: object, plain: object) -> object:
    """AES-GCM: base64 of 12 random bytes and what follows from them (Kestra's `EncryptionService`)."""
    if plain is None or plain == "":
        return plain
    start = os.urandom(12)
    sealed = _cipher(key).encrypt(start, needs_text(plain).encode("utf-8", "replace"), None)
    return base64.b64encode(start + sealed).decode()


@function("decrypt", "key encrypted")
def decrypt(_: Evaluation, key: object, sealed: object) -> object:
    if sealed is None or sealed == "":
        return sealed
    cipher = _cipher(key)
    try:
        raw = base64.b64decode(needs_text(sealed), validate=True)
        opened: bytes = cipher.decrypt(raw[:12], raw[12:], None)
    except Exception as error:  # cryptography tells a wrong key by an exception of its own
        if isinstance(error, KestraMagicError):
            raise
        raise ExpressionError("The text can not be decrypted: another key sealed it, or it is damaged") from None
    return opened.decode("utf-8", "replace")
