"""The screens that all displays show things on: what each writes, where, and how often."""

import ast
import io
import json
import math
import sys
from pathlib import Path

import pytest

from passband import jobs
from passband.jobs.common import events
from passband.jobs.common.screen import (
    JsonLines,
    Log,
    OnScreen,
    Pace,
    Picture,
    Rate,
    Screen,
    seconds_left,
    sentence,
    some,
)
from tests.jobs.terminal import Screen as Terminal
from tests.jobs.terminal import run_on_terminal
from tests.syntax import parsed

ROOMS = Path(jobs.__file__).parent
DISPLAYS = {  # and the rooms beside its own that it may import from
    "common/screen.py": {"common"},
    "dataset/progress.py": {"common"},
    **{f"{kind}/display.py": {"common", "dataset"} for kind in ("generation", "evaluation", "analysis", "training")},
    "reproduce/display.py": {"common"},
    "bench/progress.py": {"common"},
}


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


def strict(line):
    return json.loads(line, parse_constant=lambda name: pytest.fail(name))


def drawn_by(lines, columns):
    """What is left on a terminal when a script has shown something on a picture, and all that it wrote."""
    script = "\n".join(["import time", "from passband.jobs.common.screen import *", "picture = Picture()", *lines])
    written = run_on_terminal([sys.executable, "-c", script], columns)
    terminal = Terminal(columns)
    terminal.feed(written)
    return terminal.text.strip("\n"), written


@pytest.mark.parametrize(
    ("options", "moments"),
    [({}, [0, 5, 10, 16]), ({"begun": True}, [5, 10, 16]), ({"every_s": 7.0}, [0, 9, 16]), ({"every_s": 0.0}, None)],
)
def test_a_log_tells_how_far_it_is_at_most_every_few_seconds(clock, capsys, options, moments):
    log, told = Log(Pace(clock=clock, **options)), [0, 1, 2, 4.9, 5, 9, 10, 11, 14.9, 16]
    for moment in told:
        clock.now = 1000.0 + moment
        log.show(f"at {moment}")
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", [f"at {moment}" for moment in (told if moments is None else moments)])


def test_what_stays_is_always_in_a_log_and_does_not_delay_what_passes(clock, capsys):
    log = Log(Pace(clock=clock))
    log.show("first")
    clock.after(4)
    log.say("trouble", "yellow")
    log.step("a step")
    log.show("too early")
    clock.after(1)
    log.show("second")
    assert capsys.readouterr().err.splitlines() == ["first", "trouble", "a step", "second"]


def test_what_is_told_now_is_in_a_log_at_once_and_delays_what_comes_after(clock, capsys):
    log = Log(Pace(clock=clock))
    log.show("first")
    clock.after(1)
    log.show("now", now=True)
    clock.after(4.5)
    log.show("too early")
    clock.after(0.5)
    log.show("second")
    assert capsys.readouterr().err.splitlines() == ["first", "now", "second"]


def test_a_log_passes_over_what_only_a_terminal_has_room_for(clock, capsys):
    log = Log(Pace(clock=clock))
    log.show("", picture=["a", "b"], kept=["a"], bar=(1, 2))
    log.show("first")
    assert capsys.readouterr().err == "first\n"


def test_a_rate_is_that_of_the_last_minute(clock):
    rate = Rate(clock)
    assert rate.per_s == 0
    rate.add(0)
    assert rate.per_s == 0
    for number in range(1, 200):
        clock.after(1)
        rate.add(10 * number if number <= 100 else 1000 + 2 * (number - 100))
    assert rate.per_s == pytest.approx(2)


def test_a_rate_leaves_out_the_first_result_once_there_are_two(clock):
    rate = Rate(clock)
    rate.add(0)
    clock.after(30)  # until workers are there
    rate.add(10)
    assert rate.per_s == pytest.approx(1 / 3)
    clock.after(1)
    rate.add(20)
    assert rate.per_s == pytest.approx(10)


def test_two_results_at_one_moment_have_no_rate(clock):
    rate = Rate(clock)
    rate.add(0)
    rate.add(5)
    assert (rate.per_s, seconds_left(5, rate.per_s), seconds_left(5, 3.0)) == (0.0, None, 1.7)


def test_empty_parts_of_a_sentence_are_left_out():
    assert sentence("1/2", some(0, "failed"), some(3, "retried")) == "1/2 · 3 retried"


def test_an_event_has_its_name_its_time_and_no_numbers_that_json_lacks(capsys):
    JsonLines().event("x", name="\ud800é", loss=math.nan, rows=[{"most": math.inf}], seconds=None)
    out, err = capsys.readouterr()
    found = strict(out)
    assert (err, list(found)) == ("", ["event", "time", "name", "loss", "rows", "seconds"])
    assert (found["event"], found["name"], found["loss"], found["rows"]) == ("x", "\ud800é", None, [{"most": None}])


def test_events_are_ascii_and_strict_json(capsys):
    events.write({"event": "x", "name": "\ud800é", "values": [float("nan"), {"a": float("inf")}, 1.5]})
    line = capsys.readouterr().out
    assert line.isascii()
    found = strict(line)
    assert found["values"] == [None, {"a": None}, 1.5]
    assert found["name"] == "\ud800é"


@pytest.mark.parametrize("screen", [Screen(), JsonLines()])
def test_people_see_nothing_on_a_silent_screen_and_on_one_for_machines(capsys, screen):
    with screen:
        screen.say("a")
        screen.step("b")
        screen.show("c", picture=["d"], kept=["e"], bar=(1, 2))
    assert capsys.readouterr() == ("", "")


def test_a_silent_screen_tells_machines_nothing(capsys):
    Screen().event("x")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("as_json", "terminal", "kind"),
    [(True, True, JsonLines), (True, False, JsonLines), (False, True, Picture), (False, False, Log)],
)
def test_the_screen_fits_the_streams(monkeypatch, as_json, terminal, kind):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stream)
    assert type(OnScreen.for_streams(as_json).screen) is kind


def test_a_display_has_the_pace_of_its_kind(capsys):
    class Slow(OnScreen):
        log_waits = True

    for kind in (OnScreen, Slow):
        with kind.for_streams() as display:
            display.planning(1500)
            display.planning(1500)
            display.note(f"{kind.__name__} ends")
    assert capsys.readouterr().err.splitlines() == ["planning: 1,500 samples listed", "OnScreen ends", "Slow ends"]


def test_a_display_without_a_screen_is_silent_and_shares_nothing(capsys):
    first, second = OnScreen(), OnScreen()
    with first:
        first.note("a")
        first.planning(3)
    second.screen = JsonLines()
    second.planning(4)
    found = strict(capsys.readouterr().out)
    assert (found["event"], found["samples"]) == ("planning", 4)
    assert type(OnScreen().screen) is Screen


def test_a_line_longer_than_the_terminal_wraps_and_goes_as_a_whole():
    lines = [
        "with picture:",
        "    for number in range(3):",
        "        picture.show(' '.join(['word'] * 20) + f' {number}', bar=(number, 3))",
        "        time.sleep(0.3)",
        "    picture.say('it was ' + 'long ' * 12 + 'and stays')",
        "print('after')",
    ]
    left, written = drawn_by(lines, 40)
    assert written.count("word") >= 60
    assert "━" in written
    assert left.split() == ["it", "was", *["long"] * 12, "and", "stays", "after"]
    assert all(len(row) <= 40 for row in left.splitlines())


def test_a_picture_leaves_what_is_kept():
    lines = [
        "with picture:",
        "    picture.show('', picture=['1/2 · ETA 3 s'], kept=['1/2', '7 a second'], bar=(1, 2))",
        "    time.sleep(0.3)",
        "    picture.step('writing')",
        "    time.sleep(0.3)",
        "print('after')",
    ]
    left, written = drawn_by(lines, 60)
    assert all(part in written for part in ("1/2 · ETA 3 s", "writing ...", "7 a second"))
    assert left == "1/2 · 7 a second\nafter"


def test_an_exception_inside_leaves_the_terminal_clean():
    lines = [
        "import sys",
        "streams = sys.stdout, sys.stderr",
        "try:",
        "    with OnScreen(picture) as display:",
        "        picture.show('half way', picture=['half', 'way'], bar=(1, 2))",
        "        time.sleep(0.3)",
        "        raise KeyError('lost')",
        "except KeyError as error:",
        "    assert (sys.stdout, sys.stderr) == streams",
        "    print('caught', error)",
    ]
    left, written = drawn_by(lines, 60)
    assert "way" in written
    assert left == "caught 'lost'"
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is shown again


@pytest.mark.parametrize("display", DISPLAYS)
def test_no_display_knows_another_kind_of_job(display):
    """Not for its types alone, nor later, inside a function."""
    nodes = ast.walk(parsed((ROOMS / display).read_text()))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    rooms = {name.split(".")[2] for name in names if name.startswith("passband.jobs.")}
    assert rooms
    assert rooms <= DISPLAYS[display] | {display.partition("/")[0]}
    assert "TYPE_CHECKING" not in (ROOMS / display).read_text()
