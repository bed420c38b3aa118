"""A cluster on this machine lives as long as its kernel, however that ends."""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.kernel.driver import Kernel
from tests.process.survivors import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("distributed", reason="pip install '.[dask]'")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX: processes are found by their environment")
CELL = "%%kestra_process there\n#| workerGroup: {key: gpu}\n"


@pytest.fixture
def witness() -> Witness:
    return Witness(f"kernel-{uuid.uuid4().hex}")


@pytest.fixture
def clustered(tmp_path: Path, witness: Witness) -> Iterator[Kernel]:
    """A kernel with two workers of its own, one of which runs something; all that it starts bears the token."""
    made = Kernel(tmp_path / "notebook", tmp_path / "home", KERNEL_TOKEN=witness.token)
    assert made.run("%load_ext kestra_magic").status == "ok"
    shown = made.run("%kestra workers --local 2 --group gpu")
    assert [line.split()[3:6] for line in shown.text().splitlines()[1:]] == [["gpu", "(2", "at"]] * 2
    yield made
    if made.manager.is_alive():
        made.close()


def test_a_group_is_tried_and_what_it_runs_ends_with_the_kernel(clustered: Kernel, witness: Witness) -> None:
    reply = clustered.run(f"{CELL}echo hello")
    assert reply.status == "ok", reply.traceback
    assert clustered.run("print(there.state, there.stdout, end='')").text() == "SUCCESS hello\n"

    reply = clustered.run(CELL.replace("gpu", "GPU, fallback: FAIL") + "echo")
    assert (
        "offers `GPU`: it offers `gpu`; did you mean `gpu`?; with `fallback: WAIT` it would wait for one" in reply.error
    )
    assert "File " not in reply.traceback
    assert clustered.run("%kestra workers --off").text() == "worker groups run here\n"
    assert "no cluster is known: worker groups run here" in clustered.run("%kestra workers").text()
    assert clustered.run("%kestra workers --local 1 --group gpu").status == "ok"

    clustered.client.stop_channels()
    clustered.manager.shutdown_kernel()
    assert witness.left(60) == []


def test_workers_end_with_a_kernel_that_is_killed(clustered: Kernel, witness: Witness) -> None:
    message = clustered.start(f"{CELL}echo up; sleep 600")
    clustered.finish(message, until=lambda reply: "up\n" in reply.text())

    clustered.kill()
    assert witness.left(60) == []


def test_an_interrupt_ends_the_run_and_none_of_the_workers(clustered: Kernel) -> None:
    """A notebook's Stop signals the whole process group of its kernel."""
    message = clustered.start(f"{CELL}echo up; sleep 600")
    clustered.finish(message, until=lambda reply: "up\n" in reply.text())
    clustered.interrupt()
    assert clustered.finish(message).error.startswith("killed (interrupt)")

    message = clustered.start(CELL.replace("gpu", "nobody") + "echo")
    clustered.finish(message, until=lambda reply: "waiting: no worker at `tcp://" in reply.text("stderr"))
    clustered.interrupt()
    assert clustered.finish(message).error.startswith("killed (interrupt)")

    assert clustered.run(f"{CELL}echo again").text() == "again\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("%kestra workers --bogus", "there is no option `--bogus`; `%kestra help` lists the options"),
        ("%kestra workers tcp://127.0.0.1:1", "no Dask scheduler answers at `tcp://127.0.0.1:1`: "),
        ("%kestra workers --local many", "`--local many`: how many workers, from 1 to 64"),
    ],
)
def test_a_slip_is_one_sentence(kernel: Kernel, code: str, said: str) -> None:
    reply = kernel.run(code)

    assert reply.status == "error"
    assert said in reply.error
    assert len(reply.error.splitlines()) == 1
    assert "File " not in reply.traceback
