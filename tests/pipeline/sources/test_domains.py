"""DomainBed's layout: domains, classes and shares are those of the folders, whatever order they are listed in."""

import os
import shutil
import socket

import pytest

from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.domains import Domains, DomainsOptions
from tests.pipeline.sources import files


def opened(root, **options):
    return Domains(DomainsOptions(path=str(root), **options))


def keys(root, **options):
    return [entry.key for entry in opened(root, **options).entries()]


def refused(root, **options):
    with pytest.raises(SourceError) as caught:
        keys(root, **options)
    return str(caught.value)


def told(source):
    list(source.entries())
    return source.warnings


@pytest.fixture
def root(tmp_path):
    """Three domains; drawing lacks the dogs, and photo alone has an emu."""
    root = tmp_path / "PACS"
    for name, classes in (("photo", ("cat", "dog", "emu")), ("Real World", ("cat", "dog")), ("drawing", ("cat",))):
        files.write_folder(root / name, classes)
    return root


def test_domains_and_classes_are_sorted_and_keys_are_paths(root):
    source = opened(root)
    entries = list(source.entries())
    assert source.domains == ("Real World", "drawing", "photo")
    assert source.classes == ("cat", "dog", "emu")
    assert [(entry.key, entry.label, entry.domain) for entry in entries[4:10]] == [
        ("Real World/dog/2.PNG", 1, 0),
        ("Real World/dog/deep/0.PNG", 1, 0),
        ("drawing/cat/1.PNG", 0, 1),
        ("drawing/cat/2.PNG", 0, 1),
        ("drawing/cat/deep/0.PNG", 0, 1),
        ("photo/cat/1.PNG", 0, 2),
    ]
    assert len(entries) == 6 + 3 + 9
    assert [files.value(source, entry) for entry in entries[:3]] == [1, 2, 0]


def test_the_same_name_in_two_domains_is_two_images(root):
    (root / "drawing" / "cat" / "1.PNG").write_bytes(files.png(77))
    source = opened(root)
    found = {entry.key: files.value(source, entry) for entry in source.entries() if entry.key.endswith("cat/1.PNG")}
    assert found == {"Real World/cat/1.PNG": 1, "drawing/cat/1.PNG": 77, "photo/cat/1.PNG": 1}


def test_labels_agree_whichever_domains_are_read(root):
    every = {entry.key: entry.label for entry in opened(root).entries()}
    source = opened(root, domains=["drawing"])
    found = list(source.entries())
    assert source.classes == ("cat", "dog", "emu")
    assert [(entry.key, entry.label) for entry in found] == [
        (key, label) for key, label in every.items() if key.startswith("drawing/")
    ]
    assert {entry.domain for entry in found} == {0}
    assert str(source.skipped) == "2 of another domain (Real World/, photo/)"


def test_domains_may_be_named_in_any_order(root):
    one, other = (opened(root, domains=names) for names in (["photo", "drawing"], ["drawing", "photo"]))
    assert one.options == other.options
    assert one.domains == other.domains == ("drawing", "photo")
    assert list(one.entries()) == list(other.entries())


def test_classes_may_be_chosen_in_the_order_of_their_labels(root):
    source = opened(root, domains=["photo"], classes=["emu", "cat"])
    entries = list(source.entries())
    assert source.classes == ("emu", "cat")
    assert [(entry.key, entry.label) for entry in entries][::3] == [("photo/emu/1.PNG", 0), ("photo/cat/1.PNG", 1)]
    assert ("of another class", 1, ["photo/dog/"]) in [(o.reason, o.count, o.examples) for o in source.skipped]


def test_a_class_that_a_domain_lacks_is_told(root):
    assert told(opened(root)) == (
        "the domain Real World has no image of emu",
        "the domain drawing has no image of dog, emu",
    )
    (root / "Real World" / "emu").mkdir()
    assert "the domain Real World has no image of emu" in told(opened(root))
    assert told(opened(root, domains=["photo"])) == ()
    assert told(opened(root, classes=["cat"])) == ()


def test_a_class_that_no_domain_has_an_image_of_is_a_class(root):
    (root / "photo" / "axolotl").mkdir()
    source = opened(root, domains=["photo"])
    assert [entry.label for entry in source.entries()] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert source.classes[0] == "axolotl"
    assert source.warnings == ("the domain photo has no image of axolotl",)


def test_every_fifth_image_of_each_class_of_each_domain_is_held_out(tmp_path):
    for domain, count in (("a", 10), ("b", 4), ("c", 6)):
        for name in ("cat", "dog"):
            (tmp_path / domain / name).mkdir(parents=True)
            for number in range(count):
                (tmp_path / domain / name / f"{number:02d}.png").write_bytes(files.png(number))
    expected = [
        f"{d}/{c}/{n}.png" for d, ns in (("a", ("04", "09")), ("c", ("04",))) for c in ("cat", "dog") for n in ns
    ]
    assert keys(tmp_path, split="test") == expected
    assert sorted(keys(tmp_path, split="train") + expected) == sorted(keys(tmp_path))
    assert len(keys(tmp_path)) == 2 * (10 + 4 + 6)
    assert keys(tmp_path, split="test", domains=["c"]) == expected[4:]
    assert keys(tmp_path, split="test", classes=["dog"]) == [key for key in expected if "/dog/" in key]
    assert told(opened(tmp_path, split="test")) == ()


def test_one_domain_is_enough(root):
    for name in ("drawing", "Real World"):
        shutil.rmtree(root / name)
    source = opened(root)
    assert {entry.domain for entry in source.entries()} == {0}
    assert source.domains == ("photo",)


def test_the_listing_does_not_depend_on_the_order_in_which_files_were_made(root, tmp_path, monkeypatch):
    expected = list(opened(root).entries())
    listed = os.scandir

    class Backward:
        def __init__(self, path):
            self._entries = listed(path)

        def __enter__(self):
            return iter(sorted(self._entries, key=lambda entry: entry.name, reverse=True))

        def __exit__(self, *failure):
            self._entries.close()

    monkeypatch.setattr(os, "scandir", Backward)
    assert list(opened(root).entries()) == expected


def test_what_is_unknown_or_named_twice_is_said(root):
    message = refused(root, domains=["photo", "painting"])
    assert message.endswith("has no domain painting; there are Real World, drawing, photo")
    assert refused(root, classes=["cow"]).endswith("has no class cow; there are cat, dog, emu")
    assert refused(root, domains=["photo", "photo"]) == "source domains: a domain is named twice: photo, photo"
    assert refused(root, classes=["cat", "cat"]) == "source domains: a class is named twice: cat, cat"


def test_a_domain_without_an_image_is_refused(root):
    (root / "empty" / "cat").mkdir(parents=True)
    assert "the domain empty holds no image of the classes that are read" in refused(root)
    assert "leave it out by the option 'domains'" in refused(root, domains=["empty"])
    assert len(keys(root, domains=["photo"])) == 9


def test_empty_folders_are_named(tmp_path):
    assert "has no folder, so no domain" in refused(tmp_path)
    (tmp_path / "photo").mkdir()
    assert "has a folder in it, so no class" in refused(tmp_path)


def test_hidden_and_ignored_names_are_skipped_and_others_named(root):
    expected = keys(root)
    for name in (".git", "photo/.cache", "photo/cat/.thumbs"):
        (root / name).mkdir()
        (root / name / "1.png").write_bytes(b"")
    (root / "photo" / "cat" / ".DS_Store").write_bytes(b"")
    assert keys(root) == expected
    for name in ("readme.txt", "photo/list.txt", "photo/cat/notes.txt", "drawing/stray.png", "top.png"):
        (root / name).write_bytes(files.png())
    message = refused(root)
    assert "source domains: 5 files cannot be used" in message
    assert "'readme.txt' has no image's suffix" in message
    assert "'top.png' lies in no domain folder" in message
    assert "'drawing/stray.png' lies in no class folder" in message
    assert keys(root, ignore=["*.txt", "top.png", "stray.png"]) == expected
    assert "Real World" not in opened(root, ignore=["Real*", "*.txt", "top.png", "stray.png"]).domains


def test_links_are_followed_but_loops_and_what_is_no_file_are_named(root, tmp_path, monkeypatch):
    elsewhere = files.write_folder(tmp_path / "elsewhere", classes=("cat", "yak"))
    (root / "web").symlink_to(elsewhere)
    (root / "drawing" / "cat" / "9.png").symlink_to(elsewhere / "yak" / "1.PNG")
    source = opened(root)
    entries = {entry.key: entry for entry in source.entries()}
    assert source.domains == ("Real World", "drawing", "photo", "web")
    assert (entries["web/yak/1.PNG"].label, entries["web/yak/1.PNG"].domain) == (3, 3)
    assert files.value(source, entries["drawing/cat/9.png"]) == 11
    (root / "drawing" / "cat" / "gone.png").symlink_to(tmp_path / "gone.png")
    assert "'drawing/cat/gone.png' is no regular file" in refused(root)
    (root / "drawing" / "cat" / "gone.png").unlink()
    monkeypatch.chdir(root / "drawing" / "cat")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.png")
        assert "'drawing/cat/s.png' is no regular file" in refused(root)
    os.unlink("s.png")
    (root / "drawing" / "cat" / "up").symlink_to(root)
    assert "'drawing/cat/up' is a link to a folder that contains it" in refused(root)


def test_folders_of_splits_within_a_domain_are_told(tmp_path):
    for split in ("train", "test"):
        files.write_folder(tmp_path / "photo" / split)
    (warning,) = told(opened(tmp_path))
    assert "the folders of the domain photo that are named after splits are taken as classes" in warning


@pytest.mark.parametrize("name", [b"caf\xe9", b"two\nlines"])
def test_names_that_cannot_be_keys_are_refused(root, name):
    os.mkdir(os.fsencode(root) + b"/" + name)
    assert refused(root).startswith("source domains: the name ")


def test_a_file_that_went_away_is_named(root):
    source = opened(root)
    entries = list(source.entries())
    (root / "drawing" / "cat" / "1.PNG").unlink()
    with pytest.raises(SourceError, match="source domains: cannot read 'drawing/cat/1.PNG': No such file"):
        source.read(entries)
