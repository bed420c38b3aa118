"""The log: lines are fetched as they are looked at; search, levels, times, copy, download."""

from __future__ import annotations

import re

import pytest

SAYS = """
import sys
for n in range(3000):
    word = "ERROR" if n in (1000, 2000) else "WARNING" if n == 1500 else "INFO"
    print(f"{n:05d} {word} step \\x1b[32mgreen\\x1b[0m loss=0.5 see https://example.org/{n}")
print("to stderr", file=sys.stderr)
print("x" * 5000)
"""
CELL = f"%%kestra_process train -l python --raw\n{SAYS}"
MILLION = """import sys
for n in range(1_000_000): sys.stdout.write(f'{n:07d} INFO worker.module step finished with loss=0.12345 and lr=0.001\\n')"""


@pytest.fixture(scope="module")
def notebook(visit):
    """One notebook with a finished run; its tests leave the log as they found it."""
    page = visit("log", CELL)
    page.run()
    page.state("SUCCESS")
    page.console.get_by_text("3,002 lines").wait_for()
    yield page
    page.settled()
    page.close()


@pytest.fixture
def log(notebook):
    yield notebook.console
    query = notebook.console.get_by_role("searchbox", name="Search the log")
    query.fill("")
    notebook.console.get_by_label("Lines to show").select_option("")
    notebook.console.get_by_text(re.compile(r"^3,002 lines$")).wait_for()


def test_a_search_shows_the_lines_that_hold_the_text(log):
    log.get_by_role("searchbox", name="Search the log").fill("00997 info")

    log.get_by_text("1 of 3,002 lines").wait_for()
    assert log.locator(".kc-line").count() == 1
    assert log.locator("mark").first.inner_text() == "00997 INFO"


def test_levels_are_counted_and_chosen(log):
    log.get_by_label("Lines to show").select_option("ERROR")

    log.get_by_text("2 of 3,002 lines").wait_for()
    assert log.get_by_label("Lines to show").locator("option").all_inner_texts() == [
        "All lines (3,002)", "Info and above (3,000)", "Warnings and errors (3)", "Errors (2)", "Standard error (1)",
    ]  # fmt: skip


def test_standard_error_is_a_choice_of_its_own(log):
    log.get_by_label("Lines to show").select_option("stderr")

    log.get_by_text("1 of 3,002 lines").wait_for()
    log.locator(".kc-line").get_by_text("to stderr").wait_for()


def test_errors_are_seen_among_their_neighbours_one_after_the_other(log):
    log.get_by_role("button", name="2 errors").click()
    log.locator(".kc-here").get_by_text("01000 ERROR").wait_for()
    assert log.get_by_text("00999 INFO").is_visible()

    log.get_by_role("button", name="Next match").click()
    log.locator(".kc-here").get_by_text("02000 ERROR").wait_for()
    log.get_by_role("button", name="Previous match").click()
    log.locator(".kc-here").get_by_text("01000 ERROR").wait_for()
    log.get_by_role("button", name="In context").click()


def test_keys_move_through_the_log(log, notebook):
    lines = log.get_by_role("log")
    lines.focus()
    notebook.page.keyboard.press("Home")
    log.get_by_text("00000 INFO").wait_for()
    assert log.get_by_role("button", name="Follow").get_attribute("aria-pressed") == "false"
    notebook.page.keyboard.press("PageDown")
    notebook.page.keyboard.press("ArrowDown")
    log.get_by_text("00020 INFO").wait_for()
    notebook.page.keyboard.press("End")
    log.get_by_text("xxxxx").wait_for()
    assert log.get_by_role("button", name="Follow").get_attribute("aria-pressed") == "true"
    notebook.page.keyboard.press("/")
    assert log.get_by_role("searchbox", name="Search the log").evaluate("(e) => e === document.activeElement")


def test_keys_lead_from_match_to_match_and_out_of_the_search(log, notebook):
    query = log.get_by_role("searchbox", name="Search the log")
    query.fill("01000")
    log.get_by_text("1 of 3,002 lines").wait_for()
    query.fill("000 ")
    log.get_by_text(re.compile("^3 of 3,002 lines$")).wait_for()

    for key, place in (("Enter", 1), ("Enter", 2), ("Shift+Enter", 1)):
        query.press(key)
        log.get_by_text(f"{place}/3 of 3,002 lines").wait_for()
    log.get_by_role("log").focus()
    for key, place in (("n", 2), ("n", 3), ("Shift+N", 2)):
        notebook.page.keyboard.press(key)
        log.get_by_text(f"{place}/3 of 3,002 lines").wait_for()
    query.press("Escape")
    assert query.input_value() == ""
    log.get_by_text(re.compile("^3,002 lines$")).wait_for()


def test_what_is_selected_is_copied(log, notebook):
    log.get_by_role("log").focus()
    notebook.page.keyboard.press("Home")
    log.locator(".kc-text", has_text="00003 INFO").click(click_count=3)

    log.get_by_role("button", name="Copy", exact=True).click()
    log.get_by_text("Copied.").wait_for()

    copied = notebook.page.evaluate("() => navigator.clipboard.readText()")
    assert copied.strip() == "00003 INFO step green loss=0.5 see https://example.org/3"
    notebook.page.evaluate("() => getSelection().removeAllRanges()")


def test_earlier_states_of_a_bar_are_left_out_until_they_are_asked_for(opened):
    bar = "for n in range(50): print(f'{2 * n}%|#####', end='\\r', flush=True)\nprint('done')"
    page = opened(f"%%kestra_process bar -l python --raw\n{bar}")
    page.run()
    page.state("SUCCESS")
    page.console.get_by_text("done", exact=True).wait_for()
    page.console.get_by_text("1 of 51 lines").wait_for()

    page.console.get_by_label("Lines to show").select_option("")

    page.console.get_by_text(re.compile("^51 lines$")).wait_for()


def test_what_no_process_wrote_is_read_below_the_strip_and_stays(opened):
    again = "#| retry: {type: constant, interval: PT10M, maxAttempts: 2}"
    page = opened(f"%%kestra_process flaky -o 'nothing*.txt'\n{again}\nexit 1")
    page.run()
    notes = page.console.get_by_label("Notes")
    notes.get_by_text("attempt 1 failed (Command failed with exit code 1); the next one follows in 600 s").wait_for()
    page.console.get_by_role("button", name="Stop").click()
    page.state("KILLED")

    assert "nothing*.txt" in notes.inner_text()
    assert "the next one follows in 600 s" in notes.inner_text()


def test_scrolling_up_pauses_following_and_the_button_takes_it_up_again(log, notebook):
    log.get_by_role("log").hover()
    notebook.page.mouse.wheel(0, -2000)
    log.locator("button[aria-pressed=false]", has_text="Follow").wait_for()

    log.get_by_role("button", name="Follow").click()

    log.get_by_text("xxxxx").wait_for()


def test_a_long_line_is_cut_and_shown_whole_on_request(log):
    log.get_by_role("button", name="… 5.0 KB").click()

    whole = log.get_by_role("region", name="The whole line")
    whole.get_by_text("x" * 5000).wait_for()
    whole.get_by_role("button", name="Close").click()
    assert whole.is_hidden()


@pytest.mark.parametrize(("choice", "said"), [("relative", r"^\+\d"), ("absolute", r"^\d\d:\d\d:\d\d\.\d{3}$")])
def test_lines_show_their_time(log, choice, said):
    log.get_by_label("Time of a line").select_option(choice)

    log.locator(".kc-time", has_text=re.compile(said)).first.wait_for()
    log.get_by_label("Time of a line").select_option("none")


def test_lines_are_copied_without_colours(log, notebook):
    log.get_by_role("searchbox", name="Search the log").fill("00997")
    log.get_by_text("1 of 3,002 lines").wait_for()

    log.get_by_role("button", name="Copy", exact=True).click()
    log.get_by_text("Copied.").wait_for()

    assert (
        notebook.page.evaluate("() => navigator.clipboard.readText()")
        == "00997 INFO step green loss=0.5 see https://example.org/997"
    )


def test_the_whole_log_is_downloaded(log, notebook, tmp_path):
    with notebook.page.expect_download() as download:
        log.get_by_role("button", name="Download").first.click()

    download.value.save_as(tmp_path / "run.log")
    assert (tmp_path / "run.log").read_text().count("\n") == 3002


def test_links_open_elsewhere_and_know_nothing_of_here(log):
    log.get_by_role("searchbox", name="Search the log").fill("00042 info")
    log.get_by_text("1 of 3,002 lines").wait_for()

    link = log.get_by_role("link").first
    assert (link.get_attribute("href"), link.get_attribute("rel")) == ("https://example.org/42", "noopener noreferrer")


def test_colours_of_the_terminal_are_classes(log):
    assert log.locator(".kc-fore2").first.inner_text() == "green"


def test_a_million_lines_scroll_and_answer_while_they_arrive(opened):
    page = opened(f"%%kestra_process train -l python\n{MILLION}")
    devtools = page.page.context.new_cdp_session(page.page)

    def heap():
        devtools.send("HeapProfiler.collectGarbage")
        return page.page.evaluate("() => performance.memory.usedJSHeapSize")

    before = heap()
    page.run()
    page.console.get_by_text(re.compile(r"\d{2},\d{3} lines")).wait_for()
    page.tab("Files")
    page.tab("Log")
    page.state("SUCCESS")
    page.console.get_by_text("1,000,000 lines").wait_for()
    lines = page.console.get_by_role("log")

    lines.evaluate("(e) => e.scrollTop = (e.scrollHeight - e.clientHeight) / 2")
    page.console.get_by_text(re.compile(r"^0(499|500)\d{3} INFO")).first.wait_for()
    lines.hover()
    page.page.mouse.wheel(0, -180)
    page.console.get_by_text(re.compile(r"^0(499|500)\d{3} INFO")).first.wait_for()

    assert heap() - before < 50e6
    assert lines.locator(".kc-line").count() < 40
    page.settled()
