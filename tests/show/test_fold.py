"""What of a stream stays, when bars are drawn and blocks redrawn."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.show.ansi import Ink, plain, unfinished
from kestra_magic.show.fold import Asis, Fold

RAW_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def seen(*chunks: str, color: bool = True) -> str:
    fold = Fold(color=color)
    return "".join(map(fold.feed, chunks)) + fold.rest()


LOOKS = {
    "ordinary lines": ("a\nb\n", "a\nb\n"),
    "an unfinished line": ("a\nb", "a\nb"),
    "windows' line ends": ("a\r\nb\r\r\n", "a\nb\n"),
    "a bar": ("\r  0%\r 50%\r100%\n", "100%\n"),
    "a bar that ends with its frames": ("50%\r100%\rdone\n", "done\n"),
    "a bar that is wiped out": ("\r 50%\r     \rnext\n", "next\n"),
    "a bar that is wiped out at the end": ("a\n\r 50%\r     \r", "a\n"),
    "a bar that is erased": ("\r 50%\r\x1b[Knext\n", "next\n"),
    "padding that wiped out what was longer": ("\rlonger\rshort \n", "short\n"),
    "two bars in a row": ("\r1 0%\r1 100%\n\r2 0%\r2 100%\n", "1 100%\n2 100%\n"),
    "nested bars": ("\router 0%\n\rin 10%\x1b[A\n\rin 99%\x1b[A\router 50%\n\n", "outer 50%\nin 99%\n"),
    "a block redrawn": ("\x1b[2Aa2\nb2\n\x1b[2Aa3\nb3\n", "a3\nb3\n"),
    "a line above that is erased": ("a\n\x1b[1A\x1b[2Kb\n", "a\nb\n"),
    "rubbed out": ("abc\x08\x08xy\n", "axy\n"),
    "an old keras bar": ("1/2" + "\x08" * 3 + "2/2\n", "2/2\n"),
    "a spinner at column one": ("\x1b[1G- x\x1b[1G\\ x\x1b[1Gok\n", "ok\n"),
    "a link": ("\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\\n", "text\n"),
    "a title": ("\x1b]0;busy\x07x\n", "x\n"),
    "a broken title": ("\x1b]0;busy\nx\n", "\nx\n"),
    "cursor and charset sequences": ("\x1b[?25l\x1b(Ba\x1b[3C\x1b7b\n", "ab\n"),
    "bells and nulls": ("a\x07\x00b\n", "ab\n"),
    "tabs": ("a\tb\n", "a\tb\n"),
}


@pytest.mark.parametrize(("written", "stays"), LOOKS.values(), ids=LOOKS)
def test_what_a_terminal_shows_stays(written: str, stays: str) -> None:
    assert seen(written) == stays


@pytest.mark.parametrize(("written", "stays"), LOOKS.values(), ids=LOOKS)
def test_how_it_came_does_not_matter(written: str, stays: str) -> None:
    assert seen(*RAW_LINE.findall(written)) == stays


def test_a_block_that_was_told_before_it_was_redrawn_is_told_twice_at_most() -> None:
    assert seen("a\nb\n", "\x1b[2Aa2\nb2\n", "\x1b[2Aa3\nb3\n") == "a\nb\na3\nb3\n"


def test_a_line_behind_a_bar_is_not_held() -> None:
    fold = Fold()

    assert fold.feed("\r 0%\r100%\n") == ""
    assert fold.feed("done\n") == "100%\ndone\n"


def test_colours_end_with_their_line_and_go_on_with_the_next() -> None:
    assert seen("\x1b[31;1mred\nstill\x1b[0m\nnot\n") == "\x1b[31;1mred\x1b[0m\n\x1b[31;1mstill\x1b[0m\nnot\n"


def test_colours_can_be_left_out() -> None:
    assert seen("\x1b[31mred\x1b[0m\r\n", color=False) == "red\n"


@pytest.mark.parametrize(
    ("codes", "opening"),
    {
        "1": "\x1b[1m",
        "1;31": "\x1b[1;31m",
        "38;5;196;4": "\x1b[38;5;196;4m",
        "48;2;1;2;3": "\x1b[48;2;1;2;3m",
        "38:5:9": "\x1b[38;5;9m",
        "31;39": "",
        "1;22": "",
        "44;0": "",
        "": "",
        "7": "\x1b[7m",
        "95;103": "\x1b[95;103m",
    }.items(),
)
def test_ink_knows_what_stands(codes: str, opening: str) -> None:
    ink = Ink()
    ink.line(f"\x1b[{codes}mx")

    assert ink.opening == opening


@pytest.mark.parametrize("cut", ["\x1b", "\x1b[", "\x1b[3", "\x1b[38;5", "\x1b]0;tit", "\x1b]8;;x\x1b"])
def test_half_a_sequence_is_not_shown(cut: str) -> None:
    assert unfinished(f"a{cut}") == "a"


def test_an_open_line_is_shown_as_it_stands() -> None:
    fold = Fold()
    fold.feed("\x1b[32mgreen\n")

    assert fold.open("name? \x1b[1") == "\x1b[32mname? "


@pytest.mark.parametrize("bar", ["  7%|▌    ", "12 % done", "━━━━╸   ", "█"])
def test_an_open_bar_is_not_shown(bar: str) -> None:
    assert Fold().open(bar) == ""


def test_what_was_written_over_is_not_shown_before_it_ends() -> None:
    fold = Fold()
    fold.feed("loading\r")

    assert fold.open("loaded") == ""
    assert fold.rest() == "loading"


text = st.text(st.sampled_from("ab \r\n\x08\x1b[mAK0123;31"), max_size=60)


@given(text, st.lists(st.integers(0, 60), max_size=4))
def test_whatever_the_pieces_the_same_stays(written: str, cuts: list[int]) -> None:
    lines = RAW_LINE.findall(written)
    ends = sorted(min(cut, len(lines)) for cut in cuts)
    pieces = ["".join(lines[a:b]) for a, b in zip([0, *ends], [*ends, len(lines)], strict=True)]

    assert seen(*pieces) == seen(written)


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"]) | st.just("\n"), max_size=80))
def test_ordinary_text_stays_as_it_is(written: str) -> None:
    assert seen(written) == written


@given(st.text(max_size=200))
def test_nothing_but_text_and_colours_stays(written: str) -> None:
    without = re.sub(r"\x1b\[[0-9;:<=>?]*[ -/]*m", "", seen(written))

    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", without)


@given(st.text(max_size=200))
def test_a_terminal_gets_all_of_it(written: str) -> None:
    asis = Asis()

    assert asis.feed(written) + asis.rest() == written


@given(st.text(max_size=200))
def test_plain_text_has_no_controls(written: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", plain(written))
