"""A real kernel and what it sends: one object, every message kept."""

from __future__ import annotations

import os
import queue
import signal
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 60.0
"""Seconds after which a test gives up; no test asserts a time."""


@dataclass
class Reply:
    """What one cell sent."""

    status: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    def text(self, name: str = "stdout") -> str:
        return "".join(c["text"] for c in self.of("stream") if c["name"] == name)

    @property
    def error(self) -> str:
        return next((c["evalue"] for c in self.of("error")), "")

    @property
    def traceback(self) -> str:
        return "\n".join(line for c in self.of("error") for line in c["traceback"])

    @property
    def html(self) -> str:
        return "\n".join(c["data"].get("text/html", "") for c in self.of("display_data"))

    @property
    def plain(self) -> str:
        return "\n".join(c["data"].get("text/plain", "") for c in self.of("display_data"))

    @property
    def shape(self) -> list[str]:
        return [
            m["msg_type"]
            for m in self.messages
            if m["msg_type"] in ("stream", "display_data", "error", "execute_result")
        ]


class Kernel:
    """A kernel of this interpreter, in *folder*, with its own home for data, cache and IPython's profile.

    Args:
        overlay: a folder whose packages come before those of this interpreter: another ipykernel.
        stderr: where its own messages go, as `subprocess.Popen` takes it; by default with this process's.
    """

    def __init__(
        self, folder: Path, home: Path, *, overlay: Path | None = None, stderr: int | None = None, **more: str
    ) -> None:
        self.folder = folder
        self.heard: dict[str, Reply] = defaultdict(Reply)
        folder.mkdir(exist_ok=True)
        home.mkdir(exist_ok=True)
        env = {
            **os.environ,
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "IPYTHONDIR": str(home / "ipython"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **({"PYTHONPATH": str(overlay)} if overlay else {}),
            **more,
        }
        env.pop("JPY_SESSION_NAME", None)
        # Sockets in files: a free port may be another's by the time that the kernel binds it.
        sockets = os.path.join(tempfile.gettempdir(), f"kernel-{uuid.uuid4().hex[:12]}")
        self.manager = KernelManager(kernel_name="python3", transport="ipc", ip=sockets)
        assert self.manager.kernel_spec is not None
        self.manager.kernel_spec.argv[0] = sys.executable
        self.manager.start_kernel(cwd=str(folder), env=env, stderr=stderr)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=LIMIT)

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.process.pid)

    def start(self, code: str, **options: Any) -> str:
        return self.client.execute(code, **{"allow_stdin": False, **options})

    def run(self, code: str, **options: Any) -> Reply:
        return self.finish(self.start(code, **options))

    def finish(self, message: str, *, until: Any = None, limit: float = LIMIT) -> Reply:
        """Return what the cell sent until it is idle, or until *until*(reply) is true."""
        reply = Reply()
        deadline = time.monotonic() + limit
        while True:
            got = self._next(deadline)
            if got["parent_header"].get("msg_id") != message:
                continue
            reply.messages.append(got)
            if got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
                break
            if until is not None and until(reply):
                return reply
        reply.status = self._reply(message, deadline)
        return reply

    def until(self, message: str, wanted: Callable[[Reply], object]) -> Reply:
        """Return all that a cell sent so far, also after its end, as soon as it is what is *wanted*."""
        deadline = time.monotonic() + LIMIT
        while not wanted(self.heard[message]):
            self._next(deadline)
        return self.heard[message]

    def kill(self) -> None:
        """End the kernel as `kill -9` does, and wait until it is gone."""
        self.client.stop_channels()
        os.kill(self.pid, signal.SIGKILL)
        self.manager.provisioner.process.wait()
        self.manager.cleanup_resources()

    def _next(self, deadline: float) -> Any:
        try:
            got = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            self.heard[got["parent_header"].get("msg_id", "")].messages.append(got)
            return got
        except queue.Empty:
            raise AssertionError("the cell did not become idle") from None

    def _reply(self, message: str, deadline: float) -> str:
        while True:
            got = self.client.get_shell_msg(timeout=max(0.1, deadline - time.monotonic()))
            if got["parent_header"].get("msg_id") == message:
                return str(got["content"]["status"])

    def value(self, expression: str) -> str:
        """Return the repr of an expression in the kernel."""
        return self.run(f"print(repr({expression}), end='')").text()

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
