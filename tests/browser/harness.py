"""A run made of a real child process, for the kernel of a browser test: header, streams, console, result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from types import SimpleNamespace

from IPython.display import display

from kestra_magic.process.events import Exited, Killing, Output, Started, Usage
from kestra_magic.process.logs import LogFile
from kestra_magic.process.recorder import STREAMS, Recorder
from kestra_magic.runs.progress import Progress, Settled, State
from kestra_magic.show.console import Console


class Seen:
    """What a console knows of the child."""

    def __init__(self, name, folder):
        self.name = self.variable = name
        self.root = folder
        self.beside = folder.parent.parent
        self.log = LogFile(folder / "_run")
        self.log_path = folder / "_run" / "run.log"
        self.vars, self.metrics, self.earlier, self.inputs = {}, [], [], set()
        self.flow, self.started, self.trace, self.made = False, None, "", 0
        self.rendered = "echo 'rendered' # with {{ nothing }} left"
        self.usual_seconds, self.error, self.hint = 42.0, "", ""
        self.progress = Progress(name)

    def declared(self, name):
        return not name.endswith(".tmp")

    def render(self, expression):
        return f"rendered: {expression}"


def run(code, *, name="train", key=None, vars=None, metrics=(), earlier=(), folder=None):  # noqa: A002, C901
    """Run Python *code*, shown as a cell of the magic is."""
    folder = Path(folder or f"kestra-runs/{name}-1").absolute()
    (folder / "_run").mkdir(parents=True, exist_ok=True)
    seen, key, queue = Seen(name, folder), key or f"{name}-key", SimpleQueue()
    seen.vars, seen.metrics, seen.earlier = vars or {}, list(metrics), list(earlier)
    display({"text/html": f'<div data-kestra-run="{key}"><div>▶ <b>{name}</b> static header</div></div>'}, raw=True)
    child = subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    recorder = Recorder(str(folder / "_run"), 256 << 20)
    lock = threading.Lock()

    def read(pipe, number):
        for chunk in iter(lambda: os.read(pipe.fileno(), 1 << 16), b""):
            if not chunk.endswith(b"\n"):
                chunk += pipe.readline()
            with lock:
                recorder.write(chunk, number)
            queue.put(
                Output(
                    stream=STREAMS[number],
                    text=chunk[-60_000:].decode("utf-8", "replace"),
                    lines=chunk.count(b"\n"),
                    at=time.time(),
                )
            )
        queue.put(None)

    stops = []

    def stop():
        stops.append(time.time())
        queue.put(Killing(reason="stop", forced=len(stops) > 1, at=time.time()))
        os.killpg(child.pid, signal.SIGKILL if len(stops) > 1 else signal.SIGTERM)

    console = Console(key, seen, foreground=True, stop=stop)
    before = signal.signal(signal.SIGINT, lambda *_: stop())

    def tell(event):
        seen.progress = seen.progress.after(event)
        console.show(seen.progress, event)

    tell(Started(pid=child.pid, task_run="1", at=time.time()))
    for number, pipe in ((1, child.stdout), (2, child.stderr)):
        threading.Thread(target=read, args=(pipe, number), daemon=True).start()
    left, shown, used = 2, 0, 0.0
    while left:
        try:
            event = queue.get(timeout=0.1)
        except Empty:
            event = False
        if event is None:
            left -= 1
        elif event:
            tell(event)
            if isinstance(event, Output) and shown < 200:
                shown += event.lines
                (sys.stdout if event.stream == "stdout" else sys.stderr).write(event.text[:2000])
        if time.monotonic() - used > 0.25:
            used = time.monotonic()
            tell(usage(child.pid))
    code = child.wait()
    signal.signal(signal.SIGINT, before)
    reason = "stop" if stops else ""
    tell(Exited(code=code if code >= 0 else 128 - code, reason=reason, task_run="1", at=time.time()))
    state = State.KILLED if stops else State.FAILED if code else State.SUCCESS
    if code:
        seen.error, seen.hint = f"{name} failed with exit code {code}", "look at the last line of its log"
    tell(Settled(state=state, error=seen.error, at=time.time()))
    display({"text/html": f'<div data-kestra-result="{key}">static result {state.value}</div>'}, raw=True)
    console.finish(SimpleNamespace(progress=seen.progress))
    return None if not stops else print("stopped")


def usage(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return Usage(task_run="1", at=time.time())
    spent = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return Usage(
        task_run="1",
        at=time.time(),
        cpu_seconds=spent,
        rss_bytes=int(fields[21]) * 4096,
        processes=1,
        read_bytes=0,
        write_bytes=int(spent * 1e6),
    )
