"""The table of runs, alive: it asks again by itself, and its buttons act."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError
from kestra_magic.runs.kernels.attach import attach
from kestra_magic.runs.session import session
from kestra_magic.show.consolewidget import ConsoleWidget
from kestra_magic.show.history import values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kestra_magic.runs.history import History, Row
    from kestra_magic.runs.journal.journal import Notice
    from kestra_magic.show.fileanswers import Answer

__all__ = ["RunsTable"]


class RunsTable:
    """Tells the page the rows of *runs* whenever it asks for them.

    Attributes:
        key: where it stands, in the static table.
    """

    def __init__(self, runs: History) -> None:
        self.key = f"runs-{secrets.token_hex(4)}"
        self._runs = runs
        self._verbs: dict[str, Callable[..., dict[str, Any]]] = {
            "rows": self._rows,
            "stop": self._stop,
            "pin": self._pin,
            "label": self._label,
        }
        self._widget = ConsoleWidget.opened(self.key, {**self._rows(), "kind": "runs", "ended": True}, self._asked)

    def _asked(self, message: Mapping[str, Any]) -> Answer:
        try:
            return self._verbs[message["t"]](**message.get("with", {})), []
        except (KestraMagicError, OSError) as error:
            return {"error": str(error)}, []

    def _rows(self) -> dict[str, Any]:
        self._runs = self._runs.renewed()
        return {"rows": [_told(row) for row in reversed(self._runs.rows())]}

    def _stop(self, run: str) -> dict[str, Any]:
        attach(session(), run).stop()
        return self._rows()

    def _pin(self, run: str, pinned: bool) -> dict[str, Any]:
        return self._written(session().journal.pin(run, pinned))

    def _label(self, run: str, text: str) -> dict[str, Any]:
        return self._written(session().journal.label(run, text.strip()))

    def _written(self, notice: Notice | None) -> dict[str, Any]:
        if notice:
            raise KestraMagicError(notice.sentence)
        return self._rows()


def _told(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "run": row.run,
        "state": row.state,
        "age": max(0.0, time.time() - row.started) if row.started else None,
        "seconds": row.duration,
        "exit": row.exit_code,
        "files": row.files,
        "values": values(row),
        "where": "" if row.where == "this kernel" else row.where,
        "waited": row.waited,
        "ended": row.ended,
        "stops": row.where.startswith("this kernel") or row.where == "detached",
        "last": row.last,
        "label": row.label,
        "pinned": row.pinned,
    }
