import numpy as np
import pytest

from pipeline.images import BadImage
from pipeline.sources import SourceError
from pipeline.sources.cifar import Cifar10, Cifar100, Cifar100Options, CifarOptions
from tests.pipeline.sources import files


def test_cifar10_matches_the_published_layout(tmp_path):
    files.write_cifar(tmp_path)
    source = Cifar10(CifarOptions(path=str(tmp_path), split="all"))
    entries = list(source.entries())
    assert len(entries) == 30
    assert source.classes[3] == "class3"
    assert [entries[n].key for n in (0, 7, 29)] == [
        *("cifar10/data_batch_1/00000", "cifar10/data_batch_2/00002", "cifar10/test_batch/00004")
    ]
    record = (tmp_path / "data_batch_2.bin").read_bytes()[2 * 3073 : 3 * 3073]
    assert entries[7].label == record[0]
    pixels = np.asarray(source.decode(source.read([entries[7]])[0]))
    for row, column in ((0, 0), (0, 31), (17, 5)):
        expected = [record[1 + plane * 1024 + row * 32 + column] for plane in range(3)]
        assert pixels[row, column].tolist() == expected


def test_splits_are_the_published_files(tmp_path):
    files.write_cifar(tmp_path)
    train, test, everything = (
        list(Cifar10(CifarOptions(path=str(tmp_path), split=split)).entries()) for split in ("train", "test", "all")
    )
    assert train + test == everything
    assert (len(train), len(test)) == (25, 5)


def test_cifar100_has_fine_and_coarse_labels(tmp_path):
    files.write_cifar(tmp_path, coarse=True)
    content = (tmp_path / "train.bin").read_bytes()
    for labels, byte, count in (("fine", 1, 100), ("coarse", 0, 20)):
        source = Cifar100(Cifar100Options(path=str(tmp_path), labels=labels))
        entries = list(source.entries())
        assert len(source.classes) == count
        assert source.classes[-1] == f"{labels}{count - 1}"
        assert [entry.label for entry in entries] == list(content[byte::3074])
        assert source.read(entries[1:2]) == [content[3074 + 2 : 2 * 3074]]


@pytest.mark.parametrize("size", [0, 3072, 3073 * 2 + 1])
def test_a_file_of_a_wrong_size_is_named(tmp_path, size):
    files.write_cifar(tmp_path)
    (tmp_path / "data_batch_4.bin").write_bytes(bytes(size))
    with pytest.raises(SourceError, match=f"data_batch_4.bin has {size} bytes, not a multiple of 3073"):
        list(Cifar10(CifarOptions(path=str(tmp_path))).entries())


def test_missing_files_short_lists_and_wild_labels_are_named(tmp_path):
    files.write_cifar(tmp_path)
    source = Cifar10(CifarOptions(path=str(tmp_path)))
    (tmp_path / "data_batch_5.bin").write_bytes(bytes([10]) + bytes(3072))
    with pytest.raises(SourceError, match="record 0 of data_batch_5.bin has label 10"):
        list(source.entries())
    (tmp_path / "data_batch_5.bin").unlink()
    with pytest.raises(SourceError, match="lacks the file data_batch_5.bin"):
        list(source.entries())
    (tmp_path / "batches.meta.txt").write_text("one\ntwo\n")
    with pytest.raises(SourceError, match="batches.meta.txt holds 2 class names, not 10"):
        list(source.entries())
    with pytest.raises(BadImage, match="5 bytes instead of 3072"):
        source.decode(b"12345")
