"""What there is to say of a flow before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kestra_magic.model.load import load_flow
from kestra_magic.settings import current

if TYPE_CHECKING:
    from kestra_magic.model.source import Source

__all__ = ["validated"]


def validated(source: Source) -> list[str]:
    """Return a line that says what is valid, and one each for what was added or will be otherwise.

    Raises:
        SourceError: it is not: every problem with its line.
    """
    loaded = load_flow(source, strict=current().strict, namespace=current().namespace)
    flow = loaded.flow
    counts = [(len(flow.inputs), "input"), (len(flow.all_tasks()), "task"), (len(flow.triggers), "trigger")]
    said = ", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts if count)
    return [f"valid: `{flow.id}` in `{flow.namespace}`, {said}", *loaded.notices]
