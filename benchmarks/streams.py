"""Streams and ends in a real kernel: `%%kestra_process` beside `%%bash`, `!` and `subprocess.Popen`, in one run.

Each figure is what a person sees: from the request of the cell to its first output and to idle, over jupyter_client.
"""

from __future__ import annotations

import os
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figure import Figure
from tests.kernel.driver import Kernel
from tests.process.faults.test_kernel_faults import ELEVEN
from tests.process.survivors import bearing, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PARTS", "figures"]

POPEN = """import subprocess
with subprocess.Popen(['bash', '-c', r'''{}'''], stdout=-1, text=True) as p:
    for line in p.stdout: print(line, end='')"""
OURS = "%%kestra_process\n{}"
WAYS = {"kestra": OURS, "%%bash": "%%bash\n{}", "Popen": POPEN, "!": "!{}"}
CAPS = {"kestra": 60.0, "%%bash": 20.0, "Popen": 8.0, "!": 8.0}
"""Seconds after which a flood is given up: some peers never end, and nothing is learned from waiting for them."""
FLOODS = {
    "1,000,000 lines": "seq 1 1000000",
    "200 MB": "yes 0123456789012345678901234567890123456789012345678 | head -c 200000000",
    "one line of 100 MB": "head -c 100000000 /dev/zero | tr '\\0' x",
}
ROUNDS = 20
PAUSE_SECONDS = 0.1
BATCH = 5
POLITE = (
    "import subprocess,sys,time\n"
    "for n in range(8): subprocess.Popen([sys.executable,'-S','-I','-c','import time; time.sleep(60)',sys.argv[1]],"
    "start_new_session=n % 2 == 0)\n"
    "time.sleep(60)\n"
)
TREES = {"all die on TERM": (POLITE, 9, 0.5), "some are deaf to it": (ELEVEN, 11, 2.3)}
"""By what they do: the script, how many processes bear its token, and the seconds that their end may take."""


def figures(*parts: str) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for part in parts or PARTS:
            yield from PARTS[part](Path(folder))


def _kernel(place: Path, *, loaded: bool = True) -> Kernel:
    name = uuid.uuid4().hex[:6]
    own = (place / f"in-{name}", place / f"home-{name}")
    kernel = Kernel(*own, stderr=subprocess.DEVNULL, PYTHONDONTWRITEBYTECODE="")
    kernel.run("pass")
    if loaded:
        _load(kernel)
    return kernel


def _load(kernel: Kernel) -> None:
    kernel.run("%load_ext kestra_magic")
    kernel.run(OURS.format("echo hi"))


def _close(kernel: Kernel) -> None:
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


# What it costs to begin


LOAD = "import time; t = time.perf_counter()\n%load_ext {}\nprint(time.perf_counter() - t)"


def _start(place: Path) -> Iterator[Figure]:
    """The best of three kernels."""
    empties, loads, firsts = [], [], []
    for _ in range(3):
        kernel = _kernel(place, loaded=False)
        (kernel.folder / "empty.py").write_text("def load_ipython_extension(ip): pass\n")
        empties.append(float(kernel.run(LOAD.format("empty")).text()))
        _close(kernel)
        kernel = _kernel(place, loaded=False)
        loads.append(float(kernel.run(LOAD.format("kestra_magic")).text()))
        firsts.append(_timed(kernel, OURS.format("echo hi"))[1])
        _close(kernel)
    yield Figure("%load_ext of an empty file", min(empties) * 1e3, "ms")
    yield Figure("%load_ext", min(loads) * 1e3, "ms", most=5)
    yield Figure("first cell of a kernel, to idle", min(firsts) * 1e3, "ms", most=400)


def _timed(kernel: Kernel, code: str, limit: float = 60.0) -> tuple[float, float]:
    """Return the seconds to the first output of the command and to idle.

    Raises:
        AssertionError: it is not idle within *limit* seconds, or failed.
    """
    began = time.perf_counter()
    first: list[float] = []

    def saw(reply: Any) -> bool:
        if not first and reply.messages[-1]["msg_type"] == "stream":
            first.append(time.perf_counter() - began)
        return time.perf_counter() - began > limit

    reply = kernel.finish(kernel.start(code), until=saw, limit=limit)
    idle = time.perf_counter() - began
    assert reply.status == "ok", reply.error or "not idle in time"
    return (first or [idle])[0], idle


def _latency(place: Path) -> Iterator[Figure]:
    """In turns, so that what else the machine does falls on all alike; then in a row.

    In turns each cell begins after a pause, in which what the one before still does has ended, and in another order
    each time: `!` forks the kernel, which the next one feels.

    A run makes eleven files and folders. For minutes after many others were removed, as by these benchmarks or a test
    suite, ext4 takes ten to twenty times as long for each: so what one takes is said too.
    """
    yield Figure("a new file, where the kernel works", _new_file(place) * 1e6, "µs")
    kernel = _kernel(place)
    seen: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    turns, dice = [*WAYS], random.Random(1)
    for _ in range(ROUNDS):
        dice.shuffle(turns)
        for way in turns:
            time.sleep(PAUSE_SECONDS)
            seen[way].append(_timed(kernel, WAYS[way].format("echo hi")))
    row = {way: [_timed(kernel, WAYS[way].format("echo hi"))[1] for _ in range(ROUNDS)] for way in ("kestra", "%%bash")}
    _close(kernel)
    idle = {}
    for way, times in seen.items():
        first, idle[way] = (statistics.median(side) * 1e3 for side in zip(*times, strict=True))
        yield Figure(f"echo hi by {way}, to first output", first, "ms")
        yield Figure(f"echo hi by {way}, to idle", idle[way], "ms")
        yield Figure(f"echo hi by {way}, to idle, the least", min(i for _, i in times) * 1e3, "ms")
    yield Figure("echo hi to idle, compared with %%bash", idle["kestra"] / idle["%%bash"], "×", most=1.5)
    ours, theirs = (statistics.median(times) * 1e3 for times in row.values())
    yield Figure("echo hi by kestra, to idle, in a row", ours, "ms")
    yield Figure("echo hi by %%bash, to idle, in a row", theirs, "ms")
    yield Figure("echo hi to idle in a row, compared with %%bash", ours / theirs, "×")


def _new_file(place: Path) -> float:
    times = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        (place / f"new-{number}").touch()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


# Floods


def _floods(place: Path) -> Iterator[Figure]:
    for name, command in FLOODS.items():
        seen = {}
        for way in WAYS:
            yield from _flood(place, way, name, command, seen)
            if way == "%%bash":
                mark = "<" if seen[way] >= CAPS[way] else ""
                yield Figure(f"{name}, compared with %%bash", seen["kestra"] / seen[way], "×", most=1, mark=mark)


def _flood(place: Path, way: str, name: str, command: str, seen: dict[str, float]) -> Iterator[Figure]:
    kernel = _kernel(place)
    _reset_peak(kernel.pid)
    before = _memory(kernel.pid, "VmRSS")
    most = 20 if way == "kestra" else None
    mark = ""
    try:
        seen[way] = _timed(kernel, WAYS[way].format(command), CAPS[way])[1]
    except AssertionError:
        seen[way], mark = CAPS[way], ">"
    grown = _memory(kernel.pid, "VmHWM") - before
    _close(kernel)
    yield Figure(f"{name} by {way}, to idle", seen[way], "s", mark=mark, most=CAPS[way] if most else None)
    yield Figure(f"{name} by {way}, kernel's memory", grown, "MB", most=most, mark=mark)


def _reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _memory(pid: int, which: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) / 1024


# Ends


class _Tree:
    """What a cell started, watched through descriptors that were opened while it lived."""

    def __init__(self, kernel: Kernel, place: Path, cell: str, script: str, size: int) -> None:
        self.kernel = kernel
        self.token = f"tok{uuid.uuid4().hex[:12]}"
        file = place / f"{self.token}.py"
        file.write_text(script)
        self.message = kernel.start(cell.format(f"{sys.executable} -S -I {file} {self.token}"))
        assert wait_until(lambda: len(bearing(self.token)) >= size, 60)
        self._watched = []
        for pid in bearing(self.token):
            with suppress(ProcessLookupError):  # one that only began another
                self._watched.append(os.pidfd_open(pid))

    def gone(self, limit: float) -> tuple[int, float]:
        """Return how many live after *limit* seconds (they are ended then), and the seconds to the last one's end."""
        began = time.perf_counter()
        while self._watched and time.perf_counter() - began < limit:
            ended, _, _ = select.select(self._watched, [], [], 0.1)
            for descriptor in ended:
                self._watched.remove(descriptor)
                os.close(descriptor)
        seconds, left = time.perf_counter() - began, bearing(self.token)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(left), seconds


def _interrupts(place: Path) -> Iterator[Figure]:
    for what, (script, size, most) in TREES.items():
        for way in ("kestra", "%%bash", "Popen"):
            ends = [_interrupted(place, way, script, size) for _ in range(3 if way == "kestra" else 1)]
            ours = way == "kestra"
            left, dead, idle = max(e[0] for e in ends), *(statistics.median(e[n] for e in ends) for n in (1, 2))
            yield Figure(f"interrupt of {way}, {what}: survivors", left, "", most=0 if ours else None)
            mark = ">" if left else ""
            yield Figure(f"interrupt of {way}, {what}: to dead", dead, "s", most=most if ours else None, mark=mark)
            if ours:
                yield Figure(f"interrupt of {way}, {what}: to idle", idle, "s", most=most)


def _interrupted(place: Path, way: str, script: str, size: int) -> tuple[int, float, float]:
    """Return the survivors, and the seconds until all are dead and until the cell is idle."""
    kernel = _kernel(place)
    tree = _Tree(kernel, place, WAYS[way], script, size)
    began = time.perf_counter()
    kernel.manager.interrupt_kernel()
    left, dead = tree.gone(3.0)
    with suppress(AssertionError):  # a cell that goes on waiting for its children
        kernel.finish(tree.message, limit=3.0)
    idle = time.perf_counter() - began
    _close(kernel)
    return left, dead, idle


def _kills(place: Path) -> Iterator[Figure]:
    """While two processes keep two cores busy; trees stand in several kernels, which die one after the other."""
    seen: list[tuple[int, float]] = []
    while len(seen) < ROUNDS:
        trees = [_Tree(_kernel(place), place, OURS, ELEVEN, 11) for _ in range(BATCH)]
        with _busy(2):
            seen += [_killed(tree, 10.0) for tree in trees]
    seconds = sorted(dead for _, dead in seen)
    yield Figure("kill -9 of the kernel, kestra: survivors", sum(left for left, _ in seen), "", most=0)
    yield Figure("kill -9 of the kernel, kestra: to dead, median", statistics.median(seconds), "s")
    nearly = seconds[-(-95 * len(seconds) // 100) - 1]
    yield Figure(f"kill -9 of the kernel, kestra: to dead, 95 of 100 ({len(seconds)})", nearly, "s", most=0.5)
    yield Figure("kill -9 of the kernel, kestra: to dead, the most", seconds[-1], "s")
    for way in ("%%bash", "Popen"):
        left, _ = _killed(_Tree(_kernel(place), place, WAYS[way], ELEVEN, 11), 2.0)
        yield Figure(f"kill -9 of the kernel, {way}: survivors of eleven", left, "")


def _killed(tree: _Tree, limit: float) -> tuple[int, float]:
    began = time.perf_counter()
    os.kill(tree.kernel.pid, signal.SIGKILL)
    left, _ = tree.gone(limit)
    seconds = time.perf_counter() - began
    tree.kernel.kill()
    return left, seconds


@contextmanager
def _busy(count: int) -> Iterator[None]:
    spin = [subprocess.Popen([sys.executable, "-S", "-I", "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spin:
            process.kill()
            process.wait()


def _restarts(place: Path) -> Iterator[Figure]:
    kernel = _kernel(place)
    without, with_run = [], []
    for _ in range(3):
        without.append(_restarted(kernel))
        tree = _Tree(kernel, place, OURS.replace("process", "process live --bg"), ELEVEN, 11)
        with_run.append(_restarted(kernel))
        assert tree.gone(5.0)[0] == 0
    _close(kernel)
    yield Figure("restart of a kernel without a run", statistics.median(without), "s")
    yield Figure("restart of a kernel with a live run", statistics.median(with_run), "s")
    more = statistics.median(with_run) - statistics.median(without)
    yield Figure("restart: what a live run adds", more, "s", most=0.3)


def _restarted(kernel: Kernel) -> float:
    """Return the seconds until the kernel that was restarted answers; then make it ready for a run."""
    began = time.perf_counter()
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    seconds = time.perf_counter() - began
    _load(kernel)
    return seconds


PARTS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "start": _start,
    "latency": _latency,
    "interrupts": _interrupts,
    "kills": _kills,
    "restarts": _restarts,
    "floods": _floods,
}
