"""Hostile inputs, each run as a job in a process of its own: recorded, refused in one line, or made right."""

import json
import subprocess
import sys

import pytest

from tests.pipeline.sources.hostile import FELL, cases

GROUPS = ("folder", "tar", "json", "parquet", "cifar", "image")
QUICK = ("tar", "image")


@pytest.fixture(scope="module")
def names():
    return [case.name for case in cases()]


def run(*words):
    """Run the harness; return what it told of each case."""
    command = [sys.executable, "-m", "tests.pipeline.sources.hostile", *map(str, words)]
    ended = subprocess.run(command, capture_output=True, text=True)
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == (1 if any(case["faults"] for case in told) else 0), ended.stderr
    return told


def faults(told):
    return {case["name"]: case["faults"] for case in told if case["faults"]}


def test_there_are_enough_and_no_two_are_called_alike(names):
    assert len(names) == len(set(names)) >= 800
    assert FELL <= set(names)
    assert {name.split("/")[0] for name in names} == set(GROUPS)
    assert len(FELL) >= 13


def test_what_a_seed_makes_is_the_same_again(tmp_path, names):
    chosen = [case for case in cases(7) if case.name in ("tar/an edited header 3", "image/60 damaged GIF")]
    again = [case for case in cases(7) if case.name in ("tar/an edited header 3", "image/60 damaged GIF")]
    for number, (first, second) in enumerate(zip(chosen, again, strict=True)):
        places = [tmp_path / f"{number}{twin}" for twin in "ab"]
        for case, place in zip((first, second), places, strict=True):
            assert case.build(place)["source"]["path"].startswith(str(place))
        made = [
            {path.relative_to(place): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}
            for place in places
        ]
        assert made[0] == made[1]
        assert made[0]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "group",
    [
        pytest.param(one, marks=[] if one in QUICK else pytest.mark.slow)
        for one in sorted({name.split("/")[0] for name in FELL})
    ],
)
def test_what_broke_something_once_does_not_again(tmp_path, group):
    told = run(tmp_path / "work", "--only", f"{group}/*", "--fell")
    assert len(told) == sum(name.startswith(f"{group}/") for name in FELL)
    assert faults(told) == {}


@pytest.mark.campaign
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("group", GROUPS)
def test_all(tmp_path, names, group):
    told = run(tmp_path / "work", "--only", f"{group}/*", "--cards")
    assert [case["name"] for case in told] == [name for name in names if name.startswith(f"{group}/")]
    assert faults(told) == {}


HARNESS = """
import json, sys
from dataclasses import replace
from pathlib import Path
from tests.pipeline.sources.hostile.case import made, refused
from tests.pipeline.sources.hostile.folders import folder_with, write
from tests.pipeline.sources.hostile import trial
from passband.pipeline.sources.imagefolder import ImageFolder

sound = made("x/sound", folder_with(), 6)
trials = trial.Trials(Path(sys.argv[1]))

def attempt(case, read=ImageFolder.read, **limits):
    before, kept = ImageFolder.read, {name: getattr(trial, name) for name in limits}
    ImageFolder.read = read
    for name, value in limits.items():
        setattr(trial, name, value)
    print(json.dumps(trials.attempt(case).faults))
    ImageFolder.read = before
    for name, value in kept.items():
        setattr(trial, name, value)

def raising(self, entries):
    raise KeyError("x")

def told(self, entries):
    from passband.pipeline.sources import SourceError
    raise SourceError("two\\nlines")

def greedy(self, entries, read=ImageFolder.read):
    bytearray(300 * 10**6).count(1)
    return read(self, entries)

def dying(self, entries):
    import os, signal
    os.kill(os.getpid(), signal.SIGSEGV)

def swapped(root, rng):
    (root / "cat/0.png").rename(root / "x")
    (root / "dog/0.png").rename(root / "cat/0.png")
    (root / "x").rename(root / "dog/0.png")

attempt(sound)
attempt(made("x/swapped", folder_with(swapped), 6))
attempt(made("x/more", folder_with(), 7))
attempt(made("x/bad", folder_with(lambda root, _: write(root, "cat/x.png", b"x")), 6))
attempt(refused("x/refused", folder_with()))
attempt(refused("x/says", lambda root, _: {"kind": "imagefolder", "path": str(root / "x")}, "another word"))
attempt(sound, raising)
attempt(sound, told)
attempt(sound, greedy)
attempt(sound, dying)
attempt(sound, MAX_SECONDS=0.001)
"""


def test_the_harness_sees_each_kind_of_fault(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", HARNESS, str(tmp_path / "work")], capture_output=True, text=True, check=True
    )
    sound, *others = [" | ".join(json.loads(line)) for line in ended.stdout.splitlines()]
    assert sound == ""
    expected = [
        "not (",
        "6 images and 0 bad ones instead of 7 and 0",
        "was recorded",
        "was made",
        "does not say 'another word'",
        "a traceback: KeyError",
        "not one printable line",
        "grew by",
        "died by SIGSEGV",
        "took",
    ]
    assert len(others) == len(expected)
    for fault, words in zip(others, expected, strict=True):
        assert words in fault
