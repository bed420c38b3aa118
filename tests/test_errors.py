"""The nearest name is offered."""

from __future__ import annotations

from kestra_magic.errors import did_you_mean


def test_the_nearest_name_is_offered_in_its_own_spelling() -> None:
    assert did_you_mean("GPU", ["cpu", "gpu"]) == "; did you mean `gpu`?"
    assert did_you_mean("outputfiles", ["outputFiles", "inputFiles"]) == "; did you mean `outputFiles`?"


def test_nothing_is_offered_where_nothing_is_near() -> None:
    assert did_you_mean("xyz", ["gpu", "train"]) == ""
    assert did_you_mean("trains", ["train"], cutoff=1) == ""
