"""A small HTTP client: the body goes into a file, failures on the way are tried again, progress is shown."""

from __future__ import annotations

import base64
import http.client
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from time import monotonic, time
from typing import IO, TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.process.awaited import awaited

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kestra_magic.tasks.desk import Halt

__all__ = ["Answer", "Asked", "ask", "basic"]

_TRIES = 3
_BUSY = (429, 502, 503, 504)
_SAFE = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. *seconds* without a byte end it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    seconds: float
    follow: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are in lower case, each with all its values."""

    code: int
    headers: dict[str, list[str]]
    charset: str | None = None
    after: float | None = None


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(asked: Asked, into: Path, halt: Halt, log: Callable[[str, str], None], bar: Callable[[str], None]) -> Answer:
    """Send the request, and again where it may be sent again; the last answer's body is in *into*.

    Raises:
        KestraMagicError: no answer came.
        Halted: the task was ended.
    """
    for attempt in range(1, _TRIES + 1):
        last = attempt == _TRIES or asked.method not in _SAFE
        try:
            answer = _abandonable(lambda: _once(asked, into, halt, bar), halt)
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = f"{asked.method} {asked.url}: {_reason(error)}"
            if last:
                raise KestraMagicError(said) from None
            wait = 0.5 * 2**attempt
        else:
            if answer.code not in _BUSY or last:
                return answer
            said = f"{asked.method} {asked.url} answered {answer.code}"
            wait = 0.5 * 2**attempt if answer.after is None else min(max(answer.after, 0.0), 60.0)
        log("WARN", f"{said}; asking again in {wait:g} s")
        halt.wait(wait)
    raise AssertionError  # the last attempt returns or raises


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None) or error
    return str(getattr(inner, "strerror", None) or inner or type(error).__name__)


def _abandonable(work: Callable[[], Answer], halt: Halt) -> Answer:
    """Do *work* beside, so that a blocked connection does not hold up the end of its task."""
    done = threading.Event()
    came: list[Any] = []

    def beside() -> None:
        try:
            came.append(work())
        except Exception as error:  # raised again where it is awaited
            came.append(error)
        finally:
            done.set()

    halt.closing(done.set)
    threading.Thread(target=beside, name="kestra-http", daemon=True).start()
    awaited(done)
    halt.check()
    if isinstance(came[0], Exception):
        raise came[0]
    answer: Answer = came[0]
    return answer


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _once(asked: Asked, into: Path, halt: Halt, bar: Callable[[str], None]) -> Answer:
    headers = {"User-Agent": "kestra-magic", "Accept": "*/*", **asked.headers}
    request = urllib.request.Request(asked.url, asked.body, headers, method=asked.method)  # noqa: S310 - http(s) only
    opener = urllib.request.build_opener(*(() if asked.follow else (_Stay,)))
    try:
        response: Any = opener.open(request, timeout=asked.seconds)
    except urllib.error.HTTPError as error:  # an answer like any other
        response = error
    with response:
        halt.closing(response.close)
        _save(response, into, bar)
    headers_of = response.headers
    found = {name.lower(): headers_of.get_all(name) for name in headers_of}
    return Answer(response.status, found, headers_of.get_content_charset(), _after(headers_of.get("Retry-After")))


def _save(response: IO[bytes], into: Path, bar: Callable[[str], None]) -> None:
    whole = int(response.headers.get("Content-Length") or 0)  # type: ignore[attr-defined]
    done, shown, began = 0, monotonic(), monotonic()
    with open(into, "wb") as file:
        while block := response.read(_BLOCK):
            file.write(block)
            done += len(block)
            if monotonic() - shown > 0.2:
                shown = monotonic()
                bar(_far(done, whole, shown - began))
    if shown > began:
        bar("")
    if whole and done < whole and not response.headers.get("Content-Encoding"):  # type: ignore[attr-defined]
        raise http.client.IncompleteRead(b"", whole - done)


def _far(done: int, whole: int, seconds: float) -> str:
    speed = f"{done / max(seconds, 1e-6) / 1e6:.1f}MB/s"
    if not whole:
        return f"{done / 1e6:.1f}MB [{speed}]"
    part = done / whole
    return f"{part:4.0%}|{'█' * round(20 * part):<20}| {done / 1e6:.1f}M/{whole / 1e6:.1f}M [{speed}]"


def _after(text: str | None) -> float | None:
    """Return the seconds that ``Retry-After`` asks for: a number, or a date."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return parsedate_to_datetime(text).timestamp() - time()
    except ValueError:
        return None
