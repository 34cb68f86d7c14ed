"""The attack notices what is wrong, spares what is right, and a small part of it finds nothing today."""

import json
import random

import pytest

from benchmarks.attack import attempt, damage, targets
from benchmarks.attack.__main__ import main
from benchmarks.attack.attempt import Tally, judged
from benchmarks.attack.mutations import byte_mutations, edits, field_mutations
from benchmarks.attack.targets import Look
from passband.pipeline.errors import PassbandError


def raising(error):
    def look():
        raise error

    return look


def test_a_look_is_judged_by_what_it_gives():
    assert judged(lambda: 7, 7) == ("same", "")
    assert judged(lambda: 7, 7, mends=True) == ("mended", "")
    assert judged(lambda: 8, 7) == ("wrong", "gave 8 instead of 7")
    assert judged(raising(PassbandError("a.tar: is damaged\nmore")), 7) == ("refused", "a.tar: is damaged")
    assert judged(raising(KeyError("views")), 7) == ("traceback", "KeyError: 'views'")
    assert judged(raising(PassbandError("Traceback (most recent call last)\n...")), 7)[0] == "traceback"


def test_what_does_not_end_has_hung(monkeypatch):
    monkeypatch.setattr(attempt, "DEADLINE_S", 0.05)

    def endless():
        while True:
            pass

    assert judged(endless, None)[0] == "hung"


def test_every_field_is_edited_in_every_way_of_its_type():
    tree = {"n": 3, "s": "ab", "l": [1, 2], "o": {"x": 1, "y": 2}, "none": None, "yes": True}
    found = list(edits(tree))
    assert all(edited != tree for _, edited in found)
    actions = {action for action, _ in found}
    assert len(actions) == len(found) > 50
    assert {
        "n: one more",
        "n: negative",
        "s: emptied",
        "s: a character flipped",
        "l: first and last swapped",
    } <= actions
    assert {"l.0: dropped", "o.x: renamed", "o: values of its first and last key swapped", "yes: negated"} <= actions
    assert tree == {"n": 3, "s": "ab", "l": [1, 2], "o": {"x": 1, "y": 2}, "none": None, "yes": True}


def test_damage_to_bytes_is_seeded_and_always_changes_something(tmp_path):
    contents = {"a": bytes(range(256)) * 9, "b": b"other", "c": b"x", "d": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in contents:
        others = sorted(contents.keys() - {name})
        first, second = (list(byte_mutations(tmp_path, name, others, random.Random(1), flips=3)) for _ in range(2))
        assert first == second
        changed = [m for m in first if m.action != "emptied" or name != "d"]
        assert len(changed) >= (1 if name == "d" else 5)
        assert all(m.contents[name] != contents[name] for m in changed)


@pytest.fixture
def fake(tmp_path):
    def make(look, expected):
        folder = tmp_path / "there"
        folder.mkdir()
        (folder / "manifest.json").write_text('{"views": ["a", "b"]}')
        return targets._target("fake", folder, [Look("read", look, expected)])

    return make


def read_views(path):
    return json.loads((path / "manifest.json").read_text())["views"]


def test_who_believes_what_is_written_falls(fake):
    """The planted fault: a reader without a hash. Each edit that leaves JSON is served, or ends in a traceback."""
    target = fake(read_views, ["a", "b"])
    tally = Tally()
    for mutation in field_mutations(target.untouched, "manifest.json"):
        for made in damage._attempts(target, mutation):
            tally.add(made)
    assert {made.verdict for made in tally.failures} == {"wrong", "traceback"}
    assert tally.attempts == len(tally.failures) > 10
    assert read_views(target.folder) == ["a", "b"], "the target is put back after every attempt"


def test_who_compares_a_hash_stands(fake):
    def careful(path):
        if (path / "manifest.json").read_text() != '{"views": ["a", "b"]}':
            raise PassbandError("is not what it was")
        return True

    target, tally = fake(careful, True), Tally()
    for mutation in field_mutations(target.untouched, "manifest.json"):
        for made in damage._attempts(target, mutation):
            tally.add(made)
    assert tally.attempts > 10
    assert tally.failures == []


@pytest.mark.parametrize(
    ("name", "share"),
    [
        pytest.param("damage", 0.01, marks=pytest.mark.slow),
        ("job-files", 0.1),
        pytest.param("signals", 0.03, marks=pytest.mark.slow),
    ],
)
def test_a_part_of_the_attack_finds_nothing(name, share, tmp_path, capsys):
    output = tmp_path / "attack.md"
    assert main(["--only", name, "--share", str(share), "--output", str(output)]) == 0, capsys.readouterr()
    table = output.read_text()
    assert table == capsys.readouterr().out
    assert "| all |" in table
