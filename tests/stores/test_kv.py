"""Keys and values: by namespace, each for as long as it lives."""

from __future__ import annotations

import stat
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.stores.kv import KV, KVError

ROOT = Path(__file__).parents[2]
NS = "company.team"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kv(tmp_path: Path, clock: Clock) -> KV:
    return KV(tmp_path / "data" / "kv.sqlite", clock)


@pytest.mark.parametrize(
    "value",
    [
        "text",
        1,
        1.5,
        True,
        None,
        [1, {"a": "é"}],
        datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        date(2026, 1, 2),
        timedelta(1),
    ],
    ids=str,
)
def test_a_value_comes_back_as_it_was(kv: KV, value: object) -> None:
    kv.set(NS, "key", value)

    assert kv.get(NS, "key") == value
    assert type(kv.get(NS, "key")) is type(value)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


@given(JSON)
def test_any_json_comes_back(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    kv = KV(tmp_path_factory.mktemp("kv") / "kv.sqlite")
    kv.set(NS, "key", value)

    assert kv.get(NS, "key") == value


def test_namespaces_do_not_see_each_other(kv: KV) -> None:
    kv.set(NS, "key", 1)

    assert kv.get("company", "key") is None
    assert kv.get("company", "key", 2) == 2


def test_a_later_value_replaces_an_earlier_one(kv: KV) -> None:
    kv.set(NS, "key", 1)
    kv.set(NS, "key", 2)

    assert [entry.value for entry in kv.entries(NS)] == [2]


def test_without_overwrite_an_existing_key_is_refused(kv: KV) -> None:
    kv.set(NS, "key", 1)

    with pytest.raises(KVError, match="Cannot set value for key 'key'"):
        kv.set(NS, "key", 2, overwrite=False)
    assert kv.get(NS, "key") == 1


def test_a_value_lives_as_long_as_it_is_told(kv: KV, clock: Clock) -> None:
    kv.set(NS, "key", 1, ttl=timedelta(seconds=10))
    clock.now += 9.9
    assert kv.get(NS, "key") == 1

    clock.now += 0.1

    assert kv.get(NS, "key") is None
    assert kv.entries(NS) == []
    assert not kv.delete(NS, "key")
    kv.set(NS, "key", 2, overwrite=False)  # it is free again


def test_deleting_says_whether_there_was_one(kv: KV) -> None:
    kv.set(NS, "key", 1)

    assert [kv.delete(NS, "key"), kv.delete(NS, "key")] == [True, False]


def test_a_missing_key_names_the_nearest(kv: KV) -> None:
    kv.set(NS, "threshold", 1)

    assert kv.require(NS, "threshold") == 1
    with pytest.raises(KVError, match="did you mean `threshold`"):
        kv.require(NS, "treshold")


@pytest.mark.parametrize("key", ["", "-a", "a b", "a/b", ".a", "é"])
def test_a_key_is_a_plain_word(kv: KV, key: str) -> None:
    with pytest.raises(KVError, match="no key"):
        kv.set(NS, key, 1)


def test_a_value_without_a_form_is_refused(kv: KV) -> None:
    with pytest.raises(KVError, match="no form as JSON"):
        kv.set(NS, "key", object())


def test_entries_say_when_and_for_how_long(kv: KV, clock: Clock) -> None:
    kv.set(NS, "b", 1, ttl=timedelta(minutes=1), description="why")
    kv.set(NS, "a", 2)

    a, b = kv.entries(NS)
    assert (a.key, a.expires, b.key, b.description) == ("a", None, "b", "why")
    assert (b.updated, b.expires) == (clock.now, clock.now + 60)


def test_the_file_is_its_owners_alone(kv: KV, tmp_path: Path) -> None:
    kv.set(NS, "key", 1)

    assert stat.S_IMODE((tmp_path / "data" / "kv.sqlite").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


COUNT = """
import sys
from pathlib import Path
from kestra_magic.stores.kv import KV
kv = KV(Path(sys.argv[1]))
for n in range(50):
    kv.set("ns", f"{sys.argv[2]}-{n}", n)
"""


def test_several_kernels_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "kv.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", COUNT, str(path), name], cwd=ROOT) for name in "abc"]

    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(KV(path).entries("ns")) == 150


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "kv.sqlite").write_bytes(b"no database" * 1000)

    with pytest.raises(KVError, match=r"kv\.sqlite` cannot be used"):
        KV(tmp_path / "kv.sqlite").get(NS, "key")


def test_a_place_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(KVError, match="cannot be used"):
        KV(tmp_path / "file" / "kv.sqlite").set(NS, "key", 1)
