"""Secrets: three places, in order; what was read is known so that it can be masked."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest

from kestra_magic.errors import KestraMagicError
from kestra_magic.stores.secrets import SERVICE, SecretNotFound, Secrets, remember

ROOT = Path(__file__).parents[2]


class Drawer(keyring.backend.KeyringBackend):  # type: ignore[misc,name-defined]
    """A keyring that forgets everything at the end."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    before = keyring.get_keyring()
    keyring.set_keyring(Drawer())
    yield keyring.get_keyring()
    keyring.set_keyring(before)


@pytest.fixture
def locked() -> Iterator[None]:
    """A machine without any keyring, as most servers are."""
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    yield
    keyring.set_keyring(before)


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def test_the_keyring_comes_first_then_the_file_then_the_environment(drawer: Drawer) -> None:
    secrets = Secrets({"A": "file", "B": "file"}, {f"SECRET_{name}": encoded("environment") for name in "ABC"})
    drawer.kept[SERVICE, "A"] = "keyring"

    assert [secrets.get(name) for name in "ABC"] == ["keyring", "file", "environment"]


def test_what_was_read_is_known_and_nothing_else(drawer: Drawer) -> None:
    secrets = Secrets({"A": "one", "B": "two"}, {})
    secrets.get("A")

    assert secrets.used == {"one"}


def test_a_secret_of_several_lines_is_known_line_by_line(drawer: Drawer) -> None:
    key = "-----BEGIN KEY-----\nMIIEpAIBAAKC\nab\n"
    secrets = Secrets({"KEY": key}, {})
    secrets.get("KEY")

    assert secrets.used == {key, "-----BEGIN KEY-----", "MIIEpAIBAAKC"}


def test_an_empty_secret_masks_nothing(drawer: Drawer) -> None:
    secrets = Secrets({"A": ""}, {})

    assert secrets.get("A") == ""
    assert secrets.used == set()


def test_the_environment_holds_base64_as_a_server_does(drawer: Drawer) -> None:
    wrapped = encoded("héllo " * 30)
    wrapped = "\n".join(wrapped[at : at + 76] for at in range(0, len(wrapped), 76))

    assert Secrets({}, {"SECRET_MY_KEY": wrapped}).get("my_key") == "héllo " * 30


def test_what_is_not_base64_is_one_sentence(drawer: Drawer) -> None:
    with pytest.raises(KestraMagicError, match="`SECRET_A` is not base64"):
        Secrets({}, {"SECRET_A": "plain text"}).get("A")


def test_a_missing_secret_names_the_three_places_and_the_nearest(drawer: Drawer) -> None:
    with pytest.raises(SecretNotFound) as missing:
        Secrets({"GITHUB_TOKEN": "x"}, {}).get("GITHUB_TOKN")

    said = str(missing.value)
    assert said.startswith("Cannot find secret for key 'GITHUB_TOKN'")
    assert all(part in said for part in ("the keyring", "`--env-file`", "`SECRET_GITHUB_TOKN`", "did you mean"))


def test_a_machine_without_a_keyring_says_so_only_when_it_matters(locked: None) -> None:
    secrets = Secrets({"A": "file"}, {})

    assert secrets.get("A") == "file"
    with pytest.raises(SecretNotFound, match=r"the keyring \(No recommended backend was available\)"):
        secrets.get("B")


def test_a_secret_is_remembered(drawer: Drawer) -> None:
    remember("A", "kept")

    assert Secrets({}, {}).get("A") == "kept"


def test_where_nothing_can_be_remembered_is_one_sentence(locked: None) -> None:
    with pytest.raises(KestraMagicError, match="use `--env-file` instead"):
        remember("A", "kept")


WITHOUT = """
import sys
sys.modules["keyring"] = None
from kestra_magic.stores.secrets import Secrets
print(Secrets({"A": "file"}, {}).get("A"))
try:
    Secrets({}, {}).get("B")
except Exception as error:
    print(error)
"""


def test_without_the_package_the_other_places_are_read() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.splitlines()[0] == "file"
    assert "the keyring (not installed)" in done.stdout
