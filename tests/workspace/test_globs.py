"""Java's globs, as `java.nio.file.PathMatcher` (JDK 17) matched them, and against a matcher that knows no regex."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.workspace.globs import GlobError, chosen, java_glob, path_matcher

# pattern, name, whether Java matched `/w/NAME` with `glob:/w/PATTERN`
JAVA = [
    ("*", "a", True),
    ("*", ".hidden", True),
    ("*", "a/b", False),
    ("**", "a/b/c", True),
    ("**/*.txt", "a.txt", False),
    ("**/*.txt", "s/a.txt", True),
    ("**.txt", "a.txt", True),
    ("**.txt", "s/t/a.txt", True),
    ("a/**/b", "a/b", False),
    ("a/**/b", "a/x/b", True),
    ("a/**/b", "a/x/y/b", True),
    ("out/**", "out/x", True),
    ("out", "out/x", False),
    ("out/", "out/x", False),
    ("./a.txt", "a.txt", False),
    ("?", "ab", False),
    ("a?c", "a/c", False),
    ("[ab]", "b", True),
    ("[!a]", "a", False),
    ("[!a]", "b", True),
    ("[^a]", "^", True),
    ("[^a]", "b", False),
    ("[a-]", "-", True),
    ("[-a]", "-", True),
    ("[!-a]", "b", True),
    ("[!-a]", "-", False),
    ("[a-c]", "b", True),
    ("[&&a]", "&", True),
    ("[a&&b]", "a", True),
    ("*.{txt,csv}", "a.csv", True),
    ("*.{txt,csv}", "a.tsv", False),
    ("{a,}b", "b", True),
    ("a}", "a}", True),
    ("a,b", "a,b", True),
    (r"\*", "*", True),
    (r"\*", "a", False),
    ("A.txt", "a.txt", False),
    ("a.c", "abc", False),
    ("a+(b)|$", "a+(b)|$", True),
    ("*", "a\nb", True),
    ("**", "a\nb", False),
]
REFUSED = ["[", "[a", "[]", "[!]", "[]a]", "[a/b]", "[z-a]", "[a-c-e]", "[^-a]", "{a", "{a,{b,c}}", "a\\"]


@pytest.mark.parametrize(("pattern", "name", "matched"), JAVA)
def test_a_glob_matches_what_it_matches_in_java(pattern: str, name: str, matched: bool) -> None:
    assert java_glob(pattern)(name) is matched


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_glob_that_java_refuses_is_one_sentence(pattern: str) -> None:
    with pytest.raises(GlobError) as refused:
        java_glob(pattern)

    assert str(refused.value).startswith(f"pattern `{pattern}`: ")


def test_a_leading_slash_is_the_working_directory() -> None:
    assert java_glob("/a.txt")("a.txt")
    assert not java_glob("/a.txt")("s/a.txt")


# A reference without regular expressions: every way to read the pattern is tried.

TOKENS = ["a", "b", ".", "é", "/", "*", "**", "?", "[ab]", "[!ab]", "{a,b/é,}"]
LINE_END = "\n\r\x85\u2028\u2029"


def well_told(tokens: list[str]) -> bool:
    """`*` beside `*` reads as `**`; a leading `/` is the working directory's own."""
    beside = any(a[0] == b[0] == "*" for a, b in pairwise(tokens))
    return not beside and tokens[:1] != ["/"]


def matches(tokens: list[str], name: str) -> bool:
    if not tokens:
        return not name
    token, rest, head, tail = tokens[0], tokens[1:], name[:1], name[1:]
    match token:
        case "*" | "**":
            barred = "/" if token == "*" else LINE_END
            return matches(rest, name) or (bool(head) and head not in barred and matches(tokens, tail))
        case "{a,b/é,}":
            return any(name.startswith(text) and matches(rest, name[len(text) :]) for text in ("a", "b/é", ""))
        case "?" | "[ab]" | "[!ab]":
            fits = {"?": head != "/", "[ab]": head in ("a", "b"), "[!ab]": head not in ("a", "b", "/")}[token]
            return bool(head) and fits and matches(rest, tail)
    return head == token and matches(rest, tail)


@given(st.lists(st.sampled_from(TOKENS), max_size=6).filter(well_told), st.text(alphabet="ab./é\n\u2028", max_size=8))
def test_any_glob_matches_as_its_tokens_say(tokens: list[str], name: str) -> None:
    assert java_glob("".join(tokens))(name) is matches(tokens, name)


@given(st.lists(st.sampled_from(TOKENS), max_size=6).filter(well_told), st.data())
def test_what_is_made_for_a_glob_matches_it(tokens: list[str], data: st.DataObject) -> None:
    """Names drawn at random seldom match: these are made to."""
    made = {
        "*": ["", "a", ".b"],
        "**": ["", "a/b"],
        "?": ["é", "a"],
        "[ab]": ["b"],
        "[!ab]": ["."],
        "{a,b/é,}": ["b/é"],
    }
    name = "".join(data.draw(st.sampled_from(made.get(token, [token]))) for token in tokens)

    assert java_glob("".join(tokens))(name)


@given(st.text(alphabet="ab*?[]{}!,^-\\/.", max_size=10), st.text(alphabet="ab./", max_size=6))
def test_any_text_is_a_glob_or_refused(pattern: str, name: str) -> None:
    try:
        matched = java_glob(pattern)
    except GlobError:
        return
    assert matched(name) in (True, False)


@given(st.text(alphabet="ab.-é สวัสดี&'🦆", min_size=1, max_size=10))
def test_a_name_without_special_characters_matches_itself(name: str) -> None:
    assert java_glob(name)(name)
    assert java_glob("**")(name)


# `PathMatcherPredicateTest`


def test_gl1_prefixes_are_kept() -> None:
    assert path_matcher("glob:/a/*.txt")("/a/b.txt")
    assert not path_matcher("glob:*.txt", base="/a")("/a/b.txt")
    assert path_matcher(r"regex:.*\.tmp", base="/a")("/elsewhere/x.tmp")


def test_gl2_without_a_base_a_word_is_found_in_any_folder() -> None:
    assert path_matcher("test.txt")("/deep/down/test.txt")
    assert path_matcher("**/*")("/a")
    assert not path_matcher("*.py")("/a.py")


@pytest.mark.parametrize("pattern", ["**/*", "/**/*"])
def test_gl3_a_base_comes_first(pattern: str) -> None:
    matched = path_matcher(pattern, base="/sub/dir")

    assert matched("/sub/dir/x/y")
    assert not matched("/sub/other/x/y")


def test_gl4_with_a_base_a_name_is_one_file() -> None:
    matched = path_matcher("test.txt", base="/base")

    assert matched("/base/test.txt")
    assert not matched("/base/sub/test.txt")
    assert not matched("/test.txt")


def test_gl5_includes_without_excludes() -> None:
    matched = chosen(["/a/**", "c/**"], ["**/2"])

    paths = ["/a/b/c/1", "/a/2", "/b/c/d/3", "/b/d/4", "/c/5"]
    assert [path for path in paths if matched(path)] == ["/a/b/c/1", "/b/c/d/3", "/c/5"]


def test_a_base_is_no_pattern_itself() -> None:
    assert path_matcher("*.txt", base="/home/[x]{y}*")("/home/[x]{y}*/a.txt")


def test_a_malformed_regex_is_one_sentence() -> None:
    with pytest.raises(GlobError, match=r"pattern `regex:\(`"):
        path_matcher("regex:(")
