"""Bytes become whole lines whatever their pieces are; secrets never show; markers are lifted."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kestra_magic.process.lines import LINE_END, SPILL, Lines, Mask, count_lines

Chunks = list[bytes]
SECRET = b"abcab"
ALPHABET = st.sampled_from([b"a", b"b", b"c", b"\r", b"\n", b"::{", b"}::", b"::", b"\xc3\xa9", b" "])
TEXT = st.lists(ALPHABET, max_size=40).map(b"".join)


def cut(data: bytes, places: list[int]) -> Chunks:
    edges = sorted({0, len(data), *(p % (len(data) + 1) for p in places)})
    return [data[a:b] for a, b in pairwise(edges)]


def through(chunks: Chunks, *hidden: bytes, lift: bool = True) -> tuple[list[tuple[bytes, bool]], Lines]:
    mask, lines = Mask(hidden), Lines(lift=lift)
    pieces = [piece for chunk in chunks for piece in lines.feed(*mask.feed(chunk))]
    return [*pieces, *lines.feed(*mask.rest()), *lines.rest()], lines


def whole_lines(data: bytes) -> list[bytes]:
    """The reference: Java's BufferedReader, by the simplest means."""
    parts = re.split(rb"(\r\n|\r|\n)", data)
    lines = [a + b for a, b in zip(parts[::2], [*parts[1::2], b""], strict=False)]
    return [line for line in lines if line]


def is_marker(line: bytes) -> bool:
    return re.fullmatch(rb"::\{[^\r\n]*\}::(\r\n|\r|\n)?", line) is not None and len(line.strip()) >= 6


@given(TEXT, st.lists(st.integers(0, 200), max_size=8))
@example(b"a\r\nb\rc\n", [2])
@example(b"::{}::\r\n::{}::", [1, 2, 3, 4, 5, 6, 7])
def test_pieces_make_no_difference(data: bytes, places: list[int]) -> None:
    pieces, lines = through(cut(data, places))

    said = whole_lines(data)
    assert b"".join(text for text, lifted in pieces if not lifted) == b"".join(li for li in said if not lifts(li))
    assert [text for text, lifted in pieces if lifted] == [line for line in said if lifts(line)]
    assert lines.total == len(said)


def lifts(line: bytes) -> bool:
    bare = line.rstrip(b"\r\n")
    return bare.startswith(b"::{") and bare.endswith(b"}::")


@given(TEXT, st.lists(st.integers(0, 200), max_size=8))
def test_nothing_is_lifted_when_nothing_shall_be(data: bytes, places: list[int]) -> None:
    pieces, _ = through(cut(data, places), lift=False)

    assert b"".join(text for text, _ in pieces) == data


@pytest.mark.parametrize("at", range(1, 26))
def test_a_marker_is_lifted_wherever_it_is_cut(at: int) -> None:
    data = b'x\n::{"outputs":{"a":1}}::\ny'

    pieces, lines = through([data[:at], data[at:]])

    assert [p for p in pieces if p[1]] == [(b'::{"outputs":{"a":1}}::\n', True)]
    assert b"".join(t for t, lifted in pieces if not lifted) == b"x\ny"
    assert lines.total == 3


def test_a_marker_needs_a_line_of_its_own() -> None:
    pieces, _ = through([b"text ::{}::\n::{}:: text\n::{\n"])

    assert not any(lifted for _, lifted in pieces)


def test_a_long_marker_is_read_whole() -> None:
    marker = b'::{"outputs":{"a":"' + b"x" * (16 << 20) + b'"}}::\n'

    pieces, lines = through([marker[i : i + (1 << 18)] for i in range(0, len(marker), 1 << 18)])

    assert pieces == [(marker, True)]
    assert lines.total == 1


def test_a_line_without_end_is_not_held_for_ever() -> None:
    lines = Lines(lift=True)
    chunk = b"x" * (1 << 18)

    first = [piece for _ in range(5) for piece in lines.feed(chunk, chunk)]
    rest = [*lines.feed(b"end\nnext\n", b"end\nnext\n"), *lines.rest()]

    assert sum(len(text) for text, _ in first) > SPILL
    assert b"".join(text for text, _ in [*first, *rest]) == chunk * 5 + b"end\nnext\n"
    assert lines.total == 2


def test_what_follows_a_spilled_piece_is_no_marker() -> None:
    lines = Lines(lift=True)
    start = b"x" * (SPILL + 1)

    pieces = [*lines.feed(start, start), *lines.feed(b"::{}::\n", b"::{}::\n")]

    assert not any(lifted for _, lifted in pieces)


@given(
    st.lists(st.sampled_from([b"a", b"b", b"c", b"x", b"\n"]), max_size=60).map(b"".join),
    st.lists(st.integers(0, 200), max_size=10),
)
@example(b"abcabcab", [3])
@example(b"xabcabcabx", [5, 8])
def test_a_secret_never_shows_whatever_its_pieces(data: bytes, places: list[int]) -> None:
    mask = Mask([SECRET])
    fed = [mask.feed(chunk) for chunk in cut(data, places)]
    raw = b"".join(r for r, _ in [*fed, mask.rest()])
    shown = b"".join(s for _, s in fed)

    assert raw == data
    assert shown == painted(data)[: len(shown)]


def painted(data: bytes) -> bytes:
    paint = bytearray(data)
    for match in re.finditer(rb"(?=abcab)", data):
        paint[match.start() : match.start() + 5] = b"*****"
    return bytes(paint)


@pytest.mark.parametrize("at", range(1, 7))
def test_the_log_is_masked_and_the_marker_is_not(at: int) -> None:
    data = b"hunter2\n::{hunter2}::\n"

    pieces, _ = through([data[:at], data[at : at + 12], data[at + 12 :]], b"hunter2")

    assert b"".join(t for t, lifted in pieces if not lifted) == b"*******\n"
    assert [t for t, lifted in pieces if lifted] == [b"::{hunter2}::\n"]


def test_a_secret_of_two_lines_stays_two_lines() -> None:
    pieces, lines = through([b"<one\n", b"two>\n"], b"one\ntwo")

    assert b"".join(t for t, _ in pieces) == b"<***\n***>\n"
    assert lines.total == 2


def test_half_a_secret_at_the_end_does_not_show() -> None:
    pieces, _ = through([b"the word is hunte"], b"hunter2")

    assert b"".join(t for t, _ in pieces) == b"the word is *****"


def test_the_beginning_of_a_secret_is_not_shown_while_it_is_open() -> None:
    mask, lines = Mask([b"hunter2"]), Lines(lift=True)

    list(lines.feed(*mask.feed(b"key: hunt")))

    assert lines.open == b"key: "


@pytest.mark.parametrize(
    ("written", "open_"),
    [
        (b"a\nb", b"b"),
        (b"10%\r20%", b"20%"),
        (b"10%\r", b"10%"),
        (b"::", b""),
        (b"::{", b""),
        (b":x", b":x"),
        (b"a\n", b""),
    ],
)
def test_what_is_open_is_what_follows_the_last_end(written: bytes, open_: bytes) -> None:
    lines = Lines(lift=True)

    list(lines.feed(written, written))

    assert lines.open == open_


@given(TEXT)
def test_lines_are_counted_as_they_are_cut(data: bytes) -> None:
    assert count_lines(data) == len(LINE_END.findall(data))
