"""A cell's output, also after the cell has ended; and which front end it is in."""

from __future__ import annotations

import sys
import threading
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from kestra_magic.settings import current

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.process.events import Stream

__all__ = ["Cell", "Frontend", "PrintedCell", "SentCell", "cell_of", "frontend", "takes_console"]


class Frontend(StrEnum):
    """Who looks at the output."""

    NONE = "none"
    """Plain Python."""
    TERMINAL = "terminal"
    HEADLESS = "headless"
    """nbclient, papermill, nbval: nobody looks now."""
    LAB = "lab"
    """JupyterLab, Notebook 7, and every interactive front end that does not say its name."""
    VSCODE = "vscode"
    COLAB = "colab"

    @property
    def jupyter(self) -> bool:
        return self not in (Frontend.NONE, Frontend.TERMINAL)

    @property
    def live(self) -> bool:
        """Whether a person looks at a notebook now."""
        return self.jupyter and self is not Frontend.HEADLESS


def frontend(shell: Any) -> Frontend:
    """Say where the output of *shell*, an ``InteractiveShell`` or None, is seen.

    Source: `allow_stdin` of an ``execute_request`` is False from nbclient, papermill and nbval, True from those with a
    person before them.
    """
    if shell is None:
        return Frontend.NONE
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return Frontend.TERMINAL
    if kernel.get_parent().get("content", {}).get("allow_stdin") is False:
        return Frontend.HEADLESS
    if "__vsc_ipynb_file__" in shell.user_ns:
        return Frontend.VSCODE
    return Frontend.COLAB if "google.colab" in sys.modules else Frontend.LAB


def takes_console(seen_in: Frontend) -> bool:
    """Whether the live console opens there, as far as it is wished."""
    return seen_in is Frontend.LAB and current().view == "auto"


class Cell(Protocol):
    """Where a run is seen."""

    @property
    def frontend(self) -> Frontend: ...

    def stream(self, name: Stream, text: str) -> None: ...

    def pause(self) -> None:
        """Nothing follows just now: what was written may be seen."""

    def display(self, bundle: Mapping[str, Any]) -> None: ...


def cell_of(shell: Any, *, background: bool = False, per_second: int = 20) -> Cell:
    """Return the output of the cell that runs now; for a *background* run it stays that cell's for ever.

    Args:
        shell: IPython's ``InteractiveShell``, or None in plain Python.
        per_second: messages a second at most; a browser bears no more.
    """
    sent = frontend(shell).jupyter and (background or not _overheard(shell))
    return (SentCell if sent else PrintedCell)(shell, per_second=per_second)


def _overheard(shell: Any) -> bool:
    """Whether something stands between a print and the kernel's socket: `%%capture`, `redirect_stdout`, a hook."""
    ways = (sys.stdout, sys.stderr, shell.display_pub)
    if not all(type(way).__module__.startswith("ipykernel.") for way in ways):
        return True
    crossed = (sys.stdout.name, sys.stderr.name) != ("stdout", "stderr")
    return crossed or any(getattr(way, "_hooks", ()) or getattr(way, "echo", None) for way in ways)


class PrintedCell:
    """The cell that runs now, written by its own thread: so `%%capture` and `redirect_stdout` see it, on any kernel."""

    def __init__(self, shell: Any = None, *, per_second: int = 20) -> None:
        self.frontend = frontend(shell)
        self._shell = shell
        self._pause = 1 / per_second
        self._flushed = 0.0
        self._last: Stream = "stdout"

    def stream(self, name: Stream, text: str) -> None:
        if name != self._last:
            self._file().flush()
            self._last = name
        self._file().write(text)
        if not self.frontend.jupyter:
            self._file().flush()

    def pause(self) -> None:
        # Where it is too soon the kernel's own stream sends it a fifth of a second later.
        if time.monotonic() - self._flushed >= self._pause:
            self._file().flush()
            self._flushed = time.monotonic()

    def display(self, bundle: Mapping[str, Any]) -> None:
        if not self.frontend.jupyter:  # there the publisher does it
            self._file().flush()
        if self._shell is None:
            print(bundle["text/plain"])
        else:
            self._shell.display_pub.publish(data=dict(bundle), metadata={})

    def _file(self) -> Any:
        return sys.stderr if self._last == "stderr" else sys.stdout


class SentCell:
    """A cell of a kernel, which may have ended: each message names it as its parent.

    A thread's `print` reaches whatever cell runs then (ipykernel 6.17, and 7.1 and later). Each flush of a kernel's
    stream waits for another thread; of these there are five in a cell that prints a line and displays something.
    """

    def __init__(self, shell: Any, *, per_second: int = 20) -> None:
        self.frontend = frontend(shell)
        self._kernel = shell.kernel
        self._parent = shell.kernel.get_parent()
        self._pause = 1 / per_second
        self._sent = 0.0
        self._waiting: list[tuple[Stream, str]] = []
        self._printed = True
        self._timer: threading.Timer | None = None
        self._lock = threading.RLock()

    def stream(self, name: Stream, text: str) -> None:
        with self._lock:
            self._waiting.append((name, text))
            if time.monotonic() - self._sent >= self._pause:
                self._flush()
            elif self._timer is None:
                self._timer = threading.Timer(self._pause, self._flush)
                self._timer.daemon = True
                self._timer.start()

    def pause(self) -> None:
        pass

    def display(self, bundle: Mapping[str, Any]) -> None:
        with self._lock:
            self._flush()
            content = {"data": dict(bundle), "metadata": {}, "transient": {}}
            self._send("display_data", content, b"display_data")

    def _flush(self) -> None:
        with self._lock:
            self._timer = None
            waiting, self._waiting = self._waiting, []
            for name, text in _joined(waiting):
                self._sent = time.monotonic()
                self._send("stream", {"name": name, "text": text}, f"stream.{name}".encode())

    def _send(self, kind: str, content: dict[str, Any], ident: bytes) -> None:
        kernel = self._kernel
        if self._printed:  # what the cell printed before comes before
            self._printed = False
            for stream in (sys.stdout, sys.stderr):
                if getattr(stream, "_flush_pending", True):  # each flush waits for another thread
                    stream.flush()
        kernel.session.send(kernel.iopub_socket, kind, content, parent=self._parent, ident=ident)


def _joined(pieces: list[tuple[Stream, str]]) -> list[tuple[Stream, str]]:
    joined: list[tuple[Stream, str]] = []
    for name, text in pieces:
        if joined and joined[-1][0] == name:
            joined[-1] = (name, joined[-1][1] + text)
        else:
            joined.append((name, text))
    return joined
