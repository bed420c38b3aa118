"""What the README and the docs show is run, block by block, on a real kernel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.driver import Kernel

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<kind>\w+)(?P<more>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = {"text", "yaml", "json"}
"""What is shown and not run: output, and what stands in a file."""


def blocks(page: Path) -> list[re.Match[str]]:
    return list(BLOCK.finditer(page.read_text("utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_block_runs(page: Path, tmp_path: Path) -> None:
    found = [block for block in blocks(page) if block["kind"] == "python"]
    for block in found:
        if "elsewhere" in block["more"]:  # it wants a cluster or a server: here it is only read
            compile(block["text"], page.name, "exec")
    found = [block for block in found if "elsewhere" not in block["more"]]
    if not found:
        return
    shutil.copytree(ROOT / "notebooks" / "data", tmp_path / "notebook")
    shutil.copytree(ROOT / "notebooks" / "_files", tmp_path / "notebook" / "_files")
    kernel = Kernel(tmp_path / "notebook", tmp_path / "home")
    try:
        kernel.run("%load_ext kestra_magic")
        for block in found:
            reply = kernel.run(block["text"].rstrip("\n"))
            wanted = "error" if "raises" in block["more"] else "ok"
            assert reply.status == wanted, f"{page.name}: {block['text']}\n{reply.error}"
    finally:
        kernel.close()


def test_the_first_cell_says_what_the_readme_shows(tmp_path: Path) -> None:
    found = blocks(ROOT / "README.md")
    at = next(n for n, block in enumerate(found) if block["kind"] == "text")
    shutil.copytree(ROOT / "notebooks" / "data", tmp_path / "notebook")
    kernel = Kernel(tmp_path / "notebook", tmp_path / "home")
    try:
        for block in found[: at - 1]:
            kernel.run(block["text"].rstrip("\n"))
        reply = kernel.run(found[at - 1]["text"].rstrip("\n"))
    finally:
        kernel.close()

    header, result = (c["data"]["text/plain"] for c in reply.of("display_data"))
    assert f"{header.partition(' · ')[0]}\n{reply.text()}{result}\n" == found[at]["text"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_shell_line_is_a_command_that_is_there(page: Path) -> None:
    """`make` targets are asked for dry, or `make test` would run itself; what they do is tested by being run."""
    for block in blocks(page):
        if block["kind"] != "sh":
            assert block["kind"] in {"python", *SHOWN}, f"{page.name}: a block of kind {block['kind']}"
            continue
        for line in block["text"].splitlines():
            command = line.partition(" #")[0].split()
            if command[:1] == ["make"]:
                subprocess.run(["make", "-n", *command[1:]], cwd=ROOT, check=True, capture_output=True, timeout=60)
            elif command[:3] == ["python", "-m", "kestra_magic"]:
                ask = [sys.executable, "-m", "kestra_magic", command[3], "--help"]
                subprocess.run(ask, check=True, capture_output=True, timeout=60)
            elif command:
                assert shutil.which(command[0]) or command[0] in OTHERS, f"{page.name}: {line}"


OTHERS = {"pip", "dask", "kubectl", "srun", "sbatch"}
"""Commands of other machines: the pages about clusters and servers show them."""


def test_every_picture_and_page_is_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_tables_name_every_option() -> None:
    from kestra_magic.magics.options import FLOW, PROCESS

    text = (ROOT / "README.md").read_text("utf-8")
    for option in PROCESS:
        assert f"--{option.long}" in text, option.long
    flows = (ROOT / "docs" / "flows.md").read_text("utf-8")
    for option in FLOW:
        assert f"`--{option.long}" in flows or f"`-{option.short} " in flows, option.long


def test_the_table_names_every_verb() -> None:
    from kestra_magic.magics.help import VERBS

    text = (ROOT / "README.md").read_text("utf-8")
    for verb in VERBS:
        assert f"`{verb}" in text, verb
