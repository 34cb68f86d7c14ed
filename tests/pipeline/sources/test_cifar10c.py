"""CIFAR-10-C's files: which rows a severity has, and what is refused."""

import os

import numpy as np
import pytest
from pydantic import ValidationError

from passband.pipeline.corruptions import NAMES
from passband.pipeline.images import BadImage
from passband.pipeline.sources import SourceError
from passband.pipeline.sources.cifar10c import (
    CLASSES,
    CLASSES_100,
    Cifar10c,
    Cifar10cOptions,
    Cifar100c,
)
from tests.pipeline.sources import files


def opened(root, corruption="fog", severity=1):
    return Cifar10c(Cifar10cOptions(path=str(root), corruption=corruption, severity=severity))


def refused(root, **options):
    with pytest.raises(SourceError) as caught:
        list(opened(root, **options).entries())
    return str(caught.value)


@pytest.fixture
def root(tmp_path):
    return files.write_cifar10c(tmp_path / "CIFAR-10-C", count=6)


@pytest.mark.parametrize("corruption", ["fog", "snow"])
@pytest.mark.parametrize("severity", [1, 2, 5])
def test_a_severity_is_its_fifth_of_the_file(root, corruption, severity):
    source = opened(root, corruption, severity)
    entries = list(source.entries())
    rows = slice(6 * (severity - 1), 6 * severity)
    pixels, labels = np.load(root / f"{corruption}.npy")[rows], np.load(root / "labels.npy")[rows]
    assert [entry.label for entry in entries] == labels.tolist()
    assert [entry.key for entry in entries] == [f"cifar10c/{row:05d}" for row in range(6)]
    read = [np.asarray(source.decode(content)) for content in source.read(entries)]
    np.testing.assert_array_equal(read, pixels)


def test_every_corruption_shows_the_same_samples(root):
    one, other = (list(opened(root, *which).entries()) for which in (("fog", 1), ("snow", 4)))
    assert [(entry.key, entry.label) for entry in one] == [(entry.key, entry.label) for entry in other]


def test_the_classes_are_those_of_cifar10_in_its_order(root):
    assert opened(root).classes == CLASSES
    assert (len(CLASSES), CLASSES[0], CLASSES[9]) == (10, "airplane", "truck")
    assert list(CLASSES) == sorted(CLASSES)  # as published, by the alphabet


def test_the_classes_of_cifar100c_are_the_fine_ones_of_cifar100_in_its_order():
    assert len(CLASSES_100) == 100
    assert (CLASSES_100[1], CLASSES_100[99]) == ("aquarium_fish", "worm")
    assert list(CLASSES_100) == sorted(set(CLASSES_100))  # as published, by the alphabet


def test_cifar100c_is_read_alike_under_its_own_name(tmp_path):
    root = files.write_cifar10c(tmp_path / "CIFAR-100-C", count=6, classes=100)
    source = Cifar100c(Cifar10cOptions(path=str(root), corruption="snow", severity=4))
    entries, rows = list(source.entries()), slice(18, 24)
    assert source.classes == CLASSES_100
    assert [entry.label for entry in entries] == np.load(root / "labels.npy")[rows].tolist()
    assert max(entry.label for entry in entries) >= 10
    assert [entry.key for entry in entries] == [f"cifar100c/{row:05d}" for row in range(6)]
    read = [np.asarray(source.decode(content)) for content in source.read(entries)]
    np.testing.assert_array_equal(read, np.load(root / "snow.npy")[rows])
    labels = np.load(root / "labels.npy")
    labels[19] = 100
    np.save(root / "labels.npy", labels)
    with pytest.raises(SourceError, match=r"^source cifar100c: label 19 of labels\.npy is 100, which is no class$"):
        list(source.entries())


def test_cifar10c_is_not_taken_for_cifar100c(root):
    source = Cifar100c(Cifar10cOptions(path=str(root), corruption="fog", severity=1))
    with pytest.raises(SourceError, match=r"no label of labels\.npy is above 9, as in CIFAR-10-C, which the kind cif"):
        list(source.entries())
    labels = np.load(root / "labels.npy")
    labels[-1] = 10
    np.save(root / "labels.npy", labels)
    assert len(list(source.entries())) == 6


@pytest.mark.parametrize("name", [*NAMES, "gaussian_blur", "saturate", "spatter", "speckle_noise"])
def test_the_nineteen_published_corruptions_can_be_asked_for(name):
    assert Cifar10cOptions(path="x", corruption=name, severity=5).corruption == name


@pytest.mark.parametrize("wrong", [{"corruption": "rain"}, {"severity": 0}, {"severity": 6}, {"split": "test"}])
def test_others_cannot(wrong):
    with pytest.raises(ValidationError):
        Cifar10cOptions(**{"path": "x", "corruption": "fog", "severity": 1} | wrong)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((10, 32, 32), np.uint8), r"holds uint8 of the shape \(10, 32, 32\)"),
        (np.zeros((10, 3, 32, 32), np.uint8), "of the shape"),
        (np.zeros((10, 32, 32, 3), np.float32), "holds float32 of the shape"),
        (np.asfortranarray(np.zeros((10, 32, 32, 3), np.uint8)), "in C order is needed"),
        (np.zeros((11, 32, 32, 3), np.uint8), "holds 11 images, which are no 5 parts"),
        (np.zeros((0, 32, 32, 3), np.uint8), "holds 0 images"),
        (np.zeros((10, 32, 32, 3), np.uint8), "labels.npy has 30 labels, and fog.npy 10 images"),
        (np.array([{}]), "holds object of the shape"),
    ],
)
def test_a_file_of_another_layout_is_refused(root, array, message):
    np.save(root / "fog.npy", array, allow_pickle=True)
    with pytest.raises(SourceError, match=message):
        list(opened(root).entries())


@pytest.mark.parametrize("labels", [np.zeros(30), np.zeros((30, 1), int), np.array([None] * 30)])
def test_labels_of_another_kind_are_refused(root, labels):
    np.save(root / "labels.npy", labels, allow_pickle=True)
    assert "labels.npy" in refused(root)


def test_a_label_that_is_no_class_is_named(root):
    labels = np.load(root / "labels.npy")
    labels[13] = 10
    np.save(root / "labels.npy", labels)
    assert refused(root, severity=3) == "source cifar10c: label 13 of labels.npy is 10, which is no class"
    assert len(list(opened(root, severity=2).entries())) == 6


def test_damaged_files_and_missing_ones_are_named(root):
    whole = (root / "fog.npy").read_bytes()
    for content, message in (
        (whole[:-1], "fog.npy is truncated, or has changed"),
        (whole + b"x", "fog.npy is truncated, or has changed"),
        (whole[:40], "fog.npy is damaged, or no .npy file"),
        (b"", "fog.npy is damaged, or no .npy file"),
        (b"\x93NUMPY\x09\x00" + whole[8:], "fog.npy is damaged, or no .npy file"),
    ):
        (root / "fog.npy").write_bytes(content)
        assert message in refused(root)
    assert "cannot read 'frost.npy': No such file" in refused(root, corruption="frost")
    (root / "labels.npy").write_bytes(b"x")
    assert "labels.npy is damaged, or no .npy file" in refused(root, corruption="snow")
    os.mkfifo(root / "frost.npy")
    assert "frost.npy is no regular file" in refused(root, corruption="frost")
    with pytest.raises(BadImage, match="5 bytes instead of 3072"):
        opened(root).decode(b"12345")
