"""The tasks of `same` on a Kestra server, and what a server cannot say as a notebook does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kestra_magic.model.source import Source
from kestra_magic.runs.server.send import Server, flow_to_send
from kestra_magic.runs.session import Session
from tests.process.survivors import wait_until
from tests.runners.same import Case, Outcome, left

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["outcome_there", "whole_lines"]


def outcome_there(case: Case, beside: Path, url: str) -> Outcome:
    """Run *case* on the server at *url*."""
    for name, content in case.files.items():
        (beside / name).write_bytes(content)
    server = Server.connect(Session(beside), url)
    inputs = {name.rpartition("/")[2].partition(".")[0]: name for name in case.files}
    run = server.run(flow_to_send(Source(case.flow()), {"inputs": inputs}, {}, name="", beside=beside)).start()
    if case.stop_at:
        assert wait_until(lambda: case.stop_at in run.stdout or run.ended, 120)
        run.stop()
    return left(run.wait(120))


def whole_lines(here: Outcome) -> Outcome:
    """A server keeps a log of entries: each line is whole, with one way to end, and a marker is no line.

    Of what it killed it tells no exit code.
    """
    stdout, stderr = (tuple(line.rstrip("\r\n") + "\n" for line in lines) for lines in (here.stdout, here.stderr))
    code = None if here.state == "KILLED" else here.exit_code
    return replace(here, exit_code=code, stdout=stdout, stderr=stderr, lines=(len(stdout), len(stderr)))
