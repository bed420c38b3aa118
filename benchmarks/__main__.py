"""Every figure that the project promises, measured here; fails if one is not held."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

HERE = Path(__file__).parent
NOT_MEASURES = {"__init__", "__main__", "figure"}
RESULT = Path(".artefacts") / "benchmarks.json"


def main(typed: list[str]) -> int:
    known = {path.stem: _parts(path.stem) for path in sorted(HERE.glob("*.py")) if path.stem not in NOT_MEASURES}
    asked = _asked(typed, known)
    found: dict[str, Any] = {}
    held = True
    for name in [name for name in known if name in asked] or known:
        print(name, flush=True)
        found[name] = []
        for figure in _module(name).figures(*(part for part in asked if part in known[name])):
            print(figure, flush=True)
            found[name].append({**asdict(figure), "holds": figure.holds})
            held = held and figure.holds
    _write(found)
    return 0 if held else 1


def _asked(typed: list[str], known: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what of all that is measured; a part is asked for with its benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ", ".join(f"{name} ({', '.join(parts)})" if parts else name for name, parts in known.items())
    parser.add_argument("what", nargs="*", help=f"a benchmark, and parts of it; else all of them: {names}")
    asked: list[str] = parser.parse_args(typed).what
    choice = {*known, *(part for name, parts in known.items() if name in asked for part in parts)}
    if unknown := next((each for each in asked if each not in choice), None):
        parser.error(f"there is no `{unknown}`; there is {names}")
    return asked


def _parts(name: str) -> Sequence[str]:
    return tuple(getattr(_module(name), "PARTS", ()))


def _module(name: str) -> ModuleType:
    return import_module(f"benchmarks.{name}")


def _write(found: dict[str, Any]) -> None:
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
    what = {"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "machine": machine, "load": os.getloadavg(), "figures": found}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(what, indent=1))
    print(f"written to {RESULT}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
