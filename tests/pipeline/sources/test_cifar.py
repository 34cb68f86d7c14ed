import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from passband.pipeline.images import BadImage
from passband.pipeline.sources import SourceError, cifar_pickle
from passband.pipeline.sources.cifar import Cifar10, Cifar100, Cifar100Options, CifarOptions
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


def listed(source):
    entries = list(source.entries())
    return [(entry.key, entry.label) for entry in entries], source.read(entries), source.classes


@pytest.mark.parametrize("dump", [None, *(lambda content, p=p: pickle.dumps(content, p) for p in (3, 4, 5))])
def test_the_python_version_gives_what_the_binary_one_does(tmp_path, dump):
    options = {} if dump is None else {"dump": dump}
    binary = files.write_cifar(tmp_path / "bin10")
    python = files.write_cifar_python(tmp_path / "py10", binary, **options)
    for split in ("train", "test", "all"):
        both = [listed(Cifar10(CifarOptions(path=str(path), split=split))) for path in (binary, python)]
        assert both[0] == both[1]
        assert len(both[0][0]) == {"train": 25, "test": 5, "all": 30}[split]
    binary = files.write_cifar(tmp_path / "bin100", coarse=True, seed=1)
    python = files.write_cifar_python(tmp_path / "py100", binary, **options)
    for labels in ("fine", "coarse"):
        both = [listed(Cifar100(Cifar100Options(path=str(path), labels=labels))) for path in (binary, python)]
        assert both[0] == both[1]


def test_a_folder_with_both_versions_reads_the_binary_one(tmp_path):
    files.write_cifar_python(tmp_path, files.write_cifar(tmp_path))
    (entry, *_) = Cifar10(CifarOptions(path=str(tmp_path))).entries()
    assert entry.offset == 1


class Evil:
    def __init__(self, made):
        self.made = made

    def __reduce__(self):
        return os.mkdir, (str(self.made),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path, protocol):
    python = files.write_cifar_python(tmp_path / "py", files.write_cifar(tmp_path / "bin"))
    evil = pickle.dumps({"labels": [0], "data": Evil(tmp_path / "made")}, protocol)
    for name in ("data_batch_2", "batches.meta"):
        (python / name).write_bytes(evil)
        with pytest.raises(SourceError, match=f"{name} is damaged, or no file of the Python version: it"):
            list(Cifar10(CifarOptions(path=str(python))).entries())
    assert not (tmp_path / "made").exists()
    pickle.loads(evil)  # noqa: S301  our own: it would have run
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'touch made'\ntR.",
        b"cos\nsystem\n.",
        b"\x80\x02cbuiltins\neval\nU\x011\x85R.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x02cnumpy\nload\nU\x01x\x85R.",
        b"(S'touch made'\nios\nsystem\n.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02U\x01xQ.",
        b"\x80\x02cnumpy\nndarray\n)\x81.",
        b"\x80\x02cnumpy\nndarray\n)R.",
        b"\x80\x02}(U\x04datacnumpy\ndtype\nU\x02f4\x85Ru.",
        b"",
        b"\x80\x02",
        b"\x80\x02].",
        b"\x80\x02}}.",
        b"\x80\x02u.",
        b"\x80\x02a.",
        b"\x80\x02}(u",
        b"\x80\x02h\x05.",
        b"\x80\x02}(]K\x01u.",
        b"\x80\x02T\xff\xff\xff\x7fabc.",
        b"not a pickle",
    ],
)
def test_other_pickles_are_refused_by_name(tmp_path, content, monkeypatch):
    monkeypatch.chdir(tmp_path)
    python = files.write_cifar_python(tmp_path / "py", files.write_cifar(tmp_path / "bin"))
    (python / "data_batch_1").write_bytes(content)
    with pytest.raises(SourceError, match="data_batch_1 is damaged, or no file of the Python version"):
        list(Cifar10(CifarOptions(path=str(python))).entries())
    assert not Path("made").exists()


def test_every_cut_of_a_pickle_is_refused(tmp_path):
    python = files.write_cifar_python(tmp_path / "py", files.write_cifar(tmp_path / "bin", rows=1))
    whole = (python / "data_batch_1").read_bytes()
    for cut in [*range(200), *range(200, len(whole), 97)]:
        (python / "data_batch_1").write_bytes(whole[:cut])
        with pytest.raises(SourceError, match="data_batch_1"):
            list(Cifar10(CifarOptions(path=str(python))).entries())


def test_arrays_that_do_not_fit_are_named(tmp_path):
    python = files.write_cifar_python(tmp_path / "py", files.write_cifar(tmp_path / "bin"))
    pixels = np.zeros((3, 3072), np.uint8)
    for data, labels, message in (
        (pixels, [0, 1], "has 2 labels, and data of the shape"),
        (pixels[:, :1000].copy(), [0] * 3, "has 3 labels, and data of the shape"),
        (np.asfortranarray(pixels), [0] * 3, "not written as plain bytes, row by row"),
        (pixels.astype(np.float32), [0] * 3, "it holds an array of f4, not of bytes"),
        (pixels, [0, 1, 10], "record 2 of data_batch_1 has label 10"),
        (pixels, [0, -1, 1], "record 1 of data_batch_1 has label -1"),
        (pixels, [0, "1", 1], "record 1 of data_batch_1 has label that is no class's index"),
        (pixels, None, "lacks 'data' or 'labels'"),
        (None, [0], "lacks 'data' or 'labels'"),
    ):
        (python / "data_batch_1").write_bytes(pickle.dumps({"data": data, "labels": labels}, 4))
        with pytest.raises(SourceError, match=message):
            list(Cifar10(CifarOptions(path=str(python))).entries())
    (python / "batches.meta").write_bytes(pickle.dumps({"label_names": ["a"]}))
    with pytest.raises(SourceError, match="batches.meta holds 1 class names, not 10"):
        list(Cifar10(CifarOptions(path=str(python))).entries())


def nested(levels, start=b"U\x01x"):
    """Return instructions for a tuple that holds the one a level below twice: 2**levels texts, once spelled out."""
    return start + b"".join(b"q%ch%c\x86" % (level, level) for level in range(levels))


DEEP = b"]" * 100_000 + b"a" * 99_999
SPELLED_OUT = {
    "a name, on the stack": b"\x80\x04" + nested(60) + b"\x8c\x01x\x93.",
    "a long name, on the stack": b"\x80\x04X\xe8\x03\x00\x00" + b"n" * 1000 + b"\x8c\x01x\x93.",
    "a long name": b"\x80\x02c" + b"n" * 1000 + b"\nx\n.",
    "a kind of array": b"\x80\x02cnumpy\ndtype\n" + nested(60) + b"\x85R.",
    "a deep kind of array": b"\x80\x02cnumpy\ndtype\n" + DEEP + b"\x85R.",
    "a key": b"\x80\x02}" + nested(60) + b"K\x01s.",
    "a key of DICT": b"\x80\x02(" + nested(60) + b"K\x01d.",
    "a deep key": b"\x80\x02}" + b")" + b"\x85" * 100_000 + b"K\x01s.",
    "a label": b"\x80\x02}(U\x06labels](" + nested(60) + b"eU\x04dataHEREu.",
    "a deep label": b"\x80\x02}(U\x06labels]" + DEEP + b"aU\x04dataHEREu.",
    "a shape": b"\x80\x02}(U\x06labels]U\x04dataHEREu.",
    "text without quotes": b"S" + b"n" * 1000 + b"\n.",
    "a length beyond the file": b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b"abc.",
    "a text's length beyond the file": b"\x80\x04\x8d" + (2**40).to_bytes(8, "little") + b"abc.",
    "a long integer": b"\x80\x02\x8b\x00\x00\x00\x7f1.",
}


@pytest.mark.parametrize(
    "named",
    [pytest.param(name, marks=pytest.mark.slow if name.startswith("a deep kind") else ()) for name in SPELLED_OUT],
)
def test_what_a_pickle_holds_is_not_spelled_out_and_takes_no_more_room_than_the_file(tmp_path, named):
    python = files.write_cifar_python(tmp_path / "py", files.write_cifar(tmp_path / "bin"))
    content = SPELLED_OUT[named]
    array = files.python2_pickle(np.zeros((1, 3072), np.uint8))
    array = array.replace(b"K\x01M\x00\x0c\x86", nested(60)) if named == "a shape" else array
    (python / "data_batch_1").write_bytes(content.replace(b"HERE", array))
    tracemalloc.start()
    with pytest.raises(SourceError, match="data_batch_1") as caught:
        list(Cifar10(CifarOptions(path=str(python))).entries())
    assert tracemalloc.get_traced_memory()[1] < 2**28
    tracemalloc.stop()
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [b"](" + b"]" * 1000 + b"a" * 999 + b"e", b"](" + nested(60) * 10 + b"e"])
def test_class_names_that_are_no_texts_are_not_spelled_out(tmp_path, names):
    python = files.write_cifar_python(tmp_path / "py", files.write_cifar(tmp_path / "bin"))
    (python / "batches.meta").write_bytes(b"\x80\x02}U\x0blabel_names" + names + b"s.")
    with pytest.raises(SourceError, match="batches.meta holds 0 class names, not 10"):
        _ = Cifar10(CifarOptions(path=str(python))).classes


def test_instructions_have_a_limit(tmp_path, monkeypatch):
    python = files.write_cifar_python(tmp_path / "py", files.write_cifar(tmp_path / "bin"))
    monkeypatch.setattr(cifar_pickle, "_MAX_INSTRUCTIONS", 1000)
    (python / "data_batch_1").write_bytes(b"\x80\x02" + b"]" * 1001 + b".")
    with pytest.raises(SourceError, match="data_batch_1 .*: it has more than 1000 instructions"):
        list(Cifar10(CifarOptions(path=str(python))).entries())
