from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kestra_magic.model.source import Source, load_yaml
from kestra_magic.model.writing import comments_of, yaml_text

ODD = st.text("ab \n#:-'\"{}[]|>\\\t%&*!?,1.~", max_size=20)
TEXTS = st.one_of(ODD, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), TEXTS, st.floats(allow_nan=False, allow_infinity=False), st.just("yes")
)
DATA = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS.filter(bool), inner)))


@settings(max_examples=500)
@example({"<<": {}})
@example({"<<": None})
@given(st.dictionaries(TEXTS.filter(bool), DATA, min_size=1))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    assert load_yaml(Source(yaml_text(value))).value == value


def test_it_reads_as_a_person_would_write_it() -> None:
    value = {
        "id": "a",
        "version": "3.10",
        "script": "import x\n  # kept\nprint('1')\n",
        "env": {"A": "{{ inputs.x }}", "B": "it's"},
        "commands": ["echo hi", "x: y", "one\ntwo"],
    }

    assert yaml_text(value, comments={("env",): "why\nso"}) == (
        "id: a\n"
        'version: "3.10"\n'
        "script: |\n  import x\n    # kept\n  print('1')\n"
        "# why\n# so\n"
        'env:\n  A: "{{ inputs.x }}"\n  B: "it\'s"\n'
        'commands:\n  - echo hi\n  - "x: y"\n  - |-\n    one\n    two\n'
    )


def test_comments_belong_to_what_follows_or_stands_beside() -> None:
    text = "# one\n# two\na: 1\nb: 2  # beside\n\n# of nothing\nc: 'no # comment'"

    assert comments_of(text, {2: ("a",), 3: ("b",)}) == {("a",): "one\ntwo", ("b",): "beside"}
