"""Which tasks are processes, and what is prepared for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.tasks import ScriptTask

if TYPE_CHECKING:
    from kestra_magic.model.tasks import Task
    from kestra_magic.tasks.place import Place, Prepared

__all__ = ["is_process", "prepare"]


def is_process(task: Task) -> bool:
    if isinstance(task, ScriptTask):
        return True
    from kestra_magic.model.core import Clone
    from kestra_magic.model.legacy import LegacyScript

    return isinstance(task, LegacyScript | Clone)


def prepare(task: Task, place: Place) -> Prepared:
    """Return what runs when *task* does.

    Raises:
        KestraMagicError: an expression, a file or a property is not what it must be.
    """
    if isinstance(task, ScriptTask):
        from kestra_magic.tasks.scripts import prepare as prepare_script

        return prepare_script(task, place)
    from kestra_magic.model.core import Clone
    from kestra_magic.model.legacy import LegacyScript

    if isinstance(task, LegacyScript):
        from kestra_magic.tasks.legacy import prepare_legacy

        return prepare_legacy(task, place)
    if isinstance(task, Clone):
        from kestra_magic.tasks.git import prepare_clone

        return prepare_clone(task, place)
    raise KestraMagicError(f"`{task.type}` is no process")
