from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest

from kestra_magic.model.load import Loaded, load_flow
from kestra_magic.model.source import Source, SourceError

LOG = "io.kestra.plugin.core.log.Log"
SHELL = "io.kestra.plugin.scripts.shell.Commands"


@pytest.fixture
def load() -> Callable[..., Loaded]:
    """Read a flow from a cell whose first line is line 2."""
    return lambda text, **more: load_flow(Source(dedent(text), first_line=2), **more)


@pytest.fixture
def refused(load) -> Callable[..., list[tuple[int | None, str]]]:
    """Return the problems of a flow, each with its line."""

    def problems(text: str, **more: Any) -> list[tuple[int | None, str]]:
        with pytest.raises(SourceError) as caught:
            load(text, **more)
        return [(problem.line, problem.message) for problem in caught.value.problems]

    return problems
