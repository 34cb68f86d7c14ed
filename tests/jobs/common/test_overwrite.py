"""What lies in an output folder is told before it is deleted, and what is not ours is never deleted."""

import json
import os
import pty
import re
import sys
from pathlib import Path

import pytest
import yaml

from passband.jobs.common.overwrite import ask_overwrite, claimed, clear_output, spell_contents
from passband.jobs.generation.run import generate
from passband.pipeline.errors import OutputError, PassbandError
from passband.pipeline.layout import LOCK
from passband.pipeline.lock import locked
from passband.pipeline.store import LocalStore, open_store
from tests.jobs.generation.made import small_job


def training(folder: Path) -> Path:
    """Return a folder with what an unfinished training leaves."""
    (folder / "tensorboard").mkdir(parents=True)
    (folder / "job.yaml").write_text(yaml.safe_dump({"identity": "0" * 64, "job": {"kind": "train", "name": "digits"}}))
    (folder / "checkpoint.pt").write_bytes(b"c" * 5000)
    (folder / "checkpoint.pt.sha256").write_text("0" * 64)
    (folder / "metrics.jsonl").write_text("")
    (folder / "tensorboard" / "events.out.tfevents.17.host").write_bytes(b"e" * 100)
    (folder / ".passband-host-1-0badcafe-checkpoint.pt").write_bytes(b"half")
    (folder / LOCK).touch()
    return folder


def evaluation(folder: Path) -> Path:
    (folder / "predictions").mkdir(parents=True)
    (folder / "predictions" / "clean-0123456789abcdef.npz").write_bytes(b"n")
    (folder / "results.json").write_text(json.dumps({"kind": "evaluate", "name": "look"}))
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_it_tells_what_lies_there(tmp_path):
    found = claimed(training(tmp_path / "out"))
    assert (found.kind, found.name, len(found.files)) == ("training", "digits", 6)
    told = spell_contents(found)
    assert told.startswith("the training digits: 6 files, 5.2")
    assert "(checkpoint.pt 5.00 kB, job.yaml " in told
    assert claimed(tmp_path / "none") is None


@pytest.mark.parametrize("make", [training, evaluation])
def test_all_of_an_output_is_deleted_and_its_lock_stays(make, tmp_path):
    store = LocalStore(make(tmp_path / "out"))
    with locked(store):
        agreed = claimed(store)
        clear_output(store, agreed)
        assert names(store.root) == [LOCK]
        clear_output(store, agreed)  # nothing is there
    assert claimed(store) is None


def test_a_dataset_is_deleted_finished_or_not(tmp_path):
    generate(small_job(tmp_path / "out", name="digits", output={"formats": ["webdataset", "ffcv"]}))
    found = claimed(tmp_path / "out")
    assert (found.kind, found.name) == ("dataset", "digits")
    assert {"digits.beton", "_info.json", "manifest.sha256"} <= {name for name, _ in found.files}
    assert found.bytes == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    (tmp_path / "out" / "manifest.json").unlink()  # what is left is an unfinished one
    assert claimed(tmp_path / "out").kind == "dataset"
    clear_output(tmp_path / "out", claimed(tmp_path / "out"))
    assert names(tmp_path / "out") == [LOCK]


def test_a_dataset_that_nothing_names_any_more_is_left(tmp_path):
    generate(small_job(tmp_path / "out"))
    (tmp_path / "out" / "manifest.json").unlink()
    (tmp_path / "out" / "job.yaml").write_text("{")
    before = names(tmp_path / "out")
    with pytest.raises(PassbandError, match="nothing there says that it is an output of ours"):
        claimed(tmp_path / "out")
    assert names(tmp_path / "out") == before


@pytest.mark.parametrize("where", ["thesis.tex", "tensorboard/notes.txt", "shards/small-000000.tar", "a/b/model.pt"])
def test_a_strange_file_is_named_and_nothing_is_deleted(where, tmp_path):
    out = training(tmp_path / "out")
    (out / where).parent.mkdir(parents=True, exist_ok=True)
    (out / where).write_text("mine")
    before = names(out)
    with pytest.raises(PassbandError, match=f"holds {where}, which is not part of the training there"):
        claimed(out)
    assert names(out) == before


@pytest.mark.parametrize("target", ["file", "folder"])
def test_links_are_not_followed(target, tmp_path):
    out, elsewhere = training(tmp_path / "out"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "model.pt").write_bytes(b"precious")
    if target == "file":
        (out / "model.pt").symlink_to(elsewhere / "model.pt")
    else:
        (out / "predictions").symlink_to(elsewhere)
    with pytest.raises(PassbandError, match=r"(model.pt|predictions) is a link; nothing is overwritten"):
        claimed(out)
    assert (elsewhere / "model.pt").read_bytes() == b"precious"
    assert (out / "checkpoint.pt").exists()


def test_a_folder_of_something_else_is_never_ours(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps({"kind": "other"}))
    with pytest.raises(PassbandError, match="holds results.json, and nothing there says that it is an output of ours"):
        claimed(tmp_path)


def test_without_a_terminal_it_needs_yes(tmp_path, monkeypatch, capsys):
    out = training(tmp_path / "out")
    monkeypatch.setattr(sys, "stdin", open(os.devnull))
    with sys.stdin, pytest.raises(PassbandError, match="holds the training digits: 6 files.*; add --yes to delete all"):
        ask_overwrite(claimed(out), yes=False, kind="dataset")
    assert (out / "job.yaml").exists()
    ask_overwrite(claimed(out), yes=True, kind="dataset")
    assert "holds the training digits" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "left"), [("y\n", False), ("n\n", True), ("\n", True), ("\x04", True)])
def test_on_a_terminal_it_asks(answer, left, tmp_path, monkeypatch):
    out = training(tmp_path / "out")
    parent, child = pty.openpty()
    with open(child) as terminal:
        os.write(parent, answer.encode())
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        if left:
            with pytest.raises(PassbandError, match="nothing was deleted"):
                ask_overwrite(claimed(out), yes=False, kind="training")
        else:
            ask_overwrite(claimed(out), yes=False, kind="training")
    os.close(parent)
    assert (out / "job.yaml").exists()


def test_a_folder_that_cannot_be_changed_is_one_line(tmp_path, monkeypatch):
    out = training(tmp_path / "out")

    def refuse(self, name):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalStore, "delete", refuse)
    with pytest.raises(OutputError, match="permission denied"):
        clear_output(out, claimed(out))


@pytest.mark.parametrize("late", ["model.pt", "metrics.jsonl"])
def test_what_came_there_after_it_was_told_is_not_deleted(late, tmp_path):
    out = training(tmp_path / "out")
    agreed = claimed(out)
    (out / late).write_text("of another process")
    before = names(out)
    with pytest.raises(PassbandError, match=f"{late} came there after it was told what is deleted"):
        clear_output(out, agreed)
    assert names(out) == before


def test_folders_deeper_than_calls_may_nest_are_looked_through_and_removed(tmp_path):
    out, depth = training(tmp_path / "out"), 1200
    folders = [Path(out, *["d"] * level) for level in range(1, depth + 1)]
    for folder in folders:
        folder.mkdir()
    (folders[-1] / "mine.txt").write_text("mine")
    with pytest.raises(PassbandError, match=r"d/mine.txt, which is not part of the training"):
        claimed(out)
    (folders[-1] / "mine.txt").unlink()
    clear_output(out, claimed(out))
    assert names(out) == [LOCK]


@pytest.mark.parametrize(
    "where",
    [
        *("model.pt.my-best-backup", "checkpoint.pt.old", "checkpoint.pt.sha256.bak", "tensorboard/events.mine"),
        *("manifest.old", "inputs/notes.txt", "inputs/0123456789abcdef0.npz", "my.png", "best.beton"),
        *("shards/other-000000.tar", "shards/_info.json", "records/notes.json", "inputs/my-map/results.json"),
    ],
)
@pytest.mark.parametrize("kind", ["generate", "train", "analyze"])
def test_names_that_only_look_like_ours_are_left(kind, where, tmp_path):
    (tmp_path / where).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / where).write_text("mine")
    (tmp_path / "job.yaml").write_text(yaml.safe_dump({"job": {"kind": kind, "name": "digits"}}))
    with pytest.raises(PassbandError, match=f"holds {re.escape(where)}, which is not part of the"):
        claimed(tmp_path)


def test_an_object_store_is_cleared_too(tmp_path):
    store = open_store("memory://passband-overwrite/out")
    store.put("job.yaml", yaml.safe_dump({"job": {"kind": "generate", "name": "digits"}}).encode())
    store.put("shards/digits-000000.tar", b"0" * 1024)
    found = claimed(store)
    assert (found.kind, found.name, found.bytes > 1024) == ("dataset", "digits", True)
    clear_output(store, found)
    assert claimed(store) is None
