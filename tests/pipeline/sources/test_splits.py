"""A split selects by the names of files and folders; where it cannot, that is said."""

from pathlib import Path

import pytest

from passband.pipeline.sources import SourceError, splits
from tests.pipeline.sources import files
from tests.pipeline.sources.test_walk import SUFFIX, found, left_out, opened, write

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train-00000-of-00004.parquet", "train"),
        ("data/imagenet_TRAIN_3.tar", "train"),
        ("training.tar", "train"),
        ("val/0.tar", "validation"),
        ("dev-0.tar", "validation"),
        ("test/train-0.tar", "train"),  # the file's own name goes first
        ("train/deep/test-set/0.tar", "test"),  # then the inner folder
        ("train.parquet/part-0.parquet", "train"),
        ("split=test/label=train/0.parquet", "test"),
        ("label=train/0.parquet", None),
        ("trains-0.tar", None),
        ("contest.tar", None),
        ("part-0.tar", None),
    ],
)
def test_of_which_split_a_path_speaks(path, split):
    assert splits.splits_of([path]) == ([] if split is None else [split])
    for other in splits.WORDS:
        assert splits.belongs(path, other) == (other == split)


def test_other_words_and_other_splits():
    assert splits.belongs("valid_0.tar", "dev")
    assert splits.belongs("extra-0.tar", "extra")
    assert splits.belongs("train_clean-0.tar", "train")
    assert not splits.belongs("extras-0.tar", "extra")
    for split in ("train", "val", "validation", "test"):
        assert not splits.belongs("train-val-0.tar", split)
    assert splits.belongs("train-val-0.tar", "train-val")
    assert not splits.belongs("all-0.tar", "all")
    assert not splits.belongs("train-0.tar", "")


@pytest.fixture(params=["webdataset", "parquet"])
def kind(request):
    return request.param


@pytest.fixture
def root(kind, tmp_path):
    for value, name in enumerate(("train-0", "train-1", "val-0", "deep/test-0", "notes")):
        write(kind, tmp_path / "data" / f"{name}{SUFFIX[kind]}", value)
    return tmp_path / "data"


def test_the_case_from_the_hub():
    source = opened("parquet", CASES / "three_splits", split="train")
    assert [entry.key for entry in source.entries()] == [f"data/train-00000-of-00001.parquet:{row}" for row in range(2)]
    assert source.warnings == ()
    (omission,) = source.skipped
    assert (omission.reason, omission.count) == ("of another split", 2)
    assert len(list(opened("parquet", CASES / "three_splits/data/{train,test}-*.parquet").entries())) == 4


def test_a_split_takes_its_files_from_a_folder_and_from_a_pattern(kind, root):
    suffix = SUFFIX[kind]
    assert found(kind, root, split="train") == {"train-0": 0, "train-1": 1}
    assert found(kind, root, split="validation") == {"val-0": 2}
    assert found(kind, root, split="test") == {"deep/test-0": 3}
    assert found(kind, root / f"*{suffix}", split="train") == {"train-0": 0, "train-1": 1}
    assert opened(kind, root, split="train").warnings == ()
    assert left_out(kind, root, split="val") == {
        "of another split": (3, [f"{n}{suffix}" for n in ("deep/test-0", "train-0", "train-1")]),
        "of no split": (1, [f"notes{suffix}"]),
    }


def test_what_speaks_of_two_splits_is_in_neither(kind, root):
    suffix = SUFFIX[kind]
    write(kind, root / f"train-val-0{suffix}", 9)
    assert found(kind, root, split="train") == {"train-0": 0, "train-1": 1}
    assert found(kind, root, split="val") == {"val-0": 2}
    assert found(kind, root, split="train-val") == {"train-val-0": 9}
    assert left_out(kind, root, split="val")["of several splits"] == (1, [f"train-val-0{suffix}"])
    write(kind, root / f"apart/train-val-0{suffix}", 9)
    told = "split is 'train', but what path leads to speaks of both train and validation"
    for split, warned in (("train", True), ("train-val", False), ("", False)):
        warnings = opened(kind, root / "apart", split=split).warnings
        assert [text.startswith(told) for text in warnings] == [True] * warned
    write(kind, root / f"apart/train-val-1{suffix}", 9)
    with pytest.raises(SourceError, match="no file of .* 'train': their names speak of both train and valid"):
        opened(kind, root / "apart", split="train")


def test_without_a_split_all_is_taken_and_said(kind, root):
    for split, advice in (("", "the option 'split' takes one"), ("day", "none is of 'day'")):
        source = opened(kind, root, split=split)
        assert len(list(source.entries())) == 5
        (warning,) = source.warnings
        assert warning.startswith("files of the splits train, validation, test and of no split are taken together")
        assert advice in warning
    assert opened(kind, root, split="all").warnings == ()


@pytest.mark.parametrize("names", [("test-0", "0001"), ("train-0", "extra"), ("deep/val/0", "1")])
def test_one_split_beside_files_of_none_is_said(kind, tmp_path, names):
    for value, name in enumerate(names):
        write(kind, tmp_path / f"{name}{SUFFIX[kind]}", value)
    (warning,) = opened(kind, tmp_path).warnings
    assert warning == (
        f"files of the split {splits.splits_of(names)[0]} and of no split are taken together: the option 'split' takes "
        "one of them"
    )
    assert opened(kind, tmp_path, split="all").warnings == ()
    (tmp_path / f"{names[1]}{SUFFIX[kind]}").unlink()
    assert opened(kind, tmp_path).warnings == ()


def test_a_split_that_no_name_speaks_of_is_refused(kind, root):
    for name in ("train-0", "train-1"):
        (root / f"{name}{SUFFIX[kind]}").unlink()
    with pytest.raises(
        SourceError, match="no file of .* is of the split 'train': their names speak of validation, test"
    ):
        opened(kind, root, split="train")


def test_a_split_is_only_a_word_where_no_name_speaks_of_one(kind, tmp_path):
    for place in ("photos", "test", "train"):
        for number in range(2):
            write(kind, tmp_path / place / f"{number}{SUFFIX[kind]}", number)
    assert found(kind, tmp_path / "photos", split="train") == {"0": 0, "1": 1}
    assert opened(kind, tmp_path / "photos", split="train").warnings == ()
    assert opened(kind, tmp_path / "train", split="train").warnings == ()
    assert opened(kind, tmp_path / "test").warnings == ()
    for path in ("test", f"test/*{SUFFIX[kind]}", f"test/0{SUFFIX[kind]}"):
        assert (
            "split is 'train', but what path leads to speaks of test"
            in opened(kind, tmp_path / path, split="train").warnings[0]
        )


class TestFolders:
    """Of class folders: a folder of splits is none of classes."""

    @pytest.fixture
    def parent(self, tmp_path):
        files.write_folder(tmp_path / "photos" / "train")
        files.write_folder(tmp_path / "photos" / "val", count=1)
        return tmp_path / "photos"

    def test_a_folder_of_splits_is_refused_with_the_fix(self, parent):
        with pytest.raises(
            SourceError, match=r"is a folder of splits \(train, val\), not of classes: let path lead to"
        ):
            list(opened("imagefolder", parent).entries())
        with pytest.raises(SourceError, match=r"has no folder of the split 'test'.*option 'split'"):
            list(opened("imagefolder", parent, split="test").entries())

    def test_a_split_selects_its_folder_with_the_keys_of_that_folder(self, parent):
        for split, folder in (("train", "train"), ("val", "val"), ("validation", "val")):
            source, own = (opened("imagefolder", path, split=split) for path in (parent, parent / folder))
            entries = list(source.entries())
            assert entries == list(own.entries())
            assert source.read(entries) == own.read(entries)
            assert source.classes == own.classes == ("cat", "dog")
            assert source.warnings == own.warnings == ()
        assert left_out("imagefolder", parent, split="train") == {"of another split": (1, ["val/"])}

    def test_one_split_alone_is_a_folder_of_splits_too(self, tmp_path):
        files.write_folder(tmp_path / "train")
        with pytest.raises(SourceError, match=r"is a folder of splits \(train\)"):
            list(opened("imagefolder", tmp_path).entries())
        assert opened("imagefolder", tmp_path, split="train").classes == ("cat", "dog")

    def test_a_class_may_be_called_train(self, tmp_path):
        for value, name in enumerate(("bus/0", "train/0", "train_station/0", "test_tube/0")):
            write("imagefolder", tmp_path / f"{name}.png", value)
        source = opened("imagefolder", tmp_path, split="train")
        assert source.classes == ("bus", "test_tube", "train", "train_station")
        assert "the folder 'train' is taken as a class" in source.warnings[0]
        assert opened("imagefolder", tmp_path).warnings == ()

    def test_a_path_that_speaks_of_another_split_is_told(self, parent):
        (warning,) = opened("imagefolder", parent / "val", split="train").warnings
        assert "speaks of validation" in warning

    @pytest.mark.parametrize(
        ("names", "alike"),
        [
            (("cat/train/0", "cat/test/0"), ("train/0", "test/0")),
            (("cat/train_1", "dog/x", "dog/test_7"), ("train_1", "test_7")),
            (("cat/a/val/deep/0", "dog/train/0"), ("a/val/deep/0", "train/0")),
        ],
    )
    def test_images_of_several_splits_are_told(self, tmp_path, names, alike):
        for value, name in enumerate(names):
            write("imagefolder", tmp_path / f"{name}.png", value)
        source = opened("imagefolder", tmp_path)
        for _ in range(2):
            assert len(list(source.entries())) == len(names)
        (warning,) = source.warnings
        assert warning.startswith("images of several splits are taken together")
        assert all(repr(name) in warning for name in alike)

    @pytest.mark.parametrize(
        "names", [("cat/test_tube_1", "cat/train_station_1"), ("cat/train_1", "cat/train_2"), ("cat/train/0", "cat/1")]
    )
    def test_names_of_images_that_differ_otherwise_are_not(self, tmp_path, names):
        for value, name in enumerate(names):
            write("imagefolder", tmp_path / f"{name}.png", value)
        source = opened("imagefolder", tmp_path)
        assert len(list(source.entries())) == len(names)
        assert source.warnings == ()

    def test_folders_that_differ_by_the_word_of_a_split_alone_are_splits(self, tmp_path):
        for name in ("imgs_train", "imgs_test"):
            files.write_folder(tmp_path / name)
        with pytest.raises(SourceError, match=r"is a folder of splits \(imgs_test, imgs_train\), not of classes"):
            list(opened("imagefolder", tmp_path).entries())
        assert opened("imagefolder", tmp_path, split="train").classes == ("cat", "dog")
        assert left_out("imagefolder", tmp_path, split="train") == {"of another split": (1, ["imgs_test/"])}

    def test_some_that_do_are_classes_and_told(self, tmp_path):
        for value, name in enumerate(("bus/0", "imgs_train/0", "imgs_test/0", "train_station/0", "test_tube/0")):
            write("imagefolder", tmp_path / f"{name}.png", value)
        source = opened("imagefolder", tmp_path)
        assert source.classes == ("bus", "imgs_test", "imgs_train", "test_tube", "train_station")
        (warning,) = source.warnings
        assert warning.startswith("the folders imgs_test, imgs_train are taken as classes")

    def test_a_folder_beside_the_splits_is_of_none(self, parent):
        (parent / "notes").mkdir()
        assert left_out("imagefolder", parent, split="train") == {
            "of another split": (1, ["val/"]),
            "of no split": (1, ["notes/"]),
        }


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
def test_a_split_that_no_name_speaks_of_is_refused_where_they_speak_of_several_others(kind, tmp_path):
    for value, name in enumerate(("train-0", "val-0", "test-0")):
        write(kind, tmp_path / f"{name}{SUFFIX[kind]}", value)
    with pytest.raises(SourceError, match="is of the split 'trian': their names speak of train, validation, test"):
        opened(kind, tmp_path, split="trian")
    assert list(found(kind, tmp_path, split="all")) == ["test-0", "train-0", "val-0"]
    pattern = tmp_path / f"{{train,val}}-0{SUFFIX[kind]}"  # which has selected already
    assert list(found(kind, pattern, split="mine")) == ["train-0", "val-0"]
