"""A glance into a file: bounded, and a sentence whatever is wrong with it."""

from __future__ import annotations

import json
import os
import resource
import struct
import zlib
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kestra_magic.show.files import Preview, preview, size
from kestra_magic.show.images import look
from kestra_magic.show.tables import Glance, Limits

SMALL = Limits(rows=2, columns=2, cell_chars=5, text_chars=20, image_bytes=500, count_bytes=1 << 20)


def seen(folder: Path, name: str, data: bytes | str, limits: Limits = Limits()) -> Preview:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return preview(path, limits)


def table(folder: Path, name: str, data: bytes | str, limits: Limits = Limits()) -> Glance:
    shown = seen(folder, name, data, limits)
    assert shown.table is not None, shown.said
    return shown.table


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def test_text_is_shown_with_its_lines(tmp_path: Path) -> None:
    shown = seen(tmp_path, "a.py", "print(1)\nprint(2)")

    assert (shown.kind, shown.said, shown.language) == ("text", "2 lines", "python")


def test_of_a_long_text_its_first_lines_are_shown(tmp_path: Path) -> None:
    shown = seen(tmp_path, "a.txt", "one\ntwo\nthree\nfour\nfive\nsix\n", SMALL)

    assert (shown.text, shown.said) == ("one\ntwo\nthree\nfour\n", "first 4 lines")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    assert seen(tmp_path, "a.txt", "größe ↑ 😀\n".encode(encoding)).text == "größe ↑ 😀\n"


def test_a_character_at_the_edge_of_what_is_read_is_no_error(tmp_path: Path) -> None:
    assert seen(tmp_path, "a.txt", "x" + "é" * 200_000).kind == "text"


def test_other_bytes_are_shown_as_such(tmp_path: Path) -> None:
    shown = seen(tmp_path, "a.bin", bytes(range(256)) * 2)

    assert (shown.kind, shown.said) == ("hex", "first 256 of 512 bytes")
    assert shown.text.splitlines()[4] == ("000040  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO")


def test_csv_is_a_table(tmp_path: Path) -> None:
    shown = table(tmp_path, "a.csv", 'id,x,name\n1,2.5,"a, b"\n2,,c\n3,-1e3,d\n')

    assert shown.columns == ("id", "x", "name")
    assert shown.types == ("int", "float", "text")
    assert shown.rows[0] == ("1", "2.5", "a, b")
    assert shown.said == "3 rows × 3 columns"
    assert shown.numeric == (True, True, False)


def test_what_of_a_table_is_shown_is_said(tmp_path: Path) -> None:
    shown = table(tmp_path, "a.csv", "a,b,c\n" + "1,longer,3\n" * 9, SMALL)

    assert shown.said == "first 2 of 9 rows × first 2 of 3 columns"
    assert shown.rows == (("1", "long…"),) * 2


@pytest.mark.parametrize("delimiter", ";\t|")
def test_csv_may_be_separated_otherwise(tmp_path: Path, delimiter: str) -> None:
    assert table(tmp_path, "a.csv", f"a{delimiter}b\n1,5{delimiter}2\n").rows == (("1,5", "2"),)


def test_tsv_is_separated_by_tabs(tmp_path: Path) -> None:
    assert table(tmp_path, "a.tsv", "a,b,c\td\n1\t2\n").columns == ("a,b,c", "d")


def test_ragged_rows_are_shown_whole(tmp_path: Path) -> None:
    shown = table(tmp_path, "a.csv", "a,b\n1\n1,2,3\n")

    assert shown.columns == ("a", "b", "")
    assert shown.rows == (("1", "", ""), ("1", "2", "3"))


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    assert table(tmp_path, "a.csv", "a,b\n").said == "0 rows × 2 columns"


def test_the_rows_of_a_large_table_are_counted(tmp_path: Path) -> None:
    assert table(tmp_path, "a.csv", "a,b\n" + "1,2\n" * 400_000).total == 400_000


def test_beyond_what_is_counted_rows_are_estimated_and_it_is_said(tmp_path: Path) -> None:
    shown = table(tmp_path, "a.csv", "a,b\n" + "1,2\n" * 1_000_000, SMALL)

    assert shown.said == "first 2 of about 1,000,000 rows × 2 columns"


def test_line_ends_in_quotes_make_a_count_an_estimate(tmp_path: Path) -> None:
    shown = table(tmp_path, "a.csv", "a,b\n" + '1,"x\ny"\n' * 200_000)

    assert not shown.exact


def test_json_lines_are_a_table_of_their_keys(tmp_path: Path) -> None:
    shown = table(tmp_path, "a.jsonl", '{"a": 1}\n\n{"b": ["x"], "a": null}\n3\n')

    assert shown.columns == ("a", "b", "value")
    assert shown.rows == (("1", "", ""), ("", '["x"]', ""), ("", "", "3"))


def test_parquet_is_a_table_with_its_types(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    data = {"n": list(range(50)), "t": ["x", None] * 25, "l": [[1]] * 50}
    pyarrow.parquet.write_table(pyarrow.table(data), path)
    shown = preview(path, Limits(rows=2)).table

    assert shown is not None
    assert shown.said == "first 2 of 50 rows × 3 columns"
    assert shown.types == ("int64", "string", "list<element: int64>")
    assert shown.rows == (("0", "x", "[1]"), ("1", "", "[1]"))


def test_an_empty_parquet_table_is_one(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": pyarrow.array([], pyarrow.int8())}), path)

    assert preview(path).said == "0 rows × 1 column"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.parquet", b"PAR1\0garbage", "it is no Parquet table, or a broken one"),
        ("a.csv", b"a,b\0\0", "it is not a text"),
        ("a.csv", b"x" * 500_000, "it is no table"),
        ("a.jsonl", b'{"a":1}\n{"a":', "line 2 is not JSON"),
        ("a.json", b'{"a": 1,}', "it is not JSON"),
        ("a.json", b"[" * 100_000, "it is not JSON"),
        ("a.png", b"no image", "it is no image"),
        ("a.png", png(10, 10)[:20], "it is no image"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "it is no image"),
    ],
)
def test_what_is_broken_is_said_and_shown_as_it_is(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    shown = seen(tmp_path, name, data)

    assert shown.said.startswith(said)
    assert shown.text


def test_json_is_laid_out(tmp_path: Path) -> None:
    shown = seen(tmp_path, "a.json", '{"ä":[1,NaN]}')

    assert (shown.kind, shown.text) == ("json", '{\n  "ä": [\n    1,\n    NaN\n  ]\n}')


@pytest.mark.parametrize(
    ("text", "said"), [('{"a": [1, 2]}', "1 key"), ("[1, 2]", "2 items"), ("3", "one value"), ("[]", "0 items")]
)
def test_json_is_counted_as_what_it_is_and_not_by_the_lines_of_its_layout(tmp_path: Path, text: str, said: str) -> None:
    assert seen(tmp_path, "a.json", text).said == said


def test_of_long_json_it_is_said_how_much_is_shown(tmp_path: Path) -> None:
    assert seen(tmp_path, "a.json", '{"a": [1, 2, 3, 4, 5, 6, 7]}', SMALL).said == "1 key; first 3 lines"


def test_large_json_is_not_parsed(tmp_path: Path) -> None:
    shown = seen(tmp_path, "a.json", json.dumps(list(range(400_000))))

    assert (shown.kind, shown.said) == ("text", "first 1 line")


def test_an_image_is_itself(tmp_path: Path) -> None:
    data = png(30, 20, b"\0" * 31 * 20)
    shown = seen(tmp_path, "a.png", data)

    assert (shown.kind, shown.mime, shown.data, shown.said) == ("image", "image/png", data, "30 × 20 pixels")


def test_an_image_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    shown = seen(tmp_path, "a.png", png(900, 900, os.urandom(901 * 900)), SMALL)

    assert (shown.kind, shown.data) == ("image", b"")


def test_a_bomb_is_not_drawn(tmp_path: Path) -> None:
    shown = seen(tmp_path, "a.png", png(60_000, 60_000))

    assert (shown.kind, shown.said) == ("none", "60,000 × 60,000 pixels: too large to be shown")


def test_a_drawing_that_could_hold_scripts_is_shown_as_text(tmp_path: Path) -> None:
    assert seen(tmp_path, "a.svg", "<svg onload='alert(1)'/>").kind == "text"


@pytest.mark.parametrize(
    ("start", "facts"),
    [
        (b"GIF89a" + struct.pack("<HH", 7, 5), ("image/gif", 7, 5)),
        (b"BM" + b"\0" * 16 + struct.pack("<ii", 7, -5), ("image/bmp", 7, 5)),
        (b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x06\0\0\x04\0\0", ("image/webp", 7, 5)),
        (b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 7, 5), ("image/webp", 7, 5)),
        (b"RIFF\0\0\0\0WEBPVP8L" + b"\0" * 5 + struct.pack("<I", 6 | 4 << 14), ("image/webp", 7, 5)),
        (b"\xff\xd8\xff\xe0\0\x04ab\xff\xc2\0\x11\x08" + struct.pack(">HH", 5, 7), ("image/jpeg", 7, 5)),
    ],
)
def test_images_are_known_by_their_first_bytes(start: bytes, facts: tuple[str, int, int]) -> None:
    picture = look(start)

    assert picture is not None
    assert (picture.mime, picture.width, picture.height) == facts


@given(
    st.binary(max_size=64),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"RIFF\0\0\0\0WEBP", b"\xff\xd8"]),
)
def test_no_bytes_are_too_strange_for_a_look(start: bytes, magic: bytes) -> None:
    found = look(magic + start)

    assert found is None or (found.width > 0 and found.height > 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".jsonl", ".json", ".parquet", ".png", ".txt", ""]))
def test_every_file_has_a_preview(tmp_path: Path, data: bytes, suffix: str) -> None:
    shown = seen(tmp_path, f"a{suffix}", data, SMALL)

    assert shown.said


def test_a_file_that_went_is_a_sentence(tmp_path: Path) -> None:
    assert preview(tmp_path / "gone.csv").said == "it is no longer there"


def test_a_folder_and_a_pipe_are_sentences(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")

    assert preview(tmp_path).said == "a folder"
    assert preview(tmp_path / "pipe.csv").said == "not a regular file"


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    assert seen(tmp_path, "a.csv", b"").said == "empty"


def test_of_a_huge_table_only_the_beginning_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with open(path, "wb") as file:
        file.write(b"a,b\n" + b"1,2\n" * 100_000)
        file.truncate(2 << 30)  # two sparse gigabytes of nulls follow
        file.seek(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shown = preview(path)

    assert (shown.kind, shown.said) == ("text", "it is not a text; first 50,000 lines")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


@pytest.mark.parametrize(
    ("count", "said"),
    {
        0: "0 bytes",
        1: "1 byte",
        999: "999 bytes",
        1200: "1.2 KB",
        999_960: "1.0 MB",
        3_400_000_000: "3.4 GB",
        10**15: "1.0 PB",
    }.items(),
)
def test_sizes_are_said_as_people_read_them(count: int, said: str) -> None:
    assert size(count) == said
