"""`python -m benchmarks [NAME …]`: every figure that the project promises; fails if one is not held."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

NOT_MEASURES = {"__init__", "__main__", "figure"}


def main(names: list[str]) -> int:
    known = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in NOT_MEASURES)
    held = True
    for name in names or known:
        print(name, flush=True)
        for figure in import_module(f"benchmarks.{name}").figures():
            print(figure, flush=True)
            held = held and figure.holds
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
