"""§6 of the contract: what is given for an input, and what a flow sees."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from pydantic import ValidationError

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.inputs import INPUT_TYPES, AnyInput
from kestra_magic.model.resolution import InputsError, resolve_inputs
from kestra_magic.model.scalars import as_text


def declared(kind, name="x", **more):
    return INPUT_TYPES[kind].model_validate({"id": name, "type": kind, **more})


def as_written(text, seen):
    """The expressions of these tests are names of inputs, lists of texts, or fail."""
    inner = text.strip()[2:-2].strip() if text.strip().startswith("{{") else text
    if inner.startswith("boom"):
        raise KestraMagicError("boom")
    return seen.get(inner.removeprefix("inputs."), inner.split(",") if "," in inner else inner)


def resolve(inputs, **given):
    return resolve_inputs(inputs, given, as_written, lambda name, value: f"kestra:///inputs/{name}/{value}")


CONVERTED = [
    ("STRING", "a", "a"),
    ("STRING", 42, "42"),
    ("STRING", "", ""),
    ("EMAIL", "a@b", "a@b"),
    ("EMAIL", "", ""),
    ("INT", "42", 42),
    ("INT", "+1", 1),
    ("INT", "-2147483648", -(2**31)),
    ("FLOAT", "42.42", 42.42),
    ("FLOAT", " 1e3 ", 1000.0),
    ("FLOAT", "1f", 1.0),
    ("FLOAT", "0x1p3", 8.0),
    ("FLOAT", "Infinity", float("inf")),
    ("BOOLEAN", "TRUE", True),
    ("BOOLEAN", "yes", False),  # X20
    ("BOOLEAN", " true", False),
    ("BOOL", True, True),
    ("DATETIME", "2019-10-06T18:27:49Z", datetime(2019, 10, 6, 18, 27, 49, tzinfo=UTC)),
    ("DATETIME", "2019-10-06T18:27:49+02:00", datetime(2019, 10, 6, 16, 27, 49, tzinfo=UTC)),
    ("DATE", "2019-10-06", date(2019, 10, 6)),
    ("TIME", "18:27:49", time(18, 27, 49)),
    ("TIME", "18:27", time(18, 27)),
    ("DURATION", "pt5m6s", timedelta(minutes=5, seconds=6)),
    ("DURATION", "P1D", timedelta(days=1)),
    ("FILE", "kestra:///a/b.txt", "kestra:///a/b.txt"),
    ("FILE", "data.csv", "kestra:///inputs/x/data.csv"),
    ("JSON", '{"a": [1]}', {"a": [1]}),
    ("JSON", "{}", {}),  # IN13
    ("JSON", {"a": 1}, {"a": 1}),
    ("YAML", "a: [1, 2]", {"a": [1, 2]}),
    ("URI", "https://www.google.com", "https://www.google.com"),
    ("SECRET", "hush", "hush"),
]


@pytest.mark.parametrize(("kind", "given", "value"), CONVERTED)
def test_a_value_is_converted_as_java_does(kind, given, value):
    found = resolve([declared(kind)], x=given)["x"]

    assert found == value
    assert type(found) is type(value)


BAD = [
    ("INT", "1.0", 'For input string: "1.0"'),
    ("INT", " 1", 'For input string: " 1"'),
    ("INT", "2147483648", 'For input string: "2147483648"'),
    ("INT", "", 'For input string: ""'),
    ("FLOAT", "", "empty String"),
    ("FLOAT", "one", 'For input string: "one"'),
    ("DATETIME", "2019-10-06T18:27:49", "Expected `DATETIME` but received `2019-10-06T18:27:49`"),
    ("DATE", "06.10.2019", "Expected `DATE`"),
    ("DATE", "2019-02-30", "Expected `DATE`"),
    ("TIME", "25:00", "Expected `TIME`"),
    ("DURATION", "5m", "Expected `DURATION`"),
    ("DURATION", "P1W", "Expected `DURATION`"),
    ("JSON", "{", "Expected `JSON`"),
    ("YAML", "a: [", "Expected `YAML`"),
    ("URI", "http:/bla", "Invalid URI format."),
    ("URI", "http://localhost:8080", "Invalid URI format."),  # X20
    ("EMAIL", "nobody", "The input must be a valid email"),
]


@pytest.mark.parametrize(("kind", "given", "said"), BAD)
def test_a_bad_value_is_told_with_the_input_s_name(kind, given, said):
    with pytest.raises(InputsError) as caught:
        resolve([declared(kind)], x=given)

    assert str(caught.value).startswith(f"Invalid value for input `x`. Cause: {said}")


LIMITS = [
    ("STRING", {"validator": "A[0-9]+"}, "A12", "xA12", "it must match the pattern `A[0-9]+`"),
    ("SECRET", {"validator": "s.+"}, "sh", "hush", "it must match the pattern `s.+`"),
    ("INT", {"min": 10, "max": 20}, "10", "9", "it must be more than `10`"),
    ("INT", {"min": 10, "max": 20}, "20", "21", "it must be less than `20`"),
    ("FLOAT", {"min": 0.1}, "0.1", "0.01", "it must be more than `0.1`"),
    ("DURATION", {"min": "PT10S"}, "PT10S", "PT1S", "It must be more than `PT10S`"),
    ("DURATION", {"max": "PT20S"}, "PT20S", "PT30S", "It must be less than `PT20S`"),
    ("DATE", {"after": "2023-01-01"}, "2023-01-01", "2022-01-01", "it must be after `2023-01-01`"),
    ("DATETIME", {"before": "2023-01-01T00:00:00Z"}, "2022-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "it must be before"),
    ("TIME", {"after": "01:00"}, "01:00", "00:00:01", "it must be after `01:00`"),
    ("SELECT", {"values": ["a", "b"]}, "a", "c", "it must match the values `[a, b]`"),
    ("ENUM", {"values": ["ENUM_VALUE", "OTHER_ONE"]}, "OTHER_ONE", "INVALID", "it must match the values `[ENUM_VALUE, OTHER_ONE]`"),
    ("MULTISELECT", {"values": ["a", "b"]}, '["a"]', '["a", "c"]', "it must match the values `[a, b]`"),
    ("ARRAY", {"itemType": "INT"}, "[1, 2]", '["s1", "s2"]', "Unable to parse array element as `INT` on `s1`"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "limits", "good", "bad", "said"), LIMITS)
def test_a_value_outside_of_its_limits_is_refused(kind, limits, good, bad, said):
    resolve([declared(kind, **limits)], x=good)

    with pytest.raises(InputsError) as caught:
        resolve([declared(kind, **limits)], x=bad)
    assert str(caught.value).startswith(f"Invalid value for input `x`. Cause: {said}")


def test_every_missing_input_is_told_at_once():
    with pytest.raises(InputsError) as caught:
        resolve([declared("STRING", "a"), declared("INT", "b"), declared("INT", "c", defaults=3)])

    assert caught.value.problems == ("Missing required input:a", "Missing required input:b")


def test_an_optional_input_without_a_value_is_null():
    assert resolve([declared("INT", required=False)]) == {"x": None}


def test_an_optional_choice_takes_anything():
    assert resolve([declared("SELECT", values=["a"], required=False)], x="z") == {"x": "z"}


def test_the_empty_text_is_a_value():
    assert resolve([declared("STRING", defaults="")]) == {"x": ""}


def test_names_with_dots_become_maps():
    inputs = [declared("STRING", "nested.string"), declared("INT", "nested.more.int", defaults=1)]

    assert resolve(inputs, **{"nested.string": "a"}) == {"nested": {"string": "a", "more": {"int": 1}}}


def test_a_name_that_is_a_value_and_a_map_is_a_conflict():
    with pytest.raises(InputsError, match="Conflict at key: 'a'"):
        resolve([declared("STRING", "a"), declared("STRING", "a.b")], **{"a": "1", "a.b": "2"})


def test_defaults_are_rendered_with_the_inputs_before_them():
    inputs = [declared("STRING", "a"), declared("STRING", "b", defaults="{{ inputs.a }}")]

    assert resolve(inputs, a="1") == {"a": "1", "b": "1"}


def test_an_input_whose_condition_does_not_hold_is_left_out():
    off = declared("STRING", "b", dependsOn={"inputs": ["a"], "condition": "{{ inputs.a }}"})
    after = declared("STRING", "c", dependsOn={"inputs": ["b"]})

    assert resolve([declared("STRING", "a"), off, after], a="no") == {"a": "no"}
    assert resolve([declared("STRING", "a"), off, after], a="true", b="1", c="2") == {"a": "true", "b": "1", "c": "2"}


def test_a_condition_that_fails_is_told_and_its_input_left_out():
    with pytest.raises(InputsError) as caught:
        resolve([declared("STRING", "b", dependsOn={"condition": "{{ boom }}"})])

    assert caught.value.problems == ("Invalid value for input `b`. Cause: Invalid condition: boom",)


def test_choices_may_be_an_expression():
    choice = declared("SELECT", expression="{{ a,b }}")

    assert resolve([choice], x="b") == {"x": "b"}
    with pytest.raises(InputsError, match=r"it must match the values `\[a, b\]`"):
        resolve([choice], x="c")


def test_an_expression_that_gives_no_list_is_told():
    with pytest.raises(InputsError, match="Expected a list of strings, but received str"):
        resolve([declared("SELECT", expression="{{ one }}")], x="one")


WRONG = [
    ({"type": "INT"}, "id", "Field required"),
    ({"id": "a b", "type": "INT"}, "id", "must match"),
    ({"id": "a", "type": "INTEGER"}, "type", "did you mean `INT`?"),
    ({"id": "a", "type": "ARRAY", "itemType": "ARRAY"}, "itemType", "`itemType` cannot be `ARRAY`"),
    ({"id": "a", "type": "MULTISELECT", "values": ["x"], "options": ["y"]}, "", "you can't define both"),
    ({"id": "a", "type": "SELECT"}, "", "`values` or `expression` must be given"),
    ({"id": "a", "type": "INT", "min": "low"}, "min", "For input string"),
    ({"id": "a", "type": "STRING", "validator": "("}, "validator", "is no regular expression"),
]


@pytest.mark.parametrize(("written", "where", "said"), WRONG, ids=[str(w[0]) for w in WRONG])
def test_a_declaration_that_cannot_be_is_refused_where_it_is_wrong(written, where, said):
    from pydantic import TypeAdapter

    with pytest.raises(ValidationError) as caught:
        TypeAdapter(AnyInput).validate_python(written)

    first = caught.value.errors()[0]
    assert ".".join(map(str, first["loc"])) == where
    assert said in first["msg"]


def test_the_old_word_for_id_is_read():
    assert INPUT_TYPES["INT"].model_validate({"name": "n", "type": "INT"}).id == "n"


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (1.5, "1.5"), (None, "")])
def test_scalars_print_as_jackson_prints_them(value, text):
    assert as_text(value) == text
