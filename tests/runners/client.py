"""A notebook's kernel that can be killed: runs one job on a worker, and says when it runs."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.runners.going import go, job, python

if __name__ == "__main__":
    address, folder, code = sys.argv[1:]
    going = go(address, job(Path(folder), Path(folder) / "root", *python(code)))
    going.says("line 600\n")
    print("it runs", flush=True)
    going.ended()
