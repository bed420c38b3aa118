"""``http.Request`` and ``http.Download``: what they ask for, and what they give."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.durations import duration
from kestra_magic.model.scalars import as_text
from kestra_magic.tasks.client import Answer, Asked, ask, basic
from kestra_magic.tasks.desk import Halt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.tasks.desk import Desk

__all__ = ["download", "fetched", "request"]

_SECONDS = 60.0


def request(desk: Desk) -> dict[str, Any]:
    """Source: ``io.kestra.plugin.core.http.Request``: the body is a text in the outputs."""
    asked = _asked(desk)
    path = desk.folder() / "body"
    answer = ask(asked, path, desk.halt, desk.log, desk.bar)
    body = path.read_bytes().decode(answer.charset or _option(desk, "default_charset", "UTF-8"), "replace")
    outputs = {"uri": asked.url, "code": answer.code, "headers": answer.headers, "body": body}
    return _judged(desk, answer, outputs, shown=body)


def download(desk: Desk) -> dict[str, Any]:
    """Source: ``io.kestra.plugin.core.http.Download``: the body is a file in the storage."""
    asked = _asked(desk)
    name = _file_name(desk.get("save_as") or asked.url)
    path = desk.folder() / name
    answer = ask(asked, path, desk.halt, desk.log, desk.bar)
    length = path.stat().st_size
    outputs = {"code": answer.code, "headers": answer.headers, "length": length}
    _judged(desk, answer, outputs, shown=_beginning(path))
    desk.measure("counter", "response.length", length, {})
    if not length and desk.get("fail_on_empty_response"):
        desk.fail("No response from server", **outputs)
    return {**outputs, "uri": desk.keep(name, path)}


def fetched(request: Mapping[str, Any]) -> Any:
    """Return the body of the answer that the expression ``http()`` asks for: parsed if it is JSON, else its text.

    Raises:
        KestraMagicError: no answer came, or a bad one.
    """
    body = request["body"]
    content = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = {"Accept": request["accept"], **{name: as_text(value) for name, value in request["headers"].items()}}
    headers |= {"Content-Type": request["contentType"]} if content is not None else {}
    url = _with_params(request["uri"], request["query"])
    asked = Asked(method=request["method"], url=url, headers=headers, body=content, seconds=_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "body"
        answer = ask(asked, path, Halt(), lambda *_: None, lambda _: None)
        text = path.read_bytes().decode(answer.charset or "UTF-8", "replace")
    if answer.code >= 400:
        raise KestraMagicError(f"http(): {url} answered {answer.code}")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _asked(desk: Desk) -> Asked:
    body, kind = _body(desk)
    headers = {name: as_text(value) for name, value in desk.get("headers", {}).items()}
    if kind and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = kind
    return Asked(
        method=str(desk.get("method")),
        url=_with_params(desk.get("uri"), desk.get("params", {})),
        headers=headers | _authorization(desk),
        body=body,
        seconds=_timeout(desk),
        follow=bool(_option(desk, "follow_redirects", default=True)),
    )


def _with_params(uri: str, params: dict[str, Any]) -> str:
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise KestraMagicError(f"uri: `{uri}` is no address like https://…")
    if not params:
        return uri
    query = "&".join(filter(None, (parts.query, urlencode({k: as_text(v) for k, v in params.items()}))))
    return urlunsplit(parts._replace(query=query))


def _body(desk: Desk) -> tuple[bytes | None, str]:
    form = desk.get("form_data")
    if form is not None:
        return urlencode({key: as_text(value) for key, value in form.items()}).encode(), (
            "application/x-www-form-urlencoded"
        )
    text = desk.get("body")
    return (None if text is None else text.encode()), desk.get("content_type", "")


def _option(desk: Desk, name: str, default: Any = None) -> Any:
    options = desk.task.options  # type: ignore[attr-defined]
    return desk.place.resolved(getattr(options, name, None), f"options.{name}", default)


def _timeout(desk: Desk) -> float:
    """Seconds without a byte after which the other side is given up."""
    written = _option(desk, "timeout") or {}
    given = [written.get(name) for name in ("readIdleTimeout", "readTimeout", "connectTimeout")]
    try:
        return next((duration(as_text(text)).total_seconds() for text in given if text), _SECONDS)
    except ValueError as error:
        raise KestraMagicError(f"options.timeout: {error}") from None


def _authorization(desk: Desk) -> dict[str, str]:
    auth = _option(desk, "auth") or {}
    user = auth.get("username") or _option(desk, "basic_auth_user")
    if auth.get("type") == "BEARER":
        return {"Authorization": f"Bearer {auth.get('token')}"}
    if user:
        return {"Authorization": basic(user, auth.get("password") or _option(desk, "basic_auth_password", ""))}
    return {}


def _judged(desk: Desk, answer: Answer, outputs: dict[str, Any], *, shown: str) -> dict[str, Any]:
    allowed = _option(desk, "allowed_response_codes")
    failed = answer.code not in allowed if allowed else answer.code >= 400
    if failed and not (desk.get("allow_failed", default=False) or _option(desk, "allow_failed", default=False)):
        said = shown.strip().replace("\n", " ")[:200]
        desk.fail(f"Request failed with response code {answer.code}{f': {said}' if said else ''}", **outputs)
    return outputs


def _beginning(path: Path) -> str:
    with open(path, "rb") as file:
        return file.read(400).decode("utf-8", "replace")


def _file_name(address: str) -> str:
    name = unquote(urlsplit(address).path.rstrip("/").rpartition("/")[2]) or "download"
    return name.replace("/", "_").replace("\0", "")[-200:]
