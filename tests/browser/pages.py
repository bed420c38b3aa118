"""A notebook in a real browser, as a person uses it."""

from __future__ import annotations

import re
import uuid

import nbformat

ALLOWED = re.compile(r"^(https?|wss?)://(127\.0\.0\.1|localhost)(:\d+)?/|^(data|blob|about):")

# What Notebook 7.6 says of itself in an empty notebook too, and JupyterLab 4.6 of a kernel that is restarted.
NOTEBOOKS_OWN = ("reading 'schema'", "Command 'filebrowser:open-path' not registered", "Canceled future for ")


class Page_:
    """One notebook.

    Attributes:
        errors: what the console of the browser said of errors; *strangers* are requests that left the machine.
    """

    def __init__(self, page, url, root, front, pictures):
        self.page, self.url, self.root, self.front, self.pictures = page, url, root, front, pictures
        self.errors, self.strangers = [], []
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: ALLOWED.match(request.url) or self.strangers.append(request.url))
        page.on("requestfailed", self._was_refused)
        page.set_default_timeout(60_000)  # a machine may be busy with other things

    def open(self, name, cells, kernel="python3", dark=False):
        self.folder = self.root / f"{name}-{uuid.uuid4().hex[:6]}"
        self.folder.mkdir()
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
        )
        self.path = self.folder / "test.ipynb"
        nbformat.write(notebook, self.path)
        place = "lab/tree" if self.front == "lab" else "notebooks"
        self.page.goto(
            f"{self.url}/{place}/{self.folder.name}/test.ipynb?token=kestra{'&reset' if self.front == 'lab' else ''}"
        )
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        self.ready()
        self.theme(dark)

    def theme(self, dark):
        """Choose one; the server remembers it for the next page."""
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: `JupyterLab ${name}`})",
            "Dark" if dark else "Light",
        )
        self.page.locator(f"body[data-jp-theme-light={'false' if dark else 'true'}]").wait_for(state="attached")

    def ready(self):
        """The kernel is there and idle."""
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'"
        )

    def run(self, at=0):
        self.page.locator(".jp-Notebook .jp-CodeCell").nth(at).locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Control+Enter")

    def prompt(self, at=0):
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(at).locator(".jp-InputPrompt")

    def idle(self, at=0):
        """Wait until the cell has ended."""
        self.page.wait_for_function(
            "(at) => /\\[\\d+\\]/.test(document.querySelectorAll('.jp-Notebook .jp-CodeCell')[at].querySelector('.jp-InputPrompt').textContent)",
            arg=at,
        )

    @property
    def console(self):
        return self.page.locator(".kestra-console")

    def state(self, word):
        self.console.locator(f".kc-badge[data-state={word}]").first.wait_for()

    def tab(self, name):
        self.console.get_by_role("tab", name=re.compile(f"^{name}")).click()

    def picture(self, name):
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.console.first.screenshot(path=self.pictures / f"{name}.png")

    def close(self):
        """Its kernel ends with it: others want the machine."""
        self.page.evaluate(
            "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.shutdown().catch(() => {})"
        )
        self.page.context.close()

    def restart(self):
        """As the menu does, without waiting: it asks."""
        self.page.keyboard.press("Escape")
        self.page.evaluate("() => { window.jupyterapp.commands.execute('kernelmenu:restart'); }")
        self.page.get_by_role("button", name="Confirm Kernel Restart").click()

    def save(self):
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def _was_refused(self, request):
        """What a policy of ours refused has not left the machine; the browser tells of it or not."""
        if "csp" in (request.failure or "").lower() and request.url in self.strangers:
            self.strangers.remove(request.url)

    def settled(self, *expected):
        """Nothing went wrong that nobody saw but for what is *expected*, and nothing left the machine."""
        assert self.strangers == []
        allowed = (*NOTEBOOKS_OWN, *expected)
        assert [error for error in self.errors if not any(known in error for known in allowed)] == []
