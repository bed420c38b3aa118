"""Real flows, as people have published them, end as the index beside them says."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.source import Source
from tests.flows.conftest import said, why_not

FLOWS = Path(__file__).parents[3] / "shared" / "flows"
LISTED = FLOWS / "INDEX.tsv"
INDEX = list(csv.DictReader(LISTED.read_text("utf-8").splitlines(), delimiter="\t")) if LISTED.is_file() else []
NETWORK = "needs the network"
DATA = "name,value\na b,1\nä,2\n"
SCALARS = {"test": "value", "int": 2, "bool": True, "float": 3.65}


@dataclass(frozen=True)
class Case:
    """What a flow is given, what it needs, and what it must leave."""

    check: Callable[[Any], object] = lambda run: None
    inputs: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    state: str = "SUCCESS"
    why: str = ""


def is_true(*facts: Callable[[Any], object]) -> Callable[[Any], None]:
    def check(run: Any) -> None:
        for n, fact in enumerate(facts):
            assert fact(run), (n, run.outputs, run.logs)

    return check


def lines(*wanted: str) -> Callable[[Any], object]:
    return lambda run: set(wanted) <= set(said(run))


def text(name: str) -> Callable[[Any], str]:
    return lambda run: run.files[name].read_text()


def metrics(run: Any) -> dict[str, tuple[float, dict[str, str]]]:
    return {m.name: (m.value, dict(m.tags)) for m in run.metrics.entries}


LEVELS = ["DEBUG", "INFO", "WARN", "ERROR", "ERROR"]
FILE = {"data.txt": DATA, "name with space.txt": DATA}
CASES = {
    "001": Case(is_true(lines("Hello World!"), lambda r: r.outputs["shell"] == {"exitCode": 0, "vars": {}, "outputFiles": {}})),
    "002": Case(is_true(lambda r: text("out.txt")(r) == "Hello from Process runner\n", lambda r: not said(r))),
    "003": Case(is_true(lambda r: text("out.txt")(r) == DATA), {"file": "data.txt"}, FILE),
    "005": Case(is_true(lines("main is here")), files={"_files/main.py": "print('main is here')"}),
    "006": Case(is_true(lines("Hi, this is output from a script 👋"))),
    "008": Case(is_true(lambda r: r.vars == {}, lambda r: [(name, value) for name, (value, _) in metrics(r).items()] == [("count", 1), ("time", 2.12)])),
    "009": Case(is_true(lambda r: re.fullmatch(r"\S+Z - Py task is alive!", said(r)[0])), needs=("python:kestra",)),
    "017": Case(is_true(lambda r: [e.level for e in r.logs if e.task] == LEVELS), needs=("python:kestra",)),
    "024": Case(is_true(lines("value"), lambda r: r.outputs["shell_outputs_task"]["vars"] == SCALARS)),
    "026": Case(is_true(lines("There are 20 products in the cart"), lambda r: r.vars == {"productCount": 20},
                        lambda r: (metrics(r)["productCount"][0], metrics(r)["purchaseTime"][0]) == (20, 32.44))),
    "028": Case(is_true(lambda r: r.vars == {"average_age": 30.0}), needs=("python:pandas", "python:kestra")),
    "031": Case(is_true(lambda r: list(r.files) == ["output.tmp"]), {"file": "data.txt"}, FILE),
    "044": Case(is_true(lambda r: r.outputs["task1"]["exitCode"] == 1, lambda r: r.outputs["task1"]["vars"] == {"test": "value"},
                        lambda r: list(r.tasks["task1"].files) == ["first.txt"], lambda r: r.outputs["task2"] == {"value": "1"}),
                state="WARNING"),
    "049": Case(is_true(lambda r: list(r.outputs["query"]) == ["4", "6", "8"],
                        lambda r: list(r.outputs["query"]["4"]["outputFiles"]) == ["tmp/cyl=4/part-0.parquet"])),
    "050": Case(is_true(lambda r: set(r.tasks["shell"].files) == {"test.txt", "test2.txt"}), {"out": "txt"}),
    "052": Case(is_true(lambda r: r.outputs["working_directory_task"]["uris"]["output.txt"].startswith("kestra:///"))),
    "056": Case(is_true(lambda r: text("hello.txt")(r) == "Hello world!\n")),
    "057": Case(is_true(lambda r: re.search(r"Input's absolute path: '/.+/generated\.txt'", "\n".join(said(r))))),
    "058": Case(is_true(lambda r: said(r) == [f"The current execution is: {r.id}"])),
    "063": Case(is_true(lines(*DATA.splitlines())), {"text_file": "name with space.txt"}, FILE),
    "065": Case(is_true(lambda r: r.vars == SCALARS)),
    "066": Case(is_true(lambda r: metrics(r) == {"count": (1, {"tag1": "i", "tag2": "win"})})),
    "068": Case(is_true(lambda r: re.search(r"Input's absolute path: '/.+/generated\.txt'", "\n".join(said(r))))),
    "071": Case(is_true(lambda r: [e.level for e in r.logs if e.task] == LEVELS), needs=("python:kestra",)),
    "080": Case(is_true(lambda r: r.exit_code == 2, lambda r: "can't open file" in r.sentence), state="FAILED"),
    "089": Case(is_true(lambda r: list(r.files) == ["out.csv"]), needs=("ruby",), files={
        "_files/main.rb": 'require "csv"\nCSV.open("out.csv", "w") { |csv| csv << [1, 2] }\n'}),
    "090": Case(is_true(lines("Hello from an inline Perl script!")), needs=("perl",)),
    "092": Case(is_true(lines("Hello, World!")), needs=("php",)),
    "093": Case(is_true(lines("Hello, World!")), needs=("php",)),
    "100": Case(is_true(lambda r: set(r.files) == {"women.parquet", "women.csv"}), why="needs R's dplyr and arrow"),
    "106": Case(is_true(lines("Hello, World!")), needs=("pwsh",)),
    "113": Case(is_true(lines("Hello, World!")), needs=("groovy",)),
    "123": Case(is_true(lines("Original: Hello Kestra!", "Length: 28", "Sum: 125", "Difference: 75")), needs=("lua",)),
    "125": Case(is_true(lambda r: said(r).count("Hello, World!") == 2), needs=("php",)),
    "130": Case(is_true(lambda r: text("out.txt")(r) == DATA), {"file": "data.txt"}, FILE),
    "132": Case(is_true(lines(*(f"{task} > value {n}" for task in ("task1", "task2") for n in (1, 2, 3))))),
    "140": Case(is_true(lambda r: "Unable to find `my_task_id`" in r.error), state="FAILED"),
    "142": Case(is_true(lambda e: "files: unknown property" in str(e)), state="SourceError"),
    "148": Case(is_true(lambda r: r.progress.task.attempt.number == 5, lambda r: "will_never_happen" not in r.tasks)),
    "153": Case(is_true(lambda r: any("WARNING" in line for line in said(r, "ERROR"))), needs=("python:loguru", "python:faker")),
    "155": Case(is_true(lambda r: [row.rpartition(",")[2] for row in text("final.csv")(r).split()[1:]] == ["6", "8", "10", "12"]),
                needs=("python:pandas",)),
    "161": Case(is_true(lambda r: r.vars["xml"] == "<root><number>1</number><string>my text</string></root>"), needs=("python:kestra",)),
    "053": Case(is_true(lambda e: "`io.kestra.plugin.serdes.json.JsonToIon` needs a Kestra server" in str(e)), state="SourceError"),
    "168": Case(is_true(lambda e: "`io.kestra.plugin.jdbc.duckdb.Queries` needs a Kestra server" in str(e)), state="SourceError"),
}  # fmt: skip


@pytest.mark.parametrize("row", INDEX, ids=[row["file"][:-5] for row in INDEX])
def test_a_published_flow_ends_as_it_must(row, session, beside):
    case = CASES.get(row["file"][:3])
    if case is None:
        assert row["needs_network"] == "yes", "a flow that could run is not checked"
        pytest.skip(NETWORK)
    reason = case.why or why_not(*case.needs)
    if reason:
        pytest.skip(reason)
    for name, content in case.files.items():
        (beside / name).parent.mkdir(exist_ok=True)
        (beside / name).write_text(content, "utf-8")

    ended = _ended(session, row["file"], case.inputs, beside)

    assert (type(ended).__name__ if isinstance(ended, Exception) else ended.state.value) == case.state, ended
    case.check(ended)


def _ended(session: Any, name: str, inputs: dict[str, Any], beside: Path) -> Any:
    source = Source((FLOWS / name).read_text("utf-8"), name)
    try:
        return session.flow(source, {"inputs": inputs} if inputs else {}, beside=beside).start().wait(240)
    except KestraMagicError as error:
        return error


def test_every_flow_that_needs_no_network_is_checked():
    unchecked = [row["file"] for row in INDEX if row["needs_network"] == "no" and row["file"][:3] not in CASES]

    assert not unchecked
