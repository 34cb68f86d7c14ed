import os
import socket

import pytest

from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.imagefolder import ImageFolder, ImageFolderOptions
from tests.pipeline.sources import files


def opened(root, **options):
    return ImageFolder(ImageFolderOptions(path=str(root), **options))


def keys(root, **options):
    return [entry.key for entry in opened(root, **options).entries()]


def refused(root, **options):
    with pytest.raises(SourceError) as caught:
        keys(root, **options)
    return str(caught.value)


@pytest.fixture
def root(tmp_path):
    return files.write_folder(tmp_path / "photos")


def test_classes_are_sorted_folders_and_keys_relative_paths(root):
    source = opened(root)
    entries = list(source.entries())
    assert source.classes == ("cat", "dog")
    assert [(entry.key, entry.label) for entry in entries[:3]] == [
        ("cat/1.PNG", 0),
        ("cat/2.PNG", 0),
        ("cat/deep/0.PNG", 0),
    ]
    assert [files.value(source, entry) for entry in entries] == [1, 2, 0, 11, 12, 10]


def test_keys_do_not_depend_on_how_the_path_is_spelled(root, tmp_path, monkeypatch):
    expected = list(opened(root).entries())
    (tmp_path / "link").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    for path in ("photos/", "./photos", "link", root / "cat" / ".."):
        assert list(opened(path).entries()) == expected
        assert opened(path).paths == (str(root),)


def test_hidden_files_and_folders_are_skipped(root):
    expected = keys(root)
    (root / ".git").mkdir()
    (root / "cat" / ".thumb.png").write_bytes(b"")
    (root / ".DS_Store").write_bytes(b"")
    assert keys(root) == expected


def test_other_files_are_named_unless_ignored(root):
    expected = keys(root)
    for name in ("cat/notes.txt", "dog/labels.csv", "dog/noname", "readme.txt"):
        (root / name).write_bytes(b"x")
    message = refused(root)
    assert "4 files cannot be used" in message
    assert "'cat/notes.txt' has no image's suffix" in message
    assert "2 files" in refused(root, ignore=["*.txt"])
    assert keys(root, ignore=["*.txt", "dog/labels.csv", "noname"]) == expected


def test_images_outside_a_class_are_named(root):
    (root / "top.png").write_bytes(files.png())
    assert "'top.png' lies in no class folder" in refused(root)


def test_links_are_followed_but_loops_and_broken_links_are_named(root, tmp_path):
    elsewhere = files.write_folder(tmp_path / "elsewhere", classes=("x",))
    (root / "emu").symlink_to(elsewhere / "x")
    (root / "dog" / "9.png").symlink_to(elsewhere / "x" / "1.PNG")
    assert [key for key in keys(root) if key[0] == "e" or "9" in key] == [
        *("dog/9.png", "emu/1.PNG", "emu/2.PNG", "emu/deep/0.PNG")
    ]
    (root / "dog" / "gone.png").symlink_to(tmp_path / "gone.png")
    assert "'dog/gone.png' is no regular file" in refused(root)
    (root / "cat" / "deep" / "up").symlink_to(root)
    assert "'cat/deep/up' is a link to a folder that contains it" in refused(root)


def test_a_link_to_itself_is_named(root):
    (root / "cat" / "self.png").symlink_to(root / "cat" / "self.png")
    assert "'cat/self.png' " in refused(root)
    (root.parent / "me").symlink_to(root.parent / "me")
    with pytest.raises(SourceError, match="does not exist"):
        opened(root.parent / "me")


def test_sockets_are_not_opened(root, monkeypatch):
    monkeypatch.chdir(root / "cat")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.png")
        assert "'cat/s.png' is no regular file" in refused(root)


@pytest.mark.parametrize(
    ("name", "message"), [(b"caf\xe9.png", "not valid UTF-8"), (b"two\nlines.png", "holds a line break")]
)
def test_names_that_cannot_be_keys_are_refused(root, name, message):
    with open(os.fsencode(root / "cat") + b"/" + name, "wb") as file:
        file.write(files.png())
    assert message in refused(root)


def test_names_beyond_ascii_are_keys(root):
    (root / "cat" / "été 猫.png").write_bytes(files.png(5))
    source = opened(root)
    (entry,) = [entry for entry in source.entries() if "猫" in entry.key]
    assert files.value(source, entry) == 5


def test_empty_folders_and_files_are_named(tmp_path):
    assert "has no folder, so no class" in refused(tmp_path)
    (tmp_path / "cat").mkdir()
    assert "holds no image" in refused(tmp_path)
    (tmp_path / "file.png").write_bytes(b"")
    with pytest.raises(SourceError, match="is not a folder"):
        opened(tmp_path / "file.png")


def test_a_file_that_went_away_is_named(root):
    source = opened(root)
    entries = list(source.entries())
    (root / "dog" / "1.PNG").unlink()
    with pytest.raises(SourceError, match="cannot read 'dog/1.PNG': No such file"):
        source.read(entries)


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("cat", "dog"), ()),
        (("train", "val"), ("train", "val")),
        (("train",), ("train",)),
        (("train", "station"), ()),
        (("imgs_test", "imgs_train"), ("imgs_test", "imgs_train")),
    ],
)
def test_folders_of_splits_are_told_without_choosing_one(tmp_path, names, splits):
    assert opened(files.write_folder(tmp_path / "x", names)).split_folders == splits
