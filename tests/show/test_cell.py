"""Whose output it is, on a real kernel and without one."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from kestra_magic.show.cell import Frontend, PrintedCell, SentCell, cell_of, frontend

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kernel:
    """A kernel that keeps what is sent."""

    def __init__(self, **content: Any) -> None:
        self.parent = {"header": {"msg_id": "1"}, "content": content}
        self.sent: list[tuple[str, dict[str, Any], Any]] = []
        self.session = self
        self.iopub_socket = object()

    def get_parent(self) -> dict[str, Any]:
        return self.parent

    def send(self, socket: object, kind: str, content: dict[str, Any], *, parent: Any, ident: bytes) -> None:
        self.sent.append((kind, content, parent))


def shell(user_ns: dict[str, Any] | None = None, **content: Any) -> Any:
    return SimpleNamespace(kernel=Kernel(**content), user_ns=user_ns or {})


def test_front_ends_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert frontend(None) is Frontend.NONE
    assert frontend(SimpleNamespace(user_ns={})) is Frontend.TERMINAL
    assert frontend(shell(allow_stdin=False)) is Frontend.HEADLESS
    assert frontend(shell(allow_stdin=True)) is Frontend.LAB
    assert frontend(shell()) is Frontend.LAB
    assert frontend(shell({"__vsc_ipynb_file__": "x.ipynb"}, allow_stdin=True)) is Frontend.VSCODE
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert frontend(shell(allow_stdin=True)) is Frontend.COLAB


def test_plain_python_has_a_cell_too(capsys: pytest.CaptureFixture[str]) -> None:
    cell = cell_of(None)
    cell.stream("stdout", "a")
    cell.stream("stderr", "b\n")
    cell.display({"text/plain": "done", "text/html": "<b>"})

    assert capsys.readouterr() == ("adone\n", "b\n")


def test_what_a_cell_writes_can_be_captured() -> None:
    ipython = InteractiveShell.instance()
    with capture_output() as captured:
        cell = PrintedCell(ipython)
        cell.stream("stdout", "a\n")
        cell.stream("stderr", "b\n")
        cell.display({"text/plain": "done", "text/html": "<b>"})

    assert (captured.stdout, captured.stderr) == ("a\n", "b\n")
    assert [output.data["text/html"] for output in captured.outputs] == ["<b>"]


def test_a_late_cell_names_its_parent_for_ever() -> None:
    ipython = shell(allow_stdin=True)
    cell = cell_of(ipython, background=True)
    mine, ipython.kernel.parent = ipython.kernel.parent, {"header": {"msg_id": "2"}}
    cell.stream("stdout", "a\n")
    cell.display({"text/plain": "done"})

    assert [parent for _, _, parent in ipython.kernel.sent] == [mine, mine]


def test_a_late_cell_sends_what_comes_together_as_one() -> None:
    ipython = shell()
    cell = SentCell(ipython, per_second=1)
    for name, text in (("stdout", "first\n"), ("stdout", "a\n"), ("stdout", "b\n"), ("stderr", "c\n")):
        cell.stream(name, text)  # type: ignore[arg-type]
    cell.display({"text/plain": "done"})

    said = [(kind, content.get("name"), content.get("text")) for kind, content, _ in ipython.kernel.sent]
    assert said == [
        ("stream", "stdout", "first\n"),
        ("stream", "stdout", "a\nb\n"),
        ("stream", "stderr", "c\n"),
        ("display_data", None, None),
    ]


def test_a_late_cell_does_not_keep_what_nothing_follows() -> None:
    ipython = shell()
    cell = SentCell(ipython, per_second=100)
    cell.stream("stdout", "first\n")
    cell.stream("stdout", "last\n")
    if cell._timer is not None:
        cell._timer.join(10)

    assert "".join(content["text"] for _, content, _ in ipython.kernel.sent) == "first\nlast\n"


def test_without_a_kernel_a_background_run_writes_like_any_other() -> None:
    assert isinstance(cell_of(None, background=True), PrintedCell)


START = """
import threading
from kestra_magic.show.cell import cell_of
cell = cell_of(get_ipython(), background=True)
go = threading.Event()
def late():
    go.wait(30)
    for n in range(20):
        cell.stream("stdout", f"{n}\\n")
    cell.display({"text/plain": "done"})
thread = threading.Thread(target=late, daemon=True)
thread.start()
"""

OVERHEARS = """
import contextlib, io, sys
from IPython.utils.capture import capture_output
from kestra_magic.show.cell import cell_of
@contextlib.contextmanager
def hooked(publisher):
    keep = lambda message: message
    publisher.register_hook(keep)
    try:
        yield
    finally:
        publisher.unregister_hook(keep)
"""
SPEAKS = """
print("before")
cell = cell_of(get_ipython())
cell.stream("stdout", "said\\n")
cell.display({"text/plain": "done"})
print("after")
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def said_until(client: Any, last: str, request: str) -> list[tuple[str, str]]:
    """Return (request, text) of what was shown, until *last* was and *request* is idle."""
    said: list[tuple[str, str]] = []
    idle = False
    while not idle or last not in [text for _, text in said]:
        message = client.get_iopub_msg(timeout=60)
        parent, content = message["parent_header"].get("msg_id", ""), message["content"]
        idle = idle or (parent == request and content.get("execution_state") == "idle")
        text = content.get("text") or content.get("data", {}).get("text/plain")
        said += [(parent, text)] if text else []
    return said


def test_on_a_real_kernel_a_thread_speaks_into_its_own_cell(kernel: Any) -> None:
    first = kernel.execute(START, allow_stdin=False)
    second = kernel.execute("go.set(); thread.join(30); print('mine')", allow_stdin=False)

    said = said_until(kernel, "done", second)

    assert "".join(text for parent, text in said if parent == first) == "".join(f"{n}\n" for n in range(20)) + "done"
    assert [text for parent, text in said if parent == second] == ["mine\n"]


@pytest.mark.parametrize(
    ("within", "kind"),
    [
        ("contextlib.nullcontext()", "SentCell"),
        ("capture_output()", "PrintedCell"),
        ("contextlib.redirect_stdout(sys.stderr)", "PrintedCell"),
        ("contextlib.redirect_stderr(io.StringIO())", "PrintedCell"),
        ("hooked(get_ipython().display_pub)", "PrintedCell"),
    ],
)
def test_on_a_real_kernel_a_cell_is_printed_where_something_overhears_it(kernel: Any, within: str, kind: str) -> None:
    request = kernel.execute(f"{OVERHEARS}\nwith {within}: cell = cell_of(get_ipython())\nprint(type(cell).__name__)")

    assert said_until(kernel, f"{kind}\n", request)[-1] == (request, f"{kind}\n")


def test_on_a_real_kernel_what_the_cell_printed_before_comes_before(kernel: Any) -> None:
    request = kernel.execute(f"{OVERHEARS}\n{SPEAKS}")

    assert [text for _, text in said_until(kernel, "done", request)] == ["before\n", "said\n", "done", "after\n"]
