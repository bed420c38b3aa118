"""A cluster that speaks TLS lets in who has a certificate, and nobody else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Security

from kestra_magic.errors import KestraMagicError
from kestra_magic.runners.dask import cluster as cluster_module
from kestra_magic.runners.dask.cluster import Cluster, connect
from tests.runners.cluster import TestCluster
from tests.runners.going import go, job

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here to make a certificate with")


def certificate(path: Path) -> Path:
    """Make a certificate that is its own authority, with its key in the same file."""
    made = path.with_suffix(".cert")
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run(["openssl", *words, "-keyout", path, "-out", made], check=True, capture_output=True)
    path.write_text(path.read_text() + made.read_text())
    return path


def security(pem: Path) -> Security:
    own = str(pem)
    return Security(tls_ca_file=own, tls_client_cert=own, tls_client_key=own, require_encryption=True)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    folder = tmp_path_factory.mktemp("tls")
    pem = certificate(folder / "all.pem")
    cluster = TestCluster(folder, {"a": "g=2"}, pem=pem)
    try:
        cluster.start_scheduler()
        connect(cluster.address, security(pem))
        cluster.heal()
        yield cluster
    finally:
        cluster.close()


def test_with_a_certificate_a_job_runs_and_its_files_come(closed: TestCluster, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(9 << 20))
    inputs = {"in": {"source": str(tmp_path / "big")}}
    what = job(tmp_path, tmp_path / "root", "/bin/sh", "-c", "cp in out; echo done", outputs=("out",), inputs=inputs)
    going = go(closed.address, what)

    assert going.exited().code == 0
    assert going.text() == "done\n"
    assert going.running.collect().files["out"].read_bytes() == (tmp_path / "big").read_bytes()


def test_with_another_certificate_nobody_comes_in(
    closed: TestCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "PATIENCE", 1.0)

    with pytest.raises(KestraMagicError, match="no Dask scheduler answers at"):
        Cluster(closed.address, security(certificate(tmp_path / "stranger.pem")))


def test_without_a_certificate_nobody_comes_in(closed: TestCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "PATIENCE", 1.0)

    with pytest.raises(KestraMagicError, match="no Dask scheduler answers at"):
        Cluster(closed.address)
