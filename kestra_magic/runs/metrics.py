"""A run's metrics: every value in the order it came, and what Kestra makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kestra_magic.errors import KestraMagicError, did_you_mean

if TYPE_CHECKING:
    from kestra_magic.runs.task.markers import Metric

__all__ = ["Metrics", "Series"]


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one name, oldest first."""

    name: str
    entries: tuple[Metric, ...]

    @property
    def values(self) -> list[float]:
        return [entry.value for entry in self.entries]

    @property
    def last(self) -> float:
        return self.entries[-1].value

    @property
    def sum(self) -> float:
        return sum(self.values)


class Metrics(Mapping[str, Series]):
    """A mapping of names to their values; `table()` is what Kestra's page would show."""

    def __init__(self, entries: tuple[Metric, ...] = ()) -> None:
        self.entries = entries

    def __getitem__(self, name: str) -> Series:
        found = tuple(entry for entry in self.entries if entry.name == name)
        if not found:
            raise UnknownMetric(name, self)
        return Series(name, found)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(entry.name for entry in self.entries))

    def __len__(self) -> int:
        return len({entry.name for entry in self.entries})

    def __repr__(self) -> str:
        return f"Metrics({', '.join(f'{name}={self[name].last:g}' for name in self)})"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def totals(self) -> list[Metric]:
        """Counters and timers added up, gauges as last set: one entry for each type, name and tags.

        Source: Kestra's ``AbstractMetricEntry.increment``.
        """
        from dataclasses import replace

        totals: dict[Any, Metric] = {}
        for entry in self.entries:
            before = totals.get(entry.key)
            added = before is not None and entry.type != "gauge"
            totals[entry.key] = replace(entry, value=before.value + entry.value) if before and added else entry
        return list(totals.values())

    def table(self) -> list[dict[str, Any]]:
        return [{"name": m.name, "type": m.type, "value": m.value, "tags": dict(m.tags)} for m in self.totals()]


class UnknownMetric(KestraMagicError, KeyError):
    """No metric of that name was sent."""

    def __init__(self, name: str, known: Mapping[str, Series]) -> None:
        super().__init__(f"no metric `{name}` was sent{did_you_mean(name, known) or _those(known)}")

    __str__ = Exception.__str__


def _those(known: Mapping[str, Series]) -> str:
    return f"; there are: {', '.join(known)}" if known else "; there are none"
