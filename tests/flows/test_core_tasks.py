"""The core tasks: files, keys, requests, clones."""

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.flows.conftest import FLOW, LOG, RETURN, SHELL, said, states, why_not

STORAGE = "io.kestra.plugin.core.storage"
KV = "io.kestra.plugin.core.kv"
HTTP = "io.kestra.plugin.core.http"


class Answers(BaseHTTPRequestHandler):
    """A small server: the path says how it answers."""

    busy = 0

    def do_GET(self):
        if self.path.startswith("/busy") and Answers.busy:
            Answers.busy -= 1
            return self.answer(503, b"later", {"Retry-After": "0"})
        if self.path == "/moved":
            return self.answer(302, b"", {"Location": "/file.csv"})
        if self.path == "/missing":
            return self.answer(404, b"no such thing")
        if self.path == "/empty":
            return self.answer(200, b"")
        if self.path == "/never":
            threading.Event().wait(30)
            return None
        return self.answer(200, b"a,b\n1,2\n", {"X-Path": self.path, "X-Auth": self.headers.get("Authorization", "")})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(201, body, {"X-Type": self.headers.get("Content-Type", "")})

    def answer(self, code, body, headers=None):
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: the test's own output is enough."""


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as httpd:
        httpd.daemon_threads = True
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture
def one(run):
    return lambda kind, properties: run(f"  - {{id: t, type: {kind}, {properties}}}\n")


def test_a_download_is_a_file(one, server):
    ended = one(f"{HTTP}.Download", f"uri: '{server}/moved'")
    outputs = ended.outputs["t"]

    assert (outputs["code"], outputs["length"]) == (200, 8)
    assert ended.context.storage.path(outputs["uri"], namespace="").read_text() == "a,b\n1,2\n"
    assert [file.read_text() for file in ended.files.values()] == ["a,b\n1,2\n"]
    assert outputs["headers"]["x-path"] == ["/file.csv"]


def test_a_request_has_a_body_and_says_what_came(one, server):
    sent = one(f"{HTTP}.Request", f"uri: '{server}/p', method: POST, body: hello, contentType: text/plain")
    form = one(f"{HTTP}.Request", f"uri: '{server}/p', method: POST, formData: {{a: 1, b: x y}}")
    asked = one(
        f"{HTTP}.Request",
        f"uri: '{server}/q?z=1', params: {{a: b c}}, options: {{auth: {{type: BASIC, username: u, password: p}}}}",
    )

    assert (sent.outputs["t"]["code"], sent.outputs["t"]["body"]) == (201, "hello")
    assert sent.outputs["t"]["headers"]["x-type"] == ["text/plain"]
    assert form.outputs["t"]["body"] == "a=1&b=x+y"
    assert asked.outputs["t"]["headers"]["x-path"] == ["/q?z=1&a=b+c"]
    assert asked.outputs["t"]["headers"]["x-auth"] == ["Basic dTpw"]


def test_a_bad_answer_fails_unless_it_is_allowed(one, server):
    failed = one(f"{HTTP}.Request", f"uri: '{server}/missing'")
    allowed = one(f"{HTTP}.Request", f"uri: '{server}/missing', options: {{allowFailed: true}}")
    empty = one(f"{HTTP}.Download", f"uri: '{server}/empty'")

    assert failed.error == "Request failed with response code 404: no such thing"
    assert failed.outputs["t"]["code"] == 404
    assert (allowed.state, allowed.outputs["t"]["body"]) == ("SUCCESS", "no such thing")
    assert empty.error == "No response from server"


def test_a_busy_server_is_asked_again(one, server):
    Answers.busy = 2
    ended = one(f"{HTTP}.Request", f"uri: '{server}/busy'")

    assert ended.state == "SUCCESS"
    assert len(said(ended, "WARN")) == 2


def test_a_server_that_is_not_there(one):
    ended = one(f"{HTTP}.Request", "uri: 'http://127.0.0.1:9/x', method: POST")
    other = one(f"{HTTP}.Request", "uri: 'file:///etc/passwd'")

    assert ended.error == "POST http://127.0.0.1:9/x: Connection refused"
    assert "is no address like https://" in other.error


def test_a_request_that_hangs_ends_at_its_timeout(one, server):
    ended = one(f"{HTTP}.Request", f"uri: '{server}/never', timeout: PT0.3S")

    assert (ended.state, ended.error) == ("FAILED", "Timeout after 00:00:00.300")


def test_files_are_written_joined_measured_split_and_deleted(run):
    ended = run(f"""\
        - {{id: a, type: {STORAGE}.Write, content: "1\\n2\\n3\\n", extension: txt}}
        - {{id: b, type: {STORAGE}.Write, content: "4\\n"}}
        - {{id: c, type: {STORAGE}.Concat, files: ["{{{{ outputs.a.uri }}}}", "{{{{ outputs.b.uri }}}}"], separator: "-"}}
        - {{id: s, type: {STORAGE}.Size, uri: "{{{{ outputs.c.uri }}}}"}}
        - {{id: r, type: {STORAGE}.Split, from: "{{{{ outputs.a.uri }}}}", rows: 2}}
        - {{id: p, type: {STORAGE}.Split, from: "{{{{ outputs.a.uri }}}}", partitions: 2}}
        - {{id: y, type: {STORAGE}.Split, from: "{{{{ outputs.a.uri }}}}", bytes: 3B}}
        - {{id: g, type: {STORAGE}.Split, from: "{{{{ outputs.a.uri }}}}", regexPattern: "([13])"}}
        - {{id: d, type: {STORAGE}.Delete, uri: "{{{{ outputs.b.uri }}}}"}}
        - {{id: d2, type: {STORAGE}.Delete, uri: "{{{{ outputs.b.uri }}}}"}}
        - {{id: d3, type: {STORAGE}.Delete, uri: "{{{{ outputs.b.uri }}}}", errorOnMissing: true}}
        """)
    read = lambda uri: ended.context.storage.path(uri, namespace="").read_text()  # noqa: E731
    parts = {name: [read(uri) for uri in ended.outputs[name]["uris"]] for name in "rpyg"}

    assert read(ended.outputs["c"]["uri"]) == "1\n2\n3\n-4\n"
    assert ended.outputs["s"] == {"size": 9}
    assert parts == {
        "r": ["1\n2\n", "3\n"],
        "p": ["1\n3\n", "2\n"],
        "y": ["1\n", "2\n", "3\n"],
        "g": ["1\n", "3\n"],
    }
    assert (ended.outputs["d"]["deleted"], ended.outputs["d2"]["deleted"]) == (True, False)
    assert states(ended)["d3"] == "FAILED"
    assert ended.outputs["a"]["uri"].endswith(".txt")


def test_local_files_are_placed_and_collected(run):
    ended = run(f"""\
        - id: w
          type: {FLOW}.WorkingDirectory
          tasks:
            - {{id: into, type: {STORAGE}.LocalFiles, inputs: {{a.txt: hello}}}}
            - {{id: use, type: {SHELL}, commands: ['tr a-z A-Z < a.txt > b.txt']}}
            - {{id: out, type: {STORAGE}.LocalFiles, outputs: [b.txt]}}
        - {{id: l, type: {LOG}, message: "{{{{ read(outputs.out.uris['b.txt']) }}}}"}}
        """)

    assert said(ended, "INFO") == ["HELLO"]


def test_keys_are_set_read_and_deleted(run):
    ended = run(f"""\
        - {{id: a, type: {KV}.Set, key: k, value: '{{"a": [1]}}'}}
        - {{id: b, type: {KV}.Set, key: n, value: "007", kvType: STRING}}
        - {{id: c, type: {KV}.Set, key: d, value: PT1M, kvType: DURATION}}
        - {{id: g, type: {KV}.Get, key: k}}
        - {{id: f, type: {RETURN}, format: "{{{{ kv('k').a[0] }}}} {{{{ kv('n') }}}} {{{{ kv('d') }}}}"}}
        - {{id: x, type: {KV}.Delete, key: k}}
        - {{id: none, type: {KV}.Get, key: k}}
        - {{id: twice, type: {KV}.Set, key: n, value: x, overwrite: false, allowFailure: true}}
        - {{id: must, type: {KV}.Get, key: nn, errorOnMissing: true}}
        """)

    assert ended.outputs["g"] == {"value": {"a": [1]}}
    assert ended.outputs["f"] == {"value": "1 007 PT1M"}
    assert (ended.outputs["x"], ended.outputs["none"]) == ({"deleted": True}, {})
    assert states(ended)["twice"] == "WARNING"
    assert "no value found for key 'nn' in namespace 'company.team'; did you mean `n`?" in ended.error


def test_verdicts(run):
    assert (
        run("  - {id: t, type: io.kestra.plugin.core.execution.Fail, condition: '{{ 1 == 2 }}'}\n").state == "SUCCESS"
    )
    ended = run("  - {id: t, type: io.kestra.plugin.core.execution.Fail, condition: 'true', errorMessage: no}\n")
    assert said(ended, "ERROR") == ["no", "Fail on a condition"]
    assert run(
        "  - {id: t, type: io.kestra.plugin.core.output.OutputValues, values: {a: '{{ 1 + 1 }}', b: [x]}}\n"
    ).outputs == {"t": {"values": {"a": "2", "b": ["x"]}}}


def test_a_return_is_measured(run):
    ended = run(f"  - {{id: t, type: {RETURN}, format: abc}}\n")

    assert {(m.type, m.name): m.value for m in ended.metrics.entries}["counter", "length"] == 3


@pytest.mark.skipif(bool(why_not("git")), reason="git is not here")
def test_a_repository_is_cloned_into_a_shared_directory(run, tmp_path):
    repository = tmp_path / "repository"
    quiet = {"check": True, "capture_output": True}
    subprocess.run(["git", "init", "-q", "-b", "main", repository], **quiet)
    (repository / "main.py").write_text("print('cloned')")
    own = ["git", "-C", repository, "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*own, "add", "."], **quiet)
    subprocess.run([*own, "commit", "-qm", "first"], **quiet)
    ended = run(f"""\
        - id: w
          type: {FLOW}.WorkingDirectory
          tasks:
            - {{id: clone, type: io.kestra.plugin.git.Clone, url: "file://{repository}", branch: main}}
            - {{id: use, type: io.kestra.plugin.scripts.python.Commands, commands: [python main.py]}}
        """)

    assert ended.state == "SUCCESS", ended.logs
    assert "cloned" in said(ended, "INFO")
    assert ended.outputs["clone"]["directory"]
