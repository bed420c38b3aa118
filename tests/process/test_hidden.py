"""A secret in all its forms, cut anywhere, never shows."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kestra_magic.process.hidden import hidden_forms
from kestra_magic.process.lines import Mask

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=3, max_size=12)
FOUR = SECRETS.filter(lambda secret: len(secret.encode()) >= 4)
"""What base64 within a longer text is known of."""
FORMS = {
    "plain": lambda s, _: s.encode(),
    "base64": lambda s, _: base64.b64encode(s.encode()),
    "base64 inside": lambda s, n: base64.b64encode(b"user:"[:n] + s.encode() + b"tail"),
    "base64 for URLs": lambda s, n: base64.urlsafe_b64encode(b"user:"[:n] + s.encode()),
    "URL": lambda s, _: quote(s).encode(),
    "URL, all": lambda s, _: quote(s, safe="").encode(),
    "form": lambda s, _: quote_plus(s).encode(),
    "JSON": lambda s, _: json.dumps(s).encode()[1:-1],
    "JSON, not ASCII": lambda s, _: json.dumps(s, ensure_ascii=False).encode()[1:-1],
}


def masked(data: bytes, secret: str, places: list[int]) -> bytes:
    mask = Mask(hidden_forms((secret,)))
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    shown = [mask.feed(data[a:b])[1] for a, b in pairwise(edges)]
    return b"".join([*shown, mask.rest()[1]])


@pytest.mark.parametrize("form", FORMS)
@given(secret=FOUR, places=st.lists(st.integers(0, 60), max_size=5), lead=st.integers(0, 5))
@example(secret="hunter2", places=[3], lead=2)
@example(secret="pä'\"\\\n/+", places=[1, 2, 3, 4, 5], lead=1)
def test_no_form_shows_however_it_is_cut(form: str, secret: str, places: list[int], lead: int) -> None:
    written = FORMS[form](secret, lead)

    shown = masked(b"<" + written + b">\n", secret, places)

    assert len(shown) == len(written) + 3
    assert (b"<" + written) not in shown or set(written) <= set(b"*\r\n")
    if "base64" not in form:
        assert set(shown[1:-2]) <= set(b"*\r\n")


@given(secret=FOUR, lead=st.binary(max_size=7), tail=st.binary(max_size=7))
def test_base64_keeps_at_most_what_the_edges_share(secret: str, lead: bytes, tail: bytes) -> None:
    plain = secret.encode()
    written = base64.b64encode(lead + plain + tail)

    shown = masked(written, secret, [])

    first, last = len(lead) * 8 // 6, -(-(len(lead) + len(plain)) * 8 // 6)
    inner = shown[first + 2 : last - 2]
    assert set(inner) <= set(b"*")


def test_three_bytes_are_masked_but_not_within_a_longer_base64_text() -> None:
    alone, within = base64.b64encode(b"abc"), base64.b64encode(b"user:abc tail")

    assert masked(b"abc " + alone + b" " + within, "abc", []) == b"*** **** " + within
    assert masked(base64.b64encode(b"abc tail"), "abc", []) == b"****IHRhaWw="


@pytest.mark.parametrize("at", range(1, 20))
def test_a_secret_is_masked_at_every_cut(at: int) -> None:
    data = b"key=hunter2 hunter2!"

    assert masked(data, "hunter2", [at]) == b"key=******* *******!"


def test_what_is_not_secret_stays() -> None:
    data = bytes(range(256)) * 2

    assert masked(data, "not in there at all", [7, 100, 300]) == data
