"""One who listens to a guardian: a kernel. Standard library only."""

from __future__ import annotations

import os
import select
import socket
from contextlib import suppress

from kestra_magic.process.wire import Frames, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Link", "next_message"]

MOST_LOCKS = 64


class Link:
    """One who listens.

    Attributes:
        armed: it has taken the last notice and may be told the next; *behind*: there was one meanwhile.
    """

    def __init__(self, connection: socket.socket, poll: select.poll) -> None:
        self.armed = True
        self.behind = True
        self._connection = connection
        self._poll = poll
        self._frames = Frames()
        self._unsent = b""
        connection.setblocking(False)

    def fileno(self) -> int:
        return self._connection.fileno()

    def hear(self) -> list[dict[str, Any]] | None:
        """Return what was said; None when nobody is there: an error instead of an end if data was unread."""
        try:
            data = self._connection.recv(1 << 16)
        except BlockingIOError:
            return []
        except OSError:
            return None
        return self._frames.feed(data) if data else None

    def say(self, *messages: dict[str, Any]) -> None:
        self._unsent += b"".join(map(pack, messages))
        self.flush()

    def flush(self) -> None:
        try:
            self._unsent = self._unsent[self._connection.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = b""  # nobody is there; `hear` will say so
        self._poll.modify(self._connection, select.POLLIN | (select.POLLOUT if self._unsent else 0))

    def finish(self, seconds: float | None, *, close: bool = True) -> None:
        """Say what is unsaid, however long a kernel stands still; one that is gone is an error."""
        self._connection.settimeout(seconds)
        with suppress(OSError):
            self._connection.sendall(self._unsent)
        if close:
            self._connection.close()

    def close(self) -> None:
        self._connection.close()


def next_message(
    connection: socket.socket, kernel: int | None, wanted: str, *, detached: bool
) -> dict[str, Any] | None:
    """Wait for what is to be done, a message with *wanted* in it; None if nobody is there to ask for it any more.

    What was still said of an earlier run is passed over. A *detached* run that was asked for wholly begins although its
    kernel has died since. Descriptors that came along are its ``locks``.
    """
    frames, locks = Frames(), []
    while True:
        ready, _, _ = select.select([connection.fileno(), *([] if kernel is None else [kernel])], [], [])
        if kernel in ready and (not detached or len(ready) == 1):
            return None
        try:
            seen = connection.recv(1 << 16, socket.MSG_PEEK)
            size = seen.find(b"\n") + 1 or len(seen)  # a stop may be said right behind it
            data, came, _, _ = socket.recv_fds(connection, size, MOST_LOCKS, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
            locks += came
            for lock in came:  # what is started must not inherit it, also where the flag is not known
                os.set_inheritable(lock, False)
        except OSError:
            return None
        if not data:
            return None
        for message in frames.feed(data):
            if wanted in message:
                return {**message, "locks": locks}
