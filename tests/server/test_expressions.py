"""Expressions are rendered here as Kestra's own renderer renders them."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kestra_magic import render
from kestra_magic.errors import KestraMagicError
from tests.server.templates import CONTEXT, random_template

if TYPE_CHECKING:
    from tests.server.engine import Engine

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]

CASES = Path(__file__).parents[2].parent / "shared/expressions/cases.json"
RANDOM = 600
VOLATILE = ("now(", "uuid", "randomInt", "randomPort", "id()", "nanoId", "ksuid", "printContext", "timestampN")


NAMED = {
    r"\| (format|regexMatch|regexReplace|regexExtract)\(": "newer than 1.3: the default here is what the next Kestra does",
    r"left [*%] right|(right|left) < left|replace\(\{'a': 'b'\}\) - |json \* ": "numbers in texts count, in newer Pebble",
    r"^\{\{ a - b \}\}": "1.3 changes the list that is subtracted from; newer Pebble does not",
    r"template\.name": "a name of 1.3's own that no other variable can have",
    r"\{ 3 : 3\}": "a map as the key of a map is refused here",
    r"BIGINTEGER": "whole numbers have no end here",
    r"^\{% for name in \{'Bob'": "keys of one bucket: 1.3 makes the map of a literal in another order than 0.21 did",
    r"secret\(|errorLogs\(|currentEachOutput\(": "answered in a run only",
}
"""Where the two differ, and why."""


def there(engine: Engine, template: str, variables: dict[str, Any]) -> str | None:
    try:
        return engine.render(template, variables)
    except RuntimeError:
        return None


def here(template: str, variables: dict[str, Any]) -> str | None:
    try:
        return str(render(template, variables))
    except KestraMagicError:
        return None


def differences(engine: Engine, asked: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """A line for each template that gives another text, or fails on one side only."""
    found = []
    for template, variables in asked:
        said, ours = there(engine, template, variables), here(template, variables)
        if said != ours and not any(re.search(pattern, template) for pattern in NAMED):
            found.append(f"{template!r} with {json.dumps(variables)[:200]}: Kestra {said!r}, here {ours!r}")
    return found


def test_random_templates_give_the_same_text(engine: Engine) -> None:
    chance = random.Random(7)
    asked = [(random_template(chance), CONTEXT) for _ in range(RANDOM)]

    assert differences(engine, asked) == []


@pytest.mark.skipif(not CASES.exists(), reason="the collected cases lie beside this repository, not in it")
def test_the_collected_cases_give_the_same_text(engine: Engine) -> None:
    cases = json.loads(CASES.read_text())["cases"]
    asked = [
        (case["template"], case["context"]) for case in cases if not re.search(r'"\$\w+"', json.dumps(case["context"]))
    ]
    asked = [(template, context) for template, context in asked if not any(word in template for word in VOLATILE)]

    assert differences(engine, asked) == []
