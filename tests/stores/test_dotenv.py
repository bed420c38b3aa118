"""Environment files: every way to write a value, and the line of every mistake."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.errors import KestraMagicError
from kestra_magic.stores.dotenv import DotenvError, parse_dotenv, read_dotenv

READ = {
    "A=1": {"A": "1"},
    "export A=1": {"A": "1"},
    "A = 1 ": {"A": "1"},
    "A=": {"A": ""},
    "A=b c": {"A": "b c"},
    "A=1 # one": {"A": "1"},
    "A=#none": {"A": ""},
    "A=a#b": {"A": "a#b"},
    "A='1 # one' # one": {"A": "1 # one"},
    r"A='a\nb'": {"A": r"a\nb"},
    r'A="a\nb\t\"c\"\\"': {"A": 'a\nb\t"c"\\'},
    r'A="\$HOME \x"': {"A": r"$HOME \x"},
    'A="two\nlines"\nB=2': {"A": "two\nlines", "B": "2"},
    "A='two\n\n# lines'\nB=2": {"A": "two\n\n# lines", "B": "2"},
    'A="one \\\nline"': {"A": "one line"},
    "A=$B${C}": {"A": "$B${C}"},
    "A=it's": {"A": "it's"},
    "A=1\r\nB=2\r\n": {"A": "1", "B": "2"},
    "\n\n# only a comment\n": {},
    "": {},
    "  A=1\n\t# no\n  B=2": {"A": "1", "B": "2"},
    "A=1\nA=2": {"A": "2"},
    "A.b-c=1": {"A.b-c": "1"},
    "A=k=v==": {"A": "k=v=="},
    'JSON={"a": 1}': {"JSON": '{"a": 1}'},
}


@pytest.mark.parametrize(("text", "values"), READ.items(), ids=READ)
def test_a_value_is_read(text: str, values: dict[str, str]) -> None:
    assert parse_dotenv(text) == values


WRONG = {
    "A=1\nB": (2, "NAME=value"),
    "=1": (1, "NAME=value"),
    "A=1\n\n2B=1": (3, "NAME=value"),
    "A=1\nB='open\n\n": (2, "closing ' is missing"),
    'A="open': (1, 'closing " is missing'),
    'A="x" y': (1, "only a comment may follow"),
    "A='x\ny'z": (2, "only a comment may follow"),
    "A=\0": (1, "NUL"),
}


@pytest.mark.parametrize(("text", "wrong"), WRONG.items(), ids=WRONG)
def test_a_mistake_has_its_line(text: str, wrong: tuple[int, str]) -> None:
    line, said = wrong
    with pytest.raises(DotenvError) as refused:
        parse_dotenv(text, "prod.env")

    assert refused.value.line == line
    assert str(refused.value).startswith(f"`prod.env`, line {line}: ")
    assert said in str(refused.value)


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
ANY = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=20)


def in_double_quotes(value: str) -> str:
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("`", "\\`")):
        value = value.replace(char, escape)
    return f'"{value}"'


@given(st.dictionaries(NAMES, ANY, max_size=5))
def test_any_value_in_double_quotes_comes_back(values: dict[str, str]) -> None:
    text = "".join(f"export {name}={in_double_quotes(value)}  # a comment\n" for name, value in values.items())

    assert parse_dotenv(text) == values


@given(st.dictionaries(NAMES, ANY.filter(lambda value: "'" not in value), max_size=5))
def test_any_value_in_single_quotes_comes_back(values: dict[str, str]) -> None:
    assert parse_dotenv("\n".join(f"{name}='{value}'" for name, value in values.items())) == values


@given(st.text(alphabet="AB=#'\"\\ \n$xport", max_size=30))
def test_any_text_is_read_or_refused_with_a_line_it_has(text: str) -> None:
    line = 1
    try:
        parse_dotenv(text)
    except DotenvError as error:
        line = error.line
    assert 1 <= line <= text.count("\n") + 1


SAFE = st.text(alphabet='ab1 .-_/é#$`\\"\n', max_size=12)


@given(SAFE)
def test_quoted_values_are_read_as_the_shell_reads_them(value: str) -> None:
    text = f"A={in_double_quotes(value)}\n"

    said = subprocess.run(["sh", "-c", f'{text}printf %s "$A"'], capture_output=True, check=True).stdout.decode()

    assert parse_dotenv(text)["A"] == said == value


def test_a_byte_order_mark_is_no_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfA=1\n")

    assert read_dotenv(tmp_path / ".env") == {"A": "1"}


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "prod.env").touch()

    with pytest.raises(KestraMagicError, match=r"did you mean `prod\.env`"):
        read_dotenv(tmp_path / "pord.env")


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff")

    with pytest.raises(KestraMagicError, match="not UTF-8 text"):
        read_dotenv(tmp_path / ".env")
