"""What a person sees on a terminal while something runs, at a narrow and a usual width."""

import json
import re
import sys
from functools import cache

import pytest
import yaml

from passband.jobs.common.screen import JsonLines, Log, Pace, Screen
from tests.jobs import shown
from tests.jobs.generation.made import small_job
from tests.jobs.terminal import Screen as Terminal
from tests.jobs.terminal import frames, run_on_terminal

WIDTHS = (60, pytest.param(120, marks=pytest.mark.slow))
COUNTS = {
    "generation": (r"\d/4 shards", "samples/s", "views/s"),
    "training": (r"step \d/1,234", r"epoch 1/12", r"loss 2\.5000", "ETA 4 min"),
    "evaluation": (r"evaluating \d/4", "corrupted"),
    "analysis": (r"\d+/400 frequencies", "1 retried", "images/s"),
    "reproduction": (r"\d/4 jobs", "ETA 22 min", "a-training-of-some-length, for", "another-one, for 1 h 05 min"),
    "bench": (r"\d/4 · ETA",),
}
LINES = {
    "generation": [
        "a-name-of-some-length: 40 samples x 3 views in 4 shards",
        "shards 1/4 · N samples/s · N views/s · ETA T",
        "shard 1: took a second try",
        *(f"shards {done}/4 · N samples/s · N views/s · ETA T" for done in (2, 3, 4)),
        "writing the card",
    ],
    "training": [
        f"epoch 1/12 · loss 2.5000 · ETA T · N samples/s · waiting 5.0% · step {step}/1,234" for step in (1, 2, 3, 4)
    ],
    "evaluation": [
        f"evaluating {number}/4 · a-training-of-some-length on a-dataset-of-some-length: corrupted"
        for number in (1, 2, 3, 4)
    ],
    "analysis": [f"{done}/400 frequencies · ETA T · 1 retried · N images/s" for done in (10, 20, 30, 40)],
    "reproduction": [f"{done}/4 jobs · ETA T · now a-training-of-some-length" for done in (1, 2, 3, 4)],
    "bench": [
        "a case of some length: 4 runs",
        *(f"a case of some length: {done}/4 (prime at 224 pixels, 256 images, on the CPU)" for done in (1, 2, 3, 4)),
    ],
}
_STATE = "shards done failed retried samples samples_done bad_images samples_per_s views_per_s eta_s"
EVENTS = {
    "generation": [
        ("started", f"identity warnings {_STATE}"),
        *[("progress", f"message {_STATE}")] * 4,
        ("step", "step"),
    ],
    "training": [("step", "epoch step steps samples_per_s waiting_share eta_s metrics")] * 4,
    "evaluation": [("predicting", "what done total")] * 4,
    "analysis": [("progress", "message frequencies done failed retried images_per_s eta_s")] * 4,
    "reproduction": [],
    "bench": [],
}


@pytest.mark.parametrize("display", LINES)
def test_a_log_holds_these_lines(display, monkeypatch, capsys):
    monkeypatch.setattr(shown, "_FRAME_S", 0.01)
    shown.RUNS[display](Log(Pace(0.0)))
    out, err = capsys.readouterr()
    lines = re.sub(r"ETA .*?(?= · |$)", "ETA T", re.sub(r"[\d,]+(?= \w+/s)", "N", err), flags=re.MULTILINE).splitlines()
    assert (out, lines) == ("", LINES[display])


@pytest.mark.parametrize("display", EVENTS)
def test_machines_are_told_these_events(display, monkeypatch, capsys):
    monkeypatch.setattr(shown, "_FRAME_S", 0.0)
    shown.RUNS[display](JsonLines())
    out, err = capsys.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    keys = [("event", "time", *names.split()) for _, names in EVENTS[display]]
    assert (err, [event["event"] for event in found]) == ("", [name for name, _ in EVENTS[display]])
    assert [tuple(event) for event in found] == keys


@pytest.mark.parametrize("display", LINES)
def test_nothing_is_shown_on_a_silent_screen(display, monkeypatch, capsys):
    monkeypatch.setattr(shown, "_FRAME_S", 0.0)
    shown.RUNS[display](Screen())
    assert capsys.readouterr() == ("", "")


@cache
def written_by_all(columns: int) -> dict[str, str]:
    """Let all displays draw on one terminal, one after the other; return what each wrote."""
    parts = re.split(
        r"display (\w+)\r\n", run_on_terminal([sys.executable, "-m", "tests.jobs.shown", *COUNTS], columns)
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("display", COUNTS)
def test_every_frame_of_a_live_display_shows_its_counts(display, columns):
    drawn = [frame for frame in frames(written_by_all(columns)[display], columns) if frame.strip()]
    pictures = [frame for frame in drawn if re.search(COUNTS[display][0], frame) or "━" in frame]
    assert len(pictures) >= 3
    for frame in pictures:
        unwrapped = " ".join(frame.split())
        missing = [counts for counts in COUNTS[display] if not re.search(counts, unwrapped)]
        assert not missing, frame


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_run_shows_its_counts_below_the_bar(tmp_path, columns):
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(small_job(tmp_path / "out").resolved()))
    written = run_on_terminal([sys.executable, "-m", "passband", "run", str(file)], columns)
    pictures = [frame for frame in frames(written, columns) if "━" in frame]
    assert pictures
    for frame in pictures:
        below = frame[frame.rindex("━") + 1 :]
        assert re.match(r"\n\d/8 shards · 0 failed · 0 retried\n[\d,]+ samples/s · [\d,]+ views/s · ETA", below), frame
    seen = Terminal(columns)
    seen.feed(written)
    assert "8/8 shards" in seen.text
    assert "━" not in seen.text


def test_the_screen_of_these_tests_wraps_and_erases():
    screen = Terminal(4)
    screen.feed("abcdef\r\n\x1b[1mgh\x1b[0m")
    assert screen.text == "abcd\nef\ngh"
    screen.feed("\r\x1b[2K\x1b[1A\x1b[2Kx")
    assert screen.text == "abcd\nx\n"
