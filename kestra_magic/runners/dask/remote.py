"""What client and workers agree on: the words, the sizes, and how a function travels by its name."""

from __future__ import annotations

from typing import Any

from distributed.protocol.serialize import Serialize

from kestra_magic import __version__

__all__ = ["AT_ONCE", "CHUNK", "EVENT", "INLINE", "OP", "WINDOW", "Remote", "offer", "unlike", "whole"]

OP = "kestra_magic"
"""Under this name a worker hears what clients say to its room."""
CHUNK = 8 << 20
"""Bytes of a file that travel at once."""
AT_ONCE = 2
"""Chunks of a file that travel side by side."""
INLINE = 1 << 20
"""Bytes of input files that travel with the job; larger ones are sent once per worker."""
EVENT = 64 << 10
"""Bytes of one event: a scheduler keeps the last thousand of each topic."""
WINDOW = 4 << 20
"""Bytes of a log on their way to a client that has not yet written down the ones before."""


class Remote:
    """A function of this house by its name alone.

    A scheduler unpickles what it passes on: this way it needs nothing of ours, and a worker without it can say so.
    """

    def __init__(self, module: str, name: str) -> None:
        self.text = f"lambda *given: __import__({module!r}, fromlist=['_']).{name}(*given)"
        self.__name__ = name

    def __call__(self, *given: object) -> Any:
        return eval(self.text)(*given)  # noqa: S307 - our own text

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (self.text,)


def offer() -> str:
    """Return the version that this worker has."""
    return __version__


def whole(data: memoryview) -> Any:
    """Return *data* as it travels in a frame of its own: neither side, nor a scheduler between, copies it."""
    frame: Any = Serialize
    return frame(data)


def unlike(version: str) -> bool:
    """Whether a worker with *version* may read a job otherwise than it is meant here."""
    return version.split(".")[:2] != __version__.split(".")[:2]
