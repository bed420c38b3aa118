"""A server of JupyterLab 4 and Notebook 7 on loopback and a Chromium, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from tests.browser.pages import Page_

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / ".artefacts" / "pictures"
OVERLAYS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kestra-magic-tests"
OLDER = ("6.29.5", "7.0.1", "7.3.0")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def serving(home):
    """Yield the address and the empty root of a server; its kernels have this project's extension loaded."""
    root = home / "root"
    root.mkdir()
    environment = {
        **os.environ, "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config"), "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "PYTHONPATH": str(ROOT),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "XDG_DATA_HOME": str(home / "share"), "XDG_CACHE_HOME": str(home / "cache"),
    }  # fmt: skip
    news = home / "settings" / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    profile = home / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text("c.InteractiveShellApp.extensions = ['kestra_magic']")
    make_kernels(home / "data" / "kernels")
    log = open(home / "server.log", "w")
    running = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root", "--IdentityProvider.token=kestra",
         "--ServerApp.password=", f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True",
         "--ServerApp.jpserver_extensions={'notebook': True}", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"],
        env=environment, cwd=home, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        yield answering(running, home), root
    finally:
        running.terminate()
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        log.close()


def make_kernels(folder):
    """A kernelspec for each older ipykernel: its package alone lies before all others on the path."""
    for version in OLDER:
        spec = folder / f"old-{version}"
        spec.mkdir(parents=True)
        (spec / "kernel.json").write_text(json.dumps({
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": f"Python, ipykernel {version}",
            "language": "python", "env": {"PYTHONPATH": os.pathsep.join((str(OVERLAYS / version), str(ROOT)))},
        }))  # fmt: skip


def answering(running, home):
    for _ in range(600):
        for found in (home / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(ValueError, OSError):
                about = json.loads(found.read_text())
                url = about["url"].rstrip("/")
                urllib.request.urlopen(f"{url}/api?token=kestra", timeout=10).read()
                return url
        assert running.poll() is None, (home / "server.log").read_text()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(0.1)
    raise AssertionError((home / "server.log").read_text())


@contextmanager
def browsing():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=[*FLAGS, "--headless=new"])
        yield browser
        browser.close()


def new_page(chromium, server, name, *cells, front="lab", kernel="python3", dark=False, width=1100):
    """Return a notebook of given cells in a browser of its own, its kernel idle."""
    context = chromium.new_context(
        viewport={"width": width, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
        accept_downloads=True,
    )
    page = Page_(context.new_page(), *server, front, PICTURES)
    page.open(name, cells, kernel, dark)
    return page
