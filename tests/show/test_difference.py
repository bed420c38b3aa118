from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.runs.diff import difference, pair, side_by_side
from kestra_magic.show.difference import bundle
from tests.runs.book import Book

if TYPE_CHECKING:
    from kestra_magic.runs.diff import Difference


def compared(book: Book, *names: str) -> Difference:
    return difference(*pair(book.session, *names))


def png(color: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(bytes([0, color, color, color]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


SAY = """#| outputFiles: ["*"]
echo '::{"outputs":{"n":{{ n }}, "same": 1},"metrics":[{"type":"gauge","name":"loss","value":{{ n }}},{"type":"timer","name":"t","value":{{ n }}}]}::'
echo "line {{ n }}"
printf 'a,b\\n1,2\\n3,{{ n }}\\n' > t.csv
printf 'one\\ntwo {{ n }}\\n' > text.txt; echo same > same.txt; touch only{{ n }}.txt"""


def test_a_run_and_the_one_before(book: Book) -> None:
    book.names["n"] = 1
    book.cell("train", SAY)
    book.names["n"] = 2
    book.cell("train", SAY)
    found = compared(book, "train")

    assert [(c.mark, c.name, c.before, c.after) for c in found.facts] == [("~", "inputs.n", "1", "2")]
    assert [(c.name, c.before, c.after) for c in found.outputs] == [("vars.n", "1", "2")]
    assert [(c.name, c.before, c.after) for c in found.metrics] == [("loss", "1", "2")]
    assert {f.name: f.mark for f in found.files} == {
        "only1.txt": "-", "only2.txt": "+", "same.txt": "=", "t.csv": "~", "text.txt": "~"
    }  # fmt: skip
    assert found.text == ()
    assert [(row.mark, row.left, row.right) for row in found.log] == [("~", "line 1", "line 2")]


def test_the_same_twice_is_no_difference_and_the_same_bytes(book: Book) -> None:
    book.names["n"] = 1
    for _ in range(3):
        book.cell("train", SAY)

    assert compared(book, "train").same
    assert bundle(compared(book, "train")) == bundle(compared(book, "train-1", "train-2"))
    assert "nothing is different" in bundle(compared(book, "train"))["text/plain"]


def test_two_runs_by_their_names(book: Book) -> None:
    book.cell("first", "echo a")
    book.cell("second --no-raise", "echo b; exit 3")
    found = compared(book, "first", "second")

    assert {change.name: (change.before, change.after) for change in found.facts} == {
        "state": ("SUCCESS", "FAILED"), "exit code": ("0", "3"), "error": (None, "Command failed with exit code 3")
    }  # fmt: skip
    assert [(row.mark, row.left, row.right) for row in found.text] == [("~", "echo a", "echo b; exit 3")]


def test_flows_are_compared_by_their_tasks(book: Book) -> None:
    text = "id: f\nnamespace: a.b\ninputs:\n- {id: n, type: INT}\ntasks:\n- {id: t, type: io.kestra.plugin.core.debug.Return, format: 'v{{ inputs.n }}'}\n"
    book.flow(text, "-i n=1")
    book.flow(text + "description: new\n", "-i n=2")
    found = compared(book, "f")

    assert [(c.name, c.before, c.after) for c in found.outputs] == [("t.value", "v1", "v2")]
    assert [(row.mark, row.right) for row in found.text if row.mark != "=" and row.mark != "…"] == [
        ("+", "description: new")
    ]


def test_a_run_of_another_kernel_is_compared(book: Book) -> None:
    book.names["n"] = 1
    book.cell("train", SAY)
    other = Book(book.folder)
    other.names["n"] = 2
    other.cell("train", SAY)

    assert [(c.name, c.before, c.after) for c in compared(other, "train").outputs] == [("vars.n", "1", "2")]


def test_what_ran_once_has_nothing_before_it(book: Book) -> None:
    book.cell("once", "echo a")

    with pytest.raises(KestraMagicError, match="ran only once"):
        compared(book, "once")
    with pytest.raises(KestraMagicError, match="once"):
        compared(book, "onec")


def test_tables_and_texts_are_shown_by_what_changed(book: Book) -> None:
    for n in (1, 2):
        book.names["n"] = n
        book.cell("train", SAY)
    shown = bundle(compared(book, "train"))
    html = shown["text/html"]

    assert "<s>1</s> 2" in html
    assert 'line <b class="kestra-hot"' in html
    assert "the same: same.txt" in html
    assert "~ t.csv" in shown["text/plain"]
    assert "~ vars.n: 1 → 2" in shown["text/plain"]


def test_earlier_states_of_a_bar_are_no_difference(book: Book) -> None:
    for states in ("10%|#", "30%|###\\r 60%|######"):
        book.cell("train -l python --raw", f"print('begins'); print('{states}', end='\\r'); print('100%|#########')")

    assert compared(book, "train").log == ()


def test_images_stand_side_by_side(book: Book) -> None:
    for color in (0, 255):
        (book.folder / "p.png").write_bytes(png(color))
        book.cell("plot -f in.png=p.png -o p.png", "cp in.png p.png")
    html = bundle(compared(book, "plot"))["text/html"]

    assert html.count("data:image/png;base64,") == 2
    assert "plot, before" in html


def test_what_was_measured_is_not_saved_unless_it_is_asked_for(book: Book) -> None:
    for _ in range(2):
        book.cell("train", "echo a")
    found = compared(book, "train")

    assert " s" not in bundle(found)["text/plain"].replace("is different", "")
    assert f"{found.seconds[0]:.1f} s → {found.seconds[1]:.1f} s" in bundle(found, times=True)["text/plain"]
    assert f"{found.seconds[0]:.1f} s → {found.seconds[1]:.1f} s" in bundle(found, times=True)["text/html"]


def test_nothing_in_a_file_or_a_name_becomes_markup(book: Book) -> None:
    for n in (1, 2):
        book.names["n"] = n
        book.cell(
            "x -o '*'",
            "echo '<script>alert({{ n }})</script>'; echo '<script>{{ n }}' > '<script>.txt'; echo {{ n }} > a.svg",
        )
    html = bundle(compared(book, "x"))["text/html"]

    assert "<script" not in html


def test_lines_far_from_a_difference_are_left_out() -> None:
    before = [str(n) for n in range(100)]
    after = [*before[:50], "new", *before[51:]]
    rows = list(side_by_side("\n".join(before), "\n".join(after)))

    assert [row.mark for row in rows] == ["…", "=", "=", "=", "~", "=", "=", "="]
    assert (rows[4].left, rows[4].right) == ("50", "new")
