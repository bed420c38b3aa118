"""A run's lines in its cell: live, cut, and the same however they came."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestra_magic.process.events import Draining, Exited, Output
from kestra_magic.runs.progress import Declared, Logged, Progress
from kestra_magic.settings import Settings
from kestra_magic.show.cell import Frontend
from kestra_magic.show.stream import LiveStream
from tests.show.fakes import Page

RAW_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
SMALL = Settings(head_lines=5, head_bytes=1000, tail_lines=3)


def out(text: str, stream: Any = "stdout", **more: Any) -> Output:
    return Output(stream=stream, text=text, lines=len(RAW_LINE.findall(text)), size=len(text.encode()), **more)


def opened(text: str, stream: Any = "stdout") -> Output:
    return Output(stream=stream, kind="open", text=text)


class Told:
    """A run that tells its events to a page, and keeps a log of them."""

    def __init__(
        self, settings: Settings = Settings(), frontend: Frontend = Frontend.LAB, *, labels: bool = False
    ) -> None:
        self.page = Page(frontend)
        self.log: dict[tuple[str, str], str] = {}
        self.progress = Progress("t")
        self.live = LiveStream(self.page, settings, labels=labels)

    def __call__(self, *events: Any) -> Told:
        for event in events:
            self.progress = self.progress.after(event)
            self.live(self.progress, event)
            if isinstance(event, Output) and event.kind == "lines":
                key = (event.task_run, event.stream)
                self.log[key] = self.log.get(key, "") + event.text
        return self

    def finish(self) -> Page:
        self.live.finish(self.tail)
        return self.page

    def tail(self, task_run: str, stream: str, lines: int) -> str:
        return "".join(RAW_LINE.findall(self.log[task_run, stream])[-lines:])


def numbers(first: int, last: int) -> str:
    return "".join(f"{n}\n" for n in range(first, last + 1))


def test_lines_are_written_as_they_come() -> None:
    told = Told()(out("a\n"), out("b\n", "stderr"))

    assert told.page.pieces == [("stdout", "a\n"), ("stderr", "b\n")]


def test_a_prompt_is_shown_before_its_line_ends_and_only_once() -> None:
    told = Told()(opened("name? "), opened("name? Bo"), out("name? Bob\n"))

    assert told.page.pieces == [("stdout", "name? "), ("stdout", "Bo"), ("stdout", "b\n")]


def test_an_open_line_that_was_written_over_is_replaced() -> None:
    page = Told()(opened("loading"), out("loading\rok\n")).finish()

    assert page.text("stdout") == "loading\rok     \n"


def test_an_unfinished_last_line_is_kept_as_it_is() -> None:
    assert Told()(out("a\nb")).finish().text("stdout") == "a\nb"


def test_a_bar_is_one_line() -> None:
    page = Told()(out("\r 1%\r 2%\r"), opened(" 3%"), out(" 3%\r100%\n"), out("done\n")).finish()

    assert page.text("stdout") == "100%\ndone\n"


def test_the_head_and_the_tail_are_shown_and_the_cut_is_told() -> None:
    page = Told(SMALL)(out(numbers(1, 3)), out(numbers(4, 20))).finish()

    assert page.text("stdout") == numbers(1, 5) + "… 12 lines not shown (run.log) …\n" + numbers(18, 20)


def test_nothing_is_cut_that_fits() -> None:
    assert Told(SMALL)(out(numbers(1, 5))).finish().text("stdout") == numbers(1, 5)


def test_what_the_tail_covers_is_not_told_as_cut() -> None:
    assert Told(SMALL)(out(numbers(1, 8))).finish().text("stdout") == numbers(1, 8)


def test_bytes_are_cut_too() -> None:
    line = "é" * 199 + "\n"

    page = Told(SMALL)(out(line * 50)).finish()

    assert page.text("stdout") == line * 2 + "é" * 101 + "\n… 45 lines not shown (run.log) …\n" + line * 3


def test_one_endless_line_does_not_flood_the_cell() -> None:
    page = Told(SMALL)(*(opened("x" * n) for n in range(0, 5000, 500)), out("x" * 5000 + "\n")).finish()

    assert len(page.text("stdout")) < 7000


def test_the_tail_of_long_lines_is_bounded() -> None:
    page = Told(SMALL)(out("".join(f"{'x' * 40_000} {n}\n" for n in range(9)))).finish()

    assert len(page.text("stdout")) < 1000 + 64 * 1024 + 100
    assert page.text("stdout").endswith("x 8\n")


def test_what_the_guardian_no_longer_sends_is_counted_and_its_tail_shown() -> None:
    told = Told(SMALL)(out(numbers(1, 2)))
    told(Output(stream="stdout", text="", lines=10))
    told.log["", "stdout"] += numbers(3, 12)

    assert told.finish().text("stdout") == numbers(1, 2) + "… 7 lines not shown (run.log) …\n" + numbers(10, 12)


def test_a_stream_below_the_log_level_is_not_shown_at_all() -> None:
    told = Told(SMALL)(Output(stream="stdout", text="", lines=10), out("b\n", "stderr"))

    assert told.finish().pieces == [("stderr", "b\n")]


def test_markers_are_not_shown() -> None:
    assert Told()(Output(stream="stdout", kind="frame", text='::{"outputs":{}}::', lines=1)).finish().pieces == []


def test_after_many_changes_stderr_waits_for_the_end() -> None:
    told = Told()
    for n in range(50):
        told(out(f"o{n}\n"), out(f"e{n}\n", "stderr"))
    page = told.finish()

    assert len(page.outputs) <= 21
    assert page.outputs[-1] == "stderr"
    assert page.text("stdout") == "".join(f"o{n}\n" for n in range(50))
    assert page.text("stderr") == "".join(f"e{n}\n" for n in range(50))


def test_changes_stay_few_when_both_streams_are_cut() -> None:
    told = Told(Settings(head_lines=30, tail_lines=5))
    for n in range(200):
        told(out(f"o{n}\n"), out(f"e{n}\n", "stderr"))

    assert len(told.finish().outputs) <= 21


def test_log_entries_are_lines_with_their_level() -> None:
    told = Told()(
        Logged(level="INFO", message="2026-01-01T10:00:00.123Z loaded"),
        Logged(level="WARN", message="two\nlines"),
        Logged(level="DEBUG", message="detail"),
    )

    assert told.page.pieces == [("stdout", "INFO  loaded\n"), ("stderr", "WARN  two\nlines\n")]


def test_a_log_entry_waits_for_the_end_of_a_line() -> None:
    page = Told()(opened("a"), Logged(level="INFO", message="x"), out("ab\n")).finish()

    assert page.text("stdout") == "ab\nINFO  x\n"


def test_warnings_at_the_end_of_a_flood_are_seen() -> None:
    page = Told(SMALL)(out(numbers(1, 20), "stderr"), Logged(level="WARN", message="no file matched")).finish()

    assert page.text("stderr").endswith(numbers(18, 20) + "WARN  no file matched\n")


def test_a_flood_of_log_entries_is_cut() -> None:
    told = Told(SMALL)(*(Logged(level="INFO", message=str(n)) for n in range(1000)))

    assert told.finish().text("stdout").count("\n") <= SMALL.head_lines + SMALL.tail_lines


def test_what_is_waited_for_is_told_once() -> None:
    page = Told()(Draining(code=0, processes=1), Draining(code=0, processes=1)).finish()

    assert page.pieces == [("stderr", "waiting for 1 background process to end …\n")]


def test_the_next_attempt_begins_on_a_new_line() -> None:
    page = Told()(out("one"), Exited(code=1), out("two\n", attempt=2)).finish()

    assert page.text("stdout") == "one\ntwo\n"


def test_a_flows_lines_name_their_tasks_and_never_mix() -> None:
    told = Told(labels=True)
    told(Declared(task_run="1", task_id="a"), Declared(task_run="2", task_id="b", value="x"))
    told(opened("never shown"), out("one", task_run="1"), out("two\n", task_run="2"), Exited(code=0, task_run="1"))

    assert told.finish().text("stdout") == "b x | two\na | one\n"


def test_several_cut_tasks_share_the_tail() -> None:
    told = Told(Settings(head_lines=2, tail_lines=4), labels=True)
    told(Declared(task_run="1", task_id="a"), Declared(task_run="2", task_id="b"))
    told(out(numbers(1, 9), task_run="1"), out(numbers(1, 9), task_run="2"))

    assert told.finish().text("stdout") == (
        "a | 1\na | 2\na | … 5 lines not shown (run.log) …\na | 8\na | 9\n"
        "b | … 7 lines not shown (run.log) …\nb | 8\nb | 9\n"
    )


def test_a_terminal_draws_bars_itself() -> None:
    told = Told(frontend=Frontend.TERMINAL)(out("\r 1%\r"), opened(" 2%"), out(" 2%\r\x1b[32m100%"))

    assert told.finish().text("stdout") == "\r 1%\r 2%\r\x1b[32m100%\n"


def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    red = out("\x1b[31mred\x1b[0m\n")

    assert Told(frontend=Frontend.HEADLESS)(red).page.text("stdout") == "red\n"
    assert Told(Settings(color="never"))(red).page.text("stdout") == "red\n"
    assert Told(Settings(color="always"), Frontend.HEADLESS)(red).page.text("stdout") == red.text
    assert Told()(red).page.text("stdout") == red.text


lines = st.lists(st.sampled_from(["a\n", "bb\n", "\r 1%\r", "\x1b[31mc\n", "\x1b[0md\n", "x\r\n"]), max_size=30)


@given(lines, st.lists(st.integers(0, 30), max_size=5), st.booleans())
def test_the_same_is_saved_however_it_came(said: list[str], cuts: list[int], prompt: bool) -> None:
    ends = sorted(min(cut, len(said)) for cut in cuts)
    pieces = ["".join(said[a:b]) for a, b in zip([0, *ends], [*ends, len(said)], strict=True)]
    told = Told(SMALL)
    for piece in filter(None, pieces):
        if prompt and piece[0].isalpha():
            told(opened(piece[0]))
        told(out(piece))
    whole = Told(SMALL)(*(out(text) for text in ["".join(said)] if text))

    assert told.finish().text("stdout") == whole.finish().text("stdout")
