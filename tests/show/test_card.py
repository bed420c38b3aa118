"""How a run ended, as it is saved in a notebook."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kestra_magic.runs.progress import State
from kestra_magic.show.card import BADGES, BUDGET, OTHER, File, header, render, result, shown_file, visible
from kestra_magic.show.files import Preview
from tests.show.fakes import SCRIPT, FakeRun
from tests.show.test_files import png

TRACEBACK = f"""Traceback (most recent call last):
  File "/work/abc/{SCRIPT}", line 7, in <module>
    1 / 0
ZeroDivisionError: division by zero
"""
METRICS = (
    '::{"metrics":[{"name":"rows","type":"counter","value":3,"tags":{"file":"a.csv"}},'
    '{"name":"took","type":"timer","value":0.123},{"name":"rows","type":"counter","value":4,"tags":{"file":"a.csv"}}]}::'
)
VOID = {"img"}


class Page(HTMLParser):
    """Reads HTML strictly: every element closed in its order; keeps texts, tags and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == name]


def card(folder: Path, **facts: Any) -> Page:
    return Page(result(FakeRun(folder, **facts))["text/html"])  # type: ignore[arg-type]


def plain(folder: Path, **facts: Any) -> str:
    return result(FakeRun(folder, **facts))["text/plain"]  # type: ignore[arg-type]


def test_a_header_is_constant_and_found_by_its_key() -> None:
    shown = header("train", "python <train>.py", key="1a2b-1")

    assert shown["text/html"] == (
        '<div data-kestra-run="1a2b-1"><div>▶ <b>train</b> <code>python &lt;train&gt;.py</code></div></div>'
    )
    assert shown["text/plain"] == "▶ train · python <train>.py"


def test_a_good_end_says_its_state_code_and_lines(tmp_path: Path) -> None:
    assert card(tmp_path, lines=1203).text == "✔ SUCCESS train · exit code 0 · 1,203 lines"
    assert plain(tmp_path, lines=1) == "✔ SUCCESS train · exit code 0 · 1 line"


def test_a_result_is_found_by_the_key_of_its_header(tmp_path: Path) -> None:
    shown = Page(result(FakeRun(tmp_path), key="1a2b-1")["text/html"])  # type: ignore[arg-type]

    assert shown.tags[0][1]["data-kestra-result"] == "1a2b-1"


def test_a_failure_says_why_at_which_line_and_what_was_ended(tmp_path: Path) -> None:
    facts = {
        "state": State.FAILED,
        "exit_code": 1,
        "error": "Command failed with exit code 1",
        "told": " (stopped 7 processes, 2 of them had left the group)",
        "hint": "line 7: ZeroDivisionError: division by zero",
        "stderr": TRACEBACK,
    }

    assert card(tmp_path, **facts).text == (
        "✘ FAILED train · exit code 1 · 3 lines "
        "Command failed with exit code 1 (stopped 7 processes, 2 of them had left the group) "
        "line 7: ZeroDivisionError: division by zero "
        "Traceback (most recent call last): line 7, in <module> 1 / 0 ZeroDivisionError: division by zero"
    )
    assert plain(tmp_path, **facts).splitlines()[1:] == [
        "  Command failed with exit code 1 (stopped 7 processes, 2 of them had left the group)",
        "  line 7: ZeroDivisionError: division by zero",
    ]


def test_no_secret_among_the_outputs_is_saved(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, vars={"token": "s3cret", "more": {"in": ["a s3cret b"]}})
    run.context.masked_values = lambda: ("s3cret",)
    shown = result(run)  # type: ignore[arg-type]

    assert "s3cret" not in shown["text/html"] + shown["text/plain"]
    assert "a ****** b" in shown["text/html"]


def test_what_is_said_already_is_not_said_twice(tmp_path: Path) -> None:
    shown = card(tmp_path, state=State.FAILED, exit_code=2, error="e", hint="fatal: no", stderr="fatal: no\n")

    assert shown.text.count("fatal: no") == 1


def test_a_run_that_lives_has_not_failed(tmp_path: Path) -> None:
    shown = card(tmp_path, state=State.RUNNING, exit_code=None, error="not yet", stderr=TRACEBACK)

    assert shown.text == "▶ RUNNING train · 3 lines"


def test_outputs_are_told_by_their_paths_and_how_to_ask_for_them(tmp_path: Path) -> None:
    said = {"accuracy": 0.93, "best": {"lr": 1e-3, "a b": None}, "labels": ["x"], "ok": True, "none": {}}
    shown = card(tmp_path, vars=said)

    titles = [attrs.get("title") for attrs in shown.all("th")]
    assert titles == [
        "{{ outputs.train.vars.accuracy }}",
        "{{ outputs.train.vars.best.lr }}",
        '{{ outputs.train.vars.best["a b"] }}',
        "{{ outputs.train.vars.labels }}",
        "{{ outputs.train.vars.ok }}",
        "{{ outputs.train.vars.none }}",
    ]
    assert 'Outputs (6) accuracy 0.93 number best.lr 0.001 number best.a b null null labels ["x"] list' in shown.text


def test_many_and_long_outputs_are_cut_and_it_is_said(tmp_path: Path) -> None:
    shown = card(tmp_path, vars={"long": "x" * 9000, **{f"v{n}": n for n in range(200)}})

    assert "x… (9,000 characters)" in shown.text
    assert "… and 101 more" in shown.text


def test_metrics_are_added_up_and_what_was_measured_is_not_saved(tmp_path: Path) -> None:
    text = card(tmp_path, said=(METRICS,)).text

    assert "rows counter 7 file: a.csv" in text
    assert "took timer run.metrics['took'].last" in text
    assert "0.123" not in text


def test_files_are_listed_by_name_with_links_beside_the_notebook(tmp_path: Path) -> None:
    shown = card(tmp_path, made={"b/t 1.csv": b"x,y\n1,2\n", "a.txt": b"hi\n", "_run": b""})

    assert [attrs["href"] for attrs in shown.all("a")] == [
        "./kestra-runs/train/_run",
        "./kestra-runs/train/a.txt",
        "./kestra-runs/train/b/t%201.csv",
    ]
    assert (
        "Files (3) _run · 0 bytes · empty a.txt · 3 bytes · 1 line hi b/t 1.csv · 8 bytes · 1 row × 2 columns"
        in shown.text
    )
    assert str(tmp_path) not in result(FakeRun(tmp_path, made={"a.txt": b"hi"}))["text/html"]  # type: ignore[arg-type]


def test_results_elsewhere_have_no_links(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, made={"a.txt": b"hi"})
    run.context.beside = tmp_path / "notebooks"

    assert Page(result(run)["text/html"]).all("a") == []  # type: ignore[arg-type]


def test_files_of_a_run_in_the_notebooks_folder_are_linked_there(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, made={"javascript:alert(1)": b"hi"})
    run.context.folder.path = tmp_path / "elsewhere"

    (link,) = Page(result(run)["text/html"]).all("a")  # type: ignore[arg-type]
    assert link["href"] == "./kestra-runs/train-1/javascript%3Aalert%281%29"


def test_patterns_that_matched_nothing_are_told(tmp_path: Path) -> None:
    assert "Files (0) `*.csv` matched no file" in card(tmp_path, misses=("`*.csv` matched no file",)).text


def test_a_small_image_is_in_the_card_and_a_large_one_is_linked(tmp_path: Path) -> None:
    import os

    small, large = png(4, 4, b"\0" * 20), png(300, 300, os.urandom(301 * 300))
    images = card(tmp_path, made={"a.png": small, "b.png": large}).all("img")

    assert str(images[0]["src"]).startswith("data:image/png;base64,")
    assert images[1]["src"] == "./kestra-runs/train/b.png"
    assert [image["alt"] for image in images] == ["a.png", "b.png"]


def test_a_card_stays_small_whatever_was_made(tmp_path: Path) -> None:
    import os

    made = {f"{n}.png": png(200, 200, os.urandom(201 * 200)) for n in range(9)}
    said = {f"<{n}>": '"' * 400 for n in range(99)}
    made |= {f"{n}.csv": b"a,b,c,d,e,f,g,h\n" + b"some cell,<b>,&,\",',x,y,z\n" * 999 for n in range(300)}
    html = result(FakeRun(tmp_path, made=made, vars=said))["text/html"]  # type: ignore[arg-type]

    assert len(html.encode()) < 100_000
    assert "… and 259 more" in html


def test_the_same_end_saves_the_same_bytes(tmp_path: Path) -> None:
    made = {"b.csv": b"a\n1\n", "a.txt": b"x"}
    first = FakeRun(tmp_path / "1", made=made, vars={"x": 1})
    second = FakeRun(tmp_path / "2", made=dict(reversed(made.items())), vars={"x": 1})

    assert result(first) == result(second)  # type: ignore[arg-type]


def test_a_flow_lists_its_tasks_and_their_outputs(tmp_path: Path) -> None:
    tasks = {"extract": (State.SUCCESS, {"rows": 3}), "load-it": (State.WARNING, {"n": 1})}
    shown = card(tmp_path, cell=False, tasks=tasks, state=State.WARNING)

    assert shown.text == (
        "! WARNING train · 6 lines Tasks (2) ✔ SUCCESS extract ! WARNING load-it "
        "Outputs (2) extract.rows 3 number load-it.n 1 number"
    )
    assert [attrs["title"] for attrs in shown.all("th")] == [
        "{{ outputs.extract.vars.rows }}",
        '{{ outputs["load-it"].vars.n }}',
    ]


def test_the_end_of_an_endless_error_is_told(tmp_path: Path) -> None:
    shown = result(FakeRun(tmp_path, state=State.FAILED, error="e", stderr="x" * 1_000_000 + "\n"))  # type: ignore[arg-type]

    assert len(shown["text/html"]) < 20_000


def test_the_card_is_readable_without_styles_scripts_and_attributes(tmp_path: Path) -> None:
    html = result(FakeRun(tmp_path, vars={"a": 1}, made={"t.csv": b"x\n1\n"}))["text/html"]  # type: ignore[arg-type]
    shown = Page(html)

    harmless = "a b code details div img p pre small span style summary table tbody td th thead tr"
    assert {tag for tag, _ in shown.tags} <= set(harmless.split())
    assert not re.search(r"\son\w+=|javascript:|<script|<svg", html)


NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    *("a\nb", "\u202egnp.exe", "x\u2028y", "{{ 7*7 }}", "😀👩\u200d🚀", "\x1b[31m", "\ud800"),
    *("&lt;", "'", "a b", "%00", "#?", "--"),
]


@pytest.mark.parametrize("name", NASTY)
def test_no_name_and_no_value_becomes_markup(tmp_path: Path, name: str) -> None:
    safe = name.replace("/", "_").replace("\ud800", "\udc80")
    facts: dict[str, Any] = {
        "vars": {name: name},
        "made": {safe: name.encode("utf-8", "replace")},
        "error": name,
        "hint": name,
        "stderr": name.encode("utf-8", "replace").decode(),
        "misses": (name,),
        "state": State.FAILED,
    }
    shown = result(FakeRun(tmp_path, **facts))  # type: ignore[arg-type]
    page = Page(shown["text/html"])

    assert len(page.all("details")) == 3
    assert len(page.all("img")) == len(page.all("script")) == 0
    assert not re.search("[\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown["text/plain"])
    assert "49" not in page.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=30), data=st.text(max_size=60))
def test_whatever_is_said_the_card_stays_in_shape(tmp_path: Path, name: str, data: str) -> None:
    file = File(name, "1 KB", "", Preview(kind="text", said=data, text=data or "x"))
    html = render("files", files=[shown_file(file)], more=0, misses=[name], key="")
    page = Page(html)

    assert [tag for tag, _ in page.tags][2:] == [
        "details", "summary", "details", "summary", "b", "span", "pre", "div"
    ]  # fmt: skip
    html.encode()


@given(st.text(max_size=50))
def test_a_visible_name_is_one_line_and_hides_nothing(name: str) -> None:
    shown = visible(name)

    assert not re.search("[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\ud800-\udfff]", shown)


def luminance(color: str) -> float:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("ink", "ground"), sorted({badge[1:] for badge in (*BADGES.values(), OTHER)}))
def test_a_states_word_can_be_read(ink: str, ground: str) -> None:
    light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)

    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_the_budget_leaves_room_for_the_rest() -> None:
    assert BUDGET <= 90_000
