"""What lies in an output folder is told before it is deleted, and what is not ours is never deleted."""

import json
import os
import pty
import sys
from pathlib import Path

import pytest
import yaml

from jobs.generation.run import generate
from jobs.overwrite import ask_overwrite, claimed, clear_output, spell_contents
from pipeline.errors import OutputError, PassbandError
from pipeline.lock import LOCK, locked
from pipeline.store import LocalStore, open_store
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
        clear_output(store, confirmed=True, kind="training")
        assert names(store.root) == [LOCK]
        clear_output(store, confirmed=False, kind="training")  # nothing is there: nobody is asked
    assert claimed(store) is None


def test_a_dataset_is_deleted_finished_or_not(tmp_path):
    generate(small_job(tmp_path / "out", name="digits"))
    found = claimed(tmp_path / "out")
    assert (found.kind, found.name) == ("dataset", "digits")
    assert found.bytes == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    (tmp_path / "out" / "manifest.json").unlink()  # what is left is an unfinished one
    assert claimed(tmp_path / "out").kind == "dataset"
    clear_output(tmp_path / "out", confirmed=True, kind="training")
    assert names(tmp_path / "out") == [LOCK]


def test_a_dataset_that_nothing_names_any_more_is_left(tmp_path):
    generate(small_job(tmp_path / "out"))
    (tmp_path / "out" / "manifest.json").unlink()
    (tmp_path / "out" / "job.yaml").write_text("{")
    before = names(tmp_path / "out")
    with pytest.raises(PassbandError, match="nothing there says that it is an output of ours"):
        clear_output(tmp_path / "out", confirmed=True, kind="dataset")
    assert names(tmp_path / "out") == before


@pytest.mark.parametrize("where", ["thesis.tex", "tensorboard/notes.txt", "shards/small-000000.tar", "a/b/model.pt"])
def test_a_strange_file_is_named_and_nothing_is_deleted(where, tmp_path):
    out = training(tmp_path / "out")
    (out / where).parent.mkdir(parents=True, exist_ok=True)
    (out / where).write_text("mine")
    before = names(out)
    with pytest.raises(PassbandError, match=f"holds {where}, which is not part of the training there"):
        clear_output(out, confirmed=True, kind="training")
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
        clear_output(out, confirmed=True, kind="training")
    assert (elsewhere / "model.pt").read_bytes() == b"precious"
    assert (out / "checkpoint.pt").exists()


def test_a_folder_of_something_else_is_never_ours(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps({"kind": "other"}))
    with pytest.raises(PassbandError, match="holds results.json, and nothing there says that it is an output of ours"):
        clear_output(tmp_path, confirmed=True, kind="training")


def test_without_a_terminal_it_needs_yes(tmp_path, monkeypatch, capsys):
    out = training(tmp_path / "out")
    monkeypatch.setattr(sys, "stdin", open(os.devnull))
    with sys.stdin, pytest.raises(PassbandError, match="holds the training digits: 6 files.*; add --yes to delete all"):
        clear_output(out, confirmed=False, kind="dataset")
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
                clear_output(out, confirmed=False, kind="training")
        else:
            clear_output(out, confirmed=False, kind="training")
    os.close(parent)
    assert (out / "job.yaml").exists() == left


def test_a_folder_that_cannot_be_changed_is_one_line(tmp_path, monkeypatch):
    out = training(tmp_path / "out")

    def refuse(self, name):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalStore, "delete", refuse)
    with pytest.raises(OutputError, match="permission denied"):
        clear_output(out, confirmed=True, kind="training")


def test_an_object_store_is_cleared_too(tmp_path):
    store = open_store("memory://passband-overwrite/out")
    store.put("job.yaml", yaml.safe_dump({"job": {"kind": "generate", "name": "digits"}}).encode())
    store.put("shards/digits-000000.tar", b"0" * 1024)
    found = claimed(store)
    assert (found.kind, found.name, found.bytes > 1024) == ("dataset", "digits", True)
    clear_output(store, confirmed=True, kind="dataset")
    assert claimed(store) is None
