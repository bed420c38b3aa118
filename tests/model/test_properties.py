"""§1.5: a property is kept as written, rendered and converted when its task runs."""

from datetime import timedelta
from typing import Any

import pytest

from kestra_magic.expressions.javatime import duration_text
from kestra_magic.model.durations import duration, iso_duration, short_duration
from kestra_magic.model.property import Property, PropertyError
from kestra_magic.model.tasks import TargetOS

VALUES = {
    "{{ yes }}": "true",
    "{{ n }}": "3",
    "{{ list }}": '["a", 1]',
    "{{ map }}": '{"k": "v"}',
    "{{ q }}": 'say "hi"',
}


def render(text: str) -> str:
    for expression, value in VALUES.items():
        text = text.replace(expression, value)
    return text


RESOLVED = [
    ("{{ yes }}", bool, True),
    (True, bool, True),
    ("{{ n }}", int, 3),
    ("1.5", float, 1.5),
    ("PT1M", timedelta, timedelta(minutes=1)),
    ("{{ n }}", timedelta, timedelta(seconds=3)),
    (0.5, timedelta, timedelta(seconds=0.5)),
    ("AUTO", TargetOS, TargetOS.AUTO),
    ("{{ list }}", list[str], ["a", "1"]),
    (["x{{ n }}", 2], list[str], ["x3", "2"]),
    (['{{ q }}'], list[str], ['say "hi"']),
    ('["a", "b"]', list[str], ["a", "b"]),
    ("{{ map }}", dict[str, str], {"k": "v"}),
    ({"a{{ n }}": True}, dict[str, str], {"a3": "true"}),
    ({"a": {"b": ["{{ n }}"]}}, dict[str, Any], {"a": {"b": ["3"]}}),
    ({"a": [1]}, str, '{"a": [1]}'),
    (["print(1);"], str, '["print(1);"]'),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "kind", "value"), RESOLVED)
def test_a_property_is_rendered_then_converted(raw, kind, value):
    assert Property(raw, kind).resolve(render) == value


UNFIT = [
    ("{{ q }}", bool, 'failFast: must be true or false, but is `say "hi"`'),
    ("{{ q }}", int, 'failFast: must be a whole number, but is `say "hi"`'),
    ("soon", timedelta, "failFast: must be a duration like PT10S, or a number of seconds, but is `soon`"),
    ("{{ map }}", list[str], 'failFast: the expression must give a JSON list, but gave `{"k": "v"}`'),
    ("{{ list }}", dict[str, str], 'failFast: the expression must give a JSON map, but gave `["a", 1]`'),
    ("linux", TargetOS, "failFast: must be one of LINUX, WINDOWS, AUTO, but is `linux`; did you mean `LINUX`?"),
]


@pytest.mark.parametrize(("raw", "kind", "said"), UNFIT)
def test_what_does_not_fit_is_told_with_the_property_s_name(raw, kind, said):
    with pytest.raises(PropertyError) as caught:
        Property(raw, kind, "failFast").resolve(render)

    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT0.5S", 0.5), ("pt1h", 3600), ("P1DT2H", 93600), ("-PT1M", -60), ("PT-1M", -60), ("90", 90), ("1.5", 1.5)],
)
def test_durations_are_java_s(text, seconds):
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["P1W", "P1M", "PT", "P", "5m", "", "PT1.5H", "99999999999999999999"])
def test_what_java_does_not_read_is_none(text):
    with pytest.raises(ValueError, match="duration"):
        iso_duration(text)


@pytest.mark.parametrize(("text", "seconds"), [("10m", 600), ("1h30m", 5400), ("500ms", 0.5), ("PT2S", 2), ("3", 3)])
def test_a_person_types_short_durations(text, seconds):
    assert short_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["PT24H", "PT1M30S", "PT0.25S", "PT0S", "PT-1M"])
def test_durations_are_written_as_java_writes_them(text):
    assert duration_text(iso_duration(text)) == text
