"""A run in a terminal: its log as it comes, whole; how it ended as the last line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kestra_magic.settings import current
from kestra_magic.show.cell import Frontend
from kestra_magic.show.stream import LiveStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kestra_magic.process.events import Stream
    from kestra_magic.runs.run import Run

__all__ = ["follow"]

ALL = sys.maxsize


class _Terminal:
    """Both streams of this process, line by line as they come."""

    frontend = Frontend.TERMINAL

    def stream(self, name: Stream, text: str) -> None:
        file = sys.stdout if name == "stdout" else sys.stderr
        file.write(text)
        file.flush()

    def pause(self) -> None:
        pass

    def display(self, bundle: Mapping[str, Any]) -> None:
        self.stream("stdout", f"{bundle['text/plain']}\n")


def follow(run: Run) -> int:
    """Show *run* from its start to its end; return the exit status for it: 0 if it ended well, else 1.

    The first interrupt asks its processes to end, the second ends them.
    """
    settings = current().but(head_lines=ALL, head_bytes=ALL, stream_switches=ALL)
    live = LiveStream(_Terminal(), settings, labels=not run.context.cell)
    run.follow(live, start=True)
    live.finish(lambda *_: "")
    print(_last_words(run), file=sys.stderr)
    return 0 if run.ok else 1


def _last_words(run: Run) -> str:
    said = "" if run.ok else f": {run.sentence}"
    return f"{run.name} ended as {run.state.value} after {run.duration:.1f} s{said}"
