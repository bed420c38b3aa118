from __future__ import annotations

import pytest

from kestra_magic.magics.completion import complete

CASES = {
    "an option": ("%%kestra_process x --tim", ["--timeout"]),
    "a language": ("%%kestra_process x -l py", ["python"]),
    "a property": ("%%kestra_process x\n#| outputF", ["outputFiles:"]),
    "a property of another language": ("%%kestra_process x -l python\n#| depend", None),
    "an enumeration": ("%%kestra_process x\n#| logLevel: W", ["WARN"]),
    "a flow's property": ("%%kestra_flow\nnamesp", ["namespace:"]),
    "a type": ("%%kestra_flow\n    type: io.kestra.plugin.core.log.L", None),
    "a property of the flow's task": (
        "%%kestra_flow\nid: a\ntasks:\n  - id: x\n    type: io.kestra.plugin.core.log.Log\n    mess",
        ["message:"],
    ),
    "a verb": ("%kestra doc", ["doctor"]),
    "nothing in a script": ("%%kestra_process x\necho out", []),
    "nothing elsewhere": ("x = 1\noutp", []),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_tab_offers(text: str, expected: list[str] | None) -> None:
    found = complete(text, text.count("\n"))

    if expected is None:
        assert found
    else:
        assert found == expected
