"""Flows and namespace files on a server: checked, compared and sent, and nobody else's work overwritten."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from kestra_magic.runners.kestra.client import Missing, ServerError, segment
from kestra_magic.workspace.transfer import make_private, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kestra_magic.runners.kestra.client import Client

__all__ = ["Deployed", "Overwrites", "Rejected", "Sent", "deploy", "send_files"]

YAML = {"Content-Type": "application/x-yaml"}
DIFF_LINES = 30


class Rejected(ServerError):
    """The server finds the flow wrong; *said* holds each of its words, with the line of the text where it names one."""

    def __init__(self, said: tuple[tuple[int | None, str], ...]) -> None:
        self.said = said
        super().__init__("\n".join(message for _, message in said))


class Overwrites(ServerError):
    """What is there was not written from here."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What became of a flow: its revision there; *changed* when it was sent; what the server warned of."""

    namespace: str
    id: str
    revision: int
    changed: bool
    warnings: tuple[str, ...] = ()


class Sent:
    """What was written from here: for each thing on a server, the digest of what was sent. A private file of JSON."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def known(self, where: str) -> str:
        return str(self._all().get(where, ""))

    def remember(self, where: str, content: bytes) -> None:
        known = {**self._all(), where: digest(content)}
        make_private(self._file.parent)
        write(self._file, json.dumps(known, indent=1).encode(), mode=0o600)

    def _all(self) -> Mapping[str, Any]:
        try:
            known = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):  # nothing was sent yet; or it is lost, and everything there counts as foreign
            return {}
        return known if isinstance(known, dict) else {}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def deploy(client: Client, source: str, flow: Mapping[str, Any], sent: Sent, *, force: bool = False) -> Deployed:
    """Check *source* there and let it be the flow's newest revision.

    Args:
        flow: what the source says: its ``namespace`` and ``id``.

    Raises:
        Rejected: the server finds it wrong.
        Overwrites: the server's revision was not written from here; *force* overwrites it.
        ServerError: the server does not do it.
    """
    warnings = _checked(client, source)
    namespace, name = str(flow["namespace"]), str(flow["id"])
    path = f"/flows/{segment(namespace)}/{segment(name)}"
    there = _there(client, path)
    where = f"{client.address.url} {client.address.tenant} {namespace} {name}"
    if there and there.get("source") == source:
        sent.remember(where, source.encode())
        return Deployed(namespace, name, int(there.get("revision") or 0), False, warnings)
    if there and not force and sent.known(where) != digest(str(there.get("source")).encode()):
        raise Overwrites(_foreign(client, namespace, name, there, source))
    method, path = ("PUT", path) if there else ("POST", "/flows")
    made = client.json(method, path, content=source.encode(), headers=YAML)
    sent.remember(where, source.encode())
    return Deployed(namespace, name, int(made.get("revision") or 0), True, warnings)


def _checked(client: Client, source: str) -> tuple[str, ...]:
    found = client.json("POST", "/flows/validate", content=source.encode(), headers=YAML) or [{}]
    wrong = found[0].get("constraints")
    if wrong:
        raise Rejected(tuple(_problems(str(wrong))))
    told = [
        *(found[0].get("warnings") or ()),
        *(f"deprecated: {path}" for path in found[0].get("deprecationPaths") or ()),
    ]
    return tuple(map(str, told))


def _problems(wrong: str) -> Iterator[tuple[int | None, str]]:
    """Tell Jackson's «at [Source: …; line: 7, column: 3]» and the paths of its own validator apart."""
    for line in filter(None, (part.strip() for part in re.split(r"\n", wrong))):
        place = re.search(r"line:? (\d+)", line)
        yield (int(place[1]) if place else None), re.sub(r"\s*(at|in) \[Source:.*?\]", "", line)


def _there(client: Client, path: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = client.json("GET", f"{path}?source=true")
    except Missing:
        return None
    return found


def _foreign(client: Client, namespace: str, name: str, there: Mapping[str, Any], source: str) -> str:
    revision = f"revision {there.get('revision')}"
    lines = list(
        unified_diff(str(there.get("source")).splitlines(), source.splitlines(), revision, "here", lineterm="", n=1)
    )
    more = f"\n… {len(lines) - DIFF_LINES} more lines" if len(lines) > DIFF_LINES else ""
    diff = "\n".join(lines[:DIFF_LINES]) + more
    return (
        f"`{namespace}.{name}` on {client.address} is at {revision}, which was not written from here: "
        f"`--force` overwrites it\n{diff}"
    )


def send_files(
    client: Client, namespace: str, files: Mapping[str, Path], sent: Sent, *, force: bool = False
) -> list[str]:
    """Send the namespace files that changed; return their names.

    Raises:
        Overwrites: a file there is another, and was not written from here; *force* overwrites it.
        ServerError: the server does not take one.
    """
    changed = [name for name, path in files.items() if _send_file(client, namespace, name, path, sent, force)]
    return sorted(changed)


def _send_file(client: Client, namespace: str, name: str, path: Path, sent: Sent, force: bool) -> bool:
    where = f"{client.address.url} {client.address.tenant} {namespace} /{name}"
    content = path.read_bytes()
    known = sent.known(where)
    there = _file_there(client, namespace, name)
    if there == digest(content):
        sent.remember(where, content)
        return False
    if there and not force and there != known:
        raise Overwrites(f"`{name}` in namespace `{namespace}` was not written from here: `--force` overwrites it")
    with path.open("rb") as file:
        client.json(
            "POST",
            f"/namespaces/{segment(namespace)}/files",
            params={"path": f"/{name}"},
            files={"fileContent": (path.name, file, "application/octet-stream")},
        )
    sent.remember(where, content)
    return True


def _file_there(client: Client, namespace: str, name: str) -> str:
    hashed = _Hash()
    try:
        client.save(f"/namespaces/{segment(namespace)}/files", hashed, {"path": f"/{name}"})  # type: ignore[arg-type]
    except Missing:
        return ""
    return hashed.sum.hexdigest()


class _Hash:
    """Takes bytes as a file would, and keeps their digest only."""

    def __init__(self) -> None:
        self.sum = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.sum.update(data)
