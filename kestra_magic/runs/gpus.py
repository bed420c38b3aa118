"""Which GPUs a run sees: ``--gpu``, as an environment variable of its task."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kestra_magic.process.gpu import Gpus, choose, devices, nvml
from kestra_magic.runs.request import Request, Written, read

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["with_gpus"]

VISIBLE = "CUDA_VISIBLE_DEVICES"


def with_gpus(request: Request, written: Written, data: Path) -> tuple[Written, Gpus | None]:
    """Return what was written with the GPUs that it is to see, and these, held; as it was if nothing is wished.

    Args:
        data: where it stands which are held, in its folder ``gpus``.

    Raises:
        KestraMagicError: there is no such GPU, or none that is free.
    """
    wish = written.options.get("gpu")
    if wish is None:
        return written, None
    gpus = choose(str(wish), devices(nvml()), within=os.environ.get(VISIBLE), folder=data / "gpus", run=request.name)
    options = {**request.options, "env": [*request.options.get("env", []), f"{VISIBLE}={gpus.visible}"]}
    return read(replace(request, options=options)), gpus
