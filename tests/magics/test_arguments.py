from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.magics.arguments import UsageError, parse, words
from kestra_magic.magics.options import FLOW, PROCESS

LINES = {
    "": [],
    "train -l python": ["train", "-l", "python"],
    "-f 'a b.csv'": ["-f", "a b.csv"],
    'say="a b"': ["say=a b"],
    r"a\ b": ["a b"],
    "lr={{ x | default('a b') }} next": ["lr={{ x | default('a b') }}", "next"],
    "train # -l python": ["train"],
    "a#b '#c'": ["a#b", "#c"],
    "''": [""],
}


@pytest.mark.parametrize(("line", "expected"), LINES.items())
def test_a_line_is_split_as_a_shell_does(line: str, expected: list[str]) -> None:
    assert words(line) == expected


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "))))
def test_what_a_shell_would_quote_comes_back(texts: list[str]) -> None:
    assert words(" ".join(map(shlex.quote, texts))) == texts


@pytest.mark.parametrize("line", ["'a", '"a', "a\\", "x 'y"])
def test_an_open_quote_is_told(line: str) -> None:
    with pytest.raises(UsageError, match=r"not closed|nothing follows"):
        words(line)


def test_options_may_stand_anywhere() -> None:
    name, options = parse("%%kestra_process", PROCESS, "-o '*.pt' train --here -o b.csv -e X=-1")

    assert name == "train"
    assert (options["output"], options["here"], options["env"]) == (["*.pt", "b.csv"], True, ["X=-1"])


WRONG = {
    "--tiemout 3m": "no option `--tiemout`; did you mean `--timeout`?",
    "--time 3m": "no option `--time`; did you mean `--timeout`?",
    "a b": "`b` is one name too many",
    "-o": "`-o` needs a value: GLOB",
    "-x": "no option `-x`",
}


@pytest.mark.parametrize(("line", "said"), WRONG.items())
def test_what_cannot_be_is_one_sentence(line: str, said: str) -> None:
    with pytest.raises(UsageError) as told:
        parse("%%kestra_process", PROCESS, line)

    assert said in str(told.value)


def test_each_magic_has_its_own_options() -> None:
    with pytest.raises(UsageError, match="no option `-l`"):
        parse("%%kestra_flow", FLOW, "-l python")
