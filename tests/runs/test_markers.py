from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.runs.task.markers import InvalidMarker, Marker, almost, parse

ORDINARY = ["hello", " ::{}::", "x::{}::", "::{}:: ", "::[1]::", "::almost::", "", "::{\u2028}::"]


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_line_says_nothing_to_kestra(line: str) -> None:
    assert parse(line) is None


def test_outputs_are_read() -> None:
    assert parse('::{"outputs":{"a":1,"b":null}}::') == Marker(outputs={"a": 1, "b": None})


def test_only_the_first_object_of_a_line_counts() -> None:
    assert parse('::{"outputs":{"a":1}}::::{"outputs":{"b":2}}::') == Marker(outputs={"a": 1})


@pytest.mark.parametrize("line", ["::{}::", '::{"foo":1}::', '::{"outputs":null}::'])
def test_a_marker_that_says_nothing_vanishes(line: str) -> None:
    assert parse(line) == Marker()


@pytest.mark.parametrize(
    ("value", "seconds"), [("2.12", 2.12), ('"3"', 3.0), ('"PT1M1.5S"', 61.5), ('"P1DT1H"', 90000.0), ("0", 0.0)]
)
def test_a_timer_is_in_seconds(value: str, seconds: float) -> None:
    marker = parse(f'::{{"metrics":[{{"type":"timer","name":"t","value":{value}}}]}}::')

    assert marker is not None
    assert marker.metrics[0].value == seconds


def test_metrics_keep_their_tags_in_order() -> None:
    marker = parse('::{"metrics":[{"type":"counter","name":"n","value":1,"tags":{"b":"2","a":"1"}}]}::')

    assert marker is not None
    assert marker.metrics[0].tags == (("a", "1"), ("b", "2"))


def test_logs_come_with_their_level() -> None:
    marker = parse('::{"logs":[{"level":"WARN","message":"careful"},{"message":"no level"}]}::')

    assert marker is not None
    assert marker.logs == (("WARN", "careful"), ("WARN", 'Invalid log \'{"message": "no level"}\''))


INVALID = {
    "broken JSON": '::{"outputs":{"a":}}::',
    "not a number": '::{"outputs":{"a":NaN}}::',
    "a list of outputs": '::{"outputs":[1]}::',
    "an unknown metric": '::{"metrics":[{"type":"histogram","name":"h","value":1}]}::',
    "a metric without value": '::{"metrics":[{"type":"counter","name":"h"}]}::',
    "a small level": '::{"logs":[{"level":"info","message":"m"}]}::',
    "a message that is a map": '::{"logs":[{"level":"INFO","message":{}}]}::',
    "nested without end": "::{" + '"a":{' * 100_000 + "}::",
}


@pytest.mark.parametrize("line", INVALID.values(), ids=INVALID)
def test_a_wrong_marker_is_refused_as_a_whole(line: str) -> None:
    with pytest.raises(InvalidMarker):
        parse(line)


ALMOST = {
    'done ::{"outputs":{}}::': "text stands in front",
    '::{"outputs":{}}:: done': "text stands behind",
    "::[1]::": "a list is not taken",
    '::{"outputs":{"a":"\u2028"}}::': "line separator",
}


@pytest.mark.parametrize(("line", "why"), ALMOST.items())
def test_a_line_that_is_almost_a_marker_is_explained(line: str, why: str) -> None:
    assert parse(line) is None
    assert why in (almost(line) or "")


@pytest.mark.parametrize("line", ['::{"outputs":{}}::', "3: rustup::{{closure}}::{{closure}}::run", "a::{b}::c"])
def test_what_is_a_marker_or_only_code_needs_no_explanation(line: str) -> None:
    assert almost(line) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
)


@given(st.dictionaries(st.text(), JSON))
def test_whatever_the_client_sends_arrives(outputs: dict[str, object]) -> None:
    assert parse(f"::{json.dumps({'outputs': outputs})}::") == Marker(outputs=outputs)


@given(st.text())
def test_no_line_breaks_the_parser(text: str) -> None:
    try:
        parse(f"::{{{text}}}::")
    except InvalidMarker as error:
        assert str(error)
