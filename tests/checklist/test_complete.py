"""Every behaviour of the checklist is run by a test, or listed with the reason why it is not."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.checklist.ids import ALL, NOT_RUN, RUN

HERE = Path(__file__).parent
CONTRACT = HERE.parents[2] / "shared" / "design" / "kestra-semantics.md"


@pytest.fixture(scope="module", autouse=True)
def _all_read():
    for path in HERE.glob("test_*.py"):
        import_module(f"tests.checklist.{path.stem}")


@pytest.mark.parametrize("name", ALL)
def test_a_behaviour_is_run_or_has_its_reason(name):
    assert (name in RUN) != (name in NOT_RUN), RUN.get(name) or NOT_RUN.get(name)


@pytest.mark.skipif(not CONTRACT.is_file(), reason="shared/design does not lie beside the project")
def test_the_list_is_that_of_the_contract():
    text = CONTRACT.read_text("utf-8").partition("## 8. ")[2].partition("## 9. ")[0]
    known = {(family, int(n)) for family, n in re.findall(r"`([A-Z]{1,2})(\d+)[ `–]", text)}
    families = {re.sub(r"\d", "", name) for name in ALL}

    assert {f"{family}{n}" for family, n in known if family in families} <= set(ALL)
    assert {family for family, _ in known} - families <= {"P"}
