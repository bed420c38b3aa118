"""A flow's inputs as a form of ipywidgets: one field for each, of its type; checked when Run is pressed."""

from __future__ import annotations

import html
import json
import secrets
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kestra_magic.model.property import is_template
from kestra_magic.model.scalars import as_text
from kestra_magic.show.cell import takes_console
from kestra_magic.workspace.inputs import Uploaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kestra_magic.model.inputs import Input
    from kestra_magic.show.cell import Frontend

    Go = Callable[[dict[str, Any]], None]

__all__ = ["InputForm"]

_LIKE = {
    "INT": "42", "FLOAT": "0.5", "DATETIME": "2024-01-02T03:04:05Z", "TIME": "18:27:49", "DURATION": "PT1H30M",
    "URI": "https://…", "EMAIL": "name@host", "ARRAY": "[1, 2]", "JSON": '{"a": 1}', "YAML": "a: 1",
}  # fmt: skip
_WIDE = {"width": "32em"}
_TALL = ("JSON", "YAML", "ARRAY")


class InputForm:
    """The fields of *inputs*.

    Args:
        go: called with what was filled in when Run is pressed; what it raises, *problems* says.
        given: values that stand in the fields from the beginning, by input.
    """

    def __init__(self, inputs: Iterable[Input], go: Go, given: Mapping[str, Any] | None = None) -> None:
        self._widgets: Any = import_module("ipywidgets")
        self._go = go
        self.inputs = {declared.id: declared for declared in inputs}
        values = dict(given or {})
        self.fields = {name: self._field(each, values.get(name)) for name, each in self.inputs.items()}
        self.button = self._widgets.Button(description="Run", icon="play", button_style="primary")
        self.button.on_click(lambda _: self.run())
        self.said = self._widgets.HTML()
        self.output = self._widgets.Output()
        rows = [self._row(name, field) for name, field in self.fields.items()]
        self.widget = self._widgets.VBox([*rows, self.button, self.said, self.output])

    def bundle(self, name: str, seen_in: Frontend) -> dict[str, Any]:
        """Return the form; where it cannot live, as in a saved page, what it asks for.

        Where the console opens, the form stands in that text's place as it does, so that no widget is saved.
        """
        asked = ", ".join(f"{each.id} ({each.type})" for each in self.inputs.values()) or "nothing"
        said = f"The form of `{name}` asks for {asked}: run the cell to fill it in."
        text = f"<div>{html.escape(said)}</div>"
        if takes_console(seen_in):
            text = f'<div data-kestra-run="{self._opened()}">{text}</div>'
        elif seen_in.live:
            return {**self.widget._repr_mimebundle_(), "text/plain": said, "text/html": text}
        return {"text/plain": said, "text/html": text}

    def _opened(self) -> str:
        from kestra_magic.show.consolewidget import ConsoleWidget

        key = f"form-{secrets.token_hex(4)}"
        ConsoleWidget.opened(key, {"kind": "form", "form": self.widget.model_id}, lambda _: ({}, []))
        return key

    def run(self) -> None:
        """Hand over what was filled in; meanwhile no second run begins."""
        self.button.disabled = True
        self.said.value = ""
        self.output.clear_output()
        try:
            with self.output:
                self._go(self.values())
        finally:
            self.button.disabled = False

    def problems(self, said: Iterable[str]) -> None:
        """Show what is wrong with what was filled in."""
        lines = "<br>".join(html.escape(line) for line in said)
        self.said.value = f'<div role="alert" style="color: var(--jp-error-color1, #b00)">{lines}</div>'

    def values(self) -> dict[str, Any]:
        """What was filled in, by input; an empty field is no value."""
        found = {name: self._value(self.inputs[name], field) for name, field in self.fields.items()}
        return {name: value for name, value in found.items() if value is not None}

    # Fields

    def _row(self, name: str, field: Any) -> Any:
        declared = self.inputs[name]
        star = ' <span title="required" aria-label="required">*</span>' if declared.required else ""
        label = f"<b>{html.escape(declared.display_name or name)}</b>{star} <small>{declared.type}</small>"
        more = f"<br><small>{html.escape(declared.description)}</small>" if declared.description else ""
        head = self._widgets.HTML(label + more, layout={"width": "18em"})
        return self._widgets.HBox([head, field])

    def _field(self, declared: Input, given: Any) -> Any:
        written = declared.defaults if given is None else given
        known = None if isinstance(written, str) and is_template(written) else written
        if declared.type in ("BOOLEAN", "BOOL"):
            return self._widgets.Checkbox(value=as_text(known).lower() == "true", indent=False)
        if declared.type == "FILE":
            return self._widgets.FileUpload(accept=getattr(declared, "extension", None) or "", multiple=False)
        if declared.type == "DATE":
            return self._widgets.DatePicker(value=date.fromisoformat(known) if known else None)
        if declared.type in ("SELECT", "ENUM", "MULTISELECT") and getattr(declared, "expression", None) is None:
            return self._choice(declared, known)
        return self._text(declared, known, written)

    def _choice(self, declared: Any, known: Any) -> Any:
        options = list(declared.choices())
        if declared.type == "MULTISELECT":
            chosen = [text for text in map(as_text, known or ()) if text in options]
            return self._widgets.SelectMultiple(options=options, value=chosen, layout=_WIDE)
        if declared.allow_custom_value:
            return self._widgets.Combobox(options=options, value=as_text(known), ensure_option=False, layout=_WIDE)
        value = known if known in options else None
        kind = "RadioButtons" if getattr(declared, "is_radio", False) else "Dropdown"
        return getattr(self._widgets, kind)(options=options, value=value, layout=_WIDE)

    def _text(self, declared: Input, known: Any, written: Any) -> Any:
        text = json.dumps(known, ensure_ascii=False) if isinstance(known, dict | list) else as_text(known)
        kind = "Password" if declared.type == "SECRET" else "Textarea" if declared.type in _TALL else "Text"
        like = as_text(written) if written is not None and known is None else _LIKE.get(declared.type, "")
        return getattr(self._widgets, kind)(value=text, placeholder=like, layout=_WIDE)

    def _value(self, declared: Input, field: Any) -> Any:
        value = field.value
        if declared.type == "FILE":
            return Uploaded(value[0]["name"], bytes(value[0]["content"])) if value else None
        if declared.type == "MULTISELECT" and not isinstance(value, str):
            return list(value) or None
        if isinstance(value, bool):
            return value
        if isinstance(value, date):
            return value.isoformat()
        return value if value or (value == "" and declared.type == "STRING" and declared.defaults == "") else None
