"""The behaviours of Kestra that its own tests pin down (§8 of the contract), by their IDs: which are run here, and why not."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=Callable[..., object])
COUNTS = {
    "TR": 6, "SS": 4, "FS": 10, "PU": 2, "LC": 25, "PC": 4, "WD": 6, "GL": 5, "LG": 3, "ST": 9, "RT": 6, "WF": 9,
    "IN": 15, "SH": 13, "PY": 16, "LB": 7, "X": 20,
}  # fmt: skip
ALL = [f"{family}{n}" for family, count in COUNTS.items() for n in range(1, count + 1)]
RUN: dict[str, list[str]] = {}
"""By ID: the tests that run it."""

_OTLP = "OTLP records (after 1.3, profile P3) belong to a server's telemetry; a frame's `otlp` section passes unread"
_MARKERS = "log markers that set the level (`##kestra:log:debug##`) came after 1.3, which is the profile here"
_JAVA = "a service inside Kestra, without a counterpart that a flow could see"
NOT_RUN = {
    "PU1": _JAVA + ": the names of legacy output files are checked by LB2",
    "PU2": _JAVA + ": execution.Count and its like need a server",
    **{f"LC{n}": _MARKERS for n in range(4, 8)},
    "LC9": "`encryptedOutputs` is the Enterprise edition's",
    **{f"LC{n}": _OTLP for n in range(11, 25)},
    "LC25": "`kotlp` is a helper program of Kestra after 1.3",
    "PC4": "`Kestra.read` runs in the person's script, in Kestra's own library: nothing of ours takes part",
    "SH13": "triggers are told, not run: they need a server",
    "PY3": "downloads a package",
    "PY15": "uv is never downloaded here: what is on PATH is used, else venv and pip",
    "WF9": "outputs are not encrypted here: they stay on the person's own machine; secrets are masked instead",
}  # fmt: skip


def checks(*ids: str) -> Callable[[T], T]:
    """Say which behaviours a test runs."""

    def noted(test: T) -> T:
        for name in ids:
            assert name in ALL, name
            RUN.setdefault(name, []).append(test.__name__)
        return test

    return noted
