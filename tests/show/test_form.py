"""The form of a flow's inputs: a field of each type, filled in, checked when Run is pressed."""

from datetime import UTC, date, datetime

import pytest

from kestra_magic import settings
from kestra_magic.model.inputs import INPUT_TYPES
from kestra_magic.show.cell import Frontend, takes_console
from kestra_magic.show.form import InputForm
from kestra_magic.workspace.inputs import Uploaded


@pytest.mark.parametrize(("view", "opens"), [("auto", True), ("none", False)])
def test_console_and_form_open_where_they_are_wished(monkeypatch, view, opens):
    monkeypatch.setattr(settings, "_current", settings.current().but(view=view))

    assert takes_console(Frontend.LAB) is opens


def declared(kind, name="x", **more):
    return INPUT_TYPES[kind].model_validate({"id": name, "type": kind, **more})


CHOICES = {"values": ["a", "b"]}
EXTRA = {"SELECT": CHOICES, "ENUM": CHOICES, "MULTISELECT": CHOICES, "ARRAY": {"itemType": "INT"}}


@pytest.mark.parametrize("kind", INPUT_TYPES)
def test_every_type_has_a_field_that_is_empty(kind):
    form = InputForm([declared(kind, **EXTRA.get(kind, {}))], lambda values: None)

    assert form.values() == ({"x": False} if kind in ("BOOLEAN", "BOOL") else {})


FILLED = [
    ("STRING", {}, "a", "a"),
    ("SECRET", {}, "hush", "hush"),
    ("INT", {}, "42", "42"),
    ("BOOLEAN", {}, True, True),
    ("DATE", {}, date(2024, 1, 2), "2024-01-02"),
    ("SELECT", CHOICES, "b", "b"),
    ("SELECT", {**CHOICES, "isRadio": True}, "b", "b"),
    ("SELECT", {**CHOICES, "allowCustomValue": True}, "other", "other"),
    ("MULTISELECT", CHOICES, ("a", "b"), ["a", "b"]),
    ("JSON", {}, '{"a": 1}', '{"a": 1}'),
]


@pytest.mark.parametrize(("kind", "more", "filled", "value"), FILLED)
def test_what_is_filled_in_is_handed_over_on_run(kind, more, filled, value):
    ran = []
    form = InputForm([declared(kind, **more)], ran.append)
    form.fields["x"].value = filled

    form.button.click()

    assert ran == [{"x": value}]
    assert not form.button.disabled


def test_a_file_is_handed_over_with_its_content():
    form = InputForm([declared("FILE")], lambda values: None)
    form.fields["x"].value = (
        {
            "name": "a.csv",
            "type": "text/csv",
            "size": 3,
            "content": memoryview(b"a,b"),
            "last_modified": datetime.now(UTC),
        },
    )

    assert form.values() == {"x": Uploaded("a.csv", b"a,b")}


def test_defaults_and_what_was_given_stand_in_the_fields():
    inputs = [
        declared("STRING", "s", defaults="plain"),
        declared("STRING", "t", defaults="{{ inputs.s }}"),
        declared("JSON", "j", defaults={"a": [1]}),
        declared("BOOLEAN", "b", defaults=True),
        declared("DATE", "d", defaults="2024-01-02"),
        declared("MULTISELECT", "m", values=["a", "b"], defaults=["b"]),
        declared("INT", "n", defaults=1),
    ]
    form = InputForm(inputs, lambda values: None, {"n": "7"})

    assert form.values() == {"s": "plain", "j": '{"a": [1]}', "b": True, "d": "2024-01-02", "m": ["b"], "n": "7"}
    assert form.fields["t"].placeholder == "{{ inputs.s }}"


def test_problems_are_shown_as_text():
    form = InputForm([declared("INT")], lambda values: form.problems(["<b>no</b>", "Missing required input:x"]))
    form.run()

    assert "&lt;b&gt;no&lt;/b&gt;<br>Missing required input:x" in form.said.value


@pytest.mark.parametrize(
    ("seen_in", "widget"), [(Frontend.HEADLESS, False), (Frontend.VSCODE, True), (Frontend.LAB, False)]
)
def test_a_widget_is_saved_only_where_nothing_else_can_show_the_form(seen_in, widget):
    shown = InputForm([declared("INT")], lambda values: None).bundle("asks", seen_in)

    assert ("application/vnd.jupyter.widget-view+json" in shown) is widget
    assert "asks for x (INT)" in shown["text/html"]
    assert ("data-kestra-run" in shown["text/html"]) is (seen_in is Frontend.LAB)
