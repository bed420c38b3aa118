"""A small program that stands for a kernel: it starts runs with `supervise`, and does as it is told until it dies.

Each line of its input is Python; when it is done it answers with a line of JSON: the value of ``said``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from kestra_magic.process import supervise

children: list[supervise.Child] = []


def begin(argv: list[str], **more: Any) -> supervise.Child:
    folder = Path(sys.argv[1]) / f"{os.getpid()}-{len(children)}"
    folder.mkdir(mode=0o700)
    command = supervise.Command(argv=tuple(argv), env=dict(os.environ), cwd=Path("/"), log_dir=folder, **more)
    children.append(supervise.start(command))
    return children[-1]


def hear(child: supervise.Child, word: str) -> None:
    """Go on when *child* has said *word*."""
    for event in child.events():
        if word in getattr(event, "text", ""):
            return


def last(child: supervise.Child) -> str:
    return repr(list(child.events())[-1])


def who(child: supervise.Child) -> dict[str, int]:
    warden = supervise.helpers.pid
    return {
        "pid": child.pid,
        "guardian": child.guardian_pid,
        "warden": warden,
        "mark": child.marker,
        "start": child.start_time,
    }


if __name__ == "__main__":
    for line in sys.stdin:
        said: Any = None
        exec(line)
        print(json.dumps(said), flush=True)
