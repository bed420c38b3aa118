"""What a flow, or a loop, declares that it gives (Kestra's models/flows/Output.java)."""

from __future__ import annotations

from typing import Any, Literal

from kestra_magic.model.base import Flag, Model, Text
from kestra_magic.model.inputs import INPUT_TYPES

__all__ = ["Output"]


class Output(Model):
    """One of the ``outputs``: rendered after the last task, converted like an input of the same type."""

    id: Text
    type: Literal[
        "STRING", "ENUM", "SELECT", "INT", "FLOAT", "BOOLEAN", "BOOL", "DATETIME", "DATE", "TIME", "DURATION", "FILE",
        "JSON", "URI", "SECRET", "ARRAY", "MULTISELECT", "YAML", "EMAIL"
    ]  # fmt: skip
    value: Any
    item_type: Text | None = None
    description: Text | None = None
    display_name: Text | None = None
    required: Flag = True

    def convert(self, value: Any) -> Any:
        """Return *value* as the declared type.

        Raises:
            ValueError: it is none.
        """
        written: dict[str, Any] = {"id": self.id, "type": self.type}
        if self.type in ("ARRAY", "MULTISELECT"):
            written["itemType"] = self.item_type or "STRING"
        if self.type in ("SELECT", "ENUM", "MULTISELECT"):
            written["values"] = ["-"]
        return INPUT_TYPES[self.type].model_validate(written).convert(value)
