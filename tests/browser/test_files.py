"""The files of a run: a tree with marks, previews in which nothing is executed, downloads, code that opens them."""

from __future__ import annotations

import re

import pytest

MAKES = r"""%%kestra_process made -l python --raw -o '**'
import json, os, struct, zlib
import pyarrow as pa, pyarrow.parquet as pq

def png(width, height, rows=b''):
    chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    head = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')

evil = '<script>parent.evil = 1; top.evil = 1</script><img src="https://example.org/x.png" onerror="parent.evil = 1">'
made = {
    'table.csv': 'step,loss,name\n' + ''.join(f'{n},{1 / (n + 1)},row {n}\n' for n in range(500)),
    'table.tsv': 'a\tb\n1\t2\n',
    'lines.jsonl': '{"a": 1}\n{"a": 2}\n',
    'conf.json': json.dumps({'lr': 0.01, 'layers': [{'size': 8}]}),
    'script.py': 'def main():\n    return "text"  # said\n',
    'readme.md': f'# Title\n\n- **bold** and `code`\n\n{evil}\n',
    'page.html': f'<p>shown</p>{evil}',
    'drawing.svg': f'<svg xmlns="http://www.w3.org/2000/svg"><text y="20">drawn</text>{evil}</svg>',
    'broken.parquet': 'PAR1 but not one',
    'a b.txt': 'blank', 'line\nend.txt': 'newline', '<img src=x onerror=alert(1)>.txt': 'markup', '\u202egnp.txt': 'rtl', '\U0001f600.txt': 'emoji',
    'sub/deep/leaf.txt': 'far below',
}
for name, text in made.items():
    os.makedirs(os.path.dirname(name) or '.', exist_ok=True)
    with open(name, 'w') as file: file.write(text)
with open('data.bin', 'wb') as file: file.write(bytes(range(256)) * 4)
with open('picture.png', 'wb') as file: file.write(png(64, 64, (b'\0' + b'\x80' * 64) * 64))
with open('wide.png', 'wb') as file: file.write(png(3000, 20, (b'\0' + b'\x80' * 3000) * 20))
with open('bomb.png', 'wb') as file: file.write(png(60000, 60000))
pq.write_table(pa.table({'n': list(range(5)), 't': ['x'] * 5}), 'table.parquet')
with open('large.bin', 'wb') as file: file.truncate(9 << 20)
with open(b'no\xfftext.csv', 'w') as file: file.write('a\n1\n')
"""
REFUSALS = ("Blocked script execution in 'about:srcdoc'", 'Content Security Policy directive: "img-src data:"')
"""How the browser says that it did not do what the evil files ask for."""
LIVES = """%%kestra_process live -f kept.txt=given -f touched.txt=given -o 'out*' -l python --raw
import os, time
open('out.csv', 'w').write('a\\n1\\n'); open('scratch.tmp', 'w').write('x'); open('touched.txt', 'a').write('more')
os.mkdir('many'); os.symlink('/etc', 'outside')
for n in range(3000): open(f'many/{n:05d}.txt', 'w').close()
print('ready', flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def notebook(visit):
    page = visit("files", MAKES)
    page.run()
    page.state("SUCCESS")
    page.idle()
    page.tab("Files")
    yield page
    assert page.page.evaluate("() => window.evil") is None
    page.settled(*REFUSALS)
    page.close()


@pytest.fixture
def preview(notebook):
    """Return what opens the preview of a file."""
    region = notebook.console.get_by_role("region", name="Preview")

    def open_preview(name):
        notebook.console.get_by_role("searchbox", name="Search the files").fill(name)
        notebook.console.get_by_text(re.compile("^1 file found$")).wait_for()
        notebook.console.get_by_role("treeitem", name=name).click()
        region.locator(".kc-preview-name", has_text=name).wait_for()
        return region

    return open_preview


@pytest.fixture
def tree(notebook):
    notebook.console.get_by_role("searchbox", name="Search the files").fill("")
    notebook.console.get_by_text("22 entries").wait_for()
    return notebook.console.get_by_role("tree", name="Files of the run")


def test_the_tree_names_every_file_and_hides_nothing_in_a_name(tree, notebook):
    names = notebook.console.locator(".kc-node .kc-name")
    tree.focus()
    notebook.page.keyboard.press("Home")
    assert names.first.inner_text() == "sub"
    shown = set(names.all_inner_texts())
    assert {"<img src=x onerror=alert(1)>.txt", "a b.txt"} <= shown
    notebook.page.keyboard.press("End")
    notebook.console.get_by_role("treeitem", name="\\u202egnp.txt").wait_for()
    assert notebook.console.get_by_role("treeitem", name="\U0001f600.txt").is_visible()
    notebook.console.get_by_role("treeitem", name="no\\xfftext.csv").click()
    notebook.console.get_by_role("region", name="Preview").get_by_text("1 row × 1 column").wait_for()


def test_keys_open_folders_and_close_them(tree, notebook):
    item = notebook.console.get_by_role
    tree.focus()
    notebook.page.keyboard.press("Home")
    notebook.page.keyboard.press("ArrowRight")
    item("treeitem", name="deep").wait_for()

    notebook.page.keyboard.press("ArrowRight")
    notebook.page.keyboard.press("Enter")
    item("treeitem", name="leaf.txt").wait_for()
    notebook.page.keyboard.press("ArrowDown")
    item("region", name="Preview").get_by_text("far below").wait_for()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft"):
        notebook.page.keyboard.press(key)
    item("treeitem", name="sub", expanded=False).wait_for()


def test_a_search_looks_into_every_folder(notebook):
    query = notebook.console.get_by_role("searchbox", name="Search the files")
    query.fill("leaf")
    notebook.console.get_by_text("1 file found").wait_for()
    assert notebook.console.get_by_role("treeitem").locator(".kc-name").inner_text() == "sub/deep/leaf.txt"

    query.fill("")
    notebook.console.get_by_text("22 entries").wait_for()


def test_a_table_is_paged_sorted_and_says_how_much_of_it_is_shown(preview):
    region = preview("table.csv")
    region.get_by_text("first 100 of 500 rows × 3 columns").wait_for()
    region.get_by_text("rows 1–50 of the 100 shown").wait_for()

    region.get_by_role("button", name="Next rows").click()
    region.get_by_role("cell", name="row 50", exact=True).wait_for()
    region.get_by_role("button", name="Previous rows").click()
    loss = region.get_by_role("columnheader", name="loss")
    loss.get_by_role("button").click()
    assert loss.get_attribute("aria-sort") == "ascending"
    assert region.locator("tbody tr").first.locator("td").nth(2).inner_text() == "row 99"
    loss.get_by_role("button").click()
    assert region.locator("tbody tr").first.locator("td").nth(2).inner_text() == "row 0"
    assert region.get_by_role("columnheader", name="loss").get_by_text("float").is_visible()


@pytest.mark.parametrize(
    ("name", "said"),
    [("table.tsv", "1 row × 2 columns"), ("lines.jsonl", "2 rows × 1 column"), ("table.parquet", "5 rows × 2 columns")],
)
def test_other_tables_are_tables_too(preview, name, said):
    region = preview(name)

    region.get_by_text(said).wait_for()
    assert region.get_by_role("columnheader").count() > 0


def test_json_is_a_tree_or_text(preview):
    region = preview("conf.json")
    region.get_by_text("lr: 0.01").wait_for()

    region.get_by_role("button", name="Text", exact=True).click()
    region.get_by_text('"layers"').wait_for()


def test_code_is_coloured(preview):
    region = preview("script.py")

    assert region.locator(".kc-word-ink").first.inner_text() == "def"
    assert region.locator(".kc-comment-ink").inner_text() == "# said"
    assert region.locator(".kc-string-ink").inner_text() == '"text"'


def test_markdown_is_shown_as_text_with_form(preview):
    region = preview("readme.md")

    region.get_by_role("heading", name="Title").wait_for()
    assert region.locator("strong").inner_text() == "bold"
    assert region.locator("script").count() == 0
    region.get_by_role("button", name="Source").click()
    region.get_by_text("# Title").wait_for()


@pytest.mark.parametrize(("name", "text"), [("page.html", "shown"), ("drawing.svg", "drawn")])
def test_what_could_be_executed_stands_in_a_frame_that_may_nothing(preview, name, text):
    region = preview(name)

    region.frame_locator("iframe").get_by_text(text).wait_for()
    assert region.locator("iframe").get_attribute("sandbox") == ""


def test_an_image_is_shown_and_enlarged(preview):
    region = preview("picture.png")
    region.get_by_role("img", name="picture.png").wait_for()
    assert region.get_by_text("64 × 64 pixels").is_visible()

    zoom = region.get_by_role("button", name="Actual size")
    zoom.click()
    assert zoom.get_attribute("aria-pressed") == "true"
    zoom.click()
    assert zoom.get_attribute("aria-pressed") == "false"


def test_a_large_image_is_fitted_and_shown_in_its_own_size(preview):
    region = preview("wide.png")
    image = region.get_by_role("img", name="wide.png")
    image.wait_for()
    width = "(e) => e.decode().then(() => Math.round(e.getBoundingClientRect().width))"
    assert image.evaluate(width) < 3000

    region.get_by_role("button", name="Actual size").click()

    assert image.evaluate(width) == 3000


def test_other_bytes_are_shown_in_hex(preview):
    preview("data.bin").get_by_text("000000  00 01 02 03").wait_for()


@pytest.mark.parametrize(
    ("name", "said"),
    [("broken.parquet", "it is no Parquet table, or a broken one"), ("bomb.png", "too large to be shown")],
)
def test_what_cannot_be_shown_says_why(preview, name, said):
    preview(name).get_by_text(said).first.wait_for()


@pytest.mark.parametrize("name", ["a b.txt", "table.csv", "<img src=x onerror=alert(1)>.txt", "large.bin"])
def test_a_file_is_downloaded_whole(preview, notebook, name, tmp_path):
    region = preview(name)
    size = next(notebook.folder.glob("kestra-runs/made-*/" + re.sub(r"[<>=()]", "?", name))).stat().st_size

    with notebook.page.expect_download() as download:
        region.get_by_role("button", name="Download").click()

    download.value.save_as(tmp_path / "file")
    assert (tmp_path / "file").stat().st_size == size


def test_a_reference_is_copied_and_a_table_is_opened_in_a_new_cell(preview, notebook):
    region = preview("table.csv")
    region.get_by_role("button", name="Copy reference").click()
    notebook.console.get_by_text("Copied.").wait_for()
    assert notebook.page.evaluate("() => navigator.clipboard.readText()") == "made.files['table.csv']"

    region.get_by_role("button", name="Open as DataFrame").click()
    notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(1).get_by_text("table = made.files['table.csv']").wait_for()
    notebook.run(1)
    notebook.idle(1)
    assert notebook.page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea-output").count() == 0


def test_files_of_a_run_that_lives_bear_their_marks_and_may_vanish(opened):
    page = opened("given = 'text'", LIVES)
    page.run(0)
    page.idle(0)
    page.run(1)
    page.console.get_by_text("ready", exact=True).wait_for()
    page.tab("Files")
    page.console.get_by_role("treeitem", name="scratch.tmp").wait_for()

    marks = {
        name: page.console.get_by_role("treeitem", name=name).locator(".kc-mark").inner_text()
        for name in ("kept.txt", "touched.txt", "out.csv", "scratch.tmp")
    }
    assert marks == {"kept.txt": "input", "touched.txt": "changed", "out.csv": "output", "scratch.tmp": "undeclared"}
    page.console.get_by_role("treeitem", name="outside").click()
    page.console.get_by_text("It may not be read.").wait_for()
    page.console.get_by_role("treeitem", name="kept.txt").click()
    page.console.get_by_role("region", name="Preview").get_by_text("text", exact=True).wait_for()
    page.console.get_by_role("treeitem", name="many").click()
    page.console.get_by_role("treeitem", name="00000.txt").wait_for()
    assert page.console.get_by_role("treeitem").count() < 60

    page.console.get_by_role("button", name="Stop").click()
    page.state("KILLED")
    page.idle(1)
    page.console.get_by_text("1 entry", exact=True).wait_for()
