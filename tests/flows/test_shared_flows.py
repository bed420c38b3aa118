"""Real flows, as people have published them, end as the index beside them says."""

import csv
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.model.source import Source
from tests.flows.conftest import said, states, why_not

FLOWS = Path(__file__).parents[3] / "shared" / "flows"
LISTED = FLOWS / "INDEX.tsv"
INDEX = list(csv.DictReader(LISTED.read_text("utf-8").splitlines(), delimiter="\t")) if LISTED.is_file() else []
DATA = "name,value\na b,1\nä,2\n"
ORDERS = "order_id,customer,product,city,quantity,price,total\n" + "".join(f"{n},c,p,x,1,2,2.5\n" for n in range(100))
TODO = {"userId": 1, "id": 1, "title": "delectus aut autem", "completed": False}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SCALARS = {"test": "value", "int": 2, "bool": True, "float": 3.65}


@dataclass(frozen=True)
class Case:
    """What a flow is given, what it needs, and what it must leave."""

    check: Callable[[Any], object] = lambda run: None
    inputs: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    download: str = ""
    """The task that downloads `ORDERS` from the network: a fixture stands in for it."""
    state: str = "SUCCESS"
    why: str = ""


def is_true(*facts: Callable[[Any], object]) -> Callable[[Any], None]:
    def check(run: Any) -> None:
        for n, fact in enumerate(facts):
            assert fact(run), (n, run.outputs, run.logs)

    return check


def lines(*wanted: str) -> Callable[[Any], object]:
    """Whether they were said; in colours where the environment forces them."""
    return lambda run: set(wanted) <= {COLOUR.sub("", line) for line in said(run)}


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
    "004": Case(is_true(lines("Status Code: 200"), lambda r: r.vars == TODO), {"url": "{web}/todo"}, needs=("python:kestra", "python:requests")),
    "011": Case(is_true(lines("dataset: products", "environment: prod", "threshold: 42", "rows: 100"),
                        lambda r: any(line.startswith("internal storage URI: kestra:///") for line in said(r)),
                        lambda r: not list(r.folder.rglob(".kestra-execution-context.json"))),
                needs=("python:pandas", "python:kestra"), download="extract"),
    "005": Case(is_true(lines("main is here")), files={"_files/main.py": "print('main is here')"}),
    "006": Case(is_true(lines("Hi, this is output from a script 👋"))),
    "008": Case(is_true(lambda r: r.vars == {}, lambda r: [(name, value) for name, (value, _) in metrics(r).items()] == [("count", 1), ("time", 2.12)])),
    "009": Case(is_true(lambda r: re.fullmatch(r"\S+Z - Py task is alive!", said(r)[0])), needs=("python:kestra",)),
    "017": Case(is_true(lambda r: [e.level for e in r.logs if e.task] == LEVELS), needs=("python:kestra",)),
    "024": Case(is_true(lines("value"), lambda r: r.outputs["shell_outputs_task"]["vars"] == SCALARS)),
    "026": Case(is_true(lines("There are 20 products in the cart"), lambda r: r.vars == {"productCount": 20},
                        lambda r: (metrics(r)["productCount"][0], metrics(r)["purchaseTime"][0]) == (20, 32.44))),
    "028": Case(is_true(lambda r: r.vars == {"average_age": 30.0}), needs=("python:pandas", "python:kestra")),
    "029": Case(is_true(lines("Hello")), needs=("node", "npm:colors")),
    "043": Case(is_true(lambda r: r.vars == {"status": 200, "text": ORDERS}), {"uri": "{web}/"}, needs=("python:kestra", "python:requests"), files={
        "_files/main.py": "import os, requests\nfrom kestra import Kestra\nr = requests.get(os.environ['URI'])\n"
                          "Kestra.outputs({'status': r.status_code, 'text': r.text})\n"}),
    "031": Case(is_true(lambda r: list(r.files) == ["output.tmp"]), {"file": "data.txt"}, FILE),
    "044": Case(is_true(lambda r: r.outputs["task1"]["exitCode"] == 1, lambda r: r.outputs["task1"]["vars"] == {"test": "value"},
                        lambda r: list(r.tasks["task1"].files) == ["first.txt"], lambda r: r.outputs["task2"] == {"value": "1"}),
                state="WARNING"),
    "049": Case(is_true(lambda r: list(r.outputs["query"]) == ["4", "6", "8"],
                        lambda r: list(r.outputs["query"]["4"]["outputFiles"]) == ["tmp/cyl=4/part-0.parquet"])),
    "050": Case(is_true(lambda r: set(r.tasks["shell"].files) == {"test.txt", "test2.txt"}), {"out": "txt"}),
    "052": Case(is_true(lambda r: r.outputs["working_directory_task"]["uris"]["output.txt"].startswith("kestra:///"))),
    "055": Case(is_true(lambda r: text("first.txt")(r) == "1\n", lines(*ORDERS.splitlines())), download="http_download"),
    "056": Case(is_true(lambda r: text("hello.txt")(r) == "Hello world!\n")),
    "057": Case(is_true(lambda r: re.search(r"Input's absolute path: '/.+/generated\.txt'", "\n".join(said(r))))),
    "058": Case(is_true(lambda r: said(r) == [f"The current execution is: {r.id}"])),
    "062": Case(is_true(lines(*ORDERS.splitlines())), download="http_download"),
    "067": Case(is_true(lines("Total Revenue: $250.00")), {"dataset_url": "{web}/orders.csv"}, needs=("gcc",)),
    "076": Case(is_true(lines("Number of rows: 100")), needs=("python:pandas",), download="download_file"),
    "081": Case(is_true(lines(*ORDERS.splitlines())), {"uri": "{web}/"}, needs=("python:requests",)),
    "083": Case(is_true(lines("Hello")), needs=("node", "npm:colors")),
    "084": Case(is_true(lambda r: "Unable to find `outputDir`" in r.error), state="FAILED", needs=("node", "npm:json2csv")),  # as Kestra 1.3
    "085": Case(is_true(lambda r: r.outputs["node"]["vars"] == {"test": "hello world"}, lines("hello world")), needs=("node", "npm:@kestra-io/libs")),
    "086": Case(is_true(lines("Hello")), needs=("node", "npm:colors")),
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
    "100": Case(is_true(lambda r: set(r.files) == {"women.parquet", "women.csv"}), why="needs R's packages: apt-get install r-cran-dplyr, and arrow from CRAN"),
    "106": Case(is_true(lines("Hello, World!")), needs=("pwsh",)),
    "113": Case(is_true(lines("Hello, World!")), needs=("groovy",)),
    "123": Case(is_true(lines("Original: Hello Kestra!", "Length: 28", "Sum: 125", "Difference: 75")), needs=("lua",)),
    "125": Case(is_true(lambda r: said(r).count("Hello, World!") == 2), needs=("php",)),
    "126": Case(is_true(lambda r: set(states(r).values()) == {"SUCCESS"}, lambda r: r.outputs["python_script_outputs"]["vars"] == {"total": 250}),
                {"dataset_uri": "{web}/orders.csv"}, needs=("python:kestra", "python:pandas", "python:requests")),
    "129": Case(is_true(lines("Status Code: 200"), lambda r: r.vars == TODO), {"url": "{web}/todo"}, needs=("python:kestra", "python:requests")),
    "130": Case(is_true(lambda r: text("out.txt")(r) == DATA), {"file": "data.txt"}, FILE),
    "132": Case(is_true(lines(*(f"{task} > value {n}" for task in ("task1", "task2") for n in (1, 2, 3))))),
    "140": Case(is_true(lambda r: "Unable to find `my_task_id`" in r.error), state="FAILED"),
    "142": Case(is_true(lambda e: "files: unknown property" in str(e)), state="SourceError"),
    "148": Case(is_true(lambda r: r.progress.task.attempt.number == 5, lambda r: "will_never_happen" not in r.tasks)),
    "153": Case(is_true(lambda r: any("WARNING" in line for line in said(r, "ERROR"))), needs=("pypi:loguru", "pypi:faker")),
    "155": Case(is_true(lambda r: [row.rpartition(",")[2] for row in text("final.csv")(r).split()[1:]] == ["6", "8", "10", "12"]),
                needs=("python:pandas",)),
    "161": Case(is_true(lambda r: r.vars["xml"] == "<root><number>1</number><string>my text</string></root>"), needs=("python:kestra",)),
    "053": Case(is_true(lambda e: "`io.kestra.plugin.serdes.json.JsonToIon` needs a Kestra server" in str(e)), state="SourceError"),
    "168": Case(is_true(lambda e: "`io.kestra.plugin.jdbc.duckdb.Queries` needs a Kestra server" in str(e)), state="SourceError"),
}  # fmt: skip
ELSEWHERE = {
    "040": "`pkg_resources` is gone from today's setuptools, in the image too; pip would change the kernel's own environment",
    "069": "asks https://kestra.io, which its script names",
    "074": "reads a table of huggingface.co, which its script names",
    "094": "Go's module proxy has no go-gota any more",
    "095": "Go's module proxy has no go-gota any more",
    "103": "needs Julia, which no package source here has: https://julialang.org/downloads",
    "110": "needs bun: npm install -g bun",
    "112": "needs deno: npm install -g deno; asks the network from its script",
    "154": "pip install ipykernel papermill would change the kernel's own environment; its notebook is not published",
    "166": "clones a repository of github.com",
    "167": "asks hub.docker.com, which its script names",
}


@pytest.fixture(scope="module")
def web():
    """The address of a server on this machine that gives `ORDERS`, and a JSON answer below ``/todo``."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (json.dumps(TODO) if self.path == "/todo" else ORDERS).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


ABSENT = pytest.param({}, marks=pytest.mark.skip(reason="shared/flows does not lie beside the project"), id="absent")


@pytest.mark.parametrize("row", [pytest.param(row, id=row["file"][:-5]) for row in INDEX] or [ABSENT])
def test_a_published_flow_ends_as_it_must(row, session, beside, web, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    case = CASES.get(row["file"][:3])
    if case is None:
        assert row["file"][:3] in ELSEWHERE, "a flow that could run is not checked"
        pytest.skip(ELSEWHERE[row["file"][:3]])
    reason = case.why or why_not(*case.needs)
    if reason:
        pytest.skip(reason)
    for name, content in case.files.items():
        (beside / name).parent.mkdir(exist_ok=True)
        (beside / name).write_text(content, "utf-8")

    options: dict[str, Any] = (
        {"inputs": {k: v.replace("{web}", web) for k, v in case.inputs.items()}} if case.inputs else {}
    )
    if case.download:
        options["fixtures"] = "fixtures.yaml"
        outputs = {"uri": "{{ fileURI('orders.csv') }}"}
        fixtures = {"files": {"orders.csv": ORDERS}, "tasks": [{"id": case.download, "outputs": outputs}]}
        (beside / "fixtures.yaml").write_text(json.dumps(fixtures), "utf-8")

    ended = _ended(session, row["file"], options, beside)

    assert (type(ended).__name__ if isinstance(ended, Exception) else ended.state.value) == case.state, ended
    case.check(ended)


def _ended(session: Any, name: str, options: dict[str, Any], beside: Path) -> Any:
    source = Source((FLOWS / name).read_text("utf-8"), name)
    try:
        return session.flow(source, options, beside=beside).start().wait(240)
    except KestraMagicError as error:
        return error


def test_every_flow_is_checked_or_says_why_it_cannot_be():
    known = {*CASES, *ELSEWHERE}

    assert [row["file"] for row in INDEX if row["file"][:3] not in known] == []
    assert not CASES.keys() & ELSEWHERE.keys()
