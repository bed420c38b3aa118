"""The core tasks that need no server (``io.kestra.plugin.core.*`` and ``git.Clone``)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, PlainValidator

from kestra_magic.model.base import Level, Model, refused
from kestra_magic.model.property import Property
from kestra_magic.model.scalars import as_text
from kestra_magic.model.tasks import Task

__all__ = [
    "Assert", "Clone", "Concat", "Download", "Echo", "Fail", "HttpMethod", "KvDelete", "KvGet", "KvSet", "KvType",
    "Labels", "LocalFiles", "Log", "OutputValues", "PurgeCurrentExecutionFiles", "Request", "Return", "Size", "Split",
    "StorageDelete", "Write",
]  # fmt: skip


def _message(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(as_text(item) if not isinstance(item, dict | list) else item for item in value)
    if value is None or isinstance(value, dict):
        name = "class java.util.LinkedHashMap" if value is not None else "null"
        raise refused(f"Invalid message type '{name}': a message is a text, or a list of texts")
    return as_text(value)


Message = Annotated[str | tuple[str, ...], PlainValidator(_message)]


class HttpMethod(StrEnum):
    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"
    TRACE = "TRACE"
    CONNECT = "CONNECT"


class KvType(StrEnum):
    STRING = "STRING"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATETIME = "DATETIME"
    DATE = "DATE"
    DURATION = "DURATION"
    JSON = "JSON"


class Log(Task):
    message: Message
    level: Property[Level] = Property("INFO", Level, "level")


class Echo(Task):
    format: Property[str] | None = None
    level: Property[Level] = Property("INFO", Level, "level")


class Return(Task):
    format: Property[str] | None = None


class Fail(Task):
    condition: Property[str] | None = None
    error_message: Property[str] = Property("Task failure", str, "errorMessage")


class Assert(Task):
    """Fails unless every one of `conditions` is truthy."""

    conditions: Property[list[str]]
    error_message: Property[str] | None = None


class Labels(Task):
    """`labels`: a map, a list of ``{key, value}``, or an expression that gives one."""

    labels: Any


class OutputValues(Task):
    values: Property[dict[str, Any]]


class HttpOptions(Model):
    """How to connect. What a server alone can do (proxies by authentication, key stores) passes unread."""

    model_config = ConfigDict(extra="allow")

    timeout: Any = None
    follow_redirects: Property[bool] = Property(True, bool, "followRedirects")
    allow_failed: Property[bool] = Property(False, bool, "allowFailed")
    allowed_response_codes: Property[list[int]] | None = None
    default_charset: Property[str] = Property("UTF-8", str, "defaultCharset")
    auth: dict[str, Any] | None = None
    basic_auth_user: Property[str] | None = None
    basic_auth_password: Property[str] | None = None


class _Http(Task):
    uri: Property[str]
    method: Property[HttpMethod] = Property("GET", HttpMethod, "method")
    body: Property[str] | None = None
    form_data: Property[dict[str, Any]] | None = None
    content_type: Property[str] | None = None
    headers: Property[dict[str, Any]] | None = None
    params: Property[dict[str, Any]] | None = None
    options: HttpOptions | None = None
    ssl_options: dict[str, Any] | None = None
    allow_failed: Property[bool] | None = None


class Request(_Http):
    encrypt_body: Property[bool] = Property(False, bool, "encryptBody")


class Download(_Http):
    fail_on_empty_response: Property[bool] = Property(True, bool, "failOnEmptyResponse")
    save_as: Property[str] | None = None


class LocalFiles(Task):
    """`inputs`: names to contents, placed in the working directory; `outputs`: globs."""

    inputs: Any = None
    outputs: Property[list[str]] | None = None


class Write(Task):
    content: Property[str]
    extension: Property[str] | None = None


class Concat(Task):
    """`files`: a list of URIs, or an expression that gives one."""

    files: Any
    separator: Property[str] | None = None
    extension: Property[str] = Property(".tmp", str, "extension")


class Size(Task):
    uri: Property[str]


class StorageDelete(Task):
    uri: Property[str]
    error_on_missing: Property[bool] = Property(False, bool, "errorOnMissing")


class Split(Task):
    """One of `partitions` (so many), `rows` (so many lines each), `bytes` (``10MB`` at most each), `regex_pattern`."""

    from_: Property[str]
    partitions: Property[int] | None = None
    rows: Property[int] | None = None
    bytes: Property[str] | None = None
    regex_pattern: Property[str] | None = None
    separator: Property[str] = Property("\n", str, "separator")


class PurgeCurrentExecutionFiles(Task):
    pass


class KvSet(Task):
    key: Property[str]
    value: Property[str]
    namespace: Property[str] | None = None
    overwrite: Property[bool] = Property(True, bool, "overwrite")
    ttl: Property[timedelta] | None = None
    kv_type: Property[KvType] | None = None
    kv_description: Property[str] | None = None


class KvGet(Task):
    key: Property[str]
    namespace: Property[str] | None = None
    error_on_missing: Property[bool] = Property(False, bool, "errorOnMissing")


class KvDelete(Task):
    key: Property[str]
    namespace: Property[str] | None = None
    error_on_missing: Property[bool] = Property(False, bool, "errorOnMissing")


class Clone(Task):
    """``git clone``; `directory` is below the working directory."""

    url: Property[str]
    directory: Property[str] | None = None
    branch: Property[str] | None = None
    tag: Property[str] | None = None
    commit: Property[str] | None = None
    depth: Property[int] | None = Property(1, int, "depth")
    clone_submodules: Property[bool] | None = None
    username: Property[str] | None = None
    password: Property[str] | None = None
    private_key: Property[str] | None = None
    passphrase: Property[str] | None = None
    trusted_ca_pem_path: Property[str] | None = Field(default=None, alias="trustedCaPemPath")
    git_config: Property[dict[str, Any]] | None = None
