"""A Kestra server over HTTP: what it is asked, and one sentence for each way it can refuse.

Both dialects of the API, 1.x and 2.0. The extra ``kestra`` brings httpx.
"""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from kestra_magic.errors import KestraMagicError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

__all__ = [
    "Address", "Client", "Credentials", "EventStream", "Missing", "Refused", "ServerError", "Unreachable",
    "base_url", "connect", "segment",
]  # fmt: skip

SECONDS = 30.0
IDLE_SECONDS = 90.0  # a stream that says nothing for so long is opened again: nobody knows whether it still is one


class ServerError(KestraMagicError):
    """The server could not be asked, or did not do what it was asked."""


class Unreachable(ServerError):
    """The server does not answer: it may again."""


class Refused(ServerError):
    """The server answered with an error.

    Attributes:
        status: the HTTP status.
        said: the server's own words.
    """

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status = status
        self.said = said


class Missing(Refused):
    """The server has no such thing."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and which of its tenants is meant."""

    url: str
    tenant: str = "main"

    def __str__(self) -> str:
        return self.url if self.tenant == "main" else f"{self.url} (tenant {self.tenant})"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name with a password, or a token; never shown."""

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def base_url(text: str) -> str:
    """Return a server's address without the path of its API, which is copied along, and without a last slash."""
    return text.rstrip("/").removesuffix("/api/v1").rstrip("/")


def segment(text: str) -> str:
    return quote(text, safe="")


def connect(address: Address, credentials: Credentials) -> Client:
    """Return a client that knows which dialect the server speaks.

    Raises:
        ServerError: httpx is missing, there is no such server, it does not take the credentials, or speaks neither.
    """
    client = Client(address, credentials)
    configs = client.json("GET", "/configs", tenant=False)
    if not isinstance(configs, dict) or "version" not in configs:
        client.close()
        raise ServerError(f"{address.url} is no Kestra server: it does not say its version")
    client.version, client.edition = str(configs["version"]), str(configs.get("edition") or "OSS")
    major = re.match(r"(\d+)\.", client.version)
    if major is None or int(major[1]) not in (1, 2):
        client.close()
        raise ServerError(f"{address.url} runs Kestra {client.version}: only 1.x and 2.x are spoken here")
    client.dialect = int(major[1])
    client.json("GET", "/flows/search?size=1")  # what needs no credentials was asked so far
    return client


class Client:
    """One server, as one person.

    Attributes:
        version, edition: as the server says: «1.3.19», «OSS» or «EE».
        dialect: 1 or 2.
    """

    version = ""
    edition = "OSS"
    dialect = 1

    def __init__(self, address: Address, credentials: Credentials) -> None:
        self.address = address
        self._http: httpx.Client = _client(address, credentials)

    def close(self) -> None:
        self._http.close()

    @property
    def open_source(self) -> bool:
        return self.edition == "OSS"

    def link(self, *path: str) -> str:
        """Return the address of a page of Kestra's own."""
        return "/".join((self.address.url, "ui", self.address.tenant, *map(segment, path)))

    # Asking

    def json(self, method: str, path: str, *, tenant: bool = True, **sent: Any) -> Any:
        """Ask and return what the JSON says; None for an empty answer.

        Raises:
            Unreachable, Missing, Refused.
        """
        with self.asked(method, path, tenant, SECONDS, sent) as response:
            body = response.read()
        if not body:
            return None
        try:
            return json.loads(body)
        except ValueError:
            raise ServerError(f"{self.address.url} is no Kestra server: it answers with something else") from None

    def text(self, path: str) -> str:
        """Return what a file of the server says.

        Raises:
            Unreachable, Missing, Refused.
        """
        with self.asked("GET", path, True, SECONDS, {}) as response:
            return response.read().decode()

    def save(self, path: str, into: IO[bytes], params: Mapping[str, str]) -> None:
        """Write the bytes of an answer, piece by piece."""
        with self.asked("GET", path, True, SECONDS, {"params": dict(params)}) as response:
            for piece in response.iter_bytes(1 << 20):
                into.write(piece)

    def events(self, path: str) -> EventStream:
        """Return a stream of server-sent events, not yet opened."""
        return EventStream(self, path)

    @contextmanager
    def asked(
        self, method: str, path: str, tenant: bool, seconds: float, sent: Mapping[str, Any]
    ) -> Iterator[httpx.Response]:
        """Ask, and turn every refusal into its sentence; *seconds* may pass between two pieces of the answer."""
        httpx = _httpx()
        space = f"/{segment(self.address.tenant)}" if tenant else ""
        timeout = httpx.Timeout(SECONDS, read=seconds)
        try:
            with self._http.stream(method, f"/api/v1{space}{path}", timeout=timeout, **sent) as response:
                if response.status_code >= 300:
                    raise self._refused(response)
                yield response
        except httpx.TransportError as error:
            raise Unreachable(f"there is no server at {self.address.url}: {_why(error)}") from None
        except httpx.InvalidURL as error:
            raise ServerError(f"`{self.address.url}` is no server's address: {error}") from None

    def _refused(self, response: httpx.Response) -> ServerError:
        said, status = _said(response), response.status_code
        if status in (401, 403):
            what = "does not take these credentials" if status == 401 else "does not allow this"
            return Refused(
                f"{self.address} {what}: set KESTRA_USERNAME and KESTRA_PASSWORD, or KESTRA_API_TOKEN; or say them "
                "with `%kestra server --login`",
                status,
                said,
            )
        if status >= 500 and status != 501:
            return Unreachable(f"{self.address.url} cannot answer now ({status}): {said}")
        kind = Missing if status == 404 else Refused
        return kind(f"{self.address} refuses ({status}): {said}", status, said)

    def patiently(self, seconds: float, pause: float = 0.2) -> Iterator[int]:
        """Yield 0, 1, 2 … with growing pauses between them, until *seconds* have gone."""
        end = time.monotonic() + seconds
        for n in range(1 << 30):
            yield n
            if time.monotonic() + pause > end:
                return
            time.sleep(pause)
            pause = min(2 * pause, 5.0)


class EventStream:
    """Server-sent events, to be read by one thread and hung up by any."""

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self._path = path
        self._socket: socket.socket | None = None
        self._over = False

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yield (id, data) until the server ends it.

        Raises:
            Unreachable: it was cut, here or there.
        """
        headers = {"Accept": "text/event-stream"}
        with self._client.asked("GET", self._path, True, IDLE_SECONDS, {"headers": headers}) as response:
            self._socket = response.extensions["network_stream"].get_extra_info("socket")
            name, data = "", []
            for line in response.iter_lines():
                if self._over:
                    return
                if line.startswith("data:"):
                    data.append(line[5:].removeprefix(" "))
                elif line.startswith("id:"):
                    name = line[3:].strip()
                elif not line and data:
                    yield name, json.loads("\n".join(data))
                    name, data = "", []

    def hang_up(self) -> None:
        self._over = True
        if self._socket is not None:
            with suppress(OSError):  # it was closed already
                self._socket.shutdown(socket.SHUT_RDWR)


def _httpx() -> Any:
    try:
        import httpx
    except ImportError:
        raise ServerError("a Kestra server needs httpx: `pip install 'kestra-magic[kestra]'`") from None
    return httpx


def _client(address: Address, credentials: Credentials) -> Any:
    httpx = _httpx()
    if not re.match(r"https?://[^/]", address.url):
        raise ServerError(f"`{address.url}` is no server's address: it begins with `http://` or `https://`")
    auth = (credentials.username, credentials.password) if credentials.username and not credentials.token else None
    return httpx.Client(
        base_url=address.url,
        auth=auth,
        headers=credentials.headers,
        limits=httpx.Limits(max_keepalive_connections=0),  # a run asks seldom: nothing stale after a restart
        trust_env=False,  # the address is meant as it stands: no proxy of the environment, no ~/.netrc
    )


def _why(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return re.sub(r"^\[Errno -?\d+\] ", "", text)


def _said(response: httpx.Response) -> str:
    body = response.read().decode("utf-8", "replace")
    try:
        said = json.loads(body)
    except ValueError:
        return body.strip()[:300] or response.reason_phrase
    message = said.get("message") if isinstance(said, dict) else None
    return " ".join(str(message or body).split())[:600]
