"""The console in a real browser: a million lines, many files, saved notebooks; bad input; what the first cell pays."""

from __future__ import annotations

import json
import resource
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from benchmarks.figure import Figure
from kestra_magic.show.files import preview
from tests.browser.jupyter import CHROMIUM, browsing, new_page, serving
from tests.kernel.driver import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["figures"]

LINES = """%%kestra_process lines -l python --raw
import sys, time
for n in range(1_000_000):
    sys.stdout.write(f'{n:07d} INFO worker.module step finished with loss=0.12345 and lr=0.001\\n')
    if n % 100_000 == 0: time.sleep(0.3)
"""
FILES = """%%kestra_process files -l python --raw
import os, time
os.mkdir('many')
for n in range(100_000): open(f'many/{n:06d}.txt', 'w').close()
print('ready', flush=True)
time.sleep(600)
"""
RUN = "%%kestra_process small\nseq 1 300"
SETTING = "import kestra_magic.settings as s, time; s.update(view={!r}); began = time.process_time()"
OPENING = """folder => new Promise(done => {
    const began = performance.now();
    const tree = folder.closest('[role=tree]');
    const seen = () => tree.textContent.includes('000000.txt')
        && (watch.disconnect(), requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))));
    const watch = new MutationObserver(seen);
    watch.observe(tree, {childList: true, subtree: true});
    folder.click();
})"""
"""Milliseconds from a click to the frame in which the first files are drawn, in the page's own clock."""
HEAP = "() => performance.memory.usedJSHeapSize"


def figures() -> Iterator[Figure]:
    yield from _previews()
    yield from _first_cell()
    if CHROMIUM is None:
        print("  no Chromium: apt-get install -y chromium")
        return
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        serving(Path(folder)) as server,
        browsing() as chromium,
    ):
        for measured in (_lines, _files, _notebooks):
            yield from measured(chromium, server)


def _previews() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.csv"
        with open(large, "wb") as file:
            file.write(b"a,b,c\n" + b"1,2,3\n" * 100_000)
            file.truncate(2 << 30)
        (Path(folder) / "broken.parquet").write_bytes(b"PAR1" + b"\0" * 1000)
        preview(Path(folder) / "broken.parquet")  # imports what reads Parquet: not what is measured
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        preview(large)
        yield Figure("preview of a 2 GB CSV", 1e3 * (time.perf_counter() - began), "ms", most=1000)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
        yield Figure("memory it takes in the kernel", grown, "MB", most=50)


def _lines(chromium: Any, server: Any) -> Iterator[Figure]:
    page = new_page(chromium, server, "lines", LINES)
    devtools = page.page.context.new_cdp_session(page.page)
    devtools.send("HeapProfiler.collectGarbage")
    before = page.page.evaluate(HEAP)
    page.run()
    page.console.get_by_text("00 lines").wait_for()
    slowest = max(_click(page, name) for name in ("Outputs", "Metrics", "Rendered", "Log") * 3)
    page.state("SUCCESS")
    page.console.get_by_text("1,000,000 lines").wait_for(timeout=120_000)
    devtools.send("HeapProfiler.collectGarbage")
    yield Figure("a click while a million lines arrive, the slowest of 12", slowest, "ms", most=100)
    yield Figure("the page grows by", (page.page.evaluate(HEAP) - before) / 1e6, "MB", most=50)
    page.close()


def _click(page: Any, name: str) -> float:
    """Milliseconds from a click on a tab to the frame in which it is drawn, in the page's own clock."""
    spent = page.page.evaluate(
        """name => new Promise(done => {
            const tab = [...document.querySelectorAll('.kc-tab')].find(tab => tab.textContent.startsWith(name));
            const began = performance.now();
            tab.click();
            requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
        })""",
        name,
    )
    return float(spent)


def _files(chromium: Any, server: Any) -> Iterator[Figure]:
    page = new_page(chromium, server, "files", FILES)
    page.run()
    page.console.get_by_text("ready", exact=True).wait_for(timeout=120_000)
    page.tab("Files")
    many = page.console.get_by_role("treeitem", name="many")
    many.wait_for()
    spent = many.evaluate(OPENING)
    yield Figure("a folder of 100,000 files opens in", spent / 1000, "s", most=1)
    page.console.get_by_role("button", name="Stop").click()
    page.state("KILLED")
    page.close()


def _notebooks(chromium: Any, server: Any) -> Iterator[Figure]:
    page = new_page(chromium, server, "size", RUN)
    page.run()
    page.state("SUCCESS")
    page.idle()
    page.save()
    saved = nbformat.read(page.path, as_version=4)
    outputs = saved.cells[0].outputs
    page.close()
    yield Figure("the notebook grows by, for one run", len(json.dumps(outputs)) / 1000, "KB", most=100)
    with_runs, without = (_opening(chromium, server, outputs if full else []) for full in (True, False))
    yield Figure("opening 50 saved runs takes longer by", with_runs - without, "s", most=1)


def _opening(chromium: Any, server: Any, outputs: list[Any]) -> float:
    """Seconds until the page of a notebook with 50 cells stands; the better of two, for the first fills caches."""
    spent = []
    page = new_page(chromium, server, "opening", "1")
    cells = [nbformat.v4.new_code_cell(RUN, outputs=outputs) for _ in range(50)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), page.path)
    for _ in range(2):
        began = time.perf_counter()
        page.page.reload()
        page.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        page.page.evaluate("() => new Promise(done => requestIdleCallback(done))")
        spent.append(time.perf_counter() - began)
    with suppress(Exception):
        page.close()
    return min(spent)


def _first_cell() -> Iterator[Figure]:
    """Each on a kernel of its own; the best of some, for others use this machine too."""
    none, auto = ([_first(view) for _ in range(4)] for view in ("none", "auto"))
    least = [min(each) for each in zip(*auto, strict=True)]
    idle, following, spent, _ = (1e3 * (a - min(b)) for a, b in zip(least, zip(*none, strict=True), strict=True))
    yield Figure("the first cell takes longer by", idle, "ms", most=100)
    yield Figure("the cell right behind it takes longer by", following, "ms", most=100)
    yield Figure("processor time of the kernel for its console", spent, "ms")
    yield Figure("its console is there after the cell's end in", 1e3 * least[3], "ms")


def _first(view: str) -> tuple[float, float, float, float]:
    """Seconds of a kernel's first run, of the next cell, of its processor, and from the end to the console."""
    ask = {"allow_stdin": True}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        kernel = Kernel(Path(folder) / "root", Path(folder) / "home", PYTHONDONTWRITEBYTECODE="")
        try:
            kernel.run(f"%load_ext kestra_magic\n{SETTING.format(view)}", **ask)
            began = time.perf_counter()
            cell = kernel.start("%%kestra_process first\ntrue", **ask)
            kernel.finish(cell)
            idle = time.perf_counter()
            kernel.run("1", **ask)
            following = time.perf_counter()
            if view == "auto":
                kernel.until(cell, lambda heard: heard.of("comm_open"))
            there = time.perf_counter()
            spent = float(kernel.run("print(time.process_time() - began)", **ask).text())
        finally:
            kernel.close()
    return idle - began, following - idle, spent, there - idle
