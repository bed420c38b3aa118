"""Streams and ends in a real kernel: `%%kestra_process` beside `%%bash`, `!` and `subprocess.Popen`, in one run.

Each figure is what a person sees: from the request of the cell to its first output and to idle, over jupyter_client.
"""

from __future__ import annotations

import math
import os
import signal
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figure import Figure
from tests.kernel.driver import Kernel
from tests.process.faults.test_kernel_faults import ELEVEN
from tests.process.survivors import bearing, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["figures"]

POPEN = """import subprocess
with subprocess.Popen(['bash', '-c', r'''{}'''], stdout=-1, text=True) as p:
    for line in p.stdout: print(line, end='')"""
WAYS = {
    "kestra": "%%kestra_process\n#| background: wait\n{}",
    "%%bash": "%%bash\n{}",
    "!": "!{}",
    "Popen": POPEN,
}
FLOODS = {
    "1,000,000 lines": "seq 1 1000000",
    "200 MB": "yes 0123456789012345678901234567890123456789012345678 | head -c 200000000",
    "one line of 100 MB": "head -c 100000000 /dev/zero | tr '\\0' x",
}
SLOW = {("!", name) for name in FLOODS}
"""`!` reads by characters: seconds to minutes, and nothing is learned from it."""
ROUNDS = 20


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        yield from _start(place)
        yield from _echo(place)
        for name, command in FLOODS.items():
            yield from _flood(place, name, command)
        yield from _ends(place)


def _kernel(place: Path, *, loaded: bool = True) -> Kernel:
    name = uuid.uuid4().hex[:6]
    kernel = Kernel(place / f"in-{name}", place / f"home-{name}", PYTHONDONTWRITEBYTECODE="")
    kernel.run("pass")
    if loaded:
        kernel.run("%load_ext kestra_magic")
        kernel.run(WAYS["kestra"].format("echo hi"))
    return kernel


def _close(kernel: Kernel) -> None:
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


# What it costs to begin


def _start(place: Path) -> Iterator[Figure]:
    """The best of three kernels."""
    loads, firsts = [], []
    code = "import time; t = time.perf_counter()\n%load_ext kestra_magic\nprint(time.perf_counter() - t)"
    for _ in range(3):
        kernel = _kernel(place, loaded=False)
        loads.append(float(kernel.run(code).text()))
        firsts.append(_timed(kernel, WAYS["kestra"].format("echo hi"))[1])
        _close(kernel)
    yield Figure("%load_ext", min(loads) * 1e3, "ms", most=5)
    yield Figure("first cell of a kernel, to idle", min(firsts) * 1e3, "ms", most=400)


def _timed(kernel: Kernel, code: str) -> tuple[float, float]:
    """Return the seconds to the first output of the command and to idle."""
    began = time.perf_counter()
    first: list[float] = []

    def saw(reply: Any) -> bool:
        if not first and reply.messages[-1]["msg_type"] == "stream":
            first.append(time.perf_counter() - began)
        return False

    reply = kernel.finish(kernel.start(code), until=saw)
    idle = time.perf_counter() - began
    assert reply.status == "ok", reply.error
    return (first or [idle])[0], idle


def _echo(place: Path) -> Iterator[Figure]:
    """In turns, so that what else the machine does falls on all alike."""
    kernel = _kernel(place)
    seen: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, cell in WAYS.items():
            seen[way].append(_timed(kernel, cell.format("echo hi")))
    _close(kernel)
    idle = {}
    for way, times in seen.items():
        first, idle[way] = (statistics.median(side) * 1e3 for side in zip(*times, strict=True))
        yield Figure(f"echo hi by {way}, to first output", first, "ms")
        yield Figure(f"echo hi by {way}, to idle", idle[way], "ms")
    yield Figure("echo hi to idle, compared with %%bash", idle["kestra"] / idle["%%bash"], "×", most=1.5)


# Floods


def _flood(place: Path, name: str, command: str) -> Iterator[Figure]:
    seen: dict[str, float] = {}
    for way, cell in WAYS.items():
        if (way, name) in SLOW:
            continue
        kernel = _kernel(place)
        _reset_peak(kernel.pid)
        before = _memory(kernel.pid, "VmRSS")
        try:
            _, seen[way] = _timed(kernel, cell.format(command))
        except AssertionError:  # not idle within a minute
            seen[way] = math.inf
        grown = _memory(kernel.pid, "VmHWM") - before
        _close(kernel)
        yield Figure(f"{name} by {way}, to idle", seen[way], "s")
        yield Figure(f"{name} by {way}, kernel's memory", grown, "MB", most=20 if way == "kestra" else None)
    yield Figure(f"{name}, compared with %%bash", seen["kestra"] / seen["%%bash"], "×", most=1)


def _reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _memory(pid: int, which: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) / 1024


# Ends


def _ends(place: Path) -> Iterator[Figure]:
    script = place / "eleven.py"
    script.write_text(ELEVEN)
    for what, end in (("interrupt", _interrupt), ("kill -9 of the kernel", _kill)):
        for way in ("kestra", "%%bash", "Popen"):
            cell = WAYS[way].format(f"{sys.executable} -S -I {script} TOKEN")
            left, seconds = _ended(place, cell, end)
            ours = way == "kestra"
            yield Figure(f"{what}, of eleven by {way} survive", left, "", most=0 if ours else None)
            limit = (2.3 if end is _interrupt else 0.5) if ours else None  # `grace` is 2 s: some are deaf to TERM
            yield Figure(f"{what}, until nothing of {way} lives", seconds, "s", most=limit)


def _ended(place: Path, cell: str, end: Callable[[Kernel, str], None]) -> tuple[int, float]:
    kernel, token = _kernel(place), f"tok{uuid.uuid4().hex[:12]}"
    message = kernel.start(cell.replace("TOKEN", token))
    assert wait_until(lambda: len(bearing(token)) >= 11)
    began = time.perf_counter()
    end(kernel, message)
    left = _left(token, began)
    if end is _interrupt:
        _close(kernel)
    return left


def _interrupt(kernel: Kernel, message: str) -> None:
    kernel.manager.interrupt_kernel()
    with suppress(AssertionError):  # a cell that goes on waiting for its children
        kernel.finish(message)


def _kill(kernel: Kernel, _message: str) -> None:
    kernel.kill()


def _left(token: str, began: float) -> tuple[int, float]:
    wait_until(lambda: not bearing(token), 5)
    seconds, left = time.perf_counter() - began, bearing(token)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(left), seconds
