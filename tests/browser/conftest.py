"""One server and one Chromium, shared by all browser tests of a worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.browser.pages")

from tests.browser.jupyter import CHROMIUM, OVERLAYS, browsing, new_page, serving  # noqa: E402 - rewritten first


def pytest_collection_modifyitems(items):
    missing = pytest.mark.skip(reason="no Chromium: apt-get install -y chromium")
    here = str(Path(__file__).parent)
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(180))
            if CHROMIUM is None:
                item.add_marker(missing)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("jupyter")) as served:
        yield served


@pytest.fixture(scope="session")
def chromium():
    pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with browsing() as browser:
        yield browser


def older_kernel(version):
    """Install that ipykernel beside everything else, once a machine; skip where no package index answers."""
    place = OVERLAYS / version
    if not place.exists():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", f"{place}.new", f"ipykernel=={version}"]  # fmt: skip
        done = subprocess.run(pip, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"ipykernel {version} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
        os.rename(f"{place}.new", place)


@pytest.fixture(scope="session")
def visit(server, chromium):
    """Return what opens a notebook of given cells in a browser of its own."""

    def open_notebook(name, *cells, kernel="", **how):
        if kernel:
            older_kernel(kernel)
        return new_page(chromium, server, name, *cells, kernel=f"old-{kernel}" if kernel else "python3", **how)

    return open_notebook


@pytest.fixture
def opened(visit, request):
    """The same for one test; what it opened ends with it, its kernel too."""
    pages = []

    def open_notebook(*cells, **how):
        pages.append(visit(re.sub(r"\W+", "-", request.node.name).strip("-")[:60], *cells, **how))
        return pages[-1]

    yield open_notebook
    for page in pages:
        page.close()
