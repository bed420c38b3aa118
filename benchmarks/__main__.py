"""`python -m benchmarks [NAME …] [PART …]`: every figure that the project promises; fails if one is not held.

A part is known to its benchmark: `python -m benchmarks streams latency`.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

NOT_MEASURES = {"__init__", "__main__", "figure"}
RESULT = Path(".artefacts") / "benchmarks.json"


def main(names: list[str]) -> int:
    known = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in NOT_MEASURES)
    found: dict[str, Any] = {}
    held = True
    parts = [name for name in names if name not in known]
    for name in [name for name in names if name in known] or known:
        print(name, flush=True)
        found[name] = []
        for figure in import_module(f"benchmarks.{name}").figures(*parts):
            print(figure, flush=True)
            found[name].append({**asdict(figure), "holds": figure.holds})
            held = held and figure.holds
    _write(found)
    return 0 if held else 1


def _write(found: dict[str, Any]) -> None:
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
    what = {"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "machine": machine, "load": os.getloadavg(), "figures": found}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(what, indent=1))
    print(f"written to {RESULT}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
