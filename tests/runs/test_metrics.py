from __future__ import annotations

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.runs.metrics import Metrics
from kestra_magic.runs.task.markers import Metric

SENT = (
    Metric("counter", "rows", 1.0),
    Metric("counter", "rows", 2.0),
    Metric("counter", "rows", 5.0, (("part", "b"),)),
    Metric("gauge", "loss", 0.9),
    Metric("gauge", "loss", 0.4),
    Metric("timer", "took", 1.5),
)


def test_every_value_is_kept_in_order() -> None:
    assert Metrics(SENT)["loss"].values == [0.9, 0.4]
    assert Metrics(SENT)["loss"].last == 0.4
    assert Metrics(SENT)["rows"].sum == 8.0


def test_counters_add_up_and_gauges_are_replaced() -> None:
    rows = {(row["name"], *row["tags"].values()): row["value"] for row in Metrics(SENT).table()}

    assert rows == {("rows",): 3.0, ("rows", "b"): 5.0, ("loss",): 0.4, ("took",): 1.5}


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(KestraMagicError, match="did you mean `loss`"):
        Metrics(SENT)["los"]


def test_it_is_a_mapping() -> None:
    assert list(Metrics(SENT)) == ["rows", "loss", "took"]
    assert len(Metrics(SENT)) == 3
    assert "acc" not in Metrics(SENT)
