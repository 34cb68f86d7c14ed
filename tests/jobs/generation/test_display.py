"""What a person sees on a terminal while something runs, at a narrow and a usual width."""

import re
import sys

import pytest
import yaml

from tests.jobs.generation.made import small_job
from tests.jobs.terminal import Screen, frames, run_on_terminal

WIDTHS = (60, 120)
COUNTS = {
    "generation": (r"\d/4 shards", "samples/s", "views/s"),
    "training": (r"step \d/1,234", r"epoch 1/12", r"loss 2\.5000", "ETA 4 min"),
    "evaluation": (r"evaluating \d/4", "corrupted"),
    "analysis": (r"\d+/400 frequencies", "1 retried", "images/s"),
    "reproduction": (r"\d/4 jobs", "ETA 22 min", "a-training-of-some-length, for", "another-one, for 1 h 05 min"),
    "bench": (r"\d/4 · ETA",),
}


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("display", COUNTS)
def test_every_frame_of_a_live_display_shows_its_counts(display, columns):
    written = run_on_terminal([sys.executable, "-m", "tests.jobs.shown", display], columns)
    drawn = [frame for frame in frames(written, columns) if frame.strip()]
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
    seen = Screen(columns)
    seen.feed(written)
    assert "8/8 shards" in seen.text
    assert "━" not in seen.text


def test_the_screen_of_these_tests_wraps_and_erases():
    screen = Screen(4)
    screen.feed("abcdef\r\n\x1b[1mgh\x1b[0m")
    assert screen.text == "abcd\nef\ngh"
    screen.feed("\r\x1b[2K\x1b[1A\x1b[2Kx")
    assert screen.text == "abcd\nx\n"
